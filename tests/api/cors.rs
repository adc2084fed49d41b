//! CORS in the local service: a page of an allowed origin can use all headers and methods of openapi.yaml.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::openapi::Document;
use crate::template::cors::request_headers_and_methods;
use crate::{PAYMENTS, TestApi};

/// Splits a header at commas, in lower case.
fn list(response: &crate::Response, name: &str) -> Vec<String> {
    response.header(name).split(',').map(|one| one.trim().to_ascii_lowercase()).collect()
}

#[tokio::test]
async fn a_page_can_send_every_documented_header_to_every_operation() {
    let api = TestApi::new().await;
    let origin = api.local.addresses().console.clone();
    let document = Document::read();
    let (headers, _) = request_headers_and_methods(&document);
    let requested = headers.iter().map(|name| name.to_ascii_lowercase()).collect::<Vec<_>>();
    for (method, path, _) in document.operations("paths") {
        let preflight = [
            ("origin", origin.as_str()),
            ("access-control-request-method", &method),
            ("access-control-request-headers", &requested.join(",")),
        ];
        let response = api.send(Method::OPTIONS.as_str(), &path, &preflight, None).await;
        assert_eq!(response.status, StatusCode::NO_CONTENT, "{method} {path}: {response:?}");
        assert_eq!(response.header("access-control-allow-origin"), origin);
        let methods = list(&response, "access-control-allow-methods");
        assert!(methods.contains(&method.to_ascii_lowercase()), "{method} {path}: {response:?}");
        let allowed = list(&response, "access-control-allow-headers");
        assert!(
            requested.iter().all(|name| allowed.contains(name)),
            "{method} {path}: {response:?}"
        );
    }
}

#[tokio::test]
async fn only_a_page_of_an_allowed_origin_can_read_the_response() {
    let api = TestApi::new().await;
    let origin = api.local.addresses().console.clone();
    let bearer = format!("Bearer {}", api.partner);
    let body = json!({ "customerNumber": "4711" }).to_string();
    let create = async |origin: &str| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("et-client-name", "tests-api"),
            ("origin", origin),
        ];
        api.send("POST", PAYMENTS, &headers, Some(&body)).await
    };
    let response = create(&origin).await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert_eq!(response.header("access-control-allow-origin"), origin);
    let exposed = list(&response, "access-control-expose-headers");
    for name in ["location", "x-correlation-id"] {
        assert!(
            !response.header(name).is_empty() && exposed.contains(&name.to_owned()),
            "{response:?}"
        );
    }
    let response = create("https://elsewhere.example").await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
    assert!(!response.headers.keys().any(|name| name.as_str().starts_with("access-control-")));
}
