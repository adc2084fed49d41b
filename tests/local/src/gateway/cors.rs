//! CORS as in API Gateway's HTTP API, from the template's `CorsConfiguration`:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>.
//!
//! The gateway answers a preflight request itself, before routes and authorizer. Its CORS headers replace those of a function.
//! The following is not documented and was chosen here. For an origin that is not allowed, no response has CORS headers; a
//! preflight request gets 204 too. The gateway's own errors have no CORS headers. Origins are compared exactly. Wildcards are not
//! supported; the template's parameter does not accept them.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Incoming;
use crate::template::Cors;

/// The response to a preflight request. `None` if the request is not a preflight request.
pub(super) fn preflight(cors: &Cors, request: &Incoming) -> Option<Response> {
    let headers = &request.headers;
    let is_preflight = request.method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(origin) = allowed_origin(cors, headers) {
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        set(answer, ACCESS_CONTROL_ALLOW_METHODS, &cors.methods.join(","));
        set(answer, ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers.join(","));
        set(answer, ACCESS_CONTROL_MAX_AGE, &cors.max_age.as_secs().to_string());
    }
    Some(response)
}

/// Replaces the CORS headers of a function's response by the gateway's.
pub(super) fn replace(cors: &Cors, request: &HeaderMap, response: &mut HeaderMap) {
    let is_cors = |name: &&HeaderName| name.as_str().starts_with("access-control-");
    let replaced: Vec<_> = response.keys().filter(is_cors).cloned().collect();
    for name in replaced {
        response.remove(name);
    }
    if let Some(origin) = allowed_origin(cors, request) {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        set(response, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.exposed_headers.join(","));
    }
}

/// The origin of a request, if it is allowed.
fn allowed_origin<'a>(cors: &Cors, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
    request.get(ORIGIN).filter(|origin| cors.origins.iter().any(|one| *origin == one))
}

/// Sets a header, unless the value is empty.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Bytes;

    use super::*;
    use crate::clock::Clock;
    use crate::gateway::Gateway;
    use crate::lambda::tests::{Runtime, function, lambda_of};
    use crate::template::{Authorizer, Function, Route};

    const ORIGIN_ALLOWED: &str = "https://a.example";
    type Headers = &'static [(&'static str, &'static str)];

    const MINUTE: Duration = Duration::from_mins(1);

    fn cors() -> Cors {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Cors {
            origins: list(&[ORIGIN_ALLOWED, "https://b.example"]),
            methods: list(&["GET", "PUT"]),
            headers: list(&["Authorization", "X-One"]),
            exposed_headers: list(&["Location", "X-Two"]),
            max_age: Duration::from_mins(10),
        }
    }

    fn request(method: Method, headers: &[(&'static str, &str)]) -> Incoming {
        let pair = |&(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let headers = headers.iter().map(pair).collect();
        Incoming { method, uri: "/open".parse().unwrap(), headers, body: Bytes::new() }
    }

    /// A gateway with `GET /open`, without authorizer, and `GET /closed`, whose authorizer never answers.
    async fn gateway(cors: Option<Cors>) -> (Gateway, crate::lambda::Lambda) {
        let route = |path: &str, authorized| Route {
            method: "GET".to_owned(),
            path: path.to_owned(),
            authorized,
        };
        let routes = vec![route("/open", false), route("/closed", true)];
        let functions = vec![Function { routes, ..function("waits", MINUTE) }];
        let lambda = lambda_of(functions.clone()).await;
        let authorizer = Authorizer {
            function: "Nothing".to_owned(),
            header: "authorization".to_owned(),
            cache_ttl: MINUTE,
        };
        let clock = Clock::default();
        (Gateway::new(lambda.clone(), clock, functions, Some(authorizer), cors), lambda)
    }

    /// The CORS headers of a response, by name.
    fn cors_headers(response: &Response) -> Vec<(&str, &str)> {
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let mut cors: Vec<_> =
            headers.filter(|(name, _)| name.starts_with("access-control-")).collect();
        cors.sort_unstable();
        cors
    }

    #[tokio::test]
    async fn the_gateway_answers_a_preflight_request_itself() {
        let (gateway, lambda) = gateway(Some(cors())).await;
        let preflight = |origin, path: &str| Incoming {
            uri: path.parse().unwrap(),
            ..request(
                Method::OPTIONS,
                &[("origin", origin), ("access-control-request-method", "DELETE")],
            )
        };
        for path in ["/open", "/closed", "/unknown"] {
            let answer = gateway.answer(preflight(ORIGIN_ALLOWED, path)).await;
            assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{path}");
            let expected = [
                ("access-control-allow-headers", "Authorization,X-One"),
                ("access-control-allow-methods", "GET,PUT"),
                ("access-control-allow-origin", ORIGIN_ALLOWED),
                ("access-control-max-age", "600"),
            ];
            assert_eq!(cors_headers(&answer), expected, "{path}");
        }
        for origin in ["https://c.example", "https://a.example.org", "http://a.example", "null"] {
            let answer = gateway.answer(preflight(origin, "/open")).await;
            assert_eq!((answer.status(), cors_headers(&answer)), (StatusCode::NO_CONTENT, vec![]));
        }
        assert!(lambda.instances("waits").is_empty(), "no function is invoked");
    }

    #[tokio::test]
    async fn a_request_without_both_headers_is_not_a_preflight_request() {
        let headers = [("origin", ORIGIN_ALLOWED), ("access-control-request-method", "GET")];
        let (with, _) = gateway(Some(cors())).await;
        let (without, _) = gateway(None).await;
        for (gateway, headers) in
            [(&with, &headers[..1]), (&with, &headers[1..]), (&without, &headers)]
        {
            let answer = gateway.answer(request(Method::OPTIONS, headers)).await;
            assert_eq!((answer.status(), cors_headers(&answer)), (StatusCode::NOT_FOUND, vec![]));
        }
    }

    #[tokio::test]
    async fn the_gateways_headers_replace_those_of_a_function() {
        const ANSWER: &str = r#"{"statusCode":201,"headers":{"Location":"/1","Access-Control-Allow-Origin":"*","access-control-allow-credentials":"true"}}"#;
        const OWN: Headers =
            &[("access-control-allow-credentials", "true"), ("access-control-allow-origin", "*")];
        const ADDED: Headers = &[
            ("access-control-allow-origin", ORIGIN_ALLOWED),
            ("access-control-expose-headers", "Location,X-Two"),
        ];
        let cases: [(_, Headers, Headers); 4] = [
            (Some(cors()), &[("origin", ORIGIN_ALLOWED)], ADDED),
            (Some(cors()), &[("origin", "https://c.example")], &[]),
            (Some(cors()), &[], &[]),
            (None, &[("origin", ORIGIN_ALLOWED)], OWN),
        ];
        for (cors, headers, expected) in cases {
            let (gateway, lambda) = gateway(cors).await;
            let runtime = async {
                let runtime = Runtime::of(&lambda).await;
                runtime.respond(&runtime.next().await.0, ANSWER).await
            };
            let (answer, _) = tokio::join!(gateway.answer(request(Method::GET, headers)), runtime);
            assert_eq!(
                (answer.status(), cors_headers(&answer)),
                (StatusCode::CREATED, expected.to_vec())
            );
            assert_eq!(answer.headers()["location"], "/1");
        }
    }

    #[tokio::test]
    async fn the_gateways_own_errors_have_no_cors_headers() {
        let (gateway, _) = gateway(Some(cors())).await;
        for (path, status) in
            [("/closed", StatusCode::UNAUTHORIZED), ("/unknown", StatusCode::NOT_FOUND)]
        {
            let request = request(Method::GET, &[("origin", ORIGIN_ALLOWED)]);
            let answer = gateway.answer(Incoming { uri: path.parse().unwrap(), ..request }).await;
            assert_eq!((answer.status(), cors_headers(&answer)), (status, vec![]));
        }
    }
}
