//! Suggests a known member for a member of a body that is not known.

use strsim::normalized_levenshtein;

use crate::error::Violation;

/// The minimum similarity of a suggestion, from 0 to 1, ignoring case. `name` and `nickname` have 0.5.
const MIN_SIMILARITY: f64 = 0.5;

/// The maximum length of a name that is repeated to the caller, in bytes.
const MAX_NAME_LENGTH: usize = 40;

/// The error of a body whose members are all unknown. It suggests a known name if one of the members is similar to it.
pub(super) fn no_known_member<'a>(
    given: impl Iterator<Item = &'a str>,
    known: &'static [&'static str],
) -> Violation {
    let violation = Violation::new("unknown-member", "has no known member");
    let given: Vec<&str> = given.filter(|name| is_plain_name(name)).collect();
    let suggestion = given.iter().find_map(|name| Some((name, most_similar(name, known)?)));
    match (suggestion, given.first()) {
        (Some((name, known)), _) => violation.with_reason(format!("use {known} instead of {name}")),
        (None, Some(name)) => {
            violation.with_reason(format!("{name} is not one of {}", known.join(", ")))
        }
        (None, None) => {
            violation.with_reason(format!("the known members are {}", known.join(", ")))
        }
    }
}

/// The known name that is most similar to `name`, if it is similar enough.
fn most_similar(name: &str, known: &'static [&'static str]) -> Option<&'static str> {
    let similarity =
        |known: &str| normalized_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let candidates = known.iter().map(|known| (similarity(known), *known));
    let best = candidates.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY).map(|(_, known)| known)
}

/// Whether this looks like a name in a program. Other text is not repeated, because it could be personal or secret.
fn is_plain_name(name: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphabetic() || b"_-".contains(&byte);
    (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_member_is_suggested() {
        let known = &["nickname", "isPrimary", "customerNumber"];
        let message = |names: &[&str]| no_known_member(names.iter().copied(), known).message;
        for (name, suggested) in [
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
            let expected = format!("has no known member: use {suggested} instead of {name}");
            assert_eq!(message(&[name]), expected);
            assert_eq!(message(&["colour", name]), expected);
        }
        assert_eq!(
            message(&["colour", "size"]),
            "has no known member: colour is not one of nickname, isPrimary, customerNumber"
        );
        for secret in ["4925000000000004", "<script>", "", "nickname ", &"n".repeat(41)] {
            let expected =
                "has no known member: the known members are nickname, isPrimary, customerNumber";
            assert_eq!(message(&[secret]), expected);
        }
    }
}
