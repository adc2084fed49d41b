//! Delivers notifications about card setups to a caller's `callbackUrl`.
//!
//! Only public addresses are called. A notification is delivered when the receiver answers 202. It is signed by the Standard
//! Webhooks scheme: `webhook-id`, `webhook-timestamp` and `webhook-signature`.

mod address;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use standardwebhooks::Webhook;

use crate::config::{CallbackAddresses, NotificationConfig};
use crate::domain::notification::{Event, Notification};
use crate::domain::text::CallbackUrl;
use crate::error::{Cause, Error, Violation};
use crate::outbound;

/// The time limit of one delivery attempt.
const DELIVERY_LIMIT: Duration = Duration::from_secs(5);

/// Delivers notifications.
pub struct Notifier {
    http: Client,
    webhook: Webhook,
    addresses: CallbackAddresses,
}

/// The JSON body of a notification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: &'a str,
    r#type: &'static str,
    recurring_payment_id: u64,
    transaction_id: u64,
    recurring_status: &'static str,
    occurred_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_reason: Option<&'static str>,
}

impl Notifier {
    /// Creates a notifier that signs with the configured secret.
    ///
    /// # Errors
    /// Fails with `Internal` if TLS cannot be set up or the secret has another format.
    pub fn new(config: &NotificationConfig) -> Result<Self, Error> {
        let what = "the notification secret is not whsec_ and base64";
        // Do not keep the cause: it could contain a part of the secret.
        let webhook = Webhook::new(config.secret.expose()).map_err(|_| Error::Internal {
            what,
            cause: NotificationConfig::SECRET.to_string().into(),
        })?;
        let resolver = Arc::new(address::Resolver(config.addresses));
        let http = outbound::client(DELIVERY_LIMIT, |client| client.dns_resolver(resolver))?;
        Ok(Self { http, webhook, addresses: config.addresses })
    }

    /// Makes one delivery attempt.
    ///
    /// # Errors
    /// Fails if the receiver does not answer 202 within 5 seconds. Also fails, without a call, if the address is not public.
    pub async fn send(&self, notification: &Notification, now: DateTime<Utc>) -> Result<(), Cause> {
        let url = notification.callback_url.as_url();
        address::check(url, self.addresses).map_err(|violation| violation.message)?;
        let id = notification.id();
        let body = body(notification, &id)?;
        let timestamp = now.timestamp();
        let signature = self.webhook.sign(&id, timestamp, body.as_bytes())?;
        let request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(standardwebhooks::HEADER_WEBHOOK_ID, &id)
            .header(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, timestamp)
            .header(standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature)
            .body(body);
        // Remove the URL from errors: it can contain secrets of the caller.
        let status = request.send().await.map_err(reqwest::Error::without_url)?.status();
        if status == reqwest::StatusCode::ACCEPTED {
            Ok(())
        } else {
            Err(format!("the receiver answered {status} instead of 202").into())
        }
    }
}

/// Parses and checks a caller's `callbackUrl`.
///
/// # Errors
/// Fails if the text is not an address that notifications may be sent to.
pub fn callback_url(text: &str, addresses: CallbackAddresses) -> Result<CallbackUrl, Violation> {
    let url = CallbackUrl::try_from(text)?;
    address::check(url.as_url(), addresses)?;
    Ok(url)
}

fn body(notification: &Notification, id: &str) -> Result<String, serde_json::Error> {
    let Notification { transaction_id, event, occurred_at, .. } = notification;
    serde_json::to_string(&Body {
        id,
        r#type: match event {
            Event::Activated => "recurring-payment.activated",
            Event::Declined | Event::CardExpired => "recurring-payment.declined",
            Event::Abandoned => "recurring-payment.abandoned",
        },
        recurring_payment_id: transaction_id.recurring_payment_id().number(),
        transaction_id: transaction_id.number(),
        recurring_status: event.status().name(),
        occurred_at: occurred_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        error_reason: match event {
            Event::Declined => Some("REFUSED_BY_ISSUER"),
            Event::CardExpired => Some("CARD_EXPIRED"),
            Event::Activated | Event::Abandoned => None,
        },
    })
}
