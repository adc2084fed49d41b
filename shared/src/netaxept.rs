//! The client of Nets' Netaxept, the payment service provider that stores and charges the cards.
//!
//! Every call is a POST, so that the token reaches no access log. A call is never repeated: if its reply is lost, the transaction
//! is queried instead.

mod card_setup;
mod charge;
mod wire;

use std::time::{Duration, Instant};

use chrono::Months;
use reqwest::Client;
use url::Url;

pub use self::card_setup::{Progress, Verification};
pub use self::charge::{Authorization, ChargeRegistration, Processed};
use crate::config::NetaxeptConfig;
use crate::domain::id::RecurringPaymentId;
use crate::domain::owner::hash;
use crate::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use crate::error::{Cause, Error};
use crate::invocation;
use crate::outbound;
use crate::secret::Secret;
use wire::{Exception, ExceptionKind, Reply};

/// The time limit of one call. `authorize` makes at most three calls and delivers a notification. A capture of a payment makes at
/// most four calls: AUTH, Query, CAPTURE, Query. A credit makes at most three: Query, CREDIT, Query. Together they stay below the
/// 28 s limit of a response.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(6);

/// The parameters of a form that a log must not contain, beside the token: the caller's redirect address can contain secrets of the
/// caller.
const SECRET_PARAMETERS: [&str; 2] = ["redirectUrl", "panHash"];

/// An error of a call to Nets.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There was no reply, or an unclear one. Nets may or may not have carried out the call.
    #[error("{operation}: no clear reply from Nets")]
    Unclear {
        /// Register, Query, VERIFY, AUTH, CAPTURE, CREDIT or ANNUL.
        operation: &'static str,
        /// What happened instead of a clear reply.
        #[source]
        cause: Cause,
    },
    /// Nets refused the call and did not carry it out.
    #[error("{operation}: Nets refused")]
    Refused {
        /// Register, Query, VERIFY, AUTH, CAPTURE, CREDIT or ANNUL.
        operation: &'static str,
        /// The exception in the reply.
        #[source]
        cause: Cause,
    },
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Unavailable { what: "Netaxept", cause: failure.into() }
    }
}

/// The options of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalOptions {
    /// The address that Nets redirects the customer to.
    pub redirect_url: RedirectUrl,
    /// The language of the terminal.
    pub language: TerminalLanguage,
    /// The country of the customer.
    pub country: CountryCode,
    /// Whether the terminal is a single page.
    pub single_page: bool,
    /// Whether only the merchant will initiate charges of the card (`MIT_UCOF`).
    pub merchant_initiated: bool,
}

impl TerminalOptions {
    /// The hash of the options for a recurring payment, and of one more text: 16 bytes.
    #[must_use]
    pub fn hash(&self, id: RecurringPaymentId, more: &str) -> [u8; 16] {
        let flags = [u8::from(self.single_page), u8::from(self.merchant_initiated)];
        hash(&[
            self.redirect_url.with_recurring_payment_id(id).as_str().as_bytes(),
            self.language.as_str().as_bytes(),
            self.country.as_str().as_bytes(),
            &flags,
            more.as_bytes(),
        ])
    }

    /// The parameters of the terminal page that do not depend on its purpose.
    fn parameters(&self) -> [(&'static str, &str); 3] {
        [
            ("language", self.language.as_str()),
            ("customerCountry", self.country.as_str()),
            ("terminalSinglePage", if self.single_page { "true" } else { "false" }),
        ]
    }
}

/// The result of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Registered {
    /// It is registered.
    Yes,
    /// The transaction id is taken: by an earlier call for the same registration whose reply was lost, or by an old transaction.
    IdTaken,
}

/// An operation at Nets. The last five are operations of `Process`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Register,
    Query,
    Verify,
    Auth,
    Capture,
    Credit,
    Annul,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Register => "Register",
            Self::Query => "Query",
            Self::Verify => "VERIFY",
            Self::Auth => "AUTH",
            Self::Capture => "CAPTURE",
            Self::Credit => "CREDIT",
            Self::Annul => "ANNUL",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Register => "Netaxept/Register.aspx",
            Self::Query => "Netaxept/Query.aspx",
            Self::Verify | Self::Auth | Self::Capture | Self::Credit | Self::Annul => {
                "Netaxept/Process.aspx"
            }
        }
    }

    /// The parameter `operation`, which only `Process` has.
    fn parameter(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Register | Self::Query => None,
            Self::Verify | Self::Auth | Self::Capture | Self::Credit | Self::Annul => {
                Some(("operation", self.name()))
            }
        }
    }

    fn unclear(self, cause: impl Into<Cause>) -> Failure {
        Failure::Unclear { operation: self.name(), cause: cause.into() }
    }

    /// The failure for a reply that does not say whether Nets has carried out the operation, or that it has not.
    fn failure(self, reply: Reply) -> Failure {
        match reply {
            Reply::Exception(exception) if exception.had_no_effect() => {
                Failure::Refused { operation: self.name(), cause: exception.into() }
            }
            Reply::Exception(exception) => self.unclear(exception),
            Reply::Processed(processed) => self.unclear(processed.to_string()),
            Reply::Registered { .. } | Reply::PaymentInfo(_) => {
                self.unclear("the reply is of another type")
            }
        }
    }
}

/// The client of Netaxept.
pub struct Netaxept {
    http: Client,
    config: NetaxeptConfig,
}

impl Netaxept {
    /// Creates a client for the configured merchant.
    ///
    /// # Errors
    /// Fails with `Internal` if TLS cannot be set up.
    pub fn new(config: NetaxeptConfig) -> Result<Self, Error> {
        Ok(Self { http: outbound::client(CALL_LIMIT, |client| client)?, config })
    }

    /// The lifetime of a registration of a card (rule 9).
    #[must_use]
    pub fn lifetime(&self) -> Months {
        self.config.lifetime
    }

    /// The address of the terminal page of a transaction.
    fn page_uri(&self, id: &str) -> Url {
        let mut uri = self.address("Terminal/default.aspx");
        uri.query_pairs_mut()
            .append_pair("merchantId", &self.config.merchant_id)
            .append_pair("transactionId", id);
        uri
    }

    /// Calls `Register` with a transaction id of this service.
    async fn send_registration(
        &self,
        id: &str,
        form: &[(&str, &str)],
    ) -> Result<Registered, Failure> {
        let operation = Operation::Register;
        match self.call(operation, id, form).await? {
            Reply::Registered { .. } => Ok(Registered::Yes),
            Reply::Exception(exception) if exception.kind == ExceptionKind::UniqueTransactionId => {
                Ok(Registered::IdTaken)
            }
            reply @ (Reply::Processed(_) | Reply::PaymentInfo(_) | Reply::Exception(_)) => {
                Err(operation.failure(reply))
            }
        }
    }

    /// Makes a call and records its metrics. The reply is about the given transaction.
    async fn call(
        &self,
        operation: Operation,
        id: &str,
        form: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let started = Instant::now();
        let result = self.post(operation, id, form).await;
        invocation::record(|invocation| {
            invocation.psp_calls += 1;
            invocation.psp_duration += started.elapsed();
            invocation.psp_unclear += u64::from(result.is_err());
        });
        result
    }

    async fn post(
        &self,
        operation: Operation,
        id: &str,
        form: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let common = [
            ("merchantId", self.config.merchant_id.as_str()),
            ("token", self.config.token.expose()),
            ("transactionId", id),
        ];
        let parameter = operation.parameter();
        let form: Vec<_> = common.iter().chain(&parameter).chain(form).collect();
        let sent = self.http.post(self.address(operation.path())).form(&form).send().await;
        let response = sent.map_err(|cause| operation.unclear(cause.without_url()))?;
        let status = response.status();
        let body = outbound::body(response, outbound::MAX_REPLY_BYTES).await;
        let body = body.map_err(|cause| operation.unclear(cause))?;
        if !status.is_success() {
            return Err(operation.unclear(format!("HTTP status {status}")));
        }
        let mut reply = Reply::parse(&body).map_err(|cause| operation.unclear(cause))?;
        reply = reply.redact(&self.config.token);
        let is_secret = |name: &str| SECRET_PARAMETERS.contains(&name);
        for (_, secret) in form.iter().filter(|(name, _)| is_secret(name)) {
            reply = reply.redact(&Secret::new((*secret).to_owned()));
        }
        if reply.is_about(id, operation.name()) {
            Ok(reply)
        } else {
            Err(operation.unclear("the reply is about another transaction or operation"))
        }
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.config.address.clone();
        url.set_path(path);
        url
    }
}

/// Counts a declined card in the metrics.
fn record_decline() {
    invocation::record(|invocation| invocation.psp_declined += 1);
}

impl From<Exception> for Cause {
    fn from(exception: Exception) -> Self {
        exception.to_string().into()
    }
}

/// Parses a reply and drops it. Used by `fuzz/`.
#[cfg(feature = "fuzz")]
pub fn parse_for_fuzzing(body: &[u8]) {
    if let Ok(reply) = Reply::parse(&body[..body.len().min(outbound::MAX_REPLY_BYTES)]) {
        let _ = (reply.class(), reply.is_about("114704", "AUTH"));
        charge::interpret_for_fuzzing(reply.redact(&Secret::new("secret".to_owned())));
    }
}
