//! Records requests in the console's activity.

use std::time::Instant;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::Method;
use axum::response::Response;
use serde_json::Value;

use super::{Gateway, Incoming, identity};
use crate::activity::{Activity, ApiCall};

/// The members of a request that are recorded after its answer.
struct Received {
    method: Method,
    path: String,
    identity: Option<String>,
    body: Bytes,
    at: Instant,
}

impl Gateway {
    /// From now on records requests in `activity`. Only the first call has an effect.
    pub(crate) fn record_in(&self, activity: Activity) {
        self.inner.activity.get_or_init(|| activity);
    }

    /// Answers a request, and records it.
    pub(super) async fn answer_and_record(&self, incoming: Incoming) -> Response {
        let Some(activity) = self.inner.activity.get() else {
            return self.answer(incoming).await;
        };
        let header = self.inner.authorizer.as_ref().map(|authorizer| authorizer.header.as_str());
        let received = Received {
            method: incoming.method.clone(),
            path: incoming.uri.to_string(),
            identity: header.and_then(|header| identity(&incoming.headers, header)),
            body: incoming.body.clone(),
            at: Instant::now(),
        };
        let (parts, body) = self.answer(incoming).await.into_parts();
        // The body is in memory already, so reading it cannot fail.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let correlation_id = parts.headers.get("x-correlation-id").and_then(|id| id.to_str().ok());
        let route =
            self.match_route(&received.method, received.path.split('?').next().unwrap_or_default());
        activity.record_request(&ApiCall {
            method: received.method.as_str(),
            path: &received.path,
            function: route.as_ref().map(|route| route.function).unwrap_or_default(),
            authorized_customer: received.identity.and_then(|identity| self.customer_of(&identity)),
            correlation_id: correlation_id.unwrap_or_default(),
            status: parts.status.as_u16(),
            milliseconds: received.at.elapsed().as_millis(),
            request: json_or_null(&received.body),
            response: json_or_null(&body),
        });
        Response::from_parts(parts, Body::from(body))
    }

    /// The customer number in the authorizer's answer for an identity.
    fn customer_of(&self, identity: &str) -> Option<String> {
        let answer = self.cached_answer(self.inner.authorizer.as_ref()?, identity)?;
        answer["context"]["customerNumber"].as_str().map(str::to_owned)
    }
}

fn json_or_null(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
