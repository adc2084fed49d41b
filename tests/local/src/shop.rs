//! The demo shop: a small web shop for travellers that uses the API as a customer's back end would.
//!
//! It calls the local API over HTTP, with a token of the local issuer, and shows each call beside the page. Sessions, customers and
//! orders are in memory. Pages are complete without scripts: each change is a form that is posted and answered with a redirect.

mod answers;
mod api;
mod calls;
mod cards;
mod format;
mod login;
mod orders;
mod page;
mod sessions;
#[cfg(test)]
mod tests;
mod texts;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::Local;
use crate::clock::Clock;
use api::Api;
use sessions::Sessions;

/// The shop. Clones share their state.
#[derive(Clone)]
struct Shop {
    inner: Arc<Inner>,
}

struct Inner {
    api: Api,
    clock: Clock,
    sessions: Sessions,
    /// The base address of the console, where the shop is.
    console: String,
    content_security_policy: HeaderValue,
}

/// The shop's routes.
pub(crate) fn router(local: &Local) -> Router {
    let addresses = local.addresses();
    // Browsers apply form-action to the redirect to the terminal too.
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self' {}; base-uri 'none'; frame-ancestors 'none'",
        addresses.netaxept
    );
    let shop = Shop {
        inner: Arc::new(Inner {
            api: Api::new(addresses),
            clock: local.clock().clone(),
            sessions: Sessions::default(),
            console: addresses.console.clone(),
            content_security_policy: HeaderValue::try_from(policy)
                .unwrap_or(HeaderValue::from_static("default-src 'none'")),
        }),
    };
    let pages = login::routes().merge(cards::routes()).merge(orders::routes());
    let pages = pages.layer(middleware::from_fn_with_state(shop.clone(), protect)).with_state(shop);
    let file =
        |kind: &'static str, text: &'static str| get(async move || ([(CONTENT_TYPE, kind)], text));
    pages
        .route("/shop/style.css", file("text/css; charset=utf-8", include_str!("shop/style.css")))
        .route(
            "/shop/copy.js",
            file("text/javascript; charset=utf-8", include_str!("shop/copy.js")),
        )
}

/// Refuses a change that another site requests, adds the security headers, and keeps the language that a link selected.
///
/// The session's cookie is `SameSite=Lax`, so a browser does not send it with another site's form. But another port of this machine
/// is the same site, so the header `Sec-Fetch-Site` is checked too. Programs such as curl do not send it.
async fn protect(
    axum::extract::State(shop): axum::extract::State<Shop>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::POST && is_from_another_origin(request.headers()) {
        return (StatusCode::FORBIDDEN, "The form of another origin was refused.").into_response();
    }
    let selected = texts::selected_by(request.uri().query().unwrap_or_default());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert("content-security-policy", shop.inner.content_security_policy.clone());
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(texts) = selected {
        let cookie = sessions::cookie(sessions::LANGUAGE_COOKIE, texts.lang);
        headers.extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    }
    response
}

fn is_from_another_origin(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| site == b"cross-site" || site == b"same-site")
}
