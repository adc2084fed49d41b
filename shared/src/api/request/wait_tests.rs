use lambda_http::request::LambdaRequest;
use serde_json::json;

use super::*;

fn request(query: &str) -> Request {
    let event = json!({
        "rawPath": "/v1/recurring-payments/1",
        "rawQueryString": query,
        "headers": {},
        "requestContext": { "http": { "method": "GET" }, "timeEpoch": 1 },
    });
    let event: LambdaRequest = serde_json::from_value(event).unwrap();
    Request::new(event.into(), || "1".to_owned())
}

#[test]
fn a_wait_is_0_to_20_whole_seconds() {
    for (query, seconds) in [
        ("", Some(0)),
        ("x=1", Some(0)),
        ("wait=0", Some(0)),
        ("wait=1", Some(1)),
        ("wait=20", Some(20)),
        ("wait=", None),
        ("wait", None),
        ("wait=21", None),
        ("wait=-1", None),
        ("wait=%2B1", None),
        ("wait=1.5", None),
        ("wait=1&wait=1", None),
        ("wait=18446744073709551616", None),
    ] {
        let wait = request(query).wait().ok();
        assert_eq!(wait, seconds.map(Duration::from_secs), "{query}");
    }
}

#[test]
fn a_wait_ends_before_the_invocation() {
    for (deadline, seconds) in [(0, 0), (u64::MAX / 2, 20)] {
        let mut context = LambdaContext::default();
        context.deadline = deadline;
        let mut request = request("wait=20");
        request.http = request.http.with_lambda_context(context);
        assert_eq!(request.wait().unwrap(), Duration::from_secs(seconds), "{deadline}");
    }
}
