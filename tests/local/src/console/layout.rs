//! The layout of the console's pages, and their files.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, html};

use crate::activity::Activity;

/// The pages in the menu: address and name.
const MENU: [(&str, &str); 9] = [
    ("/", "Overview"),
    ("/customers", "Customers"),
    ("/activity", "Activity"),
    ("/faults", "Faults"),
    ("/function-logs", "Logs"),
    ("/inbox", "Inbox"),
    ("/nets", "Nets"),
    ("/api", "API reference"),
    ("/shop", "Demo shop"),
];

/// The files of the pages: address, type and content.
const FILES: [(&str, &str, &str); 4] = [
    ("/console/console.css", "text/css", include_str!("console.css")),
    ("/console/console.js", "text/javascript", include_str!("console.js")),
    ("/console/htmx.js", "text/javascript", include_str!("../../assets/htmx.min.js")),
    ("/console/sse.js", "text/javascript", include_str!("../../assets/htmx-ext-sse.min.js")),
];

/// A page of the console. `content` starts with the `h1`. `address` is that of its menu entry.
pub(crate) fn page(address: &str, title: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=r#"{"includeIndicatorStyles":false,"allowEval":false}"#;
                title { (title) " – Console" }
                link rel="stylesheet" href="/console/console.css";
                link rel="icon" href="data:,";
                script src="/console/htmx.js" defer {}
                script src="/console/sse.js" defer {}
                script src="/console/console.js" defer {}
            }
            body {
                a .skip href="#content" { "Skip to the content" }
                header {
                    nav aria-label="Console" {
                        ul {
                            @for (link, name) in MENU {
                                li { a href=(link) aria-current=[(link == address).then_some("page")] { (name) } }
                            }
                        }
                    }
                }
                main #content tabindex="-1" { (content) }
            }
        }
    };
    Html(page.into_string())
}

/// The routes of the files.
pub(super) fn files() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(async move || ([(CONTENT_TYPE, kind)], text)))
    })
}

/// A part of a page that is loaded again every two seconds, if anything has happened since. `address` is that of its page.
pub(crate) fn live(id: &str, address: &str, activity: &Activity, content: &Markup) -> Markup {
    let separator = if address.contains('?') { '&' } else { '?' };
    let again = format!("{address}{separator}seen={}", activity.last());
    html! {
        div id=(id) hx-get=(again) hx-select=(format!("#{id}")) hx-swap="outerHTML" hx-trigger="every 2s" { (content) }
    }
}

/// Answers 204 to a repeated request for a page if nothing has happened since the last one: then htmx changes nothing.
pub(super) async fn skip_unchanged(
    State(activity): State<Activity>,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let seen = parameters.find(|(name, _)| name == "seen").and_then(|(_, seen)| seen.parse().ok());
    if seen == Some(activity.last()) {
        return StatusCode::NO_CONTENT.into_response();
    }
    next.run(request).await
}
