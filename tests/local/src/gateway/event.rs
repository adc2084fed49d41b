//! The events that functions and the authorizer receive: payload format 2.0.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{Incoming, MatchedRoute};

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Values by name. The values of a repeated name are joined by commas.
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
    let headers = incoming.headers.iter().filter(|(name, _)| *name != "cookie");
    joined(headers.map(|(name, value)| {
        (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    }))
}

/// The event for a function.
pub(super) fn event(incoming: &Incoming, route: &MatchedRoute<'_>, context: &Value) -> Value {
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

/// Whether API Gateway passes the body on as text. It encodes all other bodies in base 64.
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

/// The event for the authorizer, in its payload format 2.0.
pub(super) fn authorizer_event(
    incoming: &Incoming,
    route: &MatchedRoute<'_>,
    context: &Value,
    identity: &str,
) -> Value {
    let arn = format!(
        "arn:aws:execute-api:eu-north-1:000000000000:local/$default/{}{}",
        incoming.method,
        incoming.uri.path()
    );
    let mut event = event(
        &Incoming {
            body: Bytes::new(),
            headers: incoming.headers.clone(),
            uri: incoming.uri.clone(),
            method: incoming.method.clone(),
        },
        route,
        context,
    );
    event["type"] = "REQUEST".into();
    event["routeArn"] = arn.into();
    event["identitySource"] = json!([identity]);
    if let Some(members) = event.as_object_mut() {
        members.remove("isBase64Encoded");
    }
    event
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Method};

    use super::*;
    use crate::gateway::parameters;

    #[test]
    fn an_event_has_the_members_that_aws_documents() {
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
        let route = MatchedRoute {
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
    fn a_body_that_is_not_text_is_encoded() {
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
        let route = MatchedRoute {
            function: "",
            key: String::new(),
            authorized: false,
            parameters: BTreeMap::new(),
        };
        let event = event(&incoming, &route, &json!({}));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("YT1i"), &json!(true)));
    }
}
