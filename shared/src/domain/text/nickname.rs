//! What a customer calls a card.

use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, PrependedConcatenationMark, WhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::card_number::may_contain_a_card_number;
use crate::error::Flaw;

/// What a customer calls a card: 1 to 64 characters after trimming, of which one is seen, and nothing like a card number.
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
        if text.chars().all(shows_nothing) {
            return Err(Flaw::new("empty", "must not be empty; null clears it"));
        }
        if text.chars().count() > 64 {
            return Err(Flaw::new("too-long", "may have at most 64 characters"));
        }
        if text.chars().any(|letter| turns_direction(letter) || ends_a_line(letter)) {
            return Err(Flaw::new(
                "characters",
                "may have no control characters, no line or paragraph separators, and none that turn the writing direction",
            ));
        }
        if may_contain_a_card_number(text) {
            return Err(Flaw::new("card-number", "may not have a card number in it"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Control characters, and the separators of lines and paragraphs.
fn ends_a_line(letter: char) -> bool {
    use GeneralCategory::{Control, LineSeparator, ParagraphSeparator};
    [Control, LineSeparator, ParagraphSeparator].contains(&category(letter))
}

/// What Unicode calls default-ignorable or white space, and what it calls format or control characters; of the format ones, the
/// marks that stand before a number (`؀`) are seen. The Braille pattern without a dot is a symbol to Unicode.
fn shows_nothing(letter: char) -> bool {
    let category = category(letter);
    let is_format = category == GeneralCategory::Format
        && !CodePointSetData::new::<PrependedConcatenationMark>().contains(letter);
    is_format
        || category == GeneralCategory::Control
        || letter == '\u{2800}'
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter)
        || CodePointSetData::new::<WhiteSpace>().contains(letter)
}

fn category(letter: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(letter)
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
            ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧"),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("\u{200b}a", "\u{200b}a"),
            ("\u{600}", "\u{600}"),
            (".", "."),
        ] {
            assert_eq!(Nickname::try_from(text).unwrap().as_str(), kept);
        }
        assert_eq!(flaw(&"ø".repeat(64)), None);
        assert_eq!(flaw(&format!(" {} ", "ø".repeat(64))), None);
        assert_eq!(flaw(&"ø".repeat(65)), Some("too-long"));
        for text in ["a\u{2028}b", "a\u{2029}b", "a\u{85}b", "a\u{b}b"] {
            assert_eq!(flaw(text), Some("characters"), "{text:?}");
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
            assert_eq!(flaw(text), Some("empty"), "{text:?}");
        }
        for text in
            ["a\nb", "a\u{0}b", "a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{61c}b", "a\u{7f}b"]
        {
            assert_eq!(flaw(text), Some("characters"), "{text:?}");
        }
    }
}
