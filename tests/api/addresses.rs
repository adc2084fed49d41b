//! Rule 18: addresses that are given back begin with the path that the caller used. And whatever a caller writes into an
//! address, there is an answer to it.

use local::binaries::root;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, World};

/// An event as API Gateway sends it, for another path and stage.
fn event(name: &str, path: &str, stage: &str) -> Value {
    let text = std::fs::read(root().join("tests/events").join(name)).unwrap();
    let mut event: Value = serde_json::from_slice(&text).unwrap();
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["path"] = path.into();
    event["requestContext"]["stage"] = stage.into();
    event
}

/// What a function answers an event: status, `Location`, and the body.
async fn answered(world: &World, function: &str, event: &Value) -> (u64, Value, Value) {
    let answer = world.local.lambda().invoke(function, event.to_string().into_bytes()).await;
    let answer: Value = serde_json::from_slice(&answer.unwrap()).unwrap();
    let body = answer["body"].as_str().unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or_default();
    (answer["statusCode"].as_u64().unwrap(), answer["headers"]["location"].clone(), body)
}

/// Base paths of a custom domain, with the stage that is behind each.
const BASES: [(&str, &str); 5] =
    [("", "$default"), ("", "prod"), ("/sales", "$default"), ("/sales", "prod"), ("/a/b", "v1")];

#[tokio::test]
async fn addresses_begin_with_the_path_that_the_caller_used() {
    let world = World::new().await;
    for (base, stage) in BASES {
        let path = format!("{base}{PAYMENTS}");
        let mut create = event("02-create-recurring-payment.json", &path, stage);
        create["headers"]["idempotency-key"] = path.clone().into();
        let (status, location, body) = answered(&world, "create-recurring-payment", &create).await;
        let expected = format!("{path}/{}", body["recurringPaymentId"]);
        assert_eq!((status, location), (201, json!(expected)), "{base} {stage}");
        create["body"] = "{}".into();
        let (status, _, body) = answered(&world, "create-recurring-payment", &create).await;
        let shown = (&body["instance"], &body["path"]);
        assert_eq!((status, shown), (400, (&json!(path), &json!(path))), "{base} {stage}");
    }
}

/// What is secret or personal in a path stays hidden; its template has the base path too.
#[tokio::test]
async fn hidden_parameters_stay_hidden_behind_a_base_path() {
    let world = World::new().await;
    for (base, stage) in BASES {
        for (name, function, path, template) in [
            (
                "20-receive-netaxept-callback-wrong-secret.json",
                "receive-netaxept-callback",
                "/v1/netaxept/callback/canary",
                "/v1/netaxept/callback/{secret}",
            ),
            (
                "28-erase-customer-forbidden.json",
                "erase-customer",
                "/v1/customers/canary/recurring-payments",
                "/v1/customers/{customerNumber}/recurring-payments",
            ),
        ] {
            let event = event(name, &format!("{base}{path}"), stage);
            let (status, _, body) = answered(&world, function, &event).await;
            assert!([403, 404].contains(&status), "{body}");
            assert!(!body.to_string().contains("canary"), "{body}");
            let expected = json!(format!("{base}{template}"));
            assert_eq!((&body["instance"], &body["path"]), (&expected, &expected));
        }
    }
}

/// Paths and queries that the library `http` takes for no URI, which a caller can send all the same.
#[tokio::test]
async fn every_address_has_an_answer() {
    let world = World::new().await;
    for id in ["a%20b", "a%22b", "%3Cscript%3E", "bl%C3%A5b%C3%A6r", "%25", "%00", "a%3Fb%23c"] {
        let answer = world.call("GET", &format!("{PAYMENTS}/{id}"), None).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{id}");
        let shown = answer.json()["instance"].as_str().unwrap().to_owned();
        assert!(shown.starts_with(PAYMENTS) && shown.is_ascii(), "{shown}");
    }
    let list = format!("{PAYMENTS}?customerNumber=4711");
    for more in ["x=%22", "x=%C3%B8", "%20", "x=a+b", "x=%FF", "x=%zz", "x={}|^`", "x=\"<>"] {
        let answer = world.call("GET", &format!("{list}&{more}"), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{more}: {answer:?}");
    }
    let bearer = format!("Bearer {}", world.partner);
    for (name, value) in [
        ("x-forwarded-proto", "no scheme"),
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-host", "a b"),
        ("host", "[no-host"),
    ] {
        let headers = [("authorization", bearer.as_str()), (name, value)];
        let answer = world.send("GET", &list, &headers, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {value}");
    }
}
