//! Country codes, and the languages of the Nets terminal page.

use crate::error::Violation;

/// An ISO 3166-1 alpha-2 country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountryCode(&'static str);

impl CountryCode {
    /// Norway, the default.
    pub const DEFAULT: Self = Self("NO");

    /// The two letters of the code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl TryFrom<&str> for CountryCode {
    type Error = Violation;

    fn try_from(text: &str) -> Result<Self, Violation> {
        let known = COUNTRIES.split_ascii_whitespace().find(|code| *code == text);
        known
            .map(Self)
            .ok_or(Violation::new("country", "must be an ISO 3166-1 alpha-2 code such as NO"))
    }
}

/// The officially assigned codes of ISO 3166-1. The list is short and rarely changes, so it does not justify a dependency.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD \
    CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF \
    GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI \
    SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
    VN VU WF WS YE YT ZA ZM ZW";

/// A language of the Nets terminal page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalLanguage(&'static str);

impl TerminalLanguage {
    /// Norwegian, the default.
    pub const DEFAULT: Self = Self("no_NO");

    const SUPPORTED: [&'static str; 16] = [
        "no_NO", "sv_SE", "da_DK", "fi_FI", "en_GB", "de_DE", "fr_FR", "ru_RU", "pl_PL", "nl_NL",
        "es_ES", "it_IT", "pt_PT", "et_EE", "lv_LV", "lt_LT",
    ];

    /// The language of a tag with a hyphen or an underscore (`en-GB`, `en_GB`), in any case. Returns the default for a language
    /// that Nets does not support.
    #[must_use]
    pub fn from_tag(tag: &str) -> Self {
        let tag = tag.replace('-', "_");
        let known = Self::SUPPORTED.into_iter().find(|known| known.eq_ignore_ascii_case(&tag));
        known.map_or(Self::DEFAULT, Self)
    }

    /// The code that Nets expects, such as `en_GB`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn country_codes_are_validated_and_unknown_languages_use_the_default() {
        assert_eq!(COUNTRIES.split_ascii_whitespace().count(), 249);
        assert_eq!(CountryCode::try_from("SE").unwrap().as_str(), "SE");
        for wrong in ["", "no", "NOR", "ZZ", "N", "NO "] {
            assert_eq!(
                CountryCode::try_from(wrong).err().map(|violation| violation.code),
                Some("country"),
                "{wrong:?}"
            );
        }
        for tag in ["en_GB", "en-GB", "EN_gb", "en-gb", "EN-GB"] {
            assert_eq!(TerminalLanguage::from_tag(tag).as_str(), "en_GB", "{tag}");
        }
        for known in TerminalLanguage::SUPPORTED {
            for tag in [known.replace('_', "-"), known.to_lowercase(), known.to_uppercase()] {
                assert_eq!(TerminalLanguage::from_tag(&tag).as_str(), known, "{tag}");
            }
        }
        for unknown in ["", "en", "en GB", "en__GB", "en-GB-oxendict", " en_GB", "tlh_KL", "nb-NO"]
        {
            assert_eq!(TerminalLanguage::from_tag(unknown), TerminalLanguage::DEFAULT, "{unknown}");
        }
    }
}
