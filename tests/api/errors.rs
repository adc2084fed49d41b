//! Error responses: authentication, permissions, validation and correlation ids. A rejected request changes nothing.

use local::lambda::InvocationError;
use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, TestApi, VISA, operations_with_id};

#[tokio::test]
async fn requests_without_a_valid_token_are_401() {
    let api = TestApi::new().await;
    let path = format!("{PAYMENTS}?customerNumber=4711");
    let none = api.send("GET", &path, &[], None).await;
    assert_eq!(
        (none.status, none.text.as_str()),
        (StatusCode::UNAUTHORIZED, r#"{"message":"Unauthorized"}"#)
    );
    let expired = api.token("partner-demo", json!({ "expires_in": -61 })).await;
    let foreign =
        api.token("partner-demo", json!({ "audience": "https://elsewhere.example" })).await;
    let (head, signature) = api.partner.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", head.split('.').nth(1).unwrap());
    for token in ["invalid", "a.b.c", "", &expired, &foreign, &forged, &unsigned] {
        let response = api.call_as(token, "GET", &path, None).await;
        assert_eq!(response.problem(), (401, "unauthorized".to_owned()), "{token}");
        assert_eq!(response.header("www-authenticate"), "Bearer");
    }
    let basic = api.send("GET", &path, &[("authorization", "Basic YTpi")], None).await;
    assert_eq!(basic.problem(), (401, "unauthorized".to_owned()));
}

/// API Gateway caches the result of the authorizer. A token expires on time nevertheless.
#[tokio::test]
async fn a_token_with_a_cached_result_expires_on_time() {
    let api = TestApi::new().await;
    let token = api.token("partner-demo", json!({ "expires_in": 60 })).await;
    let list =
        async || api.call_as(&token, "GET", &format!("{PAYMENTS}?customerNumber=4711"), None).await;
    assert_eq!(list().await.status, StatusCode::OK);
    api.local.clock().advance("PT121S").unwrap();
    assert_eq!(list().await.problem(), (401, "unauthorized".to_owned()));
}

#[tokio::test]
async fn requests_without_the_permission_are_403() {
    let api = TestApi::new().await;
    let id = api.create_active("4711").await;
    let reader = api.token("partner-readonly", json!({})).await;
    let path = format!("{PAYMENTS}/{id}");
    assert_eq!(api.call_as(&reader, "GET", &path, None).await.status, StatusCode::OK);
    let (empty, url) = (json!({}), json!({ "redirectUrl": "https://shop.example" }));
    for (method, path, body) in [
        ("POST", PAYMENTS.to_owned(), Some(&empty)),
        ("PATCH", path.clone(), Some(&empty)),
        ("DELETE", path.clone(), None),
        ("POST", format!("{path}/terminal"), Some(&url)),
        ("PUT", format!("{path}/authorize"), None),
    ] {
        let response = api.call_as(&reader, method, &path, body).await;
        assert_eq!(response.problem(), (403, "forbidden".to_owned()), "{method} {path}");
    }
}

/// The responses are identical except for path, time and correlation id.
#[tokio::test]
async fn foreign_and_unknown_ids_get_the_same_response() {
    let api = TestApi::new().await;
    let id = api.create_active("4711").await.as_u64().unwrap();
    let unknown = id + 512;
    let other = api.token("partner-other", json!({})).await;
    let other_traveller = api.token("traveller-demo", json!({ "customer_number": "4712" })).await;
    let url = json!({ "redirectUrl": "https://shop.example", "nickname": "x" });
    for token in [&other, &other_traveller] {
        let waiting = ("GET", "?wait=20", None);
        for (method, tail, body) in operations_with_id(&url).into_iter().chain([waiting]) {
            let mut responses = Vec::new();
            for id in [id, unknown] {
                api.local.dynamodb().clear_requests();
                let response =
                    api.call_as(token, method, &format!("{PAYMENTS}/{id}{tail}"), body).await;
                assert_eq!(response.problem(), (404, "not-found".to_owned()));
                let body = response.json();
                let correlation_id = response.header("x-correlation-id");
                let mut text = response
                    .text
                    .replace(&id.to_string(), "ID")
                    .replace(correlation_id, "CORRELATION");
                text = text.replace(body["timestamp"].as_str().unwrap(), "TIME");
                let names: Vec<_> = response.headers.keys().map(ToString::to_string).collect();
                responses.push((text, names, api.local.dynamodb().requests()));
            }
            assert_eq!(responses[0], responses[1], "{method} {tail}");
        }
    }
    let own = api.token("traveller-demo", json!({ "customer_number": "4711" })).await;
    assert_eq!(
        api.call_as(&own, "GET", &format!("{PAYMENTS}/{id}"), None).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_traveller_accesses_only_their_own_recurring_payments() {
    let api = TestApi::new().await;
    let token = api.token("traveller-demo", json!({ "customer_number": "4711" })).await;
    let body = json!({ "customerNumber": "4712" });
    assert_eq!(
        api.call_as(&token, "POST", PAYMENTS, Some(&body)).await.status,
        StatusCode::CREATED
    );
    assert_eq!((api.list("4711").await.len(), api.list("4712").await.len()), (1, 0));
    assert_eq!(
        api.call_as(&token, "GET", PAYMENTS, None).await.json().as_array().unwrap().len(),
        1
    );
    let other = api.call_as(&token, "GET", &format!("{PAYMENTS}?customerNumber=4712"), None).await;
    assert_eq!(other.problem(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn on_behalf_of_needs_a_permission() {
    let api = TestApi::new().await;
    let create = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("entur-on-behalf-of", "2"),
        ];
        api.send("POST", PAYMENTS, &headers, Some(r#"{"customerNumber":"4711"}"#)).await
    };
    assert_eq!(create(&api.partner).await.problem(), (403, "forbidden".to_owned()));
    let internal = api.token("internal-demo", json!({})).await;
    assert_eq!(create(&internal).await.status, StatusCode::CREATED);
    let other = api.token("partner-other", json!({})).await;
    let list = api.call_as(&other, "GET", &format!("{PAYMENTS}?customerNumber=4711"), None).await;
    assert_eq!(list.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn invalid_queries_are_400() {
    let api = TestApi::new().await;
    for (query, field, code) in [
        ("", "customerNumber", "required"),
        ("?customerNumber=", "customerNumber", "empty"),
        ("?customerNumber=ne:4711", "customerNumber", "operator"),
        ("?customerNumber=ne%3A4711", "customerNumber", "operator"),
        ("?customerNumber=1&customerNumber=2", "customerNumber", "repeated"),
        ("?customerNumber=1&customerNumber=1", "customerNumber", "repeated"),
        ("?customerNumber=1&customer%4Eumber=1", "customerNumber", "repeated"),
        ("?customerNumber=1&includeExpired=true&includeExpired=true", "includeExpired", "repeated"),
        ("?customerNumber=4711&includeExpired=yes", "includeExpired", "type"),
    ] {
        let response = api.call("GET", &format!("{PAYMENTS}{query}"), None).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{query}");
        let fault = &response.json()["errors"][0];
        assert_eq!((&fault["field"], &fault["code"]), (&json!(field), &json!(code)), "{query}");
    }
    for query in [
        "?customerNumber=4711",
        "?customerNumber=eq:4711",
        "?customerNumber=eq%3A4711&includeExpired=false",
    ] {
        assert_eq!(
            api.call("GET", &format!("{PAYMENTS}{query}"), None).await.status,
            StatusCode::OK,
            "{query}"
        );
    }
}

#[tokio::test]
async fn invalid_bodies_are_400() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let (payment, terminal) = (format!("{PAYMENTS}/{id}"), format!("{PAYMENTS}/{id}/terminal"));
    for (method, path, body, field, code) in [
        ("POST", PAYMENTS, r#"{"customerNumber":"1","isPrimary":"yes"}"#, "isPrimary", "type"),
        ("POST", PAYMENTS, r#"{"customerNumber":1}"#, "customerNumber", "type"),
        ("POST", PAYMENTS, "{}", "customerNumber", "required"),
        ("POST", PAYMENTS, r#"{"customerNumber":"1","nickname":" "}"#, "nickname", "empty"),
        ("POST", PAYMENTS, "{nothing", "body", "json"),
        ("POST", PAYMENTS, "[]", "body", "json"),
        ("PATCH", &payment, r#"{"customerNumber":"4712"}"#, "customerNumber", "other-customer"),
        ("PATCH", &payment, r#"{"nickname":"4925 0000 0000 0004"}"#, "nickname", "card-number"),
        ("PATCH", &payment, r#"{"nickname":"4111111111111111 12/28"}"#, "nickname", "card-number"),
        ("PATCH", &payment, r#"{"nickname":"Kort 2 4925000000000004"}"#, "nickname", "card-number"),
        (
            "PATCH",
            &payment,
            r#"{"nickname":"4925 · 0000 - 0000  0004"}"#,
            "nickname",
            "card-number",
        ),
        ("PATCH", &payment, r#"{"nickname":"\u200b"}"#, "nickname", "empty"),
        ("PATCH", &payment, r#"{"nickname":"\u2800"}"#, "nickname", "empty"),
        ("PATCH", &payment, r#"{"nickname":"a\u2028b"}"#, "nickname", "characters"),
        ("POST", &terminal, "{}", "redirectUrl", "required"),
        ("POST", &terminal, r#"{"redirectUrl":"ftp://a"}"#, "redirectUrl", "scheme"),
        (
            "POST",
            &terminal,
            r#"{"redirectUrl":"https://a","countryCode":"no"}"#,
            "countryCode",
            "country",
        ),
        (
            "POST",
            &terminal,
            r#"{"redirectUrl":"https://a","transactionType":"X"}"#,
            "transactionType",
            "transaction-type",
        ),
        ("POST", &terminal, r#"{"redirectUrl":"https://a","autoSale":1}"#, "autoSale", "type"),
        (
            "POST",
            &terminal,
            r#"{"redirectUrl":"https://a","callbackUrl":"x"}"#,
            "callbackUrl",
            "scheme",
        ),
        ("GET", "/v1/recurring-payments/0", "", "recurringPaymentId", "id"),
        ("GET", "/v1/recurring-payments/abc", "", "recurringPaymentId", "id"),
        ("DELETE", "/v1/recurring-payments/9007199254740992", "", "recurringPaymentId", "id"),
    ] {
        let bearer = format!("Bearer {}", api.partner);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let response = api.send(method, path, &headers, Some(body)).await;
        assert_eq!(
            response.problem(),
            (400, "invalid-request".to_owned()),
            "{method} {path} {body}"
        );
        let fault = &response.json()["errors"][0];
        assert_eq!(
            (&fault["field"], &fault["code"]),
            (&json!(field), &json!(code)),
            "{method} {path} {body}"
        );
    }
    let several = json!({ "isPrimary": 1, "nickname": 2, "customerNumber": 3 });
    let response = api.call("POST", PAYMENTS, Some(&several)).await;
    assert_eq!(
        response.json()["errors"].as_array().unwrap().len(),
        3,
        "all errors in one response"
    );
    assert_eq!(api.list("4711").await.len(), 1);
}

#[tokio::test]
async fn body_size_media_type_and_path_are_checked() {
    let api = TestApi::new().await;
    let bearer = format!("Bearer {}", api.partner);
    let send = async |kind: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        api.send("POST", PAYMENTS, &headers, Some(body)).await
    };
    let large = format!(r#"{{"customerNumber":"4711","x":"{}"}}"#, "x".repeat(16 * 1024));
    assert_eq!(
        send("application/json", &large).await.problem(),
        (413, "body-too-large".to_owned())
    );
    assert_eq!(
        send("text/plain", r#"{"customerNumber":"4711"}"#).await.problem(),
        (415, "not-json".to_owned())
    );
    for kind in ["application/json; charset=utf-8", "application/hal+json"] {
        assert_eq!(
            send(kind, r#"{"customerNumber":"4711","unknown":[1]}"#).await.status,
            StatusCode::CREATED
        );
    }
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v2/recurring-payments"),
        ("PUT", PAYMENTS),
        ("POST", "/v1/recurring-payments/1"),
    ] {
        let response = api.call(method, path, None).await;
        assert_eq!(
            (response.status, response.text.as_str()),
            (StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#)
        );
    }
}

/// Values of `X-Correlation-Id` in the request and the response. `None` in the response means a new UUID.
const CORRELATION_IDS: [(Option<&str>, Option<&str>); 15] = [
    (None, None),
    (Some(""), None),
    (Some(" "), None),
    (Some("\t"), None),
    (Some("null"), None),
    (Some("0123456789-abcdefghijklmnopqrstuvwxyz"), Some("0123456789-abcdefghijklmnopqrstuvwxyz")),
    (Some("-"), Some("-")),
    (Some("nulls"), Some("nulls")),
    (Some("NULL"), Some("NULL")),
    (Some("A B"), Some("A+B")),
    (Some("a+b"), Some("a%2Bb")),
    (Some("a*.-_~"), Some("a*.-_%7E")),
    (Some("a%0d%0aSet-Cookie: a=b"), Some("a%250d%250aSet-Cookie%3A+a%3Db")),
    (Some("blåbær"), Some("bl%C3%A5b%C3%A6r")),
    (Some("\"<script>\""), Some("%22%3Cscript%3E%22")),
];

fn is_uuid(text: &str) -> bool {
    let dashes = text.bytes().enumerate().filter(|(_, byte)| *byte == b'-').map(|(place, _)| place);
    text.len() == 36
        && dashes.eq([8, 13, 18, 23])
        && text.bytes().all(|byte| b"0123456789abcdef-".contains(&byte))
}

/// Sends a request with each value of `CORRELATION_IDS`. Checks the status, and the correlation id of the response.
async fn assert_correlation_ids(
    api: &TestApi,
    token: &str,
    (expected, method, path): (u16, &str, &str),
    extra: &[(&str, &str)],
    body: Option<&str>,
) {
    let bearer = format!("Bearer {token}");
    for (sent, returned) in CORRELATION_IDS {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(extra);
        headers.extend(sent.map(|sent| ("x-correlation-id", sent)));
        if expected == 503 {
            let nets = api.local.netaxept();
            nets.inject_fault(Operation::Query, FaultKind::Http500, 1);
        }
        let response = api.send(method, path, &headers, body).await;
        assert_eq!(response.status.as_u16(), expected, "{response:?}");
        assert_eq!(response.headers.get_all("x-correlation-id").iter().count(), 1, "{response:?}");
        assert_eq!(response.headers.get("set-cookie"), None);
        let id = response.header("x-correlation-id");
        assert!(
            returned.map_or_else(|| is_uuid(id), |returned| returned == id),
            "{sent:?}: {response:?}"
        );
        if expected >= 400 {
            assert_eq!(response.problem().0, expected);
        }
    }
}

/// Such a correlation id is replaced in the response and in the log, for successful and failed requests.
#[tokio::test]
async fn a_correlation_id_that_is_long_or_a_card_number_is_replaced() {
    let api = TestApi::new().await;
    let bearer = format!("Bearer {}", api.partner);
    let (list, long) = (format!("{PAYMENTS}?customerNumber=4711"), "ø".repeat(2000));
    for path in [list.as_str(), PAYMENTS] {
        for sent in [long.as_str(), VISA, "order-4925 0000 0000 0004"] {
            let headers = [("authorization", bearer.as_str()), ("x-correlation-id", sent)];
            let response = api.send("GET", path, &headers, None).await;
            assert!(is_uuid(response.header("x-correlation-id")), "{response:?}");
        }
    }
    let lines = api.log_lines("list-recurring-payments", "request");
    assert_eq!(lines.len(), 6);
    for line in lines {
        assert!(is_uuid(line["correlation_id"].as_str().unwrap()), "{line}");
    }
}

/// Every status that a response of the functions can have.
#[tokio::test]
async fn every_response_of_a_function_has_a_correlation_id() {
    let mut api = TestApi::new().await;
    let payment = |id: &Value| format!("{PAYMENTS}/{id}");
    let (list, customer) =
        (format!("{PAYMENTS}?customerNumber=4711"), r#"{"customerNumber":"4711"}"#);
    let json = [("et-client-name", "tests-api"), ("content-type", "application/json")];
    let plain = [("et-client-name", "tests-api"), ("content-type", "text/plain")];
    let partner = api.partner.clone();
    let reader = api.token("partner-readonly", json!({})).await;
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(16 * 1024));
    assert_correlation_ids(&api, &partner, (200, "GET", &list), &json, None).await;
    assert_correlation_ids(&api, &partner, (201, "POST", PAYMENTS), &json, Some(customer)).await;
    assert_correlation_ids(&api, &partner, (400, "POST", PAYMENTS), &json, Some("{")).await;
    assert_correlation_ids(&api, "invalid", (401, "GET", &list), &json, None).await;
    assert_correlation_ids(&api, &reader, (403, "POST", PAYMENTS), &json, Some(customer)).await;
    assert_correlation_ids(&api, &partner, (404, "GET", "/v1/recurring-payments/5"), &json, None)
        .await;
    assert_correlation_ids(&api, &partner, (413, "POST", PAYMENTS), &json, Some(&large)).await;
    assert_correlation_ids(&api, &partner, (415, "POST", PAYMENTS), &plain, Some(customer)).await;
    let id = api.create("4712", json!({})).await["recurringPaymentId"].clone();
    let authorize = format!("{}/authorize", payment(&id));
    assert_correlation_ids(&api, &partner, (409, "PUT", &authorize), &json, None).await;
    api.use_terminal(&id, VISA, "okButton").await;
    assert_correlation_ids(&api, &partner, (503, "PUT", &authorize), &json, None).await;
    let unreadable = json!({ "TableName": "Wallets", "Item": { "slot": { "N": "4711" }, "payments": { "S": "invalid" } } });
    api.local.dynamodb().call("PutItem", &unreadable).await.unwrap();
    let unreadable = payment(&json!((4711 << 10) | 1));
    assert_correlation_ids(&api, &partner, (500, "GET", &unreadable), &json, None).await;
    // Start at the beginning of a minute, so that the minute does not end during the test.
    let second = api.local.clock().now().as_second().rem_euclid(60);
    api.advance_clock(&format!("PT{}S", 60 - second)).await;
    let bearer = format!("Bearer {partner}");
    let unidentified = [("authorization", bearer.as_str())];
    while api.send("GET", &list, &unidentified, None).await.status == StatusCode::OK {}
    assert_correlation_ids(&api, &partner, (429, "GET", &list), &[], None).await;
}

/// HTTP clients cannot send line breaks in a header, so the test invokes the function directly. The library that reads the event
/// rejects it, and the error does not repeat the value.
#[tokio::test]
async fn a_correlation_id_cannot_split_a_response() {
    let api = TestApi::new().await;
    let invoke = async |sent: &str| {
        let event = crate::status_over_time::event(5, api.local.clock().now().as_millisecond());
        let mut event: Value = serde_json::from_slice(&event).unwrap();
        event["headers"]["x-correlation-id"] = sent.into();
        let event = event.to_string().into_bytes();
        api.local.lambda().invoke("get-recurring-payment", event).await
    };
    for sent in ["a\r\nSet-Cookie: a=b", "\nSet-Cookie: a=b", "a\rSet-Cookie: a=b", "Set-Cookie\0"]
    {
        let Err(InvocationError::Failed(message)) = invoke(sent).await else {
            panic!("a response to {sent:?}")
        };
        assert!(!message.contains("Set-Cookie"), "{message}");
    }
    for (sent, returned) in [
        ("a\tSet-Cookie: a=b", "a%09Set-Cookie%3A+a%3Db"),
        ("a%0D%0ASet-Cookie: a=b", "a%250D%250ASet-Cookie%3A+a%3Db"),
        // Some parsers treat these characters as line ends.
        ("a\u{85}b\u{2028}Set-Cookie", "a%C2%85b%E2%80%A8Set-Cookie"),
    ] {
        let response: Value = serde_json::from_slice(&invoke(sent).await.unwrap()).unwrap();
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        let headers = response["headers"].as_object().unwrap();
        let (header, member) = (&headers["x-correlation-id"], &body["correlationId"]);
        assert_eq!((header, member), (&json!(returned), &json!(returned)));
        let names: Vec<_> = headers.keys().map(String::as_str).collect();
        assert_eq!(names, ["cache-control", "content-type", "x-correlation-id"]);
        assert_eq!(response["cookies"], json!([]), "{response}");
    }
    let lines = api.local.lambda().lines();
    assert!(!lines.iter().any(|line| line.line.contains("Set-Cookie:")));
}
