//! The table of response codes.

use crate::error::Decline;

/// The class of a response code, or of an exception without a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum ResponseClass {
    Accepted,
    Cancelled,
    /// The customer has not entered a card. This is an exception without a code.
    NoCard,
    Declined(Decline),
    AlreadyProcessed,
    /// The operation failed, and the code does not say why. After VERIFY this is a decline. After an operation with money, the
    /// transaction has to be queried.
    Undetermined,
    Unclear,
}

pub(super) const AUTHENTICATION_REQUIRED: ResponseClass =
    ResponseClass::Declined(Decline::AuthenticationRequired);
pub(super) const SOFT: ResponseClass = ResponseClass::Declined(Decline::Soft);
pub(super) const HARD: ResponseClass = ResponseClass::Declined(Decline::Hard);

/// All known response codes, by source and code (netaxept.md §6.3 and §6.4, payments.md §2.4). Which declines are soft or hard is
/// our decision. `01` and `05` are sources in old data.
pub(super) const CODES: [(&[&str], &[&str], ResponseClass); 12] = [
    (&["Netaxept"], &["OK", "00"], ResponseClass::Accepted),
    (&["Netaxept", "Terminal", "01", "05"], &["17"], ResponseClass::Cancelled),
    // The transaction is processed already, or Nets cannot find it. Query it to find out.
    (&["Netaxept"], &["25", "86", "97", "98"], ResponseClass::AlreadyProcessed),
    // Nets' own blocks after too many attempts with a card: temporary and permanent.
    (&["Netaxept", "Issuer"], &["TB"], SOFT),
    (&["Netaxept", "Issuer"], &["PB"], HARD),
    (&["Netaxept", "Terminal"], &["14", "30", "84", "MZ"], HARD),
    // "Several errors": Nets asks not to retry.
    (&["Netaxept", "Terminal"], &["99"], ResponseClass::Undetermined),
    (&["Netaxept", "Terminal"], &["96"], ResponseClass::Unclear),
    // The issuer requires 3-D Secure: Mastercard and Visa.
    (&["Issuer"], &["65", "1A"], AUTHENTICATION_REQUIRED),
    (&["Issuer"], &["05", "19", "31", "51", "61", "68", "91", "92", "96"], SOFT),
    (
        &["Issuer"],
        &[
            "01", "02", "03", "04", "06", "07", "12", "13", "14", "30", "33", "36", "41", "43",
            "52", "54", "56", "57", "58", "59", "62", "63", "78", "79", "80", "93", "C9", "N0",
            "N7", "P1", "P9", "T3", "T8",
        ],
        HARD,
    ),
    (&["Transport", "Module"], &["01", "06", "30"], ResponseClass::Unclear),
];

/// The class of a code, and whether the code is in the table. An unknown code of the issuer is a failure without a known reason. An
/// unknown code of another source is unclear.
pub(super) fn classify(source: &str, code: &str) -> (ResponseClass, bool) {
    let row = |(sources, codes, _): &&(&[&str], &[&str], ResponseClass)| {
        sources.contains(&source) && codes.contains(&code)
    };
    match CODES.iter().find(row) {
        Some((_, _, class)) => (*class, true),
        None if source == "Issuer" => (ResponseClass::Undetermined, false),
        None => (ResponseClass::Unclear, false),
    }
}

/// The class of a code. Logs declines with their code (payments.md §3, rule 25), and codes that are not in the table, so that they
/// can be added. Nets' texts are not logged here: they can contain data of the customer.
pub(super) fn classify_and_log(source: &str, code: &str) -> ResponseClass {
    let (class, is_known) = classify(source, code);
    let (source, code) = (truncate(source), truncate(code));
    if !is_known {
        tracing::warn!(source, code, ?class, "Nets returned an unknown response code");
        return class;
    }
    match class {
        ResponseClass::Declined(_) | ResponseClass::Undetermined => {
            tracing::info!(source, code, ?class, "Nets declined the card");
        }
        ResponseClass::Accepted
        | ResponseClass::Cancelled
        | ResponseClass::NoCard
        | ResponseClass::AlreadyProcessed
        | ResponseClass::Unclear => {}
    }
    class
}

/// The first 32 characters of a text from Nets, for the log.
pub(super) fn truncate(text: &str) -> String {
    text.chars().take(32).collect()
}
