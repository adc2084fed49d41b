use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use standardwebhooks::{Webhook, WebhookError};
use tokio::sync::mpsc::UnboundedSender;

struct Receiver {
    webhook: Webhook,
    notifications: UnboundedSender<Value>,
}

/// Receives notifications at `/webhooks`.
pub(crate) fn router(
    secret: &str,
    notifications: UnboundedSender<Value>,
) -> Result<Router, WebhookError> {
    let receiver = Receiver { webhook: Webhook::new(secret)?, notifications };
    Ok(Router::new().route("/webhooks", post(receive)).with_state(Arc::new(receiver)))
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if receiver.webhook.verify(&body, &headers).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    let Ok(notification) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST };
    match receiver.notifications.send(notification) {
        Ok(()) => StatusCode::ACCEPTED,
        // The service sends the notification again.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
