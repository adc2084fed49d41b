//! What a member of a body that is not known may have been meant for.

use strsim::normalized_levenshtein;

use crate::error::Flaw;

/// How like a known name one has to be, from 0 to 1, capitals aside: `name` is like `nickname`.
const LIKE: f64 = 0.5;

/// How long a name may be that is repeated to the caller.
const LONGEST: usize = 40;

/// What is wrong with a body that has these members, when none of them is known. One that is like a known one is named first.
pub(super) fn none_is_known<'a>(
    given: impl Iterator<Item = &'a str>,
    known: &'static [&'static str],
) -> Flaw {
    let flaw = Flaw::new("unknown-member", "has no known member");
    let given: Vec<&str> = given.filter(|name| can_be_repeated(name)).collect();
    let like = given.iter().find_map(|name| Some((name, near(name, known)?)));
    match (like, given.first()) {
        (Some((name, near)), _) => flaw.because(format!("write {near} instead of {name}")),
        (None, Some(name)) => flaw.because(format!("{name} is none of {}", known.join(", "))),
        (None, None) => flaw.because(format!("there are only {}", known.join(", "))),
    }
}

/// The known name that this one is most like.
fn near(name: &str, known: &'static [&'static str]) -> Option<&'static str> {
    let likeness =
        |known: &str| normalized_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let like = known.iter().map(|known| (likeness(known), *known));
    let best = like.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(likeness, _)| *likeness >= LIKE).map(|(_, known)| known)
}

/// A name as programs have them. Anything else could be what a caller does not want to read in an answer.
fn can_be_repeated(name: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphabetic() || b"_-".contains(&byte);
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_near_one_is_named() {
        let known = &["nickname", "isPrimary", "customerNumber"];
        let message = |names: &[&str]| none_is_known(names.iter().copied(), known).message;
        for (name, near) in [
            ("primary", "isPrimary"),
            ("isprimary", "isPrimary"),
            ("is_primary", "isPrimary"),
            ("nickName", "nickname"),
            ("nick_name", "nickname"),
            ("NICKNAME", "nickname"),
            ("name", "nickname"),
            ("customer", "customerNumber"),
            ("customernumber", "customerNumber"),
        ] {
            let expected = format!("has no known member: write {near} instead of {name}");
            assert_eq!(message(&[name]), expected);
            assert_eq!(message(&["colour", name]), expected);
        }
        assert_eq!(
            message(&["colour", "size"]),
            "has no known member: colour is none of nickname, isPrimary, customerNumber"
        );
        for secret in ["4925000000000004", "<script>", "", "nickname ", &"n".repeat(41)] {
            let expected =
                "has no known member: there are only nickname, isPrimary, customerNumber";
            assert_eq!(message(&[secret]), expected);
        }
    }
}
