//! Nicknames of recurring payments.

use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, PrependedConcatenationMark, WhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::card_number::may_contain_card_number;
use crate::error::Violation;

/// The customer's name for a recurring payment: 1 to 64 characters after trimming, at least one of them visible, and no card
/// number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nickname(String);

impl Nickname {
    /// Restores a stored nickname without validation, because the rules may have changed since it was stored.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Nickname {
    type Error = Violation;

    fn try_from(text: &str) -> Result<Self, Violation> {
        let text = text.trim();
        if text.chars().all(is_invisible) {
            return Err(Violation::new("empty", "must not be empty; null clears it"));
        }
        if text.chars().count() > 64 {
            return Err(Violation::new("too-long", "must have at most 64 characters"));
        }
        if text
            .chars()
            .any(|character| is_bidi_control(character) || is_control_or_separator(character))
        {
            return Err(Violation::new(
                "characters",
                "must not contain control characters, line or paragraph separators, or characters that change the writing direction",
            ));
        }
        if may_contain_card_number(text) {
            return Err(Violation::new("card-number", "must not contain a card number"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Returns whether the character is a control character, a line separator or a paragraph separator.
fn is_control_or_separator(character: char) -> bool {
    use GeneralCategory::{Control, LineSeparator, ParagraphSeparator};
    [Control, LineSeparator, ParagraphSeparator].contains(&category(character))
}

/// Returns whether the character is invisible: default-ignorable, white space, a control character, a format character or the empty
/// Braille pattern, which Unicode classifies as a symbol. Format characters before a number (`؀`) are visible.
fn is_invisible(character: char) -> bool {
    let category = category(character);
    let is_format = category == GeneralCategory::Format
        && !CodePointSetData::new::<PrependedConcatenationMark>().contains(character);
    is_format
        || category == GeneralCategory::Control
        || character == '\u{2800}'
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || CodePointSetData::new::<WhiteSpace>().contains(character)
}

fn category(character: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(character)
}

fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(text: &str) -> Option<&'static str> {
        Nickname::try_from(text).err().map(|violation| violation.code)
    }

    #[test]
    fn nicknames_are_trimmed_and_validated() {
        for (text, expected) in [
            ("x", "x"),
            (" Reisekortet\t", "Reisekortet"),
            ("日本のカード", "日本のカード"),
            ("💳", "💳"),
            ("492500", "492500"),
            ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧"),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("\u{200b}a", "\u{200b}a"),
            ("\u{600}", "\u{600}"),
            (".", "."),
        ] {
            assert_eq!(Nickname::try_from(text).unwrap().as_str(), expected);
        }
        assert_eq!(violation(&"ø".repeat(64)), None);
        assert_eq!(violation(&format!(" {} ", "ø".repeat(64))), None);
        assert_eq!(violation(&"ø".repeat(65)), Some("too-long"));
        for text in ["a\u{2028}b", "a\u{2029}b", "a\u{85}b", "a\u{b}b"] {
            assert_eq!(violation(text), Some("characters"), "{text:?}");
        }
        for text in [
            "",
            "   ",
            "\n",
            "\u{200b}",
            "\u{2800}",
            "\u{2800} \u{200b}\u{2800}",
            "\u{3164}",
            "\u{ad}",
            "\u{feff}",
            "\u{fe0f}\u{200d}",
            "\u{2028}",
            "\u{fff9}",
            "\u{e0020}",
            "\u{202e}",
        ] {
            assert_eq!(violation(text), Some("empty"), "{text:?}");
        }
        for text in
            ["a\nb", "a\u{0}b", "a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{61c}b", "a\u{7f}b"]
        {
            assert_eq!(violation(text), Some("characters"), "{text:?}");
        }
    }
}
