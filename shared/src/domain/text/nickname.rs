//! What a customer calls a card.

use super::card_number::may_contain_a_card_number;
use crate::error::Flaw;

/// What a customer calls a card: 1 to 64 characters after trimming, nothing invisible, nothing like a card number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nickname(String);

impl Nickname {
    /// One that was let in before, perhaps under other rules than today's.
    #[must_use]
    pub fn kept(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Nickname {
    type Error = Flaw;

    fn try_from(text: &str) -> Result<Self, Flaw> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Flaw::new("empty", "must not be empty; null clears it"));
        }
        if text.chars().count() > 64 {
            return Err(Flaw::new("too-long", "may have at most 64 characters"));
        }
        if text.chars().any(|letter| letter.is_control() || turns_direction(letter)) {
            return Err(Flaw::new(
                "characters",
                "may have no control characters and none that turn the writing direction",
            ));
        }
        if may_contain_a_card_number(text) {
            return Err(Flaw::new("card-number", "may not have a card number in it"));
        }
        Ok(Self(text.to_owned()))
    }
}

fn turns_direction(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(text: &str) -> Option<&'static str> {
        Nickname::try_from(text).err().map(|flaw| flaw.code)
    }

    #[test]
    fn nicknames() {
        for (text, kept) in [
            ("x", "x"),
            (" Reisekortet\t", "Reisekortet"),
            ("日本のカード", "日本のカード"),
            ("💳", "💳"),
            ("492500", "492500"),
        ] {
            assert_eq!(Nickname::try_from(text).unwrap().as_str(), kept);
        }
        assert_eq!(flaw(&"ø".repeat(64)), None);
        assert_eq!(flaw(&format!(" {} ", "ø".repeat(64))), None);
        assert_eq!(flaw(&"ø".repeat(65)), Some("too-long"));
        for text in ["", "   ", "\n"] {
            assert_eq!(flaw(text), Some("empty"));
        }
        for text in
            ["a\nb", "a\u{0}b", "a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{61c}b", "a\u{7f}b"]
        {
            assert_eq!(flaw(text), Some("characters"), "{text:?}");
        }
    }
}
