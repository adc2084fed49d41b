//! What Register asks of its parameters, and where a card comes from that needs no terminal.

use jiff::Timestamp;

use super::{Card, is_true};
use crate::netaxept::exception::Exception;
use crate::netaxept::{Parameters, posted};

/// The currencies with an agreement.
const CURRENCIES: [&str; 4] = ["NOK", "SEK", "DKK", "EUR"];

fn text<'a>(parameters: &'a Parameters, name: &str) -> &'a str {
    parameters.get(name).map(String::as_str).unwrap_or_default()
}

fn is(parameters: &Parameters, name: &str, value: &str) -> bool {
    text(parameters, name).eq_ignore_ascii_case(value)
}

fn invalid(name: &str) -> Exception {
    Exception::validation(&format!("Invalid parameter: '{name}'"))
}

/// The checks of Register, in the order that was observed; those of the pan hash and the id come last.
pub(in crate::netaxept) fn check_registration(parameters: &Parameters) -> Result<(), Exception> {
    check_required(parameters)?;
    check_texts(parameters)?;
    check_recurring(parameters)?;
    if parameters.get("currencycode").is_some_and(|code| !CURRENCIES.contains(&code.as_str())) {
        let message = "Unable to translate supermerchant to submerchant, please check currency code and merchant ID";
        return Err(Exception::generic(message));
    }
    let automatic = [is_true(parameters, "autoauth"), is_true(parameters, "autosale")];
    if automatic == [true, true] {
        return Err(Exception::validation("autoAuth and autoSale exclude each other"));
    }
    if !is_windowless(parameters)
        && automatic == [false, false]
        && !parameters.contains_key("redirecturl")
    {
        return Err(Exception::validation("Missing redirect URL"));
    }
    Ok(())
}

fn check_required(parameters: &Parameters) -> Result<(), Exception> {
    let has = |name| parameters.contains_key(name);
    let stores_only = is_true(parameters, "updatestoredpaymentinfo");
    if !has("ordernumber") {
        return Err(Exception::missing("Order Number"));
    }
    if !has("amount") && !stores_only {
        return Err(Exception::missing("Amount"));
    }
    if !has("currencycode") && !stores_only {
        return Err(Exception::missing("Currency Code"));
    }
    if has("amount") && super::amount(parameters, "amount") == 0 {
        return Err(Exception::validation("Transaction amount must be greater than zero."));
    }
    Ok(())
}

fn check_texts(parameters: &Parameters) -> Result<(), Exception> {
    let order_number = text(parameters, "ordernumber");
    if order_number.len() > 32 || !order_number.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid("Order Number"));
    }
    if text(parameters, "transactionid").chars().count() > 32 {
        return Err(invalid("Transaction ID"));
    }
    let service_types = ["", "B", "M", "C", "A"];
    if !service_types.iter().any(|service_type| is(parameters, "servicetype", service_type)) {
        return Err(invalid("Service Type"));
    }
    Ok(())
}

/// The first of a merchant's own charges says how often and until when; a later one says of which card.
fn check_recurring(parameters: &Parameters) -> Result<(), Exception> {
    let has = |name| parameters.contains_key(name);
    let types = ["S", "R", "M"];
    match types.iter().find(|kind| is(parameters, "recurringtype", kind)) {
        None if has("recurringtype") => Err(invalid("Recurring Type")),
        None if has("panhash") => Err(Exception::missing("Recurring Type")),
        Some(&"M") if !has("panhash") => Err(Exception::missing("Pan Hash")),
        Some(&"R") if !has("panhash") => check_agreement(parameters),
        _ => Ok(()),
    }
}

fn check_agreement(parameters: &Parameters) -> Result<(), Exception> {
    let frequency = text(parameters, "recurringfrequency");
    let expiry = text(parameters, "recurringexpirydate");
    if frequency.is_empty() {
        return Err(Exception::missing("Recurring Frequency"));
    }
    if expiry.is_empty() {
        return Err(Exception::missing("Recurring Expiry Date"));
    }
    if frequency.parse::<u16>().is_err() {
        return Err(invalid("Recurring Frequency"));
    }
    // strptime takes fewer digits too.
    if expiry.len() != 8 || jiff::civil::Date::strptime("%Y%m%d", expiry).is_err() {
        return Err(invalid("Recurring Expiry Date"));
    }
    Ok(())
}

/// Whether the customer never comes to the terminal: a call centre, or the merchant on its own.
pub(super) fn is_windowless(parameters: &Parameters) -> bool {
    is(parameters, "servicetype", "C") || is(parameters, "servicetype", "A")
}

/// Whether the merchant shows the page for the card, and has it posted to the terminal.
pub(super) fn is_hosted_by_merchant(parameters: &Parameters) -> bool {
    is(parameters, "servicetype", "M")
}

/// Whether the customer has to come to the terminal although the card is known.
pub(super) fn needs_code(parameters: &Parameters) -> bool {
    is(parameters, "recurringtype", "S")
        && is_true(parameters, "recurringuse3ds")
        && !is_windowless(parameters)
        && !is_hosted_by_merchant(parameters)
}

/// The card that was read out to a call centre, for which the security code may be missing.
pub(in crate::netaxept) fn told_card(
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Option<Card>, Exception> {
    if !is_windowless(parameters) || !parameters.contains_key("pan") {
        return Ok(None);
    }
    posted::card(parameters, false, now).map(Some).map_err(|faults| Exception::validation(&faults))
}

/// How `Recurring/Type` names what was asked for; only the first was seen.
pub(super) fn recurring_name(parameters: &Parameters) -> &'static str {
    let is_first = !parameters.contains_key("panhash");
    match (text(parameters, "recurringtype"), is_first) {
        ("S" | "s", true) => "Store (Init)",
        ("S" | "s", false) => "Store",
        ("R" | "r", true) => "Recurring (Init)",
        ("R" | "r", false) => "Recurring",
        _ => "Merchant initiated",
    }
}
