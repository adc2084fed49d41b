//! `openapi.yaml` as a file, and as a page of Swagger UI that can call the local API.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use swagger_ui_dist::{ApiDefinition, OpenApiSource, generate_routes};

use crate::{binaries, console};

/// The document that the page reads: `openapi.yaml` with the local API as its only server.
const PAGE_DOCUMENT: &str = "/api/openapi.yaml";

/// The routes: the document, the page with its assets, and the document that the page reads. `api` is the base address of the
/// local API.
pub(crate) fn router(api: String) -> Router {
    let page = ApiDefinition {
        uri_prefix: "/api",
        api_definition: OpenApiSource::Uri(PAGE_DOCUMENT),
        title: Some("Recurring Payments API"),
    };
    let page_document = async move || document(|text| with_server(&text, &api)).await;
    Router::new()
        .route("/openapi.yaml", get(async || document(|text| text).await))
        .route(PAGE_DOCUMENT, get(page_document))
        .merge(generate_routes(page))
}

/// Reads the file for each request, so that a change is visible at once.
async fn document(change: impl FnOnce(String) -> String) -> Response {
    match tokio::fs::read_to_string(binaries::root().join("openapi.yaml")).await {
        Ok(text) => ([("content-type", "application/yaml")], change(text)).into_response(),
        Err(error) => console::error_response(
            StatusCode::INTERNAL_SERVER_ERROR,
            &format!("openapi.yaml: {error}"),
        ),
    }
}

/// The document with `api` as its only server. A line that is not indented starts a member of the document.
fn with_server(document: &str, api: &str) -> String {
    let mut changed = String::with_capacity(document.len());
    let mut in_servers = false;
    for line in document.split_inclusive('\n') {
        if line.starts_with(|first: char| first.is_ascii_alphabetic()) {
            in_servers = line.trim_end() == "servers:";
            if in_servers {
                changed.extend([line, "  - url: ", api, "\n    description: The local service.\n"]);
            }
        }
        if !in_servers {
            changed.push_str(line);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml;

    #[test]
    fn the_local_api_is_the_only_server_and_nothing_else_changes() {
        let text = std::fs::read_to_string(binaries::root().join("openapi.yaml")).unwrap();
        let changed = with_server(&text, "http://127.0.0.1:4711");
        let read = |text: &str| yaml::document(text, |_, _| None).unwrap();
        let mut expected = read(&text);
        expected["servers"] =
            json!([{ "url": "http://127.0.0.1:4711", "description": "The local service." }]);
        assert_eq!(read(&changed), expected);
    }
}
