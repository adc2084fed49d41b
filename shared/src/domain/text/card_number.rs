//! Detects card numbers in text.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, NumericType};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed, CodePointSetData};

const CATEGORIES: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();
const NUMERIC_TYPES: CodePointMapDataBorrowed<'static, NumericType> = CodePointMapData::new();

/// Returns whether any 12 to 19 consecutive digits pass the Luhn check.
///
/// Only a letter ends a run of digits. Spaces, punctuation, symbols, marks and invisible characters between digits are skipped, so
/// a date or a year beside a number counts as more digits. Digits of every script count, and other forms such as circled
/// digits.
#[must_use]
pub fn may_contain_card_number(text: &str) -> bool {
    let mut digits = Vec::new();
    for character in text.chars() {
        match digit(character) {
            Some(digit) => digits.push(digit),
            None if is_letter(character) => {
                if has_card_number(&digits) {
                    return true;
                }
                digits.clear();
            }
            None => {}
        }
    }
    has_card_number(&digits)
}

fn has_card_number(digits: &[u8]) -> bool {
    (12..=19).any(|length| digits.windows(length).any(passes_luhn))
}

/// Returns whether these are 12 to 19 digits that pass the Luhn check.
pub(crate) fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit) {
            (0, _) => u32::from(*digit),
            (_, 0..5) => u32::from(digit * 2),
            (_, _) => u32::from(digit * 2 - 9),
        })
        .sum();
    (12..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// Returns whether the character is a visible letter. Modifier letters do not count: they look like dashes and apostrophes
/// (`ー`, `ʼ`).
fn is_letter(character: char) -> bool {
    use GeneralCategory::{LowercaseLetter, OtherLetter, TitlecaseLetter, UppercaseLetter};
    let category = CATEGORIES.get(character);
    [LowercaseLetter, OtherLetter, TitlecaseLetter, UppercaseLetter].contains(&category)
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// The value of a digit, 0 to 9. `None` for any other character.
fn digit(character: char) -> Option<u8> {
    match NUMERIC_TYPES.get(character) {
        NumericType::Decimal => decimal(u32::from(character)),
        NumericType::Digit => OTHER_FORMS.iter().find_map(|(first, value, last)| {
            let offset = u32::from(character).checked_sub(u32::from(*first))?;
            (character <= *last).then(|| value + u8::try_from(offset).unwrap_or_default())
        }),
        NumericType::Numeric => {
            HAN.chars().zip(0..).find_map(|(han, value)| (han == character).then_some(value))
        }
        _ => None,
    }
}

/// The value of a decimal digit. Unicode encodes decimal digits in contiguous ranges from zero to nine (The Unicode Standard, 4.6),
/// so a row of one or more such ranges begins with a zero.
fn decimal(character: u32) -> Option<u8> {
    let is_decimal = |before: &u32| NUMERIC_TYPES.get32(*before) == NumericType::Decimal;
    let before = (0..character).rev().take_while(is_decimal).count();
    u8::try_from(before % 10).ok()
}

/// The ranges of non-decimal digits: first character, its value, last character. Unicode has these values as `Numeric_Value`,
/// which `icu_properties` does not provide.
const OTHER_FORMS: [(char, u8, char); 21] = [
    ('\u{b2}', 2, '\u{b3}'),
    ('\u{b9}', 1, '\u{b9}'),
    ('\u{1369}', 1, '\u{1371}'),
    ('\u{19da}', 1, '\u{19da}'),
    ('\u{2070}', 0, '\u{2070}'),
    ('\u{2074}', 4, '\u{2079}'),
    ('\u{2080}', 0, '\u{2089}'),
    ('\u{2460}', 1, '\u{2468}'),
    ('\u{2474}', 1, '\u{247c}'),
    ('\u{2488}', 1, '\u{2490}'),
    ('\u{24ea}', 0, '\u{24ea}'),
    ('\u{24f5}', 1, '\u{24fd}'),
    ('\u{24ff}', 0, '\u{24ff}'),
    ('\u{2776}', 1, '\u{277e}'),
    ('\u{2780}', 1, '\u{2788}'),
    ('\u{278a}', 1, '\u{2792}'),
    ('\u{10a40}', 1, '\u{10a43}'),
    ('\u{10e60}', 1, '\u{10e68}'),
    ('\u{11052}', 1, '\u{1105a}'),
    ('\u{1f100}', 0, '\u{1f100}'),
    ('\u{1f101}', 0, '\u{1f10a}'),
];

/// The Han characters for zero to nine. Unicode classifies them as letters.
const HAN: &str = "〇一二三四五六七八九";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn card_numbers_are_found() {
        for text in [
            "4925000000000004",
            "my 4925000000000004 card",
            "4925 0000 0000 0004",
            "4925-0000-0000-0004",
            "000000000000",
            "00000000000000000000",
            "4925.0000.0000.0004",
            "4925/0000/0000/0004",
            "4925,0000,0000,0004",
            "492500000000 -- 0004",
            "4925  0000  0000  0004",
            "4925 - 0000 - 0000 - 0004",
            "4925·0000·0000·0004",
            "4925\u{a0}0000\u{2009}0000\u{3000}0004",
            "4925–0000—0000−0004",
            "4925ー0000ー0000ー0004",
            "4925\u{3164}000000000004",
            "4\u{200b}9\u{200d}25\u{ad}0000\u{2060}00000004",
            "4\u{fe0f}\u{20e3}9\u{fe0f}\u{20e3}25000000000004",
            "4925 😀 0000 💳 0000 ½ 0004",
            "٤٩٢٥٠٠٠٠٠٠٠٠٠٠٠٤",
            "४९२५००००००००००००४",
            "４９２５００００００００００００４",
            "𝟒𝟗𝟐𝟓𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟒",
            "₄₉₂₅₀₀₀₀₀₀₀₀₀₀₀₄",
            "⁴⁹²⁵⁰⁰⁰⁰⁰⁰⁰⁰⁰⁰⁰⁴",
            "④⑨②⑤⓪⓪⓪⓪⓪⓪⓪⓪⓪⓪⓪④",
            "四九二五〇〇〇〇〇〇〇〇〇〇〇四",
            "49२५٠٠٠٠００００𝟎𝟎𝟎𝟒",
            "4111111111111111 12/28",
            "12/28 4111111111111111",
            "Kort 2 4925000000000004",
            "4925000000000004 4925000000000004",
            "4925000000000004 2028",
        ] {
            assert!(may_contain_card_number(text), "{text:?}");
        }
    }

    #[test]
    fn card_numbers_are_not_found_in_ordinary_text() {
        for text in [
            "",
            "Kort 2",
            "Reisekortet",
            "492500",
            "1111111111111111",
            "١١١١١١١١١١١١١١١١",
            "00000000000",
            "+47 22 05 57 00",
            "0047 909 12 346",
            "0047 22 05 57 01",
            "+44 20 7946 0958",
            "Utløper 12/28",
            "Jobb 2024-2028",
            "4925 0000 of 0000 0004",
            "👨\u{200d}👩\u{200d}👧",
            "Visa 💳 1️⃣",
            "一二三",
        ] {
            assert!(!may_contain_card_number(text), "{text:?}");
        }
    }

    /// Test numbers that card schemes publish. With any other last digit the check fails.
    #[test]
    fn only_the_correct_check_digit_passes_luhn() {
        for number in [
            "4111111111111111",
            "4012888888881881",
            "5555555555554444",
            "378282246310005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "6799990100000000019",
            "4917300800000000",
        ] {
            let digits: Vec<u8> = number.bytes().map(|byte| byte - b'0').collect();
            let Some((last, first)) = digits.split_last() else { panic!("{number}") };
            for digit in 0..10 {
                let whole = [first, &[digit]].concat();
                assert_eq!(passes_luhn(&whole), digit == *last, "{number} with {digit}");
            }
        }
    }

    /// Every character that Unicode classifies as a digit has a value, and each range of decimal digits goes from zero to nine.
    #[test]
    fn every_unicode_digit_has_a_value() {
        let (mut decimals, mut others) = (0, 0);
        for character in '\0'..=char::MAX {
            match NUMERIC_TYPES.get(character) {
                NumericType::Decimal => {
                    assert_eq!(
                        digit(character).map(u32::from),
                        Some(decimals % 10),
                        "{character:?}"
                    );
                    decimals += 1;
                }
                NumericType::Digit => {
                    assert!(digit(character).is_some_and(|value| value < 10), "{character:?}");
                    others += 1;
                }
                _ => {}
            }
        }
        assert!(decimals >= 760 && decimals.is_multiple_of(10), "{decimals}");
        let rows =
            OTHER_FORMS.iter().map(|(first, _, last)| u32::from(*last) - u32::from(*first) + 1);
        assert_eq!(rows.sum::<u32>(), others);
        for (character, value) in
            [('²', 2), ('₀', 0), ('⑨', 9), ('🄊', 9), ('〇', 0), ('九', 9), ('٥', 5)]
        {
            assert_eq!(digit(character), Some(value), "{character:?}");
        }
        for character in ['/', ':', 'a', 'ø', '½', 'Ⅳ', '十', '\0', char::MAX] {
            assert_eq!(digit(character), None, "{character:?}");
        }
    }

    /// Characters that are allowed between two digits.
    fn separators() -> impl Strategy<Value = String> {
        let any = any::<char>().prop_filter("no letter, no digit", |character| {
            digit(*character).is_none() && !is_letter(*character)
        });
        let usual =
            prop::sample::select(" -./·_,:–—\u{a0}\u{200b}\u{200d}😀".chars().collect::<Vec<_>>());
        let separator = prop_oneof![3 => usual, 1 => any];
        prop_oneof![
            2 => Just(String::new()),
            1 => prop::collection::vec(separator, 0..4).prop_map(String::from_iter),
        ]
    }

    /// A card number that passes the Luhn check, with digits of any script or form and with separators between them.
    fn card_numbers() -> impl Strategy<Value = String> {
        let forms: Vec<Vec<char>> = (0..10)
            .map(|value| {
                ('\0'..=char::MAX).filter(|character| digit(*character) == Some(value)).collect()
            })
            .collect();
        let forms = Arc::new(forms);
        let part = (0..10_u8, prop_oneof![Just(0), any::<usize>()], separators());
        prop::collection::vec(part, 12..=19).prop_map(move |mut parts| {
            let digits: Vec<u8> = parts.iter().map(|(value, ..)| *value).collect();
            let (first, last) = (&digits[..digits.len() - 1], parts.len() - 1);
            let check = (0..10).find(|check| passes_luhn(&[first, &[*check]].concat()));
            parts[last].0 = check.unwrap();
            parts.into_iter().fold(String::new(), |text, (value, which, separator)| {
                let forms = &forms[usize::from(value)];
                format!("{text}{}{separator}", forms[which % forms.len()])
            })
        })
    }

    /// Words, dates, years and single digits.
    fn other_words() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            "[a-zæøå]{1,8}",
            "[0-9]{1,6}",
            "(0[1-9]|1[0-2])/[2-3][0-9]",
            "20[2-3][0-9]"
        ];
        prop::collection::vec((word, separators()), 0..4).prop_map(|words| {
            words.into_iter().map(|(word, separator)| word + &separator).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn card_numbers_between_other_words_are_always_found(before in other_words(), number in card_numbers(), after in other_words()) {
            let text = format!("{before}{number}{after}");
            prop_assert!(may_contain_card_number(&text), "{:?}", text);
        }

        #[test]
        fn at_most_eleven_digits_between_letters_are_not_a_card_number(parts in prop::collection::vec(("[a-zæøå]{1,3}", "[0-9]{0,11}"), 0..6)) {
            let text: String = parts.into_iter().map(|(word, digits)| word + &digits).collect();
            prop_assert!(!may_contain_card_number(&text), "{:?}", text);
        }
    }
}
