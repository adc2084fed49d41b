//! Signatures of Standard Webhooks, version `v1`: HMAC with SHA-256.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use standardwebhooks::Webhook;

/// What notifications are signed with, as Standard Webhooks writes secrets.
pub const NOTIFICATION_SECRET: &str = "whsec_dGhlIGtleSBvZiB0aGlzIG1hY2hpbmUncyBpbmJveCE=";

/// How many seconds a notification may be from the clock.
const TOLERANCE_SECONDS: u64 = 5 * 60;

/// What is to be thought of a notification's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// One of the signatures is right, and the time is near the clock's.
    Valid,
    /// No signature is right.
    Invalid,
    /// One of the three headers is not there.
    Missing,
    /// One of the signatures is right, but the time is more than five minutes from the clock's.
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
    /// The judgement on id, timestamp and signatures.
    pub(super) fn of(
        headers: (Option<&str>, Option<&str>, Option<&str>),
        body: &[u8],
        now: Timestamp,
    ) -> Self {
        let (Some(id), Some(timestamp), Some(given)) = headers else { return Self::Missing };
        let at = timestamp.parse().ok().filter(|at| is_signed(id, *at, given, body));
        match at.map(|at| now.as_second().abs_diff(at)) {
            None => Self::Invalid,
            Some(0..=TOLERANCE_SECONDS) => Self::Valid,
            Some(_) => Self::Stale,
        }
    }
}

fn is_signed(id: &str, at: i64, given: &str, body: &[u8]) -> bool {
    let right = Webhook::new(NOTIFICATION_SECRET).and_then(|webhook| webhook.sign(id, at, body));
    right.is_ok_and(|right| {
        given.split(' ').any(|given| is_same(given.as_bytes(), right.as_bytes()))
    })
}

/// Takes as long wherever the first difference is.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |found, (one, other)| found | (one ^ other));
    one.len() == other.len() && differences == 0
}
