//! Wrong things: each has a clear answer, and changes nothing.

use reqwest::StatusCode;
use serde_json::json;

use crate::{PAYMENTS, World};

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
    let url = json!({ "redirectUrl": "https://shop.example" });
    for token in [&other, &stranger] {
        for (method, tail, body) in [
            ("GET", "", None),
            ("PATCH", "", Some(&url)),
            ("DELETE", "", None),
            ("POST", "/terminal", Some(&url)),
            ("PUT", "/authorize", None),
        ] {
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
        ("?customerNumber=1&customerNumber=2", "customerNumber", "characters"),
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

#[tokio::test]
async fn correlation_ids_are_on_every_answer_of_ours() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.partner);
    let path = format!("{PAYMENTS}?customerNumber=4711");
    for (given, kept) in [("abc-1", "abc-1"), ("A B", "A+B"), ("x%0d", "x%250d")] {
        let headers = [("authorization", bearer.as_str()), ("x-correlation-id", given)];
        assert_eq!(world.send("GET", &path, &headers, None).await.header("x-correlation-id"), kept);
        let answer = world.send("GET", "/v1/recurring-payments/5", &headers, None).await;
        assert_eq!(
            (answer.header("x-correlation-id"), &answer.json()["correlationId"]),
            (kept, &json!(kept))
        );
    }
    for none in ["null", " "] {
        let headers = [("authorization", bearer.as_str()), ("x-correlation-id", none)];
        assert_eq!(
            world.send("GET", &path, &headers, None).await.header("x-correlation-id").len(),
            36
        );
    }
}
