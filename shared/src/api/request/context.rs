//! The request context: the facts about a request that the log and the responses contain.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;
use lambda_http::RequestExt;
use uuid::Uuid;

use super::{CUSTOMER, Request, SECRET};
use crate::domain::text::passes_luhn;
use crate::invocation::Invocation;
use crate::log::Line;

/// The number of characters of a header that are logged.
const MAX_LOGGED_CHARACTERS: usize = 128;

/// The maximum length of a returned correlation id, in characters.
const MAX_ID_LENGTH: usize = 128;

/// The facts about a request that the log and the responses contain. There is no personal data in it.
pub struct RequestContext {
    /// `X-Correlation-Id`: sent by the caller, or generated.
    pub correlation_id: String,
    /// The instant at which API Gateway received the request.
    pub received_at: Option<DateTime<Utc>>,
    /// The path that was called, or its route template if a part of the path is secret or personal.
    pub path: String,
    trace_id: Option<String>,
    client_name: String,
    point_of_sale: String,
    channel: String,
}

impl Request {
    /// The request context.
    pub(in crate::api) fn context(&self) -> RequestContext {
        let truncate = |text: &str| text.chars().take(MAX_LOGGED_CHARACTERS).collect::<String>();
        let header = |name| truncate(self.header(name).unwrap_or_default());
        RequestContext {
            correlation_id: self.correlation_id.clone(),
            received_at: self.received_at().ok(),
            path: self.path(),
            trace_id: self
                .http
                .lambda_context_ref()
                .and_then(|context| context.xray_trace_id.clone()),
            client_name: truncate(self.client_name().unwrap_or_default()),
            point_of_sale: header("entur-pos"),
            channel: header("entur-distribution-channel"),
        }
    }

    /// API Gateway's route key: the method, a space, and the path with its parameters in braces.
    fn route(&self) -> &str {
        self.gateway_context().and_then(|context| context.route_key.as_deref()).unwrap_or_default()
    }

    /// The path that was called, without the stage. The template if a part of the path is secret or personal.
    fn path(&self) -> String {
        let called = self.http.raw_http_path();
        if [SECRET, CUSTOMER].into_iter().any(|name| self.path_parameter(name).is_some()) {
            mask_path(called, self.route())
        } else {
            called.to_owned()
        }
    }
}

/// The template of the route, after the base path that the caller used.
fn mask_path(called: &str, route: &str) -> String {
    let Some((_, template)) = route.split_once(' ') else { return String::new() };
    // The value of a parameter can contain this prefix too. Split at the first occurrence, so that no value is shown.
    let prefix = template.split('{').next().unwrap_or_default();
    let base = called.split_once(prefix).map_or("", |(base, _)| base);
    format!("{base}{template}")
}

impl RequestContext {
    /// Records the facts that a change stores in the history. A header with a card number is not stored.
    pub(in crate::api) fn record(&self, invocation: &mut Invocation) {
        let storable = |text: &str| if has_card_number(text) { "" } else { text }.to_owned();
        invocation.correlation_id.clone_from(&self.correlation_id);
        invocation.client_name = storable(&self.client_name);
        invocation.channel = storable(&self.channel);
    }

    /// The log line of a request. It contains the metrics. It has no route, because each function has exactly one.
    pub(in crate::api) fn line(
        &self,
        invocation: &Invocation,
        status: StatusCode,
        latency: Duration,
        cold: bool,
        error: Option<&str>,
    ) -> Line {
        // Only errors of the service are logged as errors. The caller can correct a refused request.
        Line::new("request", self.trace_id.as_deref(), invocation)
            .failed(status.is_server_error())
            .number("status", Some(status.as_u16().into()))
            .text("client_name", &self.client_name)
            .text("point_of_sale", &self.point_of_sale)
            .text("channel", &self.channel)
            .text("error", error.unwrap_or_default())
            .count("cold_start", cold.into())
            .milliseconds("latency_ms", latency.saturating_sub(invocation.waited))
            .count("waited_ms", u64::try_from(invocation.waited.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The correlation id to use (api.md §3). `[0-9a-z-]` is kept; any other text is form-encoded. `None` if the header is missing,
/// blank or the literal `null`. Our rule: also `None` if it is too long or contains a card number.
pub(super) fn correlation_id(given: Option<&str>) -> Option<String> {
    let given = given.filter(|given| !given.trim().is_empty() && *given != "null")?;
    let plain = given
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'-');
    let id = if plain {
        given.to_owned()
    } else {
        form_urlencoded::byte_serialize(given.as_bytes()).collect()
    };
    let fits =
        id.len() <= MAX_ID_LENGTH && (Uuid::try_parse(given).is_ok() || !has_card_number(given));
    fits.then_some(id)
}

/// Whether a text contains a card number: a run of digits that passes Luhn. The digits may be in groups of at least three, with
/// one of ` -./_` between the groups. Dates have shorter groups.
fn has_card_number(text: &str) -> bool {
    let (mut run, mut group) = (Vec::new(), 0);
    for letter in text.chars().chain(['\n']) {
        if let Some(digit) = letter.to_digit(10).and_then(|digit| u8::try_from(digit).ok()) {
            run.push(digit);
            group += 1;
        } else {
            let continues = group >= 3 && " -./_".contains(letter);
            if !continues && passes_luhn(&run) {
                return true;
            }
            if !continues {
                run.clear();
            }
            group = 0;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_id_is_kept_or_encoded() {
        for none in [None, Some(""), Some("  "), Some("null")] {
            assert_eq!(correlation_id(none), None);
        }
        for (given, kept) in [
            ("0-9a-z", "0-9a-z"),
            ("A", "A"),
            ("a b", "a+b"),
            ("a\r\nSet-Cookie: b", "a%0D%0ASet-Cookie%3A+b"),
            ("ø", "%C3%B8"),
        ] {
            assert_eq!(correlation_id(Some(given)).as_deref(), Some(kept));
        }
    }

    #[test]
    fn a_correlation_id_has_at_most_128_characters() {
        for (given, kept) in [
            ("a".repeat(128), true),
            ("a".repeat(129), false),
            // Each `ø` is six characters when it is encoded.
            ("ø".repeat(21), true),
            ("ø".repeat(22), false),
            ("ø".repeat(2000), false),
            (" a ".repeat(42), true),
            (" a ".repeat(43), false),
        ] {
            assert_eq!(correlation_id(Some(&given)).is_some(), kept, "{given}");
        }
    }

    #[test]
    fn a_correlation_id_with_a_card_number_is_ignored() {
        for card in [
            "4925000000000004",
            "4925 0000 0000 0004",
            "4925-0000-0000-0004",
            "order-4925000000000004",
            "a4925.0000.0000.0004b",
            "378282246310005",
            "3782 822463 10005",
            "6304000000000000",
            "501800000009",
            "1-4925000000000004",
        ] {
            assert_eq!(correlation_id(Some(card)), None, "{card}");
        }
        for id in [
            "4925000000000005",
            "49250000000000040000",
            "50180000009",
            // Seventeen digits that pass Luhn, grouped like a date and time.
            "2026-11-23-10-00-00-100",
            // UUIDs that contain the digits of a card number.
            "f4925000-0000-0000-4abc-0123456789ab",
            "49250000-0000-0004-8abc-abcdefabcdef",
        ] {
            assert_eq!(correlation_id(Some(id)).as_deref(), Some(id));
        }
        assert!(has_card_number("f4925000-0000-0000-4abc-0123456789ab"));
        let luhn: Vec<u8> = "20261123100000100".bytes().map(|digit| digit - b'0').collect();
        assert!(passes_luhn(&luhn));
    }

    #[test]
    fn a_masked_path_keeps_only_its_base_path() {
        let route = "DELETE /v1/customers/{customerNumber}/recurring-payments";
        let template = "/v1/customers/{customerNumber}/recurring-payments";
        for (called, shown) in [
            ("/v1/customers/4711/recurring-payments", template.to_owned()),
            ("/sales/v1/customers/4711/recurring-payments", format!("/sales{template}")),
            ("/a/b/v1/customers/4711/recurring-payments", format!("/a/b{template}")),
            // API Gateway decodes a slash in a parameter.
            ("/v1/customers/a/b/4711/recurring-payments", template.to_owned()),
            ("/v1/customers/a/v1/customers/4711/recurring-payments", template.to_owned()),
            ("/elsewhere/4711", template.to_owned()),
        ] {
            assert_eq!(mask_path(called, route), shown, "{called}");
        }
        assert_eq!(mask_path("/v1/customers/4711/recurring-payments", ""), "");
    }
}
