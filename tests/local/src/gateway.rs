//! API Gateway's HTTP API: routes from the template, the authorizer and its cache, payload format 2.0, CORS, and the gateway's
//! own errors.

mod cors;
mod event;
mod recording;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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

use crate::activity::Activity;
use crate::clock::Clock;
use crate::lambda::Lambda;
use crate::template::{Authorizer, Cors, Function};
use event::{authorizer_event, decoded, event};

/// API Gateway's maximum integration timeout.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);
/// API Gateway's payload quota.
const MAX_PAYLOAD_BYTES: usize = 10 * 1024 * 1024;

/// The gateway. Clones share their state.
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
    /// The authorizer's answers by identity, with the time of each answer.
    authorizer_cache: Mutex<HashMap<String, (Timestamp, Value)>>,
    activity: OnceLock<Activity>,
}

/// The route of a request.
struct MatchedRoute<'a> {
    function: &'a str,
    key: String,
    authorized: bool,
    parameters: BTreeMap<String, String>,
}

/// A request to the gateway.
struct Incoming {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Gateway {
    /// A gateway for these functions. Without `cors`, the CORS headers of a function are passed on.
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
                authorizer_cache: Mutex::default(),
                activity: OnceLock::new(),
            }),
        }
    }

    /// A router that accepts every path.
    pub fn router(self) -> Router {
        Router::new()
            .fallback(receive)
            .layer(DefaultBodyLimit::max(MAX_PAYLOAD_BYTES))
            .with_state(self)
    }

    async fn answer(&self, incoming: Incoming) -> Response {
        let cors = self.inner.cors.as_ref();
        if let Some(answer) = cors.and_then(|cors| cors::preflight(cors, &incoming)) {
            return answer;
        }
        let Some(route) = self.match_route(&incoming.method, incoming.uri.path()) else {
            return gateway_error(StatusCode::NOT_FOUND, "Not Found");
        };
        let mut context = self.context(&incoming, &route.key);
        if let Some(authorizer) = self.inner.authorizer.as_ref().filter(|_| route.authorized) {
            match self.authorize(authorizer, &incoming, &route, &context).await {
                Ok(caller) => context["authorizer"] = json!({ "lambda": caller }),
                Err(refusal) => return *refusal,
            }
        }
        let event = event(&incoming, &route, &context);
        let invocation = self.inner.lambda.invoke(route.function, event.to_string().into_bytes());
        match tokio::time::timeout(INTEGRATION_TIMEOUT, invocation).await {
            Ok(Ok(answer)) => match function_response(&answer) {
                Some(mut response) => {
                    if let Some(cors) = cors {
                        cors::replace(cors, &incoming.headers, response.headers_mut());
                    }
                    response
                }
                None => gateway_error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            },
            Ok(Err(error)) => {
                tracing::error!("{}: {error}", route.function);
                gateway_error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
            Err(_) => gateway_error(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        }
    }

    fn match_route(&self, method: &Method, path: &str) -> Option<MatchedRoute<'_>> {
        self.inner.functions.iter().find_map(|function| {
            let has_method = |route: &&crate::template::Route| {
                route.method == method.as_str() || route.method == "ANY"
            };
            function.routes.iter().filter(has_method).find_map(|route| {
                Some(MatchedRoute {
                    function: &function.binary,
                    key: format!("{} {}", route.method, route.path),
                    authorized: route.authorized,
                    parameters: parameters(&route.path, path)?,
                })
            })
        })
    }

    /// The context of the authorizer's answer, from the cache or from a call of the authorizer. Fails with the gateway's error.
    async fn authorize(
        &self,
        authorizer: &Authorizer,
        incoming: &Incoming,
        route: &MatchedRoute<'_>,
        context: &Value,
    ) -> Result<Value, Box<Response>> {
        let Some(identity) = identity(&incoming.headers, &authorizer.header) else {
            return Err(Box::new(gateway_error(StatusCode::UNAUTHORIZED, "Unauthorized")));
        };
        let answer = if let Some(answer) = self.cached_answer(authorizer, &identity) {
            answer
        } else {
            let function = self
                .inner
                .functions
                .iter()
                .find(|function| function.logical_id == authorizer.function);
            let binary = function.map(|function| function.binary.as_str()).unwrap_or_default();
            let event = authorizer_event(incoming, route, context, &identity);
            let answer = self.inner.lambda.invoke(binary, event.to_string().into_bytes()).await;
            let answer = answer
                .inspect_err(|error| tracing::error!("{binary}: {error}"))
                .ok()
                .and_then(|answer| serde_json::from_slice::<Value>(&answer).ok());
            let failed = || {
                Box::new(gateway_error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
            };
            let answer =
                answer.filter(|answer| answer["isAuthorized"].is_boolean()).ok_or_else(failed)?;
            let mut cache =
                self.inner.authorizer_cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert(identity, (self.inner.clock.now(), answer.clone()));
            answer
        };
        if answer["isAuthorized"] == true {
            Ok(answer["context"].clone())
        } else {
            Err(Box::new(gateway_error(StatusCode::FORBIDDEN, "Forbidden")))
        }
    }

    fn cached_answer(&self, authorizer: &Authorizer, identity: &str) -> Option<Value> {
        let cache = self.inner.authorizer_cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (answered_at, answer) = cache.get(identity)?;
        let age = self.inner.clock.now().duration_since(*answered_at).unsigned_abs();
        (age < authorizer.cache_ttl).then(|| answer.clone())
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
        Ok(body) => gateway.answer_and_record(Incoming { method, uri, headers, body }).await,
        Err(_) => gateway_error(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
    }
}

/// The identity source `$request.header.<name>`: all values of the header, joined by commas. `None` if the header is missing or
/// empty.
fn identity(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    Some(values.join(",")).filter(|identity| !identity.is_empty())
}

/// The parameters of a path, if it matches the route, such as `/things/{id}`.
fn parameters(route: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut expected, mut actual) = (route.split('/'), path.split('/'));
    let mut parameters = BTreeMap::new();
    loop {
        match (expected.next(), actual.next()) {
            (None, None) => return Some(parameters),
            (Some(expected), Some(actual)) => {
                match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !actual.is_empty() => {
                        drop(parameters.insert(name.to_owned(), decoded(actual)));
                    }
                    None if expected == actual => {}
                    Some(_) | None => return None,
                }
            }
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
}

/// An error of the gateway itself.
fn gateway_error(status: StatusCode, message: &str) -> Response {
    (status, [("content-type", "application/json")], json!({ "message": message }).to_string())
        .into_response()
}

/// The response from a function's answer. An answer without `statusCode` is the JSON body of a 200. `None` if the answer is
/// invalid.
fn function_response(answer: &[u8]) -> Option<Response> {
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
    fn a_path_matches_its_route_only() {
        let id = |path| {
            parameters("/v1/things/{id}", path).and_then(|parameters| parameters.get("id").cloned())
        };
        assert_eq!(id("/v1/things/4711").as_deref(), Some("4711"));
        assert_eq!(id("/v1/things/a%2Fb%20c").as_deref(), Some("a/b c"));
        for other in [
            "/v1/things",
            "/v1/things/",
            "/v1/things/1/",
            "/v1/things/1/2",
            "/v2/things/1",
            "v1/things/1",
        ] {
            assert_eq!(id(other), None, "{other}");
        }
        let route = "/v1/things/{id}/parts/{part}";
        let both = [("id", "7"), ("part", "8")].map(|(name, id)| (name.to_owned(), id.to_owned()));
        assert_eq!(parameters(route, "/v1/things/7/parts/8"), Some(both.into()));
        assert_eq!(parameters(route, "/v1/things/7/parts"), None);
    }

    #[test]
    fn an_identity_source_has_all_values_of_the_header() {
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
    fn an_answer_without_status_code_is_the_body_of_a_200() {
        assert_eq!(function_response(b"{\"a\":1}").unwrap().status(), StatusCode::OK);
        assert_eq!(
            function_response(b"{\"statusCode\":201,\"headers\":{\"a\":\"b\"}}").unwrap().headers()
                ["a"],
            "b"
        );
        assert!(
            function_response(b"nothing").is_none()
                && function_response(b"{\"statusCode\":\"x\"}").is_none()
        );
    }
}
