//! Validation of Register's parameters, and the card that Register can contain.

use jiff::Timestamp;

use super::{Card, is_true};
use crate::netaxept::exception::Exception;
use crate::netaxept::{Parameters, card_data};

/// The currencies that the merchant can use.
const CURRENCIES: [&str; 4] = ["NOK", "SEK", "DKK", "EUR"];

fn value<'a>(parameters: &'a Parameters, name: &str) -> &'a str {
    parameters.get(name).map(String::as_str).unwrap_or_default()
}

fn has_value(parameters: &Parameters, name: &str, expected: &str) -> bool {
    value(parameters, name).eq_ignore_ascii_case(expected)
}

fn invalid(name: &str) -> Exception {
    Exception::validation(&format!("Invalid parameter: '{name}'"))
}

/// Validates the parameters of Register, in the recorded order. The caller checks the pan hash and the id afterwards.
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
    if !has_no_terminal(parameters)
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
    let order_number = value(parameters, "ordernumber");
    if order_number.len() > 32 || !order_number.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid("Order Number"));
    }
    if value(parameters, "transactionid").chars().count() > 32 {
        return Err(invalid("Transaction ID"));
    }
    let service_types = ["", "B", "M", "C", "A"];
    if !service_types.iter().any(|service_type| has_value(parameters, "servicetype", service_type))
    {
        return Err(invalid("Service Type"));
    }
    Ok(())
}

/// Validates the recurring parameters. An initial R needs a frequency and an expiry date; M needs a pan hash.
fn check_recurring(parameters: &Parameters) -> Result<(), Exception> {
    let has = |name| parameters.contains_key(name);
    let types = ["S", "R", "M"];
    match types.iter().find(|kind| has_value(parameters, "recurringtype", kind)) {
        None if has("recurringtype") => Err(invalid("Recurring Type")),
        None if has("panhash") => Err(Exception::missing("Recurring Type")),
        Some(&"M") if !has("panhash") => Err(Exception::missing("Pan Hash")),
        Some(&"R") if !has("panhash") => check_frequency_and_expiry(parameters),
        _ => Ok(()),
    }
}

fn check_frequency_and_expiry(parameters: &Parameters) -> Result<(), Exception> {
    let frequency = value(parameters, "recurringfrequency");
    let expiry = value(parameters, "recurringexpirydate");
    if frequency.is_empty() {
        return Err(Exception::missing("Recurring Frequency"));
    }
    if expiry.is_empty() {
        return Err(Exception::missing("Recurring Expiry Date"));
    }
    if frequency.parse::<u16>().is_err() {
        return Err(invalid("Recurring Frequency"));
    }
    // strptime accepts fewer digits too.
    if expiry.len() != 8 || jiff::civil::Date::strptime("%Y%m%d", expiry).is_err() {
        return Err(invalid("Recurring Expiry Date"));
    }
    Ok(())
}

/// Whether the transaction has no terminal: a call centre (C), or the merchant without the customer (A).
pub(super) fn has_no_terminal(parameters: &Parameters) -> bool {
    has_value(parameters, "servicetype", "C") || has_value(parameters, "servicetype", "A")
}

/// Whether a page of the merchant posts the card to the terminal (M).
pub(super) fn has_merchant_page(parameters: &Parameters) -> bool {
    has_value(parameters, "servicetype", "M")
}

/// Whether the customer must enter the security code of a stored card at the terminal.
pub(super) fn needs_security_code(parameters: &Parameters) -> bool {
    has_value(parameters, "recurringtype", "S")
        && is_true(parameters, "recurringuse3ds")
        && !has_no_terminal(parameters)
        && !has_merchant_page(parameters)
}

/// Returns the card in `pan` of a transaction without a terminal. The security code is optional.
pub(in crate::netaxept) fn card_from_parameters(
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Option<Card>, Exception> {
    if !has_no_terminal(parameters) || !parameters.contains_key("pan") {
        return Ok(None);
    }
    card_data::parse(parameters, false, now)
        .map(Some)
        .map_err(|errors| Exception::validation(&errors))
}

/// Returns the text of `Recurring/Type`. Only `Store (Init)` was recorded from Nets.
pub(super) fn recurring_type_name(parameters: &Parameters) -> &'static str {
    let is_first = !parameters.contains_key("panhash");
    match (value(parameters, "recurringtype"), is_first) {
        ("S" | "s", true) => "Store (Init)",
        ("S" | "s", false) => "Store",
        ("R" | "r", true) => "Recurring (Init)",
        ("R" | "r", false) => "Recurring",
        _ => "Merchant initiated",
    }
}
