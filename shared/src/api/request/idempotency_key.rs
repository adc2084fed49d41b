//! `Idempotency-Key`. In the IETF draft the value is a quoted string (RFC 9651, section 3.3.3), but many clients send it without
//! quotes. Both forms are accepted.

use std::borrow::Cow;

/// The maximum length of a key, in characters.
const MAX_LENGTH: usize = 255;

/// The key in a header value, without quotes. `None` if it is not a valid key.
pub(super) fn read(header: &str) -> Option<Cow<'_, str>> {
    let text = header.trim_matches([' ', '\t']);
    let key = match text.strip_prefix('"') {
        Some(quoted) => Cow::from(unquoted(quoted)?),
        None => Cow::from(text),
    };
    let is_visible = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let fits = is_visible && !key.trim().is_empty() && key.len() <= MAX_LENGTH;
    fits.then_some(key)
}

/// The string up to the closing quote, unescaped. Parameters after the quote are ignored.
fn unquoted(quoted: &str) -> Option<String> {
    let (mut key, mut letters) = (String::new(), quoted.chars());
    loop {
        match letters.next()? {
            '"' => break,
            '\\' => key.push(letters.next().filter(|letter| "\\\"".contains(*letter))?),
            letter => key.push(letter),
        }
    }
    let rest = letters.as_str();
    (rest.is_empty() || rest.starts_with(';')).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_key_equals_the_bare_key() {
        for (header, key) in [
            ("5f0c1d5e-8d3a-4a53", "5f0c1d5e-8d3a-4a53"),
            ("\"5f0c1d5e-8d3a-4a53\"", "5f0c1d5e-8d3a-4a53"),
            (" \"a b\" ", "a b"),
            ("a b", "a b"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("\"a\";v=1", "a"),
            ("a\"b\"", "a\"b\""),
        ] {
            assert_eq!(read(header).as_deref(), Some(key), "{header}");
        }
    }

    #[test]
    fn invalid_keys_are_refused() {
        let (long, quoted) = ("k".repeat(256), format!("\"{}\"", "k".repeat(256)));
        for header in [
            "", " ", "\"\"", "\" \"", "\"a", "\"", "\"a\"b", r#""a\b""#, r#""a\"#, "a\tb", "ø",
            &long, &quoted,
        ] {
            assert_eq!(read(header), None, "{header}");
        }
        for header in ["k".repeat(255), format!("\"{}\"", "k".repeat(255))] {
            assert_eq!(read(&header).map(|key| key.len()), Some(255));
        }
    }
}
