//! The texts of the pages, in each language.

mod en;
mod nb;
mod nn;
mod sv;

use super::input::FieldError;

/// The texts of the pages in one language.
pub(super) struct Texts {
    /// The language tag, as in the attribute `lang`.
    pub(super) lang: &'static str,
    /// The name of the language in the language itself.
    pub(super) name: &'static str,
    /// Whether amounts have a decimal comma, and the currency after the number.
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
    pub(super) month_placeholder: &'static str,
    pub(super) year: &'static str,
    pub(super) year_placeholder: &'static str,
    pub(super) code: &'static str,
    pub(super) code_hint: &'static str,
    pub(super) cancel: &'static str,
    pub(super) errors: Errors,
    pub(super) ended: &'static str,
    pub(super) succeeded: &'static str,
    pub(super) failed: &'static str,
    pub(super) timed_out: &'static str,
    pub(super) bank: Bank,
    pub(super) tools: TestTools,
}

/// The texts for a purchase or for storing a card.
pub(super) struct Purpose {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) button: &'static str,
}

/// The error texts of the form.
pub(super) struct Errors {
    /// Comes before the page title when the form has errors.
    pub(super) title_prefix: &'static str,
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

/// The texts of the bank's 3-D Secure page.
pub(super) struct Bank {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) accept: &'static str,
    pub(super) fail: &'static str,
}

/// The texts of the test tools.
pub(super) struct TestTools {
    pub(super) title: &'static str,
    pub(super) cards: &'static str,
    /// The names of the test cards, in the order of [`super::input::TEST_CARDS`].
    pub(super) card_names: [&'static str; 10],
    pub(super) other: &'static str,
    pub(super) refuse: &'static str,
    pub(super) refuse_hint: &'static str,
    pub(super) authentication: &'static str,
    pub(super) authentication_hint: &'static str,
    pub(super) time_out: &'static str,
    pub(super) time_out_hint: &'static str,
}

/// All languages, in the order of the links on the page.
pub(super) const LANGUAGES: [&Texts; 4] = [&nb::TEXTS, &nn::TEXTS, &en::TEXTS, &sv::TEXTS];

/// The texts for languages that are not supported.
pub(super) const ENGLISH: &Texts = &en::TEXTS;

impl Texts {
    /// Returns the texts for Register's `language`. Without a language the page is Norwegian, as at Nets.
    pub(super) fn for_register(language: &str) -> &'static Self {
        match language {
            "" | "no_NO" | "nb_NO" => &nb::TEXTS,
            "nn_NO" => &nn::TEXTS,
            "sv_SE" => &sv::TEXTS,
            _ => ENGLISH,
        }
    }

    /// Returns the texts for a language tag.
    pub(super) fn for_tag(lang: &str) -> Option<&'static Self> {
        LANGUAGES.into_iter().find(|texts| texts.lang == lang)
    }

    pub(super) fn error(&self, error: FieldError) -> &'static str {
        match error {
            FieldError::NoNumber => self.errors.no_number,
            FieldError::NumberWithLetters => self.errors.number_with_letters,
            FieldError::WrongNumber => self.errors.wrong_number,
            FieldError::NoMonth => self.errors.no_month,
            FieldError::NoYear => self.errors.no_year,
            FieldError::WrongExpiry => self.errors.wrong_expiry,
            FieldError::NoCode => self.errors.no_code,
            FieldError::WrongCode => self.errors.wrong_code,
        }
    }

    /// Formats an amount in minor units, with no-break spaces.
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
    fn amounts_are_formatted_for_the_language() {
        for (minor, english, norwegian) in [
            (5, "NOK\u{a0}0.05", "0,05\u{a0}NOK"),
            (99_900, "NOK\u{a0}999.00", "999,00\u{a0}NOK"),
            (123_456_789, "NOK\u{a0}1,234,567.89", "1\u{a0}234\u{a0}567,89\u{a0}NOK"),
        ] {
            assert_eq!(ENGLISH.money(minor, "NOK"), english);
            assert_eq!(Texts::for_register("").money(minor, "NOK"), norwegian);
        }
    }

    #[test]
    fn register_selects_the_language() {
        for (language, lang) in [
            ("", "nb"),
            ("no_NO", "nb"),
            ("nn_NO", "nn"),
            ("en_GB", "en"),
            ("sv_SE", "sv"),
            ("da_DK", "en"),
            ("unknown", "en"),
        ] {
            assert_eq!(Texts::for_register(language).lang, lang, "{language}");
        }
    }
}
