//! CORS: a browser may send and read every header that openapi.yaml documents, with every method.

use std::collections::BTreeSet;

use local::template::{Parameters, Template};
use serde_json::json;

use crate::openapi::Document;

/// Headers of an answer that a page may always read, as the Fetch standard has them.
const SAFELISTED: [&str; 7] = [
    "Cache-Control",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "Expires",
    "Last-Modified",
    "Pragma",
];

type Names = BTreeSet<String>;

/// What callers send: headers that are parameters, those of a token and of a body, and the methods.
pub(crate) fn sent(document: &Document) -> (Names, Names) {
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

/// The headers of answers that a page may not read by itself.
fn answered(document: &Document) -> Names {
    let operations = document.operations("paths").into_iter();
    let responses = operations.flat_map(|(_, _, one)| one["responses"].as_object().unwrap());
    let headers = responses
        .filter_map(|(_, response)| document.resolve(response)["headers"].as_object())
        .flat_map(|headers| headers.keys().cloned());
    headers.filter(|name| !SAFELISTED.contains(&name.as_str())).collect()
}

/// What is wrong with it.
pub(super) fn configured(template: &Template) -> Vec<String> {
    let mut faults = Vec::new();
    let origins = ["https://a.example".to_owned(), "https://b.example".to_owned()];
    let with = Parameters::from([("AllowedOrigins".to_owned(), origins.join(","))]);
    if template.cors(&Parameters::new()) != Ok(None) {
        faults.push("CORS without AllowedOrigins".to_owned());
    }
    let Ok(Some(cors)) = template.cors(&with) else {
        faults.push("no CORS with AllowedOrigins".to_owned());
        return faults;
    };
    let document = Document::read();
    let (headers, methods) = sent(&document);
    for (what, configured, expected) in [
        ("AllowOrigins", cors.origins, Names::from(origins)),
        ("AllowHeaders", cors.headers, headers),
        ("AllowMethods", cors.methods, methods),
        ("ExposeHeaders", cors.exposed, answered(&document)),
    ] {
        let configured: Names = configured.into_iter().collect();
        if configured != expected {
            faults.push(format!("CORS: {what} is {configured:?}, and not {expected:?}"));
        }
    }
    faults
}
