//! The client of Nets' Netaxept, the payment service provider that stores the cards.
//!
//! Every call is a POST, so that the token reaches no access log. A call is never repeated: if its reply is lost, the transaction
//! is queried instead.

mod wire;

use std::time::{Duration, Instant};

use chrono::{DateTime, Months, Utc};
use reqwest::Client;
use url::Url;

use crate::config::NetaxeptConfig;
use crate::domain::card::VerifiedCard;
use crate::domain::id::{RecurringPaymentId, TransactionId};
use crate::domain::owner::hash;
use crate::domain::terminal::TerminalSession;
use crate::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use crate::error::{Cause, Decline, Error};
use crate::invocation;
use crate::outbound;
use crate::secret::Secret;
use wire::{Exception, ExceptionKind, PaymentInfo, Reply, ResponseClass};

/// The time limit of one call. `authorize` makes at most three calls and delivers a notification. Together they stay below the
/// 28 s limit of a response.
const CALL_LIMIT: Duration = Duration::from_secs(6);

/// An error of a call to Nets.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There was no reply, or an unclear one. Nets may or may not have carried out the call.
    #[error("{operation}: no clear reply from Nets")]
    Unclear {
        /// Register, Process or Query.
        operation: &'static str,
        /// What happened instead of a clear reply.
        #[source]
        cause: Cause,
    },
    /// Nets refused the call and did not carry it out.
    #[error("{operation}: Nets refused")]
    Refused {
        /// Register, Process or Query.
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
}

/// The result of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Registered {
    /// The session is registered.
    Yes,
    /// The transaction id is taken: by an earlier call for the same session whose reply was lost, or by an old transaction.
    IdTaken,
}

/// The state of a session at Nets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Nets does not know the session, or has another transaction with the same id.
    NeverRegistered,
    /// The customer cancelled.
    Cancelled,
    /// No card is verified yet. Only [`Netaxept::verify`] finds out whether the customer has entered one.
    Unverified,
    /// The card is verified.
    Verified(VerifiedCard),
}

/// The result of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verification {
    /// The card is verified.
    Verified,
    /// The transaction was processed before.
    AlreadyProcessed,
    /// The customer has not entered a card.
    NoCard,
    /// The customer cancelled.
    Cancelled,
    /// The card was declined.
    Declined(Decline),
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

    /// The lifetime of a registration (rule 9).
    #[must_use]
    pub fn lifetime(&self) -> Months {
        self.config.lifetime
    }

    /// The address of the terminal, where the customer enters the card.
    #[must_use]
    pub fn terminal_uri(&self, transaction_id: TransactionId) -> Url {
        let mut uri = self.address("Terminal/default.aspx");
        uri.query_pairs_mut()
            .append_pair("merchantId", &self.config.merchant_id)
            .append_pair("transactionId", &transaction_id.to_string());
        uri
    }

    /// Registers a session that stores a card without a charge (rule 12).
    ///
    /// # Errors
    /// Fails with `Unclear` if the session may or may not be registered, and with `Refused` if it is not.
    pub async fn register(
        &self,
        session: &TerminalSession,
        options: &TerminalOptions,
    ) -> Result<Registered, Failure> {
        let id = session.transaction_id;
        let redirect_url =
            options.redirect_url.with_recurring_payment_id(id.recurring_payment_id());
        let order_number = session.order_number();
        let mut form = vec![
            ("serviceType", "B"),
            ("orderNumber", order_number.as_str()),
            ("currencyCode", &self.config.currency),
            ("updateStoredPaymentInfo", "true"),
            ("force3DSecure", "true"),
            ("redirectUrl", redirect_url.as_str()),
            ("language", options.language.as_str()),
            ("customerCountry", options.country.as_str()),
            ("terminalSinglePage", if options.single_page { "true" } else { "false" }),
        ];
        let expiry_date = recurring_expiry_date(session.terminal.opened_at, self.config.lifetime);
        if options.merchant_initiated {
            form.extend([
                ("recurringType", "R"),
                ("recurringFrequency", "0"),
                ("recurringExpiryDate", expiry_date.as_str()),
            ]);
        } else {
            form.push(("recurringType", "S"));
        }
        match self.call("Register", id, &form).await? {
            Reply::Registered { transaction_id } if transaction_id == id.to_string() => {
                Ok(Registered::Yes)
            }
            Reply::Exception(exception) if exception.kind == ExceptionKind::UniqueTransactionId => {
                Ok(Registered::IdTaken)
            }
            reply @ (Reply::Registered { .. }
            | Reply::Processed(_)
            | Reply::PaymentInfo(_)
            | Reply::Exception(_)) => Err(unexpected_reply("Register", reply)),
        }
    }

    /// Queries the state of a session at Nets.
    ///
    /// # Errors
    /// Fails with `Unclear` or `Refused`. In both cases the state is unknown.
    pub async fn query(&self, session: &TerminalSession) -> Result<Progress, Failure> {
        match self.call("Query", session.transaction_id, &[]).await? {
            Reply::PaymentInfo(info)
                if is_about_other_transaction(info.transaction_id.as_deref(), session) =>
            {
                Err(unexpected_reply("Query", Reply::PaymentInfo(info)))
            }
            Reply::PaymentInfo(info) if info.order_number != session.order_number() => {
                Ok(Progress::NeverRegistered)
            }
            Reply::PaymentInfo(info) => progress(*info),
            Reply::Exception(exception) if exception.is_unknown_transaction() => {
                Ok(Progress::NeverRegistered)
            }
            reply @ (Reply::Registered { .. } | Reply::Processed(_) | Reply::Exception(_)) => {
                Err(unexpected_reply("Query", reply))
            }
        }
    }

    /// Verifies the card that the customer entered (`VERIFY`). Nets processes a transaction only once, even if this is called
    /// again. Call [`Netaxept::query`] first all the same.
    ///
    /// # Errors
    /// Fails with `Unclear` if the card may or may not be verified; then query the session. Fails with `Refused` if it is not.
    pub async fn verify(&self, session: &TerminalSession) -> Result<Verification, Failure> {
        match self.call("Process", session.transaction_id, &[("operation", "VERIFY")]).await? {
            Reply::Processed(processed)
                if is_about_other_transaction(processed.transaction_id.as_deref(), session) =>
            {
                Err(unexpected_reply("Process", Reply::Processed(processed)))
            }
            Reply::Exception(exception) if exception.is_missing_card() => Ok(Verification::NoCard),
            reply @ (Reply::Registered { .. }
            | Reply::Processed(_)
            | Reply::PaymentInfo(_)
            | Reply::Exception(_)) => match reply.class() {
                Some(ResponseClass::Accepted) => Ok(Verification::Verified),
                Some(ResponseClass::Declined(decline)) => {
                    invocation::record(|invocation| invocation.psp_declined += 1);
                    Ok(Verification::Declined(decline))
                }
                Some(ResponseClass::Cancelled) => Ok(Verification::Cancelled),
                Some(ResponseClass::AlreadyProcessed) => Ok(Verification::AlreadyProcessed),
                Some(ResponseClass::Unclear) | None => Err(unexpected_reply("Process", reply)),
            },
        }
    }

    /// Makes a call and records its metrics.
    async fn call(
        &self,
        operation: &'static str,
        id: TransactionId,
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
        operation: &'static str,
        id: TransactionId,
        form: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let unclear = |cause| Failure::Unclear { operation, cause };
        let id = id.to_string();
        let common = [
            ("merchantId", self.config.merchant_id.as_str()),
            ("token", self.config.token.expose()),
            ("transactionId", &id),
        ];
        let form: Vec<_> = common.iter().chain(form).collect();
        let sent = self
            .http
            .post(self.address(&format!("Netaxept/{operation}.aspx")))
            .form(&form)
            .send()
            .await;
        let response = sent.map_err(|cause| unclear(cause.without_url().into()))?;
        let status = response.status();
        let body = outbound::body(response, outbound::MAX_REPLY_BYTES).await.map_err(unclear)?;
        if !status.is_success() {
            return Err(unclear(format!("HTTP status {status}").into()));
        }
        let reply = Reply::parse(&body).map_err(|cause| unclear(cause.into()))?;
        let reply = reply.redact(&self.config.token);
        // The caller's redirect address can contain secrets of the caller.
        Ok(match form.iter().find(|(name, _)| *name == "redirectUrl") {
            Some((_, address)) => reply.redact(&Secret::new((*address).to_owned())),
            None => reply,
        })
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.config.address.clone();
        url.set_path(path);
        url
    }
}

/// Parses a reply and drops it. Used by `fuzz/`.
#[cfg(feature = "fuzz")]
pub fn parse_for_fuzzing(body: &[u8]) {
    if let Ok(reply) = Reply::parse(&body[..body.len().min(outbound::MAX_REPLY_BYTES)]) {
        drop((reply.class(), reply.redact(&Secret::new("secret".to_owned()))));
    }
}

/// `recurringExpiryDate`, `YYYYMMDD`: the last day on which the registration can be valid.
fn recurring_expiry_date(start: DateTime<Utc>, lifetime: Months) -> String {
    start.checked_add_months(lifetime).unwrap_or(start).format("%Y%m%d").to_string()
}

fn progress(info: PaymentInfo) -> Result<Progress, Failure> {
    if info.verified {
        let cause = "a verified transaction has no pan hash or no usable card";
        let card = info
            .card
            .ok_or_else(|| Failure::Unclear { operation: "Query", cause: cause.into() })?;
        return Ok(Progress::Verified(card));
    }
    Ok(if info.cancelled { Progress::Cancelled } else { Progress::Unverified })
}

/// Whether a reply is about another transaction than the one in the call.
fn is_about_other_transaction(transaction_id: Option<&str>, session: &TerminalSession) -> bool {
    transaction_id.is_some_and(|id| id != session.transaction_id.to_string())
}

/// The error for an unexpected reply.
fn unexpected_reply(operation: &'static str, reply: Reply) -> Failure {
    match reply {
        Reply::Exception(exception) if exception.had_no_effect() => {
            Failure::Refused { operation, cause: exception.into() }
        }
        Reply::Exception(exception) => Failure::Unclear { operation, cause: exception.into() },
        Reply::Registered { .. } | Reply::Processed(_) | Reply::PaymentInfo(_) => {
            Failure::Unclear { operation, cause: "the reply is of another type".into() }
        }
    }
}

impl From<Exception> for Cause {
    fn from(exception: Exception) -> Self {
        exception.to_string().into()
    }
}
