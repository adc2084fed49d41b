//! Delivers notifications about card setups and payments to a caller's `callbackUrl`, and lifecycle events to the address of an
//! organisation.
//!
//! Only public addresses are called. A notification is delivered when the receiver answers 202. It is signed by the Standard
//! Webhooks scheme: `webhook-id`, `webhook-timestamp` and `webhook-signature`.

mod address;
mod message;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use standardwebhooks::Webhook;

use crate::config::{CallbackAddresses, NotificationConfig};
use crate::domain::text::CallbackUrl;
use crate::error::{Cause, Error, Violation};
use crate::outbound;
pub use message::Message;

/// The time limit of one delivery attempt.
const DELIVERY_LIMIT: Duration = Duration::from_secs(5);

/// Delivers notifications.
pub struct Notifier {
    http: Client,
    webhook: Webhook,
    addresses: CallbackAddresses,
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

    /// Checks that notifications may be sent to an address of the configuration.
    ///
    /// # Errors
    /// Fails if the address is not public, or not https.
    pub fn check_address(&self, address: &CallbackUrl) -> Result<(), Violation> {
        address::check(address.as_url(), self.addresses)
    }

    /// Makes one delivery attempt.
    ///
    /// # Errors
    /// Fails if the receiver does not answer 202 within 5 seconds. Also fails, without a call, if the address is not public.
    pub async fn send(&self, message: &Message<'_>, now: DateTime<Utc>) -> Result<(), Cause> {
        let (url, id) = (message.to.as_url(), &message.id);
        address::check(url, self.addresses).map_err(|violation| violation.message)?;
        let body = message.body()?;
        let timestamp = now.timestamp();
        let signature = self.webhook.sign(id, timestamp, body.as_bytes())?;
        let request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(standardwebhooks::HEADER_WEBHOOK_ID, id)
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
