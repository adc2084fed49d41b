//! What the pages say, in each language that they can speak.

mod en;
mod nb;
mod nn;
mod sv;

use super::entry::Fault;

/// The words of the pages in one language.
pub(super) struct Words {
    /// Its tag, as in the attribute `lang`.
    pub(super) lang: &'static str,
    /// Its name for itself.
    pub(super) name: &'static str,
    /// Whether a decimal comma stands before the currency's minor unit, and the currency after the amount.
    pub(super) has_decimal_comma: bool,
    pub(super) languages: &'static str,
    pub(super) sandbox: &'static str,
    pub(super) store: Purpose,
    pub(super) pay: Purpose,
    pub(super) merchant: &'static str,
    pub(super) order: &'static str,
    pub(super) amount: &'static str,
    pub(super) card: &'static str,
    pub(super) number: &'static str,
    pub(super) month: &'static str,
    pub(super) month_letters: &'static str,
    pub(super) year: &'static str,
    pub(super) year_letters: &'static str,
    pub(super) code: &'static str,
    pub(super) code_hint: &'static str,
    pub(super) cancel: &'static str,
    pub(super) faults: Faults,
    pub(super) over: &'static str,
    pub(super) done: &'static str,
    pub(super) stopped: &'static str,
    pub(super) timed_out: &'static str,
    pub(super) bank: Bank,
    pub(super) tools: Tools,
}

/// What the customer came for.
pub(super) struct Purpose {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) button: &'static str,
}

/// What is wrong with what was entered.
pub(super) struct Faults {
    pub(super) mark: &'static str,
    pub(super) heading: &'static str,
    pub(super) no_number: &'static str,
    pub(super) number_with_letters: &'static str,
    pub(super) wrong_number: &'static str,
    pub(super) no_month: &'static str,
    pub(super) no_year: &'static str,
    pub(super) wrong_expiry: &'static str,
    pub(super) no_code: &'static str,
    pub(super) wrong_code: &'static str,
}

/// The page of the customer's bank, 3-D Secure.
pub(super) struct Bank {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) accept: &'static str,
    pub(super) fail: &'static str,
}

/// What a sandbox has and Nets has not.
pub(super) struct Tools {
    pub(super) title: &'static str,
    pub(super) cards: &'static str,
    /// One for each of the test cards.
    pub(super) card_names: [&'static str; 6],
    pub(super) other: &'static str,
    pub(super) refuse: &'static str,
    pub(super) refuse_hint: &'static str,
    pub(super) time_out: &'static str,
    pub(super) time_out_hint: &'static str,
}

/// All languages, as the switch shows them.
pub(super) const LANGUAGES: [&Words; 4] = [&nb::WORDS, &nn::WORDS, &en::WORDS, &sv::WORDS];

/// What comes without a language of its own.
pub(super) const ENGLISH: &Words = &en::WORDS;

impl Words {
    /// The language of Register's `language`. Nets takes Norwegian where there is none.
    pub(super) fn registered(language: &str) -> &'static Self {
        match language {
            "" | "no_NO" | "nb_NO" => &nb::WORDS,
            "nn_NO" => &nn::WORDS,
            "sv_SE" => &sv::WORDS,
            _ => ENGLISH,
        }
    }

    /// The language that was chosen on the page.
    pub(super) fn chosen(lang: &str) -> Option<&'static Self> {
        LANGUAGES.into_iter().find(|words| words.lang == lang)
    }

    pub(super) fn fault(&self, fault: Fault) -> &'static str {
        match fault {
            Fault::NoNumber => self.faults.no_number,
            Fault::NumberWithLetters => self.faults.number_with_letters,
            Fault::WrongNumber => self.faults.wrong_number,
            Fault::NoMonth => self.faults.no_month,
            Fault::NoYear => self.faults.no_year,
            Fault::WrongExpiry => self.faults.wrong_expiry,
            Fault::NoCode => self.faults.no_code,
            Fault::WrongCode => self.faults.wrong_code,
        }
    }

    /// An amount of minor units, with spaces that do not break.
    pub(super) fn money(&self, minor: u64, currency: &str) -> String {
        let (separator, point) = if self.has_decimal_comma { ('\u{a0}', ',') } else { (',', '.') };
        let units = (minor / 100).to_string();
        let mut grouped = String::new();
        for (place, digit) in units.char_indices() {
            if place > 0 && (units.len() - place).is_multiple_of(3) {
                grouped.push(separator);
            }
            grouped.push(digit);
        }
        let number = format!("{grouped}{point}{:02}", minor % 100);
        if self.has_decimal_comma {
            format!("{number}\u{a0}{currency}")
        } else {
            format!("{currency}\u{a0}{number}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_as_people_there_do() {
        for (minor, english, norwegian) in [
            (5, "NOK\u{a0}0.05", "0,05\u{a0}NOK"),
            (99_900, "NOK\u{a0}999.00", "999,00\u{a0}NOK"),
            (123_456_789, "NOK\u{a0}1,234,567.89", "1\u{a0}234\u{a0}567,89\u{a0}NOK"),
        ] {
            assert_eq!(ENGLISH.money(minor, "NOK"), english);
            assert_eq!(Words::registered("").money(minor, "NOK"), norwegian);
        }
    }

    #[test]
    fn register_chooses_the_language() {
        for (language, lang) in [
            ("", "nb"),
            ("no_NO", "nb"),
            ("nn_NO", "nn"),
            ("en_GB", "en"),
            ("sv_SE", "sv"),
            ("da_DK", "en"),
            ("rubbish", "en"),
        ] {
            assert_eq!(Words::registered(language).lang, lang, "{language}");
        }
    }
}
