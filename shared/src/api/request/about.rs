//! What log and answers say about a request.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;
use lambda_http::RequestExt;
use uuid::Uuid;

use super::{CUSTOMER, Request, SECRET};
use crate::domain::text::passes_luhn;
use crate::invocation::Invocation;
use crate::log::Line;

/// How much of a header goes into the log, in characters.
const LONGEST_LOGGED: usize = 128;

/// How long a correlation id may be as it comes back, in characters.
const LONGEST_ID: usize = 128;

/// What log and answers say about a request, whatever became of it. No personal data.
pub struct About {
    /// `X-Correlation-Id`, ours or the caller's.
    pub correlation_id: String,
    /// When it came in.
    pub received_at: Option<DateTime<Utc>>,
    /// The path that was called, or its template where a part of it is secret or personal.
    pub path: String,
    trace_id: Option<String>,
    route: String,
    client_name: String,
    point_of_sale: String,
    channel: String,
}

impl Request {
    /// What log and answers say about it.
    pub(in crate::api) fn about(&self) -> About {
        let short = |text: &str| text.chars().take(LONGEST_LOGGED).collect::<String>();
        let header = |name| short(self.header(name).unwrap_or_default());
        About {
            correlation_id: self.correlation_id.clone(),
            received_at: self.received_at().ok(),
            path: self.path(),
            trace_id: self
                .http
                .lambda_context_ref()
                .and_then(|context| context.xray_trace_id.clone()),
            route: self.route().to_owned(),
            client_name: short(self.client_name().unwrap_or_default()),
            point_of_sale: header("entur-pos"),
            channel: header("entur-distribution-channel"),
        }
    }

    /// The route that API Gateway found for it: method, blank, and the path with its parameters in braces.
    fn route(&self) -> &str {
        self.context().and_then(|context| context.route_key.as_deref()).unwrap_or_default()
    }

    /// The path that was called, without what the stage adds; of one that is secret or personal in part, the template.
    fn path(&self) -> String {
        let called = self.http.raw_http_path();
        if [SECRET, CUSTOMER].into_iter().any(|name| self.path_parameter(name).is_some()) {
            hidden(called, self.route())
        } else {
            called.to_owned()
        }
    }
}

/// The path of a route with its parameters in braces, after the base path that the caller used.
fn hidden(called: &str, route: &str) -> String {
    let Some((_, template)) = route.split_once(' ') else { return String::new() };
    // Up to the first parameter, of which nothing may be shown: so only what comes before the first place that fits.
    let fixed = template.split('{').next().unwrap_or_default();
    let base = called.split_once(fixed).map_or("", |(base, _)| base);
    format!("{base}{template}")
}

impl About {
    /// The one line of a request, which is its metrics, too.
    pub(in crate::api) fn line(
        &self,
        known: &Invocation,
        status: StatusCode,
        took: Duration,
        cold: bool,
        error: Option<&str>,
    ) -> Line {
        // Refusals are the caller's affair; whatever is ours to mend stands out.
        let (is_refused, has_failed) = (status.is_client_error(), status.is_server_error());
        let level = if has_failed { "ERROR" } else { "INFO" };
        let at = self.received_at.unwrap_or_default();
        Line::new(at, level, "answered", self.trace_id.as_deref(), known)
            .text("route", &self.route)
            .number("status", Some(status.as_u16().into()))
            .text("client_name", &self.client_name)
            .text("point_of_sale", &self.point_of_sale)
            .text("channel", &self.channel)
            .text("error", error.unwrap_or_default())
            .count("Requests", 1)
            .count("ClientErrors", is_refused.into())
            .count("ServerErrors", has_failed.into())
            .some("ColdStarts", cold.into())
            .milliseconds("Latency", took)
    }
}

/// api.md §3: `[0-9a-z-]` is kept, anything else encoded; missing, blank or the literal `null` is none. Ours: one that is
/// too long, or has a card number in it, is none either.
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
        id.len() <= LONGEST_ID && (Uuid::try_parse(given).is_ok() || !has_card_number(given));
    fits.then_some(id)
}

/// Whether a text has a card number in it: a run of digits, also in groups of three and more with a blank, dash, dot or
/// slash between them. A date has shorter groups.
fn has_card_number(text: &str) -> bool {
    let (mut run, mut group) = (Vec::new(), 0);
    for letter in text.chars().chain(['\n']) {
        if let Some(digit) = letter.to_digit(10).and_then(|digit| u8::try_from(digit).ok()) {
            run.push(digit);
            group += 1;
        } else {
            let goes_on = group >= 3 && " -./_".contains(letter);
            if !goes_on && passes_luhn(&run) {
                return true;
            }
            if !goes_on {
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
    fn correlation_ids() {
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
            // Each is six characters when it is encoded.
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
    fn a_correlation_id_is_no_card_number() {
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
            // Seventeen digits that pass Luhn, in groups as of a date.
            "2026-11-23-10-00-00-100",
            // A UUID, with the digits of a card number in it.
            "f4925000-0000-0000-4abc-0123456789ab",
            "49250000-0000-0004-8abc-abcdefabcdef",
        ] {
            assert_eq!(correlation_id(Some(id)).as_deref(), Some(id));
        }
        assert!(has_card_number("f4925000-0000-0000-4abc-0123456789ab"));
        let luhn: Vec<u8> = "20261123100000100".bytes().map(|it| it - b'0').collect();
        assert!(passes_luhn(&luhn));
    }

    #[test]
    fn a_hidden_path_keeps_its_base_and_nothing_else() {
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
            assert_eq!(hidden(called, route), shown, "{called}");
        }
        assert_eq!(hidden("/v1/customers/4711/recurring-payments", ""), "");
    }
}
