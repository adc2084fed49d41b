//! Signatures of Standard Webhooks, version `v1`: HMAC with SHA-256.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use standardwebhooks::Webhook;

/// The secret that notifications are signed with, in the format of Standard Webhooks.
pub const NOTIFICATION_SECRET: &str = "whsec_dGhlIGtleSBvZiB0aGlzIG1hY2hpbmUncyBpbmJveCE=";

/// How many seconds a timestamp may differ from the clock.
const TOLERANCE_SECONDS: u64 = 5 * 60;

/// The result of checking a notification's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// One of the signatures matches, and the timestamp is within five minutes of the clock.
    Valid,
    /// No signature matches.
    Invalid,
    /// One of the three headers is missing.
    Missing,
    /// One of the signatures matches, but the timestamp differs from the clock by more than five minutes.
    Stale,
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Missing => "missing",
            Self::Stale => "stale",
        })
    }
}

impl Signature {
    /// Checks the headers id, timestamp and signatures.
    pub(super) fn check(
        headers: (Option<&str>, Option<&str>, Option<&str>),
        body: &[u8],
        now: Timestamp,
    ) -> Self {
        let (Some(id), Some(timestamp), Some(signatures)) = headers else { return Self::Missing };
        let at = timestamp.parse().ok().filter(|at| is_signed(id, *at, signatures, body));
        match at.map(|at| now.as_second().abs_diff(at)) {
            None => Self::Invalid,
            Some(0..=TOLERANCE_SECONDS) => Self::Valid,
            Some(_) => Self::Stale,
        }
    }
}

fn is_signed(id: &str, at: i64, signatures: &str, body: &[u8]) -> bool {
    let expected = Webhook::new(NOTIFICATION_SECRET).and_then(|webhook| webhook.sign(id, at, body));
    expected.is_ok_and(|expected| {
        signatures.split(' ').any(|one| is_equal(one.as_bytes(), expected.as_bytes()))
    })
}

/// Compares in constant time.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |found, (one, other)| found | (one ^ other));
    one.len() == other.len() && differences == 0
}
