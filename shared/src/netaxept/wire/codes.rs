//! The table of response codes.

use crate::error::Decline;

/// The class of a response code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum ResponseClass {
    Accepted,
    Cancelled,
    Declined(Decline),
    AlreadyProcessed,
    Unclear,
}

pub(super) const SOFT: ResponseClass = ResponseClass::Declined(Decline::Soft);
pub(super) const HARD: ResponseClass = ResponseClass::Declined(Decline::Hard);

/// All known response codes, by source and code (netaxept.md §6.3 and §6.4). Which declines are soft or hard is our decision.
/// `01` and `05` are sources in old data.
pub(super) const CODES: [(&[&str], &[&str], ResponseClass); 10] = [
    (&["Netaxept"], &["OK", "00"], ResponseClass::Accepted),
    (&["Netaxept", "Terminal", "01", "05"], &["17"], ResponseClass::Cancelled),
    // The transaction is processed already, or Nets cannot find it. Query it to find out.
    (&["Netaxept"], &["25", "86", "97", "98"], ResponseClass::AlreadyProcessed),
    // Nets' own blocks after too many attempts with a card: temporary and permanent.
    (&["Netaxept", "Issuer"], &["TB"], SOFT),
    (&["Netaxept", "Issuer"], &["PB"], HARD),
    // 99 is "several errors": the operation failed, and Nets asks not to retry it.
    (&["Netaxept", "Terminal"], &["14", "30", "84", "99", "MZ"], HARD),
    (&["Netaxept", "Terminal"], &["96"], ResponseClass::Unclear),
    (&["Issuer"], &["05", "19", "31", "51", "61", "65", "68", "91", "92", "96"], SOFT),
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

/// The class of a code, and whether the code is in the table. An unknown code of the issuer is a hard decline. An unknown code of
/// another source is unclear.
pub(super) fn classify(source: &str, code: &str) -> (ResponseClass, bool) {
    let row = |(sources, codes, _): &&(&[&str], &[&str], ResponseClass)| {
        sources.contains(&source) && codes.contains(&code)
    };
    match CODES.iter().find(row) {
        Some((_, _, class)) => (*class, true),
        None if source == "Issuer" => (HARD, false),
        None => (ResponseClass::Unclear, false),
    }
}

/// The class of a code. Logs a warning if the code is not in the table, so that it can be added.
pub(super) fn classify_and_warn(source: &str, code: &str) -> ResponseClass {
    let (class, is_known) = classify(source, code);
    if !is_known {
        let (source, code) = (truncate(source), truncate(code));
        tracing::warn!(source, code, "Nets returned a response code that is not in the table");
    }
    class
}

/// The first 32 characters of a text from Nets, for the log.
pub(super) fn truncate(text: &str) -> String {
    text.chars().take(32).collect()
}
