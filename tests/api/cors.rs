//! CORS through the whole local service: a page of an allowed origin can send and read what openapi.yaml documents.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::openapi::Document;
use crate::template::cors::sent;
use crate::{PAYMENTS, World};

/// The names in a header that is a list, in lower case.
fn list(answer: &crate::Answer, name: &str) -> Vec<String> {
    answer.header(name).split(',').map(|one| one.trim().to_ascii_lowercase()).collect()
}

#[tokio::test]
async fn a_page_may_send_every_documented_header_to_every_operation() {
    let world = World::new().await;
    let origin = world.local.addresses().console.clone();
    let document = Document::read();
    let (headers, _) = sent(&document);
    let asked = headers.iter().map(|name| name.to_ascii_lowercase()).collect::<Vec<_>>();
    for (method, path, _) in document.operations("paths") {
        let preflight = [
            ("origin", origin.as_str()),
            ("access-control-request-method", &method),
            ("access-control-request-headers", &asked.join(",")),
        ];
        let answer = world.send(Method::OPTIONS.as_str(), &path, &preflight, None).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{method} {path}: {answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        let methods = list(&answer, "access-control-allow-methods");
        assert!(methods.contains(&method.to_ascii_lowercase()), "{method} {path}: {answer:?}");
        let allowed = list(&answer, "access-control-allow-headers");
        assert!(asked.iter().all(|name| allowed.contains(name)), "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_reads_the_answer_and_no_other_does() {
    let world = World::new().await;
    let origin = world.local.addresses().console.clone();
    let bearer = format!("Bearer {}", world.partner);
    let body = json!({ "customerNumber": "4711" }).to_string();
    let create = async |origin: &str| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("et-client-name", "tests-api"),
            ("origin", origin),
        ];
        world.send("POST", PAYMENTS, &headers, Some(&body)).await
    };
    let answer = create(&origin).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), origin);
    let exposed = list(&answer, "access-control-expose-headers");
    for name in ["location", "x-correlation-id"] {
        assert!(
            !answer.header(name).is_empty() && exposed.contains(&name.to_owned()),
            "{answer:?}"
        );
    }
    let answer = create("https://elsewhere.example").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")));
}
