//! The one table of response codes, and what a code means to us.

use crate::error::Decline;

/// What a response code means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Meaning {
    Accepted,
    Cancelled,
    Declined(Decline),
    AlreadyProcessed,
    Unclear,
}

pub(super) const SOFT: Meaning = Meaning::Declined(Decline::Soft);
pub(super) const HARD: Meaning = Meaning::Declined(Decline::Hard);

/// The one table of response codes, by source and code (netaxept.md §6.3 and §6.4; what is soft and what is hard is ours).
/// `01` and `05` are sources of old data.
pub(super) const CODES: [(&[&str], &[&str], Meaning); 10] = [
    (&["Netaxept"], &["OK", "00"], Meaning::Accepted),
    (&["Netaxept", "Terminal", "01", "05"], &["17"], Meaning::Cancelled),
    // Nets has it already, or says that it has not got it: only a look tells.
    (&["Netaxept"], &["25", "86", "97", "98"], Meaning::AlreadyProcessed),
    // Nets' own blocks for cards that were tried too often: for now, and for ever.
    (&["Netaxept", "Issuer"], &["TB"], SOFT),
    (&["Netaxept", "Issuer"], &["PB"], HARD),
    // 99 is "several errors": Nets did answer that it failed, and asks not to be asked again.
    (&["Netaxept", "Terminal"], &["14", "30", "84", "99", "MZ"], HARD),
    (&["Netaxept", "Terminal"], &["96"], Meaning::Unclear),
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
    (&["Transport", "Module"], &["01", "06", "30"], Meaning::Unclear),
];

/// What a code means, and whether we have met it. A code of the issuer's that we have not is a refusal all the same; of
/// anybody else's, we cannot tell.
pub(super) fn meaning(source: &str, code: &str) -> (Meaning, bool) {
    let row = |(sources, codes, _): &&(&[&str], &[&str], Meaning)| {
        sources.contains(&source) && codes.contains(&code)
    };
    match CODES.iter().find(row) {
        Some((_, _, meaning)) => (*meaning, true),
        None if source == "Issuer" => (HARD, false),
        None => (Meaning::Unclear, false),
    }
}

/// What a code means. One that we have not met is logged, so that the table can grow.
pub(super) fn told(source: &str, code: &str) -> Meaning {
    let (meaning, met) = meaning(source, code);
    if !met {
        let (source, code) = (short(source), short(code));
        tracing::warn!(source, code, "a response code of Nets' that is not in the table");
    }
    meaning
}

/// As much of a stranger's word as belongs into a line of the log.
pub(super) fn short(text: &str) -> String {
    text.chars().take(32).collect()
}
