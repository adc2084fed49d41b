//! Texts that callers send, each with one way in and one reason per rule.

use crate::domain::id::RecurringPaymentId;
use crate::error::Flaw;
use url::Url;

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
        if looks_like_a_card_number(text) {
            return Err(Flaw::new("card-number", "may not have a card number in it"));
        }
        Ok(Self(text.to_owned()))
    }
}

fn turns_direction(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A run of 12 to 19 digits of any script that passes Luhn. A single blank or dash between digits does not end the run,
/// since that is how people write card numbers (ours); what nobody can see does not either.
fn looks_like_a_card_number(text: &str) -> bool {
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

/// Where Nets' page sends the customer back to: `^(https?://).{0,1024}` on the whole text (Entur), and a real address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUrl(Url);

impl RedirectUrl {
    /// The address with the recurring payment in its query (rule 11); the query and fragment that it had stay.
    #[must_use]
    pub fn for_payment(&self, id: RecurringPaymentId) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair("recurringPaymentId", &id.to_string());
        url
    }
}

impl TryFrom<&str> for RedirectUrl {
    type Error = Flaw;

    fn try_from(text: &str) -> Result<Self, Flaw> {
        web_address(text).map(Self)
    }
}

/// Where the end of a setup is told to: as a redirect's address, with the same length, and without a user's name in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallbackUrl(Url);

impl CallbackUrl {
    /// One that was let in before, perhaps under other rules than today's.
    ///
    /// # Errors
    /// It is no address at all.
    pub fn kept(text: &str) -> Result<Self, url::ParseError> {
        Url::parse(text).map(Self)
    }

    /// The address.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<&str> for CallbackUrl {
    type Error = Flaw;

    fn try_from(text: &str) -> Result<Self, Flaw> {
        let url = web_address(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Flaw::new("user", "may have no user name or password in it"));
        }
        Ok(Self(url))
    }
}

fn web_address(text: &str) -> Result<Url, Flaw> {
    const SCHEME: Flaw = Flaw::new("scheme", "must begin with https:// or http://");
    let rest =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(SCHEME)?;
    if rest.chars().count() > 1024 {
        return Err(Flaw::new("too-long", "may have at most 1024 characters after https://"));
    }
    if rest.chars().any(char::is_control) {
        return Err(Flaw::new("characters", "may have no control characters"));
    }
    Url::parse(text).map_err(|_| Flaw::new("address", "must be a web address"))
}

/// ISO 3166-1 alpha-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountryCode(&'static str);

impl CountryCode {
    /// Norway, where nothing else is said.
    pub const DEFAULT: Self = Self("NO");

    /// The two letters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl TryFrom<&str> for CountryCode {
    type Error = Flaw;

    fn try_from(text: &str) -> Result<Self, Flaw> {
        let known = COUNTRIES.split_ascii_whitespace().find(|code| *code == text);
        known.map(Self).ok_or(Flaw::new("country", "must be an ISO 3166-1 alpha-2 code such as NO"))
    }
}

/// The codes that ISO 3166-1 assigns officially; a list this small and still earns no dependency in a function.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD \
    CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF \
    GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI \
    SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
    VN VU WF WS YE YT ZA ZM ZW";

/// A language of Nets' page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalLanguage(&'static str);

impl TerminalLanguage {
    /// Norwegian, where nothing else is said.
    pub const DEFAULT: Self = Self("no_NO");

    const KNOWN: [&'static str; 16] = [
        "no_NO", "sv_SE", "da_DK", "fi_FI", "en_GB", "de_DE", "fr_FR", "ru_RU", "pl_PL", "nl_NL",
        "es_ES", "it_IT", "pt_PT", "et_EE", "lv_LV", "lt_LT",
    ];

    /// The language of a code; the default for one that Nets does not have.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| *known == code).map_or(Self::DEFAULT, Self)
    }

    /// The code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{Sequence, Slot};

    fn flaw<'a, T: TryFrom<&'a str, Error = Flaw>>(text: &'a str) -> Option<&'static str> {
        T::try_from(text).err().map(|flaw| flaw.code)
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
        assert_eq!(flaw::<Nickname>(&"ø".repeat(64)), None);
        assert_eq!(flaw::<Nickname>(&format!(" {} ", "ø".repeat(64))), None);
        assert_eq!(flaw::<Nickname>(&"ø".repeat(65)), Some("too-long"));
        for text in ["", "   ", "\n"] {
            assert_eq!(flaw::<Nickname>(text), Some("empty"));
        }
        for text in
            ["a\nb", "a\u{0}b", "a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{61c}b", "a\u{7f}b"]
        {
            assert_eq!(flaw::<Nickname>(text), Some("characters"), "{text:?}");
        }
    }

    #[test]
    fn a_nickname_is_no_card_number() {
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
            assert_eq!(flaw::<Nickname>(text), Some("card-number"), "{text:?}");
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
            assert_eq!(flaw::<Nickname>(text), None, "{text:?}");
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
                let expected = (digit.to_string() == last).then_some("card-number");
                assert_eq!(flaw::<Nickname>(&text), expected, "{text}");
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

    #[test]
    fn callback_addresses_have_no_user() {
        for (text, expected) in [
            ("https://shop.example/told?a=b@c", None),
            ("https://user@shop.example/", Some("user")),
            ("https://:password@shop.example/", Some("user")),
            ("https://user:password@shop.example/", Some("user")),
            ("ftp://shop.example/", Some("scheme")),
        ] {
            assert_eq!(flaw::<CallbackUrl>(text), expected, "{text}");
        }
    }

    #[test]
    fn redirect_addresses_keep_query_and_fragment() {
        let id = RecurringPaymentId::new(Slot::new(4), Sequence::NONE.next());
        let with_id = |text: &str| RedirectUrl::try_from(text).unwrap().for_payment(id).to_string();
        assert_eq!(
            with_id("https://shop.example/done"),
            "https://shop.example/done?recurringPaymentId=4097"
        );
        assert_eq!(
            with_id("https://shop.example/?a=b%20c"),
            "https://shop.example/?a=b%20c&recurringPaymentId=4097"
        );
        assert_eq!(
            with_id("http://localhost:1/?a#top"),
            "http://localhost:1/?a&recurringPaymentId=4097#top"
        );
    }

    #[test]
    fn redirect_addresses_are_web_addresses() {
        assert_eq!(flaw::<RedirectUrl>(&format!("https://{}", "a".repeat(63))), None);
        assert_eq!(flaw::<RedirectUrl>(&format!("https://a/{}", "b".repeat(1022))), None);
        assert_eq!(
            flaw::<RedirectUrl>(&format!("https://a/{}", "b".repeat(1023))),
            Some("too-long")
        );
        for text in [
            "",
            "shop.example",
            "ftp://shop.example",
            "javascript:alert(1)",
            " https://a",
            "HTTPS://a",
            "https:/a",
        ] {
            assert_eq!(flaw::<RedirectUrl>(text), Some("scheme"), "{text:?}");
        }
        for text in ["https://", "https://a b", "https://[::1", "http://:80"] {
            assert_eq!(flaw::<RedirectUrl>(text), Some("address"), "{text:?}");
        }
        for text in ["https://a/\nb", "https://a/\rb", "https://a/\tb"] {
            assert_eq!(flaw::<RedirectUrl>(text), Some("characters"), "{text:?}");
        }
    }

    #[test]
    fn countries_and_languages() {
        assert_eq!(COUNTRIES.split_ascii_whitespace().count(), 249);
        assert_eq!(CountryCode::try_from("SE").unwrap().as_str(), "SE");
        for wrong in ["", "no", "NOR", "ZZ", "N", "NO "] {
            assert_eq!(flaw::<CountryCode>(wrong), Some("country"), "{wrong:?}");
        }
        assert_eq!(TerminalLanguage::of("en_GB").as_str(), "en_GB");
        for unknown in ["", "en", "EN_GB", "tlh_KL"] {
            assert_eq!(TerminalLanguage::of(unknown), TerminalLanguage::DEFAULT);
        }
    }
}
