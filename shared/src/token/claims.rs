//! The claims of a token that are used.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::Unauthenticated;

/// The allowed difference between the issuer's clock and this service's clock.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// The claims of a token whose signature, issuer and audience are verified.
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

/// The claim that is read before the signature is verified, because it selects the keys.
#[derive(Deserialize)]
pub(super) struct IssuerClaim {
    pub(super) iss: String,
}

/// A `NumericDate` of RFC 7519 §2: seconds since 1970, with or without a fraction.
///
/// The authorizer context has whole seconds. So `exp` is rounded down and `nbf` is rounded up, and a token is never valid for
/// longer than its claims allow.
#[derive(Deserialize, Clone, Copy)]
#[serde(transparent)]
struct NumericDate(f64);

impl Claims {
    /// The first instant at which the token is not valid any more, including the leeway.
    ///
    /// # Errors
    /// Fails if the instant is out of range.
    pub(super) fn expires_at(&self) -> Result<DateTime<Utc>, Unauthenticated> {
        instant(self.exp.0.floor(), LEEWAY)
    }

    /// The first instant at which the token is valid, including the leeway. `None` if the token has no `nbf`.
    ///
    /// # Errors
    /// Fails if the instant is out of range.
    pub(super) fn valid_from(&self) -> Result<Option<DateTime<Utc>>, Unauthenticated> {
        self.nbf.map(|NumericDate(seconds)| instant(seconds.ceil(), -LEEWAY)).transpose()
    }
}

/// The instant that is `seconds` after 1970, plus `offset`.
fn instant(seconds: f64, offset: TimeDelta) -> Result<DateTime<Utc>, Unauthenticated> {
    let since = Duration::try_from_secs_f64(seconds.abs()).ok();
    let since = since.and_then(|since| TimeDelta::from_std(since).ok());
    let since = since.map(|since| if seconds < 0.0 { -since } else { since });
    since
        .and_then(|since| {
            DateTime::UNIX_EPOCH.checked_add_signed(since)?.checked_add_signed(offset)
        })
        .ok_or_else(|| Unauthenticated::from("the token's times are out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_date_can_have_a_fraction() {
        let read = |date: &str| {
            let claims = format!(r#"{{"exp":{date},"nbf":{date}}}"#);
            serde_json::from_str::<Claims>(&claims).ok().map(|claims| {
                let end = claims.expires_at().ok().map(|at| (at - LEEWAY).timestamp());
                let beginning = claims.valid_from().ok().flatten();
                (end, beginning.map(|at| (at + LEEWAY).timestamp()))
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
