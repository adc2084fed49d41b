//! A token issuer: `OAuth2` client credentials, JWT signed with ES256, keys as JWKS. Each tenant has its own address.

mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonwebtoken::{Algorithm, Header};
use maud::{DOCTYPE, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Error;
use crate::clock::Clock;
use keys::Keys;

/// The tenants, which are path segments of the issuer addresses.
pub const TENANTS: [&str; 4] = ["internal", "partner", "traveller", "person"];
/// The audience of a token if the request has none.
pub const AUDIENCE: &str = "https://api.entur.io";
/// The name of this machine in a Docker container.
const CONTAINER_HOST: &str = "host.docker.internal";
/// The lifetime of a token if the request has none, in seconds.
const DEFAULT_LIFETIME: i64 = 3600;

const READ_PERMISSIONS: [&str; 2] = ["recurring-payments:les", "payments:les"];
const ALL_PERMISSIONS: [&str; 7] = [
    "recurring-payments:les",
    "recurring-payments:opprett",
    "recurring-payments:endre",
    "recurring-payments:slett",
    "payments:les",
    "payments:opprett",
    "payments:endre",
];
const INTERNAL_PERMISSIONS: [&str; 8] = [
    "recurring-payments:les",
    "recurring-payments:opprett",
    "recurring-payments:endre",
    "recurring-payments:slett",
    "recurring-payments:on-behalf-of",
    "payments:les",
    "payments:opprett",
    "payments:endre",
];

/// A client. Its secret is equal to its id.
struct Client {
    id: &'static str,
    tenant: &'static str,
    organisation: Option<u64>,
    permissions: &'static [&'static str],
    description: &'static str,
}

const CLIENTS: [Client; 5] = [
    Client {
        id: "partner-demo",
        tenant: "partner",
        organisation: Some(1),
        permissions: &ALL_PERMISSIONS,
        description: "organisation 1",
    },
    Client {
        id: "partner-other",
        tenant: "partner",
        organisation: Some(2),
        permissions: &ALL_PERMISSIONS,
        description: "organisation 2",
    },
    Client {
        id: "partner-readonly",
        tenant: "partner",
        organisation: Some(1),
        permissions: &READ_PERMISSIONS,
        description: "organisation 1, may only read",
    },
    Client {
        id: "traveller-demo",
        tenant: "traveller",
        organisation: None,
        permissions: &ALL_PERMISSIONS,
        description: "a customer; the request needs customer_number",
    },
    Client {
        id: "internal-demo",
        tenant: "internal",
        organisation: None,
        permissions: &INTERNAL_PERMISSIONS,
        description: "the internal back end, may act on behalf of other organisations",
    },
];

/// The issuer. Clones share their state.
#[derive(Clone)]
pub struct Issuer {
    inner: Arc<Inner>,
}

struct Inner {
    address: String,
    clock: Clock,
    keys: Keys,
}

/// A token request. Two members are extensions of the local service: `expires_in`, the lifetime in seconds, where a negative value
/// gives an expired token; and `not_before`, the start of the validity in seconds since 1970.
#[derive(Deserialize)]
struct TokenRequest {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    audience: Option<String>,
    customer_number: Option<String>,
    expires_in: Option<i64>,
    not_before: Option<i64>,
}

/// An error of RFC 6749: status, `error` and `error_description`.
type OAuthError = (StatusCode, &'static str, &'static str);

impl Issuer {
    /// An issuer with this address and a new key.
    ///
    /// # Errors
    /// Fails if no key can be generated.
    pub fn new(address: String, clock: Clock) -> Result<Self, Error> {
        Ok(Self { inner: Arc::new(Inner { address, clock, keys: Keys::new()? }) })
    }

    /// From now on signs tokens with a new key, which is not published yet.
    ///
    /// # Errors
    /// Fails if no key can be generated.
    pub fn rotate(&self) -> Result<(), Error> {
        self.inner.keys.rotate()
    }

    /// Publishes the signing key, in addition to the keys that are published already.
    pub fn publish(&self) {
        self.inner.keys.publish();
    }

    /// The published keys, as JWKs.
    #[must_use]
    pub fn published(&self) -> Vec<Value> {
        self.inner.keys.published()
    }

    /// Sets the response of the key addresses: a status and a body, or, with `None`, the published keys again.
    pub fn set_keys_response(&self, response: Option<(StatusCode, String)>) {
        self.inner.keys.set_response(response);
    }

    /// The routes: `POST /oauth/token`, the keys, and a page that lists the clients.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(page))
            .route("/oauth/token", post(token))
            .route("/.well-known/jwks.json", get(keys))
            .route("/{tenant}/.well-known/jwks.json", get(keys_of_tenant))
            .with_state(self)
    }

    fn issue(&self, request: &TokenRequest, address: &str) -> Result<Value, OAuthError> {
        if request.grant_type != "client_credentials" {
            return Err((
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "grant_type must be client_credentials",
            ));
        }
        let client = CLIENTS
            .iter()
            .find(|client| client.id == request.client_id && client.id == request.client_secret);
        let client = client.ok_or((
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "client_id is unknown, or client_secret is wrong",
        ))?;
        let now = self.inner.clock.now().as_second();
        let lifetime = request.expires_in.unwrap_or(DEFAULT_LIFETIME);
        let mut claims = json!({
            "iss": format!("{address}/{}", client.tenant),
            "sub": client.id,
            "azp": client.id,
            "aud": request.audience.as_deref().unwrap_or(AUDIENCE),
            "iat": now,
            "nbf": request.not_before.unwrap_or(now + lifetime.min(0)),
            "exp": now.saturating_add(lifetime),
            "permissions": client.permissions,
        });
        if let Some(organisation) = client.organisation {
            claims["https://entur.io/organisationID"] = json!(organisation);
        }
        if client.tenant == "traveller" {
            let customer_number =
                request.customer_number.as_deref().filter(|number| !number.is_empty());
            let missing =
                (StatusCode::BAD_REQUEST, "invalid_request", "this client needs customer_number");
            claims["https://entur.io/customerNumber"] = json!(customer_number.ok_or(missing)?);
        }
        let signing = self.inner.keys.signing();
        let header = Header { kid: Some(signing.kid.clone()), ..Header::new(Algorithm::ES256) };
        let failed =
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the token cannot be signed");
        let token = jsonwebtoken::encode(&header, &claims, &signing.key).map_err(|_| failed)?;
        Ok(json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime }))
    }
}

async fn token(State(issuer): State<Issuer>, headers: HeaderMap, body: Bytes) -> Response {
    let content_type =
        headers.get("content-type").and_then(|header| header.to_str().ok()).unwrap_or_default();
    let request: Result<TokenRequest, String> = if content_type.starts_with("application/json") {
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    } else {
        let pairs = form_urlencoded::parse(&body).into_owned();
        let members = pairs.map(|(name, value)| match (name.as_str(), value.parse::<i64>()) {
            ("expires_in" | "not_before", Ok(number)) => (name, json!(number)),
            _ => (name, json!(value)),
        });
        serde_json::from_value(Value::Object(members.collect())).map_err(|error| error.to_string())
    };
    let error_response = |status, error: &str, description: &str| {
        (status, Json(json!({ "error": error, "error_description": description }))).into_response()
    };
    // Functions in a container know the issuer by another name. A request to that name gets a token with that issuer.
    let host = headers.get("host").and_then(|header| header.to_str().ok()).unwrap_or_default();
    let address = match host.split(':').next() {
        Some(CONTAINER_HOST) => format!("http://{host}"),
        _ => issuer.inner.address.clone(),
    };
    match request.map(|request| issuer.issue(&request, &address)) {
        Ok(Ok(token)) => ([("cache-control", "no-store")], Json(token)).into_response(),
        Ok(Err((status, error, description))) => error_response(status, error, description),
        Err(reason) => error_response(StatusCode::BAD_REQUEST, "invalid_request", &reason),
    }
}

async fn keys(State(issuer): State<Issuer>) -> Response {
    issuer.inner.keys.response()
}

async fn keys_of_tenant(State(issuer): State<Issuer>, Path(tenant): Path<String>) -> Response {
    if TENANTS.contains(&tenant.as_str()) {
        keys(State(issuer)).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

async fn page(State(issuer): State<Issuer>) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Token issuer" } (crate::console::style()) }
            body {
                h1 { "Token issuer" }
                p { "POST " code { (issuer.inner.address) "/oauth/token" } " with grant_type=client_credentials, client_id and client_secret (the same as the id)." }
                table {
                    tr { th { "client_id" } th { "tenant" } th { "description" } }
                    @for client in CLIENTS { tr { td { code { (client.id) } } td { (client.tenant) } td { (client.description) } } }
                }
            }
        }
    };
    Html(page.into_string())
}
