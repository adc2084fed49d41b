//! The texts of the shop, in each language.

mod en;
mod nb;
mod nn;

use serde::Serialize;

use super::answers::Card;
use super::sessions::Purchase;

/// The texts of the shop in one language. Words in braces are replaced.
#[derive(Serialize)]
pub(super) struct Texts {
    /// The language tag, as in the attribute `lang`.
    pub(super) lang: &'static str,
    /// The name of the language in the language itself.
    pub(super) name: &'static str,
    /// The language of the page at Nets, which has no nynorsk.
    pub(super) terminal_language: &'static str,
    /// Whether amounts have a decimal comma, and the currency after the number.
    pub(super) has_decimal_comma: bool,
    pub(super) months: [&'static str; 12],
    pub(super) shop: &'static str,
    pub(super) demo: &'static str,
    pub(super) clock: &'static str,
    pub(super) skip: &'static str,
    pub(super) languages: &'static str,
    pub(super) menu: &'static str,
    pub(super) log_out: &'static str,
    pub(super) error_prefix: &'static str,
    pub(super) api_says: &'static str,
    pub(super) try_again: &'static str,
    pub(super) not_found: &'static str,
    pub(super) login: Login,
    pub(super) cards: Cards,
    pub(super) history: HistoryTexts,
    pub(super) tickets: Tickets,
    pub(super) order: OrderTexts,
    pub(super) calls: Calls,
    pub(super) problems: Problems,
}

#[derive(Serialize)]
pub(super) struct Login {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) customers: &'static str,
    pub(super) other: &'static str,
    pub(super) other_hint: &'static str,
    pub(super) button: &'static str,
}

/// The texts of the page with the cards.
#[derive(Serialize)]
pub(super) struct Cards {
    pub(super) title: &'static str,
    pub(super) none: &'static str,
    pub(super) promoted: &'static str,
    pub(super) new: &'static str,
    pub(super) no_card: &'static str,
    pub(super) ending: &'static str,
    pub(super) valid_until: &'static str,
    pub(super) primary: &'static str,
    pub(super) created: &'static str,
    pub(super) active: &'static str,
    pub(super) expired: &'static str,
    pub(super) cancelled: &'static str,
    pub(super) incomplete: &'static str,
    pub(super) chargeable: &'static str,
    pub(super) resume: &'static str,
    pub(super) check: &'static str,
    pub(super) make_primary: &'static str,
    pub(super) rename: &'static str,
    pub(super) nickname: &'static str,
    pub(super) save: &'static str,
    pub(super) remove: &'static str,
    pub(super) remove_hint: &'static str,
    pub(super) remove_button: &'static str,
    pub(super) remove_title: &'static str,
    pub(super) becomes_primary: &'static str,
    pub(super) becomes_primary_unregistered: &'static str,
    pub(super) stays_primary: &'static str,
    pub(super) none_left: &'static str,
    pub(super) keep: &'static str,
    pub(super) add: &'static str,
    pub(super) add_intro: &'static str,
    pub(super) nickname_hint: &'static str,
    pub(super) consent: &'static str,
    pub(super) add_button: &'static str,
    pub(super) added: &'static str,
    pub(super) renamed: &'static str,
    pub(super) removed: &'static str,
    pub(super) removed_title: &'static str,
    pub(super) expiring_card: &'static str,
    pub(super) expiring_registration: &'static str,
    pub(super) clock_title: &'static str,
    pub(super) clock_intro: &'static str,
    pub(super) clock_button: &'static str,
    pub(super) clock_notice_button: &'static str,
}

/// The texts of the history of a card.
#[derive(Serialize)]
pub(super) struct HistoryTexts {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) none: &'static str,
    pub(super) added: &'static str,
    pub(super) stored: &'static str,
    pub(super) expired: &'static str,
    pub(super) removed: &'static str,
    pub(super) abandoned: &'static str,
    pub(super) first: &'static str,
    pub(super) chosen: &'static str,
    pub(super) stored_first: &'static str,
    pub(super) after_end: &'static str,
    pub(super) after_expiry: &'static str,
    pub(super) after_abandonment: &'static str,
    pub(super) handed_back: &'static str,
    pub(super) other_chosen: &'static str,
    pub(super) other_stored: &'static str,
    pub(super) by_client: &'static str,
    pub(super) by_unnamed_client: &'static str,
    pub(super) by_time: &'static str,
    pub(super) by_nets: &'static str,
    pub(super) back: &'static str,
}

/// The texts of the page with the tickets.
#[derive(Serialize)]
pub(super) struct Tickets {
    pub(super) title: &'static str,
    pub(super) no_card: &'static str,
    pub(super) to_cards: &'static str,
    pub(super) choose: &'static str,
    pub(super) names: [&'static str; 3],
    pub(super) trip: &'static str,
    pub(super) pay_with: &'static str,
    pub(super) buy: &'static str,
    pub(super) charge_title: &'static str,
    pub(super) charge_intro: &'static str,
    pub(super) charge_none: &'static str,
    pub(super) charge: &'static str,
    pub(super) mine: &'static str,
    pub(super) none: &'static str,
}

/// The texts of the page of an order.
#[derive(Serialize)]
pub(super) struct OrderTexts {
    pub(super) title: &'static str,
    pub(super) receipt: &'static str,
    pub(super) paid: &'static str,
    pub(super) number: &'static str,
    pub(super) transaction: &'static str,
    pub(super) card: &'static str,
    pub(super) credited: &'static str,
    pub(super) created: &'static str,
    pub(super) initiated: &'static str,
    pub(super) captured: &'static str,
    pub(super) status_credited: &'static str,
    pub(super) rejected: &'static str,
    pub(super) cancelled: &'static str,
    pub(super) log: &'static str,
    pub(super) log_create: &'static str,
    pub(super) log_initiate: &'static str,
    pub(super) log_capture: &'static str,
    pub(super) log_credit: &'static str,
    pub(super) log_reject: &'static str,
    pub(super) log_cancel: &'static str,
    pub(super) back: &'static str,
    pub(super) refund: &'static str,
    pub(super) amount: &'static str,
    pub(super) amount_hint: &'static str,
    pub(super) refund_part: &'static str,
    pub(super) refund_all: &'static str,
    pub(super) refunded: &'static str,
    pub(super) all_refunded: &'static str,
    pub(super) not_paid: &'static str,
    pub(super) is_over: &'static str,
    pub(super) is_open: &'static str,
    pub(super) pay: &'static str,
    pub(super) check: &'static str,
}

/// The texts of the list of calls.
#[derive(Serialize)]
pub(super) struct Calls {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) none: &'static str,
    pub(super) no_answer: &'static str,
    pub(super) request: &'static str,
    pub(super) answer: &'static str,
    pub(super) copy: &'static str,
    pub(super) copied: &'static str,
}

/// What a problem type of the API means for the customer.
#[derive(Serialize)]
pub(super) struct Problems {
    pub(super) declined: &'static str,
    pub(super) declined_for_now: &'static str,
    pub(super) authentication_required: &'static str,
    pub(super) card_expired: &'static str,
    pub(super) terminal_cancelled: &'static str,
    pub(super) terminal_timed_out: &'static str,
    pub(super) terminal_open: &'static str,
    pub(super) not_active: &'static str,
    pub(super) no_agreement: &'static str,
    pub(super) order_has_payment: &'static str,
    pub(super) wallet_full: &'static str,
    pub(super) too_many: &'static str,
    pub(super) credit_above_captured: &'static str,
    pub(super) credit_in_progress: &'static str,
    pub(super) invalid_request: &'static str,
    pub(super) invalid_amount: &'static str,
    pub(super) not_found: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) other: &'static str,
    pub(super) retry_after: &'static str,
}

/// All languages, in the order of the links on the page.
pub(super) const LANGUAGES: [&Texts; 3] = [&nb::TEXTS, &nn::TEXTS, &en::TEXTS];

/// Returns the texts for a language tag.
pub(super) fn for_tag(lang: &str) -> Option<&'static Texts> {
    LANGUAGES.into_iter().find(|texts| texts.lang == lang)
}

/// Returns the texts that the query parameter `language` selects.
pub(super) fn selected_by(query: &str) -> Option<&'static Texts> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "language").and_then(|(_, lang)| for_tag(&lang))
}

/// Returns the texts for `Accept-Language`: the first language that the shop has, in the order of the header, otherwise bokmål.
pub(super) fn accepted_by(header: &str) -> &'static Texts {
    let texts = |range: &str| {
        let lang = range.trim().split(['-', ';']).next().unwrap_or_default().to_ascii_lowercase();
        for_tag(if lang == "no" { "nb" } else { &lang })
    };
    header.split(',').find_map(texts).unwrap_or(&nb::TEXTS)
}

impl Texts {
    /// The name of a card scheme.
    pub(super) fn scheme(payment_type: &str) -> &str {
        match payment_type {
            "VISA" => "Visa",
            "MASTERCARD" => "Mastercard",
            "AMEX" => "American Express",
            "BANKAXEPT" => "BankAxept",
            other => other,
        }
    }

    /// The nickname of a card, otherwise its scheme and last digits.
    pub(super) fn card_name(&self, card: &Card) -> String {
        card.nickname.clone().unwrap_or_else(|| self.card_digits(card))
    }

    /// The nickname of a card with its scheme and last digits.
    pub(super) fn card_option(&self, card: &Card) -> String {
        match (&card.nickname, &card.masked_pan) {
            (Some(nickname), Some(_)) => format!("{nickname} ({})", self.card_digits(card)),
            (Some(_) | None, _) => self.card_name(card),
        }
    }

    /// The title of the history of a card.
    pub(super) fn history_title(&self, card: &Card) -> String {
        self.history.title.replace("{card}", &self.card_name(card))
    }

    fn card_digits(&self, card: &Card) -> String {
        match (&card.payment_type, &card.masked_pan) {
            (Some(scheme), Some(digits)) => format!("{} {digits}", Self::scheme(scheme)),
            (Some(_) | None, _) => self.cards.new.to_owned(),
        }
    }

    /// What an order is for.
    pub(super) fn purchase(&self, purchase: Purchase) -> &'static str {
        match purchase {
            Purchase::Ticket(ticket) => {
                self.tickets.names.get(ticket).copied().unwrap_or(self.tickets.title)
            }
            Purchase::Trip => self.tickets.trip,
        }
    }

    /// The name of an operation of a transaction.
    pub(super) fn operation<'a>(&self, operation: &'a str) -> &'a str {
        let texts = &self.order;
        match operation {
            "CREATE" => texts.log_create,
            "INITIATE" => texts.log_initiate,
            "CAPTURE" => texts.log_capture,
            "CREDIT" => texts.log_credit,
            "REJECT" => texts.log_reject,
            "CANCEL" => texts.log_cancel,
            other => other,
        }
    }

    /// What a problem type means for the customer. `slug` is the last part of the type.
    pub(super) fn problem(&self, slug: &str) -> &'static str {
        let texts = &self.problems;
        match slug {
            "declined" => texts.declined,
            "declined-for-now" => texts.declined_for_now,
            "authentication-required" => texts.authentication_required,
            "card-expired" => texts.card_expired,
            "terminal-cancelled" => texts.terminal_cancelled,
            "terminal-timed-out" => texts.terminal_timed_out,
            "terminal-open" => texts.terminal_open,
            "not-active" => texts.not_active,
            "no-agreement" => texts.no_agreement,
            "order-has-payment" => texts.order_has_payment,
            "wallet-full" => texts.wallet_full,
            "too-many-terminals" | "too-many-declines" | "unidentified" => texts.too_many,
            "credit-above-captured" => texts.credit_above_captured,
            "credit-in-progress" => texts.credit_in_progress,
            "invalid-request" => texts.invalid_request,
            "invalid-amount" => texts.invalid_amount,
            "not-found" => texts.not_found,
            "unavailable" | "busy" => texts.unavailable,
            _ => texts.other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    /// All texts by their place, such as `/cards/title`.
    fn all(value: &Value, place: &str, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(members) => members
                .iter()
                .for_each(|(name, value)| all(value, &format!("{place}/{name}"), found)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(at, item)| all(item, &format!("{place}/{at}"), found)),
            Value::String(text) => drop(found.insert(place.to_owned(), text.clone())),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn placeholders(text: &str) -> Vec<&str> {
        text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect()
    }

    #[test]
    fn every_language_has_every_text_with_the_same_placeholders() {
        let [nb, nn, en] = LANGUAGES.map(|texts| {
            let mut found = BTreeMap::new();
            all(&serde_json::to_value(texts).unwrap(), "", &mut found);
            found
        });
        assert!(nb.len() > 130, "{}", nb.len());
        for (place, text) in &nb {
            for other in [&nn, &en] {
                assert!(!text.trim().is_empty() && !other[place].trim().is_empty(), "{place}");
                assert_eq!(placeholders(text), placeholders(&other[place]), "{place}");
            }
            let is_sentence = text.contains(' ') && !place.starts_with("/tickets/names");
            assert!(!is_sentence || *text != en[place], "{place} is not translated");
        }
    }

    #[test]
    fn the_link_or_the_browser_selects_the_language() {
        for (header, lang) in [
            ("", "nb"),
            ("en-US,en;q=0.9", "en"),
            ("nn-NO, nb;q=0.9", "nn"),
            ("no", "nb"),
            ("de-DE, fr;q=0.8, en;q=0.5", "en"),
            ("de", "nb"),
        ] {
            assert_eq!(accepted_by(header).lang, lang, "{header}");
        }
        assert_eq!(selected_by("a=b&language=nn").map(|texts| texts.lang), Some("nn"));
        assert!(selected_by("language=de").is_none() && selected_by("").is_none());
    }
}
