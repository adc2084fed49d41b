//! Rule 18: addresses in responses begin with the path that the caller used. Requests with unusual paths and queries get a
//! response too.

use local::binaries::root;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::payments::{COLLECTION, order};
use crate::{PAYMENTS, TestApi};

/// Reads an event of `tests/events/`, and sets its path and stage.
fn event(name: &str, path: &str, stage: &str) -> Value {
    let text = std::fs::read(root().join("tests/events").join(name)).unwrap();
    let mut event: Value = serde_json::from_slice(&text).unwrap();
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["path"] = path.into();
    event["requestContext"]["stage"] = stage.into();
    event
}

/// Invokes a function with an event. Returns status, `Location` and body.
async fn invoke(api: &TestApi, function: &str, event: &Value) -> (u64, Value, Value) {
    let response = api.local.lambda().invoke(function, event.to_string().into_bytes()).await;
    let response: Value = serde_json::from_slice(&response.unwrap()).unwrap();
    let body = response["body"].as_str().unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or_default();
    (response["statusCode"].as_u64().unwrap(), response["headers"]["location"].clone(), body)
}

/// Base paths of a custom domain, with the stage of each.
const BASES: [(&str, &str); 5] =
    [("", "$default"), ("", "prod"), ("/sales", "$default"), ("/sales", "prod"), ("/a/b", "v1")];

#[tokio::test]
async fn addresses_in_responses_begin_with_the_path_of_the_request() {
    let api = TestApi::new().await;
    for (base, stage) in BASES {
        let path = format!("{base}{PAYMENTS}");
        let mut create = event("02-create-recurring-payment.json", &path, stage);
        create["headers"]["idempotency-key"] = path.clone().into();
        let (status, location, body) = invoke(&api, "create-recurring-payment", &create).await;
        let expected = format!("{path}/{}", body["recurringPaymentId"]);
        assert_eq!((status, location), (201, json!(expected)), "{base} {stage}");
        create["body"] = "{}".into();
        let (status, _, body) = invoke(&api, "create-recurring-payment", &create).await;
        let shown = (&body["instance"], &body["path"]);
        assert_eq!((status, shown), (400, (&json!(path), &json!(path))), "{base} {stage}");
    }
}

/// The `Location` of a payment, and the address in its problems.
#[tokio::test]
async fn addresses_of_payments_begin_with_the_path_of_the_request() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    for (turn, (base, stage)) in BASES.into_iter().enumerate() {
        let path = format!("{base}{COLLECTION}");
        let mut create = event("23-create-payment.json", &path, stage);
        create["isBase64Encoded"] = false.into();
        create["body"] = order(&format!("order-{turn}"), &card, "100.00").to_string().into();
        let (status, location, body) = invoke(&api, "create-payment", &create).await;
        let expected = format!("{path}/{}", body["paymentId"]);
        assert_eq!((status, location), (201, json!(expected)), "{base} {stage}: {body}");
        let (status, location, _) = invoke(&api, "create-payment", &create).await;
        assert_eq!((status, location), (200, Value::Null), "repeated");
        create["body"] = "{}".into();
        let (status, _, body) = invoke(&api, "create-payment", &create).await;
        let shown = (&body["instance"], &body["path"]);
        assert_eq!((status, shown), (400, (&json!(path), &json!(path))), "{base} {stage}");
    }
}

/// Secret and personal path parameters are not repeated: the response has the route's template, with the base path.
#[tokio::test]
async fn secret_path_parameters_are_hidden_with_a_base_path_too() {
    let api = TestApi::new().await;
    for (base, stage) in BASES {
        for (name, function, path, template) in [
            (
                "20-receive-netaxept-callback-wrong-secret.json",
                "receive-netaxept-callback",
                "/v1/netaxept/callback/canary",
                "/v1/netaxept/callback/{secret}",
            ),
            (
                "48-erase-customer-forbidden.json",
                "erase-customer",
                "/v1/customers/canary/recurring-payments",
                "/v1/customers/{customerNumber}/recurring-payments",
            ),
        ] {
            let event = event(name, &format!("{base}{path}"), stage);
            let (status, _, body) = invoke(&api, function, &event).await;
            assert!([403, 404].contains(&status), "{body}");
            assert!(!body.to_string().contains("canary"), "{body}");
            let expected = json!(format!("{base}{template}"));
            assert_eq!((&body["instance"], &body["path"]), (&expected, &expected));
        }
    }
}

/// Paths and queries that a caller can send but that are not a URI for the library `http`.
#[tokio::test]
async fn unusual_paths_and_queries_get_a_response() {
    let api = TestApi::new().await;
    for id in ["a%20b", "a%22b", "%3Cscript%3E", "bl%C3%A5b%C3%A6r", "%25", "%00", "a%3Fb%23c"] {
        let response = api.call("GET", &format!("{PAYMENTS}/{id}"), None).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{id}");
        let shown = response.json()["instance"].as_str().unwrap().to_owned();
        assert!(shown.starts_with(PAYMENTS) && shown.is_ascii(), "{shown}");
    }
    let list = format!("{PAYMENTS}?customerNumber=4711");
    for extra in ["x=%22", "x=%C3%B8", "%20", "x=a+b", "x=%FF", "x=%zz", "x={}|^`", "x=\"<>"] {
        let response = api.call("GET", &format!("{list}&{extra}"), None).await;
        assert_eq!(response.status, StatusCode::OK, "{extra}: {response:?}");
    }
    let bearer = format!("Bearer {}", api.partner);
    for (name, value) in [
        ("x-forwarded-proto", "no scheme"),
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-host", "a b"),
        ("host", "[no-host"),
    ] {
        let headers = [("authorization", bearer.as_str()), (name, value)];
        let response = api.send("GET", &list, &headers, None).await;
        assert_eq!(response.status, StatusCode::OK, "{name}: {value}");
    }
}
