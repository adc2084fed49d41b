//! Finds card numbers in texts.

/// A run of 12 to 19 digits of any script that passes Luhn. A single blank or dash between digits does not end the run,
/// since that is how people write card numbers (ours); what nobody can see does not either.
#[must_use]
pub fn may_contain_a_card_number(text: &str) -> bool {
    let mut digits: Vec<u32> = Vec::new();
    let mut separated = false;
    for letter in text.chars().filter(|letter| !is_invisible(*letter)).chain(['\n']) {
        if let Some(digit) = digit(letter) {
            digits.push(digit);
            separated = false;
        } else if is_separator(letter) && !separated {
            separated = true;
        } else {
            if passes_luhn(&digits) {
                return true;
            }
            digits.clear();
            separated = false;
        }
    }
    false
}

/// The joiners that some scripts and emoji need, and other letters without a width.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

fn is_separator(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '-' | '.' | '/' | '_' | '\u{a0}' | '\u{2000}'
            ..='\u{2015}' | '\u{202f}' | '\u{205f}' | '\u{2212}' | '\u{3000}'
    )
}

/// The value of a decimal digit in any script.
fn digit(letter: char) -> Option<u32> {
    let letter = u32::from(letter);
    let script = ZEROS.partition_point(|zero| *zero <= letter).checked_sub(1)?;
    Some(letter - ZEROS[script]).filter(|digit| *digit < 10)
}

/// The zeros of the scripts that have decimal digits (Unicode 16, general category Nd), and the subscript one; the other
/// nine follow each.
#[rustfmt::skip]
const ZEROS: [u32; 76] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0x2080,
    0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0,
    0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950,
    0x11bf0, 0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8,
    0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

fn passes_luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit) {
            (0, _) => *digit,
            (_, 0..5) => digit * 2,
            (_, _) => digit * 2 - 9,
        })
        .sum();
    (12..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found() {
        for text in [
            "4925000000000004",
            "my 4925000000000004 card",
            "4925 0000 0000 0004",
            "4925-0000-0000-0004",
            "000000000000",
            "4925.0000.0000.0004",
            "4925/0000/0000/0004",
            "4925\u{a0}0000\u{2009}0000\u{3000}0004",
            "4925–0000—0000−0004",
            "4\u{200b}9\u{200d}25\u{ad}0000\u{2060}00000004",
            "٤٩٢٥٠٠٠٠٠٠٠٠٠٠٠٤",
            "४९२५००००००००००००४",
            "４９２５００００００００００００４",
            "𝟒𝟗𝟐𝟓𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟒",
            "₄₉₂₅₀₀₀₀₀₀₀₀₀₀₀₄",
            "49२५٠٠٠٠００００𝟎𝟎𝟎𝟒",
        ] {
            assert!(may_contain_a_card_number(text), "{text:?}");
        }
        // Not Luhn, too short, too long, or broken up.
        for text in [
            "4925000000000005",
            "00000000000",
            "00000000000000000000",
            "492500000000 -- 0004",
            "4925,0000,0000,0004",
            "٤٩٢٥٠٠٠٠٠٠٠٠٠٠٠٥",
            "👨\u{200d}👩\u{200d}👧",
        ] {
            assert!(!may_contain_a_card_number(text), "{text:?}");
        }
    }

    /// Numbers that card schemes publish for tests; with any other last digit each is none.
    #[test]
    fn a_card_number_is_known_by_its_last_digit() {
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
            let (first, last) = number.split_at(number.len() - 1);
            for digit in 0..10 {
                let text = format!("{first}{digit}");
                let expected = digit.to_string() == last;
                assert_eq!(may_contain_a_card_number(&text), expected, "{text}");
            }
        }
    }

    #[test]
    fn every_script_has_ten_digits() {
        for zero in ZEROS {
            for value in 0..10 {
                assert_eq!(char::from_u32(zero + value).and_then(digit), Some(value), "{zero:x}");
            }
        }
        for letter in ['/', ':', 'a', '\u{665}', '\u{66a}', 'ø', '\u{0}', char::MAX] {
            let known = (letter == '\u{665}').then_some(5);
            assert_eq!(digit(letter), known, "{letter:?}");
        }
    }
}
