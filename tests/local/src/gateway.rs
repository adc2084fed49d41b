//! API Gateway's HTTP API: routes from the template, the authorizer and its memory, payload format 2.0, and what the gateway
//! answers by itself.

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
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::lambda::Lambda;
use crate::template::{Authorizer, Function};

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
    /// A gateway in front of these functions.
    #[must_use]
    pub fn new(
        lambda: Lambda,
        clock: Clock,
        functions: Vec<Function>,
        authorizer: Option<Authorizer>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                lambda,
                clock,
                functions,
                authorizer,
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
            Ok(Ok(answer)) => reply(&answer)
                .unwrap_or_else(|| own(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")),
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
        let identity = incoming
            .headers
            .get(&authorizer.header)
            .map(|header| String::from_utf8_lossy(header.as_bytes()));
        let Some(identity) = identity.filter(|identity| !identity.is_empty()).map(String::from)
        else {
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
            let said = answer.ok().and_then(|answer| serde_json::from_slice::<Value>(&answer).ok());
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

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Lower-case names; what comes twice is joined by a comma.
fn joined<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Map<String, Value> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in pairs {
        joined
            .entry(name.to_owned())
            .and_modify(|before| *before = format!("{before},{value}"))
            .or_insert(value);
    }
    joined.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}

fn headers(incoming: &Incoming) -> Map<String, Value> {
    let shown = incoming.headers.iter().filter(|(name, _)| *name != "cookie");
    joined(shown.map(|(name, value)| {
        (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    }))
}

/// The event of payload format 2.0.
fn event(incoming: &Incoming, route: &Matched<'_>, context: &Value) -> Value {
    let query = incoming.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": decoded(incoming.uri.path()),
        "rawQueryString": query,
        "headers": headers(incoming),
        "requestContext": context,
        "isBase64Encoded": false,
    });
    let cookies = incoming
        .headers
        .get("cookie")
        .map(|cookies| String::from_utf8_lossy(cookies.as_bytes()).into_owned());
    if let Some(cookies) = cookies {
        event["cookies"] = cookies.split("; ").collect();
    }
    if !query.is_empty() {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        event["queryStringParameters"] =
            joined(pairs.iter().map(|(name, value)| (name.as_str(), value.clone()))).into();
    }
    if !route.parameters.is_empty() {
        event["pathParameters"] = json!(route.parameters);
    }
    if !incoming.body.is_empty() {
        let text = std::str::from_utf8(&incoming.body).ok().filter(|_| is_text(&incoming.headers));
        event["isBase64Encoded"] = text.is_none().into();
        event["body"] = text.map_or_else(|| STANDARD.encode(&incoming.body), str::to_owned).into();
    }
    event
}

/// API Gateway passes these on as they are, and everything else in base 64.
fn is_text(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get("content-type").and_then(|header| header.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let text = ["application/json", "application/xml", "application/javascript"];
    media_type.starts_with("text/")
        || text.contains(&media_type)
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
}

/// What the authorizer is asked, in its own payload format 2.0.
fn authorizer_event(
    incoming: &Incoming,
    route: &Matched<'_>,
    context: &Value,
    identity: &str,
) -> Value {
    let arn = format!(
        "arn:aws:execute-api:eu-north-1:000000000000:local/$default/{}{}",
        incoming.method,
        incoming.uri.path()
    );
    let mut asked = event(
        &Incoming {
            body: Bytes::new(),
            headers: incoming.headers.clone(),
            uri: incoming.uri.clone(),
            method: incoming.method.clone(),
        },
        route,
        context,
    );
    asked["type"] = "REQUEST".into();
    asked["routeArn"] = arn.into();
    asked["identitySource"] = json!([identity]);
    if let Some(members) = asked.as_object_mut() {
        members.remove("isBase64Encoded");
    }
    asked
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
    fn an_event_is_as_aws_documents_it() {
        let mut headers = HeaderMap::new();
        headers.append("x-one", HeaderValue::from_static("a"));
        headers.append("x-one", HeaderValue::from_static("b"));
        headers.append("cookie", HeaderValue::from_static("a=1; b=2"));
        headers.append("content-type", HeaderValue::from_static("application/json"));
        let incoming = Incoming {
            method: Method::POST,
            uri: "/things/a%20b?q=1&q=2&r=%C3%B8".parse().unwrap(),
            headers,
            body: Bytes::from_static(b"{}"),
        };
        let route = Matched {
            function: "post-thing",
            key: "POST /things/{id}".to_owned(),
            authorized: true,
            parameters: parameters("/things/{id}", incoming.uri.path()).unwrap(),
        };
        let expected = json!({
            "version": "2.0",
            "routeKey": "POST /things/{id}",
            "rawPath": "/things/a b",
            "rawQueryString": "q=1&q=2&r=%C3%B8",
            "cookies": ["a=1", "b=2"],
            "headers": { "content-type": "application/json", "x-one": "a,b" },
            "queryStringParameters": { "q": "1,2", "r": "ø" },
            "pathParameters": { "id": "a b" },
            "requestContext": {},
            "body": "{}",
            "isBase64Encoded": false,
        });
        assert_eq!(event(&incoming, &route, &json!({})), expected);
    }

    #[test]
    fn a_body_that_is_no_text_is_encoded() {
        let form = HeaderMap::from_iter([(
            axum::http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        )]);
        let incoming = Incoming {
            method: Method::POST,
            uri: "/".parse().unwrap(),
            headers: form,
            body: Bytes::from_static(b"a=b"),
        };
        let route = Matched {
            function: "",
            key: String::new(),
            authorized: false,
            parameters: BTreeMap::new(),
        };
        let event = event(&incoming, &route, &json!({}));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("YT1i"), &json!(true)));
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
