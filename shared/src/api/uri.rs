//! Sanitizes the URI of an event before `lambda_http` reads it.
//!
//! `lambda_http` builds an `http::Uri` from the host, the path and the query of an event, and panics if it cannot. The caller
//! controls all three. So this module percent-encodes the path and the query, and removes the host.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{HOST, HeaderName};
use lambda_http::request::LambdaRequest;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The characters that are encoded in a query, besides those that are not ASCII. A plus is encoded because `lambda_http` would
/// decode it as a space, but a customer number can contain a plus. API Gateway passes the query as it was sent.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The characters that are encoded in a path. API Gateway has decoded the path, so a question mark in it does not start a query.
const PATH: &AsciiSet = &QUERY.remove(b'+').add(b'?');

/// The maximum length of path and query together, in bytes. `http::Uri` accepts 65,534. API Gateway accepts 10,240 bytes of
/// request line and headers; encoding makes them at most three times as long.
const MAX_BYTES: usize = 60_000;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Encodes the path and the query of an event, and removes the host, the scheme and the stage. `lambda_http` would put these
/// into the URI, and no function needs them.
///
/// # Errors
/// Fails if API Gateway cannot have sent the event.
pub(super) fn sanitize(mut event: LambdaRequest) -> Result<LambdaRequest, &'static str> {
    let LambdaRequest::ApiGatewayV2(request) = &mut event else {
        return Err("not an event of API Gateway's HTTP API");
    };
    request.raw_path = request.raw_path.as_deref().map(|path| encode(path, PATH));
    request.raw_query_string =
        request.raw_query_string.as_deref().map(|query| encode(query, QUERY));
    let (path, query) = (request.raw_path.as_deref(), request.raw_query_string.as_deref());
    if !path.is_some_and(|path| path.starts_with('/')) {
        return Err("the event has no path");
    }
    if path.map_or(0, str::len) + query.map_or(0, str::len) > MAX_BYTES {
        return Err("the event's path and query are too long");
    }
    let body = request.body.as_deref().filter(|_| request.is_base64_encoded);
    if body.is_some_and(|body| STANDARD.decode(body).is_err()) {
        return Err("the event's body is not base64");
    }
    request.headers.remove(HOST);
    request.headers.remove(FORWARDED_PROTO);
    request.request_context.domain_name = None;
    request.request_context.stage = None;
    Ok(event)
}

fn encode(text: &str, set: &'static AsciiSet) -> String {
    Cow::from(utf8_percent_encode(text, set)).into_owned()
}

#[cfg(test)]
mod tests {
    use lambda_http::{Request, RequestExt};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(path: &str, query: &str, header: (&str, &str)) -> LambdaRequest {
        let context = json!({
            "http": { "method": "GET" },
            "stage": "a b",
            "domainName": "not a host",
            "timeEpoch": 1,
        });
        let event = json!({
            "rawPath": path,
            "rawQueryString": query,
            "headers": { header.0: header.1 },
            "requestContext": context,
        });
        serde_json::from_value(event).unwrap()
    }

    fn read(path: &str, query: &str) -> Request {
        sanitize(event(path, query, ("host", "a b"))).unwrap().into()
    }

    #[test]
    fn paths_are_percent_encoded() {
        for (raw, path) in [
            ("/v1/recurring-payments", "/v1/recurring-payments"),
            ("/sales/v1/recurring-payments/5", "/sales/v1/recurring-payments/5"),
            ("/a b", "/a%20b"),
            ("/a\"b<c>", "/a%22b%3Cc%3E"),
            ("/blåbær", "/bl%C3%A5b%C3%A6r"),
            ("/a?customerNumber=1#x", "/a%3FcustomerNumber=1%23x"),
            ("/a+b%20c", "/a+b%20c"),
            ("/a\u{0}\r\n\u{7f}b", "/a%00%0D%0A%7Fb"),
            ("//a/../b", "//a/../b"),
        ] {
            let request = read(raw, "");
            assert_eq!(request.raw_http_path(), path);
            assert_eq!(request.query_string_parameters_ref(), None, "{raw}");
        }
    }

    #[test]
    fn a_plus_in_a_query_is_a_plus() {
        for (query, value) in [
            ("n=kari+kort@example.no", "kari+kort@example.no"),
            ("n=kari%2Bkort%40example.no", "kari+kort@example.no"),
            ("n=a%20b", "a b"),
            ("n=a b\"c\"", "a b\"c\""),
            ("n=ø#x", "ø#x"),
            ("n=ENT:Customer:42", "ENT:Customer:42"),
            ("n=\u{0}", "\u{0}"),
        ] {
            let request = read("/a", query);
            let values = request.query_string_parameters();
            assert_eq!(values.all("n"), Some(vec![value]), "{query}");
        }
        assert_eq!(read("/a", "+").query_string_parameters().all("+"), Some(vec![""]));
        assert_eq!(read("/a", "n=1&n=2").query_string_parameters().all("n"), Some(vec!["1", "2"]));
    }

    #[test]
    fn an_event_that_api_gateway_cannot_send_is_an_error() {
        let error = |event| sanitize(event).err();
        let plain = ("accept", "x");
        assert_eq!(error(event("a", "", plain)), Some("the event has no path"));
        let long = "ø".repeat(10_001);
        let too_long = Some("the event's path and query are too long");
        assert_eq!(error(event(&format!("/{long}"), "", plain)), too_long);
        assert_eq!(error(event("/", &long, plain)), too_long);
        let body = json!({
            "rawPath": "/",
            "requestContext": { "http": { "method": "GET" } },
            "body": "a secret",
            "isBase64Encoded": true,
        });
        let body = serde_json::from_value(body).unwrap();
        assert_eq!(error(body), Some("the event's body is not base64"));
    }

    /// `lambda_http` tries each event type in turn. Its error for an event that matches none must not quote the event.
    #[test]
    fn an_unreadable_event_is_not_quoted() {
        for text in [
            r#"{"version":"2.0","headers":{"authorization":"Bearer a\u0000secret"}}"#,
            r#"{"rawPath":"secret","requestContext":"secret"}"#,
            r#""secret""#,
            r#"{"secret"#,
        ] {
            let error = serde_json::from_str::<LambdaRequest>(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_path_query_and_header_can_be_read(
            path in "(?s).{0,200}", query in "(?s).{0,200}", value in "[ -~]{0,40}", forwarded: bool,
        ) {
            let header = if forwarded { "x-forwarded-proto" } else { "host" };
            let event = sanitize(event(&format!("/{path}"), &query, (header, &value))).unwrap();
            let request = Request::from(event);
            prop_assert!(request.raw_http_path().is_ascii());
            prop_assert_eq!(request.uri().authority(), None);
        }
    }
}
