//! `openapi.yaml`, as it is and as Swagger UI's page, which tries each operation against the local API.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use swagger_ui_dist::{ApiDefinition, OpenApiSource, generate_routes};

use crate::{binaries, console};

/// What the page reads: the document with the local API as its only server.
const OF_THE_PAGE: &str = "/api/openapi.yaml";

/// Its routes: the document, the page with its assets, and the document that the page reads. `api` is the base address of
/// the API as it runs.
pub(crate) fn router(api: String) -> Router {
    let page = ApiDefinition {
        uri_prefix: "/api",
        api_definition: OpenApiSource::Uri(OF_THE_PAGE),
        title: Some("Recurring Payments API"),
    };
    let of_the_page = async move || document(|text| with_server(&text, &api)).await;
    Router::new()
        .route("/openapi.yaml", get(async || document(|text| text).await))
        .route(OF_THE_PAGE, get(of_the_page))
        .merge(generate_routes(page))
}

/// The file is read for each request, so that a change is seen at once.
async fn document(change: impl FnOnce(String) -> String) -> Response {
    match tokio::fs::read_to_string(binaries::root().join("openapi.yaml")).await {
        Ok(text) => ([("content-type", "application/yaml")], change(text)).into_response(),
        Err(error) => {
            console::refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("openapi.yaml: {error}"))
        }
    }
}

/// The document with another list of servers. Every line at the left margin is a member of the document.
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
