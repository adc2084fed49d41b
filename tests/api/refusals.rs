//! Wrong things: each has a clear answer, and changes nothing.

use local::lambda::NoAnswer;
use local::netaxept::{Kind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, VISA, World, with_an_id};

#[tokio::test]
async fn without_a_good_token() {
    let world = World::new().await;
    let path = format!("{PAYMENTS}?customerNumber=4711");
    let none = world.send("GET", &path, &[], None).await;
    assert_eq!(
        (none.status, none.text.as_str()),
        (StatusCode::UNAUTHORIZED, r#"{"message":"Unauthorized"}"#)
    );
    let expired = world.token("partner-demo", json!({ "expires_in": -61 })).await;
    let foreign =
        world.token("partner-demo", json!({ "audience": "https://elsewhere.example" })).await;
    let (head, signature) = world.partner.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", head.split('.').nth(1).unwrap());
    for token in ["rubbish", "a.b.c", "", &expired, &foreign, &forged, &unsigned] {
        let answer = world.call_as(token, "GET", &path, None).await;
        assert_eq!(answer.problem(), (401, "unauthorized".to_owned()), "{token}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let basic = world.send("GET", &path, &[("authorization", "Basic YTpi")], None).await;
    assert_eq!(basic.problem(), (401, "unauthorized".to_owned()));
}

/// The gateway remembers the authorizer's answer; a token's end counts all the same.
#[tokio::test]
async fn a_token_ends_on_time_though_it_is_remembered() {
    let world = World::new().await;
    let token = world.token("partner-demo", json!({ "expires_in": 60 })).await;
    let list = async || {
        world.call_as(&token, "GET", &format!("{PAYMENTS}?customerNumber=4711"), None).await
    };
    assert_eq!(list().await.status, StatusCode::OK);
    world.local.clock().advance("PT121S").unwrap();
    assert_eq!(list().await.problem(), (401, "unauthorized".to_owned()));
}

#[tokio::test]
async fn without_the_permission() {
    let world = World::new().await;
    let id = world.active("4711").await;
    let reader = world.token("partner-readonly", json!({})).await;
    let path = format!("{PAYMENTS}/{id}");
    assert_eq!(world.call_as(&reader, "GET", &path, None).await.status, StatusCode::OK);
    let (empty, url) = (json!({}), json!({ "redirectUrl": "https://shop.example" }));
    for (method, path, body) in [
        ("POST", PAYMENTS.to_owned(), Some(&empty)),
        ("PATCH", path.clone(), Some(&empty)),
        ("DELETE", path.clone(), None),
        ("POST", format!("{path}/terminal"), Some(&url)),
        ("PUT", format!("{path}/authorize"), None),
    ] {
        let answer = world.call_as(&reader, method, &path, body).await;
        assert_eq!(answer.problem(), (403, "forbidden".to_owned()), "{method} {path}");
    }
}

/// To the byte, but for what the request itself says: its path, its time and its correlation id.
#[tokio::test]
async fn a_foreign_id_and_an_unknown_one_answer_alike() {
    let world = World::new().await;
    let id = world.active("4711").await.as_u64().unwrap();
    let unknown = id + 512;
    let other = world.token("partner-other", json!({})).await;
    let stranger = world.token("traveller-demo", json!({ "customer_number": "4712" })).await;
    let url = json!({ "redirectUrl": "https://shop.example", "nickname": "x" });
    for token in [&other, &stranger] {
        for (method, tail, body) in with_an_id(&url) {
            let mut answers = Vec::new();
            for id in [id, unknown] {
                world.local.dynamodb().forget_requests();
                let answer =
                    world.call_as(token, method, &format!("{PAYMENTS}/{id}{tail}"), body).await;
                assert_eq!(answer.problem(), (404, "not-found".to_owned()));
                let body = answer.json();
                let correlation_id = answer.header("x-correlation-id");
                let mut text = answer
                    .text
                    .replace(&id.to_string(), "ID")
                    .replace(correlation_id, "CORRELATION");
                text = text.replace(body["timestamp"].as_str().unwrap(), "TIME");
                let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
                answers.push((text, names, world.local.dynamodb().requests()));
            }
            assert_eq!(answers[0], answers[1], "{method} {tail}");
        }
    }
    let own = world.token("traveller-demo", json!({ "customer_number": "4711" })).await;
    assert_eq!(
        world.call_as(&own, "GET", &format!("{PAYMENTS}/{id}"), None).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_traveller_is_only_ever_themself() {
    let world = World::new().await;
    let token = world.token("traveller-demo", json!({ "customer_number": "4711" })).await;
    let body = json!({ "customerNumber": "4712" });
    assert_eq!(
        world.call_as(&token, "POST", PAYMENTS, Some(&body)).await.status,
        StatusCode::CREATED
    );
    assert_eq!((world.list("4711").await.len(), world.list("4712").await.len()), (1, 0));
    assert_eq!(
        world.call_as(&token, "GET", PAYMENTS, None).await.json().as_array().unwrap().len(),
        1
    );
    let other =
        world.call_as(&token, "GET", &format!("{PAYMENTS}?customerNumber=4712"), None).await;
    assert_eq!(other.problem(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn on_behalf_of_needs_an_agreement() {
    let world = World::new().await;
    let create = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("entur-on-behalf-of", "2"),
        ];
        world.send("POST", PAYMENTS, &headers, Some(r#"{"customerNumber":"4711"}"#)).await
    };
    assert_eq!(create(&world.partner).await.problem(), (403, "forbidden".to_owned()));
    let internal = world.token("internal-demo", json!({})).await;
    assert_eq!(create(&internal).await.status, StatusCode::CREATED);
    let other = world.token("partner-other", json!({})).await;
    let list = world.call_as(&other, "GET", &format!("{PAYMENTS}?customerNumber=4711"), None).await;
    assert_eq!(list.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn queries() {
    let world = World::new().await;
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
        let answer = world.call("GET", &format!("{PAYMENTS}{query}"), None).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{query}");
        let fault = &answer.json()["errors"][0];
        assert_eq!((&fault["field"], &fault["code"]), (&json!(field), &json!(code)), "{query}");
    }
    for query in [
        "?customerNumber=4711",
        "?customerNumber=eq:4711",
        "?customerNumber=eq%3A4711&includeExpired=false",
    ] {
        assert_eq!(
            world.call("GET", &format!("{PAYMENTS}{query}"), None).await.status,
            StatusCode::OK,
            "{query}"
        );
    }
}

#[tokio::test]
async fn bodies() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
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
        let bearer = format!("Bearer {}", world.partner);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = world.send(method, path, &headers, Some(body)).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{method} {path} {body}");
        let fault = &answer.json()["errors"][0];
        assert_eq!(
            (&fault["field"], &fault["code"]),
            (&json!(field), &json!(code)),
            "{method} {path} {body}"
        );
    }
    let several = json!({ "isPrimary": 1, "nickname": 2, "customerNumber": 3 });
    let answer = world.call("POST", PAYMENTS, Some(&several)).await;
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 3, "all of them at once");
    assert_eq!(world.list("4711").await.len(), 1);
}

#[tokio::test]
async fn sizes_types_and_places() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.partner);
    let send = async |kind: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        world.send("POST", PAYMENTS, &headers, Some(body)).await
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
        let answer = world.call(method, path, None).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#)
        );
    }
}

/// What callers send as `X-Correlation-Id`, and what comes back; none: one of ours.
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

/// Sends one request with every `X-Correlation-Id`: the status is as expected, and the answer has the right id.
async fn correlated(
    world: &World,
    token: &str,
    (expected, method, path): (u16, &str, &str),
    more: &[(&str, &str)],
    body: Option<&str>,
) {
    let bearer = format!("Bearer {token}");
    for (given, kept) in CORRELATION_IDS {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(more);
        headers.extend(given.map(|given| ("x-correlation-id", given)));
        if expected == 503 {
            let nets = world.local.netaxept();
            nets.fail(Operation::Query, Kind::Http500, 1);
        }
        let answer = world.send(method, path, &headers, body).await;
        assert_eq!(answer.status.as_u16(), expected, "{answer:?}");
        assert_eq!(answer.headers.get_all("x-correlation-id").iter().count(), 1, "{answer:?}");
        assert_eq!(answer.headers.get("set-cookie"), None);
        let id = answer.header("x-correlation-id");
        assert!(kept.map_or_else(|| is_uuid(id), |kept| kept == id), "{given:?}: {answer:?}");
        if expected >= 400 {
            assert_eq!(answer.problem().0, expected);
        }
    }
}

/// Neither in the answer nor in the log, whatever becomes of the request.
#[tokio::test]
async fn a_correlation_id_that_is_long_or_a_card_number_is_replaced() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.partner);
    let (list, long) = (format!("{PAYMENTS}?customerNumber=4711"), "ø".repeat(2000));
    for path in [list.as_str(), PAYMENTS] {
        for given in [long.as_str(), VISA, "order-4925 0000 0000 0004"] {
            let headers = [("authorization", bearer.as_str()), ("x-correlation-id", given)];
            let answer = world.send("GET", path, &headers, None).await;
            assert!(is_uuid(answer.header("x-correlation-id")), "{answer:?}");
        }
    }
    let lines = world.logged("list-recurring-payments", "answered");
    assert_eq!(lines.len(), 6);
    for line in lines {
        assert!(is_uuid(line["correlation_id"].as_str().unwrap()), "{line}");
    }
}

/// Every status that an answer of ours can have.
#[tokio::test]
async fn correlation_ids_are_on_every_answer_of_ours() {
    let mut world = World::new().await;
    let payment = |id: &Value| format!("{PAYMENTS}/{id}");
    let (list, customer) =
        (format!("{PAYMENTS}?customerNumber=4711"), r#"{"customerNumber":"4711"}"#);
    let json = [("et-client-name", "tests-api"), ("content-type", "application/json")];
    let plain = [("et-client-name", "tests-api"), ("content-type", "text/plain")];
    let partner = world.partner.clone();
    let reader = world.token("partner-readonly", json!({})).await;
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(16 * 1024));
    correlated(&world, &partner, (200, "GET", &list), &json, None).await;
    correlated(&world, &partner, (201, "POST", PAYMENTS), &json, Some(customer)).await;
    correlated(&world, &partner, (400, "POST", PAYMENTS), &json, Some("{")).await;
    correlated(&world, "rubbish", (401, "GET", &list), &json, None).await;
    correlated(&world, &reader, (403, "POST", PAYMENTS), &json, Some(customer)).await;
    correlated(&world, &partner, (404, "GET", "/v1/recurring-payments/5"), &json, None).await;
    correlated(&world, &partner, (413, "POST", PAYMENTS), &json, Some(&large)).await;
    correlated(&world, &partner, (415, "POST", PAYMENTS), &plain, Some(customer)).await;
    let id = world.create("4712", json!({})).await["recurringPaymentId"].clone();
    let authorize = format!("{}/authorize", payment(&id));
    correlated(&world, &partner, (409, "PUT", &authorize), &json, None).await;
    world.visit(&id, VISA, "okButton").await;
    correlated(&world, &partner, (503, "PUT", &authorize), &json, None).await;
    let unreadable = json!({ "TableName": "Wallets", "Item": { "slot": { "N": "4711" }, "payments": { "S": "spoilt" } } });
    world.local.dynamodb().call("PutItem", &unreadable).await.unwrap();
    let unreadable = payment(&json!((4711 << 10) | 1));
    correlated(&world, &partner, (500, "GET", &unreadable), &json, None).await;
    // At the beginning of a minute, so that it does not end meanwhile.
    let second = world.local.clock().now().as_second().rem_euclid(60);
    world.wait(&format!("PT{}S", 60 - second)).await;
    let bearer = format!("Bearer {partner}");
    let unnamed = [("authorization", bearer.as_str())];
    while world.send("GET", &list, &unnamed, None).await.status == StatusCode::OK {}
    correlated(&world, &partner, (429, "GET", &list), &[], None).await;
}

/// No client sends line breaks in a header, so the function itself is asked. One that is in its event all the same never
/// comes as far as an answer: the library that reads the event refuses it whole, and repeats nothing of it.
#[tokio::test]
async fn a_correlation_id_can_not_split_an_answer() {
    let world = World::new().await;
    let ask = async |given: &str| {
        let event = crate::reads::event(5, world.local.clock().now().as_millisecond());
        let mut event: Value = serde_json::from_slice(&event).unwrap();
        event["headers"]["x-correlation-id"] = given.into();
        let event = event.to_string().into_bytes();
        world.local.lambda().invoke("get-recurring-payment", event).await
    };
    for given in ["a\r\nSet-Cookie: a=b", "\nSet-Cookie: a=b", "a\rSet-Cookie: a=b", "Set-Cookie\0"]
    {
        let Err(NoAnswer::Failed(said)) = ask(given).await else {
            panic!("an answer to {given:?}")
        };
        assert!(!said.contains("Set-Cookie"), "{said}");
    }
    for (given, kept) in [
        ("a\tSet-Cookie: a=b", "a%09Set-Cookie%3A+a%3Db"),
        ("a%0D%0ASet-Cookie: a=b", "a%250D%250ASet-Cookie%3A+a%3Db"),
        // What some readers take for the end of a line.
        ("a\u{85}b\u{2028}Set-Cookie", "a%C2%85b%E2%80%A8Set-Cookie"),
    ] {
        let answer: Value = serde_json::from_slice(&ask(given).await.unwrap()).unwrap();
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let headers = answer["headers"].as_object().unwrap();
        let (header, member) = (&headers["x-correlation-id"], &body["correlationId"]);
        assert_eq!((header, member), (&json!(kept), &json!(kept)));
        let names: Vec<_> = headers.keys().map(String::as_str).collect();
        assert_eq!(names, ["cache-control", "content-type", "x-correlation-id"]);
        assert_eq!(answer["cookies"], json!([]), "{answer}");
    }
    let lines = world.local.lambda().lines();
    assert!(!lines.iter().any(|line| line.line.contains("Set-Cookie:")));
}
