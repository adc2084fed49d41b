//! What a token says, as far as it counts here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

/// The claims of a token whose signature, issuer and audience are right.
#[derive(Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    pub(super) azp: String,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    #[serde(rename = "https://entur.io/organisationID")]
    pub(super) organisation: Option<u64>,
    #[serde(rename = "https://entur.io/customerNumber")]
    pub(super) customer: Option<String>,
    #[serde(default)]
    pub(super) permissions: Vec<String>,
}

/// The one claim that is read before the signature is checked: it chooses the keys.
#[derive(Deserialize)]
pub(super) struct Issued {
    pub(super) iss: String,
}

/// A `NumericDate` of RFC 7519 §2: seconds since 1970, whole or with a fraction.
///
/// The authorizer's answer has whole seconds. So an end is rounded down and a beginning up: a token is never valid for longer
/// than it says.
#[derive(Deserialize, Clone, Copy)]
#[serde(transparent)]
struct NumericDate(f64);

impl Claims {
    /// First second at which the token is no longer valid, without leeway; `None` when no instant is that far away.
    pub(super) fn expires_at(&self) -> Option<DateTime<Utc>> {
        instant(self.exp.0.floor())
    }

    /// First second at which the token is valid, without leeway; the inner `None` as above.
    pub(super) fn valid_from(&self) -> Option<Option<DateTime<Utc>>> {
        self.nbf.map(|NumericDate(seconds)| instant(seconds.ceil()))
    }
}

fn instant(seconds: f64) -> Option<DateTime<Utc>> {
    let since = Duration::try_from_secs_f64(seconds.abs()).ok()?;
    let since = TimeDelta::from_std(since).ok()?;
    DateTime::UNIX_EPOCH.checked_add_signed(if seconds < 0.0 { -since } else { since })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_date_may_have_a_fraction() {
        let read = |date: &str| {
            let claims = format!(r#"{{"exp":{date},"nbf":{date}}}"#);
            serde_json::from_str::<Claims>(&claims).ok().map(|claims| {
                let seconds = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp());
                (seconds(claims.expires_at()), seconds(claims.valid_from().flatten()))
            })
        };
        for (date, end, beginning) in [
            ("1795431600", 1_795_431_600, 1_795_431_600),
            ("1795431600.0", 1_795_431_600, 1_795_431_600),
            ("1795431600.5", 1_795_431_600, 1_795_431_601),
            ("1795431600.999999", 1_795_431_600, 1_795_431_601),
            ("1.7954316e9", 1_795_431_600, 1_795_431_600),
            ("0", 0, 0),
            ("-0.5", -1, 0),
            ("-7", -7, -7),
        ] {
            assert_eq!(read(date), Some((Some(end), Some(beginning))), "{date}");
        }
        for far in ["9223372036854775807", "18446744073709551615", "1e300", "-1e300"] {
            assert_eq!(read(far), Some((None, None)), "{far}");
        }
        for wrong in ["\"1795431600\"", "[1]", "true", "1e999"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
