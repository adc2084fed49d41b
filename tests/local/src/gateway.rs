//! API Gateway's HTTP API: routes from the template, the authorizer and its memory, payload format 2.0, CORS, and what the
//! gateway answers by itself.

mod cors;
mod event;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::lambda::Lambda;
use crate::template::{Authorizer, Cors, Function};
use event::{authorizer_event, decoded, event};

/// API Gateway waits no longer for a function.
const LIMIT: Duration = Duration::from_secs(30);
/// API Gateway's payload quota.
const LARGEST_PAYLOAD: usize = 10 * 1024 * 1024;

/// The gateway. Clones are the same.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    lambda: Lambda,
    clock: Clock,
    functions: Vec<Function>,
    authorizer: Option<Authorizer>,
    cors: Option<Cors>,
    remembered: Mutex<HashMap<String, (Timestamp, Value)>>,
}

/// A route that fits a request.
struct Matched<'a> {
    function: &'a str,
    key: String,
    authorized: bool,
    parameters: BTreeMap<String, String>,
}

/// What comes in.
struct Incoming {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Gateway {
    /// A gateway in front of these functions. Without CORS, a function's own headers for it are passed on.
    #[must_use]
    pub fn new(
        lambda: Lambda,
        clock: Clock,
        functions: Vec<Function>,
        authorizer: Option<Authorizer>,
        cors: Option<Cors>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                lambda,
                clock,
                functions,
                authorizer,
                cors,
                remembered: Mutex::default(),
            }),
        }
    }

    /// Its only route: everything.
    pub fn router(self) -> Router {
        Router::new()
            .fallback(receive)
            .layer(DefaultBodyLimit::max(LARGEST_PAYLOAD))
            .with_state(self)
    }

    async fn answer(&self, incoming: Incoming) -> Response {
        let cors = self.inner.cors.as_ref();
        if let Some(answer) = cors.and_then(|cors| cors::preflight(cors, &incoming)) {
            return answer;
        }
        let Some(route) = self.matching(&incoming.method, incoming.uri.path()) else {
            return own(StatusCode::NOT_FOUND, "Not Found");
        };
        let mut context = self.context(&incoming, &route.key);
        if let Some(authorizer) = self.inner.authorizer.as_ref().filter(|_| route.authorized) {
            match self.authorize(authorizer, &incoming, &route, &context).await {
                Ok(said) => context["authorizer"] = json!({ "lambda": said }),
                Err(refusal) => return *refusal,
            }
        }
        let event = event(&incoming, &route, &context);
        let invocation = self.inner.lambda.invoke(route.function, event.to_string().into_bytes());
        match tokio::time::timeout(LIMIT, invocation).await {
            Ok(Ok(answer)) => match reply(&answer) {
                Some(mut response) => {
                    if let Some(cors) = cors {
                        cors::replace(cors, &incoming.headers, response.headers_mut());
                    }
                    response
                }
                None => own(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            },
            Ok(Err(error)) => {
                tracing::error!("{}: {error}", route.function);
                own(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
            Err(_) => own(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        }
    }

    fn matching(&self, method: &Method, path: &str) -> Option<Matched<'_>> {
        self.inner.functions.iter().find_map(|function| {
            let fits = |route: &&crate::template::Route| {
                route.method == method.as_str() || route.method == "ANY"
            };
            function.routes.iter().filter(fits).find_map(|route| {
                Some(Matched {
                    function: &function.binary,
                    key: format!("{} {}", route.method, route.path),
                    authorized: route.authorized,
                    parameters: parameters(&route.path, path)?,
                })
            })
        })
    }

    /// What the authorizer says of the caller, now or for the same header before.
    async fn authorize(
        &self,
        authorizer: &Authorizer,
        incoming: &Incoming,
        route: &Matched<'_>,
        context: &Value,
    ) -> Result<Value, Box<Response>> {
        let Some(identity) = identity(&incoming.headers, &authorizer.header) else {
            return Err(Box::new(own(StatusCode::UNAUTHORIZED, "Unauthorized")));
        };
        let said = if let Some(said) = self.recall(authorizer, &identity) {
            said
        } else {
            let function = self
                .inner
                .functions
                .iter()
                .find(|function| function.logical_id == authorizer.function);
            let binary = function.map(|function| function.binary.as_str()).unwrap_or_default();
            let event = authorizer_event(incoming, route, context, &identity);
            let answer = self.inner.lambda.invoke(binary, event.to_string().into_bytes()).await;
            let said = answer
                .inspect_err(|error| tracing::error!("{binary}: {error}"))
                .ok()
                .and_then(|answer| serde_json::from_slice::<Value>(&answer).ok());
            let failed =
                || Box::new(own(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"));
            let said = said.filter(|said| said["isAuthorized"].is_boolean()).ok_or_else(failed)?;
            let mut remembered =
                self.inner.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            remembered.insert(identity, (self.inner.clock.now(), said.clone()));
            said
        };
        if said["isAuthorized"] == true {
            Ok(said["context"].clone())
        } else {
            Err(Box::new(own(StatusCode::FORBIDDEN, "Forbidden")))
        }
    }

    fn recall(&self, authorizer: &Authorizer, identity: &str) -> Option<Value> {
        let remembered = self.inner.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, said) = remembered.get(identity)?;
        let age = self.inner.clock.now().duration_since(*at).unsigned_abs();
        (age < authorizer.remembered).then(|| said.clone())
    }

    fn context(&self, incoming: &Incoming, route_key: &str) -> Value {
        let now = self.inner.clock.now();
        let header = |name: &str| {
            incoming
                .headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        json!({
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": header("host").unwrap_or_default(),
            "domainPrefix": "local",
            "http": {
                "method": incoming.method.as_str(),
                "path": decoded(incoming.uri.path()),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": header("user-agent").unwrap_or_default(),
            },
            "requestId": Uuid::new_v4().to_string(),
            "routeKey": route_key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        })
    }
}

async fn receive(
    State(gateway): State<Gateway>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    match body {
        Ok(body) => gateway.answer(Incoming { method, uri, headers, body }).await,
        Err(_) => own(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
    }
}

/// The identity source `$request.header.<name>`, if the request has it: all values of the header, joined by a comma.
fn identity(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    Some(values.join(",")).filter(|identity| !identity.is_empty())
}

/// The parameters of a path, if it fits the route: `/things/{id}`.
fn parameters(route: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut expected, mut found) = (route.split('/'), path.split('/'));
    let mut parameters = BTreeMap::new();
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return Some(parameters),
            (Some(expected), Some(found)) => {
                match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !found.is_empty() => {
                        drop(parameters.insert(name.to_owned(), decoded(found)));
                    }
                    None if expected == found => {}
                    Some(_) | None => return None,
                }
            }
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
}

/// An answer of the gateway's own.
fn own(status: StatusCode, message: &str) -> Response {
    (status, [("content-type", "application/json")], json!({ "message": message }).to_string())
        .into_response()
}

/// A function's answer: with a `statusCode`, or any JSON, which is then the body of a 200.
fn reply(answer: &[u8]) -> Option<Response> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let Some(status) = answer.get("statusCode") else {
        return Some(([("content-type", "application/json")], answer.to_string()).into_response());
    };
    let body = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true {
        STANDARD.decode(body).ok()?
    } else {
        body.as_bytes().to_vec()
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(u16::try_from(status.as_u64()?).ok()?).ok()?;
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        response
            .headers_mut()
            .append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        response.headers_mut().append("set-cookie", HeaderValue::try_from(cookie.as_str()?).ok()?);
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_a_route_or_not() {
        let id = |path| {
            parameters("/v1/things/{id}", path).and_then(|parameters| parameters.get("id").cloned())
        };
        assert_eq!(id("/v1/things/4711").as_deref(), Some("4711"));
        assert_eq!(id("/v1/things/a%2Fb%20c").as_deref(), Some("a/b c"));
        for wrong in [
            "/v1/things",
            "/v1/things/",
            "/v1/things/1/",
            "/v1/things/1/2",
            "/v2/things/1",
            "v1/things/1",
        ] {
            assert_eq!(id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_identity_source_is_every_value_of_the_header() {
        for (values, expected) in [
            (&[][..], None),
            (&[""][..], None),
            (&["Bearer a"][..], Some("Bearer a")),
            (&["Bearer a", "Bearer b"][..], Some("Bearer a,Bearer b")),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("authorization", HeaderValue::from_static(value));
            }
            assert_eq!(identity(&headers, "authorization").as_deref(), expected);
        }
    }

    #[test]
    fn an_answer_without_status_is_a_body() {
        assert_eq!(reply(b"{\"a\":1}").unwrap().status(), StatusCode::OK);
        assert_eq!(
            reply(b"{\"statusCode\":201,\"headers\":{\"a\":\"b\"}}").unwrap().headers()["a"],
            "b"
        );
        assert!(reply(b"nothing").is_none() && reply(b"{\"statusCode\":\"x\"}").is_none());
    }
}
