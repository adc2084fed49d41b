//! CORS: a browser can use every header and method that openapi.yaml documents.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use local::template::{Parameters, Template};
use serde_json::json;

use crate::openapi::Document;

/// Response headers that a page can always read, from the Fetch standard.
const SAFELISTED: [&str; 7] = [
    "Cache-Control",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "Expires",
    "Last-Modified",
    "Pragma",
];

/// `openapi.yaml`, parsed once for all mutations.
static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::read);

type Names = BTreeSet<String>;

/// Returns the request headers (parameters, token and body) and the methods of all operations.
pub(crate) fn request_headers_and_methods(document: &Document) -> (Names, Names) {
    let (mut headers, mut methods) = (Names::new(), Names::new());
    for (method, path, operation) in document.operations("paths") {
        let of_path = document.0["paths"][&path]["parameters"].as_array();
        let parameters = operation["parameters"].as_array().into_iter().chain(of_path).flatten();
        let parameters = parameters.map(|parameter| document.resolve(parameter));
        let in_header = parameters.filter(|parameter| parameter["in"] == "header");
        headers.extend(in_header.map(|parameter| parameter["name"].as_str().unwrap().to_owned()));
        if operation["security"] != json!([]) {
            headers.insert("Authorization".to_owned());
        }
        if operation["requestBody"].is_object() {
            headers.insert("Content-Type".to_owned());
        }
        methods.insert(method);
    }
    (headers, methods)
}

/// Returns the response headers that a page can read only if CORS exposes them.
fn response_headers(document: &Document) -> Names {
    let operations = document.operations("paths").into_iter();
    let responses =
        operations.flat_map(|(_, _, operation)| operation["responses"].as_object().unwrap());
    let headers = responses
        .filter_map(|(_, response)| document.resolve(response)["headers"].as_object())
        .flat_map(|headers| headers.keys().cloned());
    headers.filter(|name| !SAFELISTED.contains(&name.as_str())).collect()
}

/// Returns the violations.
pub(super) fn configuration(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    let origins = ["https://a.example".to_owned(), "https://b.example".to_owned()];
    let with = Parameters::from([("AllowedOrigins".to_owned(), origins.join(","))]);
    if template.cors(&Parameters::new()) != Ok(None) {
        violations.push("CORS is enabled without AllowedOrigins".to_owned());
    }
    let Ok(Some(cors)) = template.cors(&with) else {
        violations.push("CORS is not enabled with AllowedOrigins".to_owned());
        return violations;
    };
    let (headers, methods) = request_headers_and_methods(&DOCUMENT);
    for (name, configured, expected) in [
        ("AllowOrigins", cors.origins, Names::from(origins)),
        ("AllowHeaders", cors.headers, headers),
        ("AllowMethods", cors.methods, methods),
        ("ExposeHeaders", cors.exposed_headers, response_headers(&DOCUMENT)),
    ] {
        let configured: Names = configured.into_iter().collect();
        if configured != expected {
            violations.push(format!("CORS: {name} is {configured:?}, expected {expected:?}"));
        }
    }
    violations
}
