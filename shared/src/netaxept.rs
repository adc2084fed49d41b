//! Nets' Netaxept: the payment service provider that holds the cards.
//!
//! Every call is a POST, so that the token reaches no access log, and is made once: what was lost on the way is never sent
//! again, but looked up.

mod wire;

use std::time::{Duration, Instant};

use chrono::{DateTime, Months, Utc};
use reqwest::Client;
use url::Url;

use crate::config::NetaxeptConfig;
use crate::domain::card::VerifiedCard;
use crate::domain::id::{RecurringPaymentId, TransactionId};
use crate::domain::owner::hash;
use crate::domain::terminal::Visit;
use crate::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use crate::error::{Cause, Decline, Error};
use crate::invocation;
use crate::outbound;
use crate::secret::Secret;
use wire::{Exception, Kind, Meaning, PaymentInfo, Reply};

/// The limit of one call. Three of them, as `authorize` may need, and a notification stay within the 28 seconds that a caller
/// waits.
const LIMIT: Duration = Duration::from_secs(6);

/// What went wrong with a call to Nets.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing came back, or nothing that could be understood: Nets may have done it or not.
    #[error("{operation}: no clear reply from Nets")]
    Unclear {
        /// Register, Process or Query.
        operation: &'static str,
        /// What came instead.
        #[source]
        cause: Cause,
    },
    /// Nets said no, and did nothing.
    #[error("{operation}: Nets refused")]
    Refused {
        /// Register, Process or Query.
        operation: &'static str,
        /// What it said.
        #[source]
        cause: Cause,
    },
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Unavailable { what: "Netaxept", cause: failure.into() }
    }
}

/// What a terminal is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalWish {
    /// Where the customer goes from it.
    pub redirect_url: RedirectUrl,
    /// Its language.
    pub language: TerminalLanguage,
    /// The customer's country.
    pub country: CountryCode,
    /// Whether it is one page.
    pub single_page: bool,
    /// Whether the card will be charged by the merchant alone (`MIT_UCOF`).
    pub merchant_initiated: bool,
}

impl TerminalWish {
    /// 16 bytes that stand for what is wished for a recurring payment, and for one more text.
    #[must_use]
    pub fn hash(&self, id: RecurringPaymentId, more: &str) -> [u8; 16] {
        let flags = [u8::from(self.single_page), u8::from(self.merchant_initiated)];
        hash(&[
            self.redirect_url.for_payment(id).as_str().as_bytes(),
            self.language.as_str().as_bytes(),
            self.country.as_str().as_bytes(),
            &flags,
            more.as_bytes(),
        ])
    }
}

/// What came of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Registered {
    /// The terminal is there.
    Yes,
    /// The transaction id was used before: by us, whose reply was lost, or long ago.
    IdTaken,
}

/// What Nets knows of a visit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Nothing, or something else under the same id.
    NeverRegistered,
    /// The customer pressed cancel.
    Cancelled,
    /// Not verified yet. Whether there is a card to verify, only [`Netaxept::verify`] tells for certain.
    Unverified,
    /// There is a card, and it was verified.
    Verified(VerifiedCard),
}

/// What came of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verification {
    /// The card is good.
    Verified,
    /// It was done before.
    AlreadyProcessed,
    /// The customer has not entered a card.
    NoCard,
    /// The customer pressed cancel.
    Cancelled,
    /// The card is not good.
    Declined(Decline),
}

/// The client.
pub struct Netaxept {
    http: Client,
    config: NetaxeptConfig,
}

impl Netaxept {
    /// A client of the configured merchant.
    ///
    /// # Errors
    /// `Internal` when the TLS stack cannot be set up.
    pub fn new(config: NetaxeptConfig) -> Result<Self, Error> {
        Ok(Self { http: outbound::client(LIMIT, |client| client)?, config })
    }

    /// For how long an activated recurring payment is valid (rule 9).
    #[must_use]
    pub fn lifetime(&self) -> Months {
        self.config.lifetime
    }

    /// Where the customer enters the card.
    #[must_use]
    pub fn terminal_uri(&self, transaction_id: TransactionId) -> Url {
        let mut uri = self.address("Terminal/default.aspx");
        uri.query_pairs_mut()
            .append_pair("merchantId", &self.config.merchant_id)
            .append_pair("transactionId", &transaction_id.to_string());
        uri
    }

    /// Registers a visit that stores a card and charges nothing (rule 12).
    ///
    /// # Errors
    /// `Unclear`: it may be registered. `Refused`: it is not.
    pub async fn register(
        &self,
        visit: &Visit,
        wish: &TerminalWish,
    ) -> Result<Registered, Failure> {
        let id = visit.transaction_id;
        let redirect_url = wish.redirect_url.for_payment(id.recurring_payment_id());
        let order_number = visit.order_number();
        let mut form = vec![
            ("serviceType", "B"),
            ("orderNumber", order_number.as_str()),
            ("currencyCode", &self.config.currency),
            ("updateStoredPaymentInfo", "true"),
            ("force3DSecure", "true"),
            ("redirectUrl", redirect_url.as_str()),
            ("language", wish.language.as_str()),
            ("customerCountry", wish.country.as_str()),
            ("terminalSinglePage", if wish.single_page { "true" } else { "false" }),
        ];
        let ends = agreement_ends(visit.terminal.opened_at, self.config.lifetime);
        if wish.merchant_initiated {
            form.extend([
                ("recurringType", "R"),
                ("recurringFrequency", "0"),
                ("recurringExpiryDate", ends.as_str()),
            ]);
        } else {
            form.push(("recurringType", "S"));
        }
        match self.call("Register", id, &form).await? {
            Reply::Registered { transaction_id } if transaction_id == id.to_string() => {
                Ok(Registered::Yes)
            }
            Reply::Exception(exception) if exception.kind == Kind::UniqueTransactionId => {
                Ok(Registered::IdTaken)
            }
            reply @ (Reply::Registered { .. }
            | Reply::Processed(_)
            | Reply::PaymentInfo(_)
            | Reply::Exception(_)) => Err(failure("Register", reply)),
        }
    }

    /// What Nets knows of a visit.
    ///
    /// # Errors
    /// `Unclear` or `Refused`: nothing is known.
    pub async fn query(&self, visit: &Visit) -> Result<Progress, Failure> {
        match self.call("Query", visit.transaction_id, &[]).await? {
            Reply::PaymentInfo(info) if is_other(info.transaction_id.as_deref(), visit) => {
                Err(failure("Query", Reply::PaymentInfo(info)))
            }
            Reply::PaymentInfo(info) if info.order_number != visit.order_number() => {
                Ok(Progress::NeverRegistered)
            }
            Reply::PaymentInfo(info) => progress(*info),
            Reply::Exception(exception) if exception.is_unknown_transaction() => {
                Ok(Progress::NeverRegistered)
            }
            reply @ (Reply::Registered { .. } | Reply::Processed(_) | Reply::Exception(_)) => {
                Err(failure("Query", reply))
            }
        }
    }

    /// Has Nets verify the card that the customer entered (`VERIFY`). Nets does it once however often it is asked; still, ask
    /// [`Netaxept::query`] first.
    ///
    /// # Errors
    /// `Unclear`: it may be verified; query before anything else. `Refused`: it is not.
    pub async fn verify(&self, visit: &Visit) -> Result<Verification, Failure> {
        match self.call("Process", visit.transaction_id, &[("operation", "VERIFY")]).await? {
            Reply::Processed(processed) if is_other(processed.transaction_id.as_deref(), visit) => {
                Err(failure("Process", Reply::Processed(processed)))
            }
            Reply::Exception(exception) if exception.is_no_card() => Ok(Verification::NoCard),
            reply @ (Reply::Registered { .. }
            | Reply::Processed(_)
            | Reply::PaymentInfo(_)
            | Reply::Exception(_)) => match reply.meaning() {
                Some(Meaning::Accepted) => Ok(Verification::Verified),
                Some(Meaning::Declined(decline)) => {
                    invocation::note(|at_hand| at_hand.psp_declined += 1);
                    Ok(Verification::Declined(decline))
                }
                Some(Meaning::Cancelled) => Ok(Verification::Cancelled),
                Some(Meaning::AlreadyProcessed) => Ok(Verification::AlreadyProcessed),
                Some(Meaning::Unclear) | None => Err(failure("Process", reply)),
            },
        }
    }

    /// A call, counted for the invocation at hand.
    async fn call(
        &self,
        operation: &'static str,
        id: TransactionId,
        form: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let began = Instant::now();
        let replied = self.ask(operation, id, form).await;
        invocation::note(|at_hand| {
            at_hand.psp_calls += 1;
            at_hand.psp_duration += began.elapsed();
            at_hand.psp_unclear += u64::from(replied.is_err());
        });
        replied
    }

    async fn ask(
        &self,
        operation: &'static str,
        id: TransactionId,
        form: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let unclear = |cause| Failure::Unclear { operation, cause };
        let id = id.to_string();
        let own = [
            ("merchantId", self.config.merchant_id.as_str()),
            ("token", self.config.token.expose()),
            ("transactionId", &id),
        ];
        let form: Vec<_> = own.iter().chain(form).collect();
        let sent = self
            .http
            .post(self.address(&format!("Netaxept/{operation}.aspx")))
            .form(&form)
            .send()
            .await;
        let response = sent.map_err(|cause| unclear(cause.without_url().into()))?;
        let status = response.status();
        let body = outbound::body(response, outbound::LARGEST_REPLY).await.map_err(unclear)?;
        if !status.is_success() {
            return Err(unclear(format!("HTTP status {status}").into()));
        }
        let reply = Reply::parse(&body).map_err(|cause| unclear(cause.into()))?;
        let reply = reply.without(&self.config.token);
        // The caller's address may have secrets of theirs in it.
        Ok(match form.iter().find(|(name, _)| *name == "redirectUrl") {
            Some((_, address)) => reply.without(&Secret::new((*address).to_owned())),
            None => reply,
        })
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.config.address.clone();
        url.set_path(path);
        url
    }
}

/// Reads a reply and drops it, for `fuzz/`.
#[cfg(feature = "fuzz")]
pub fn read(body: &[u8]) {
    if let Ok(reply) = Reply::parse(&body[..body.len().min(outbound::LARGEST_REPLY)]) {
        drop((reply.meaning(), reply.without(&Secret::new("secret".to_owned()))));
    }
}

/// `YYYYMMDD`, the end of a merchant-initiated agreement: as long as the recurring payment can be valid.
fn agreement_ends(begins: DateTime<Utc>, lifetime: Months) -> String {
    begins.checked_add_months(lifetime).unwrap_or(begins).format("%Y%m%d").to_string()
}

fn progress(info: PaymentInfo) -> Result<Progress, Failure> {
    if info.verified {
        let what = "a verified transaction has no pan hash or no usable card";
        let card =
            info.card.ok_or_else(|| Failure::Unclear { operation: "Query", cause: what.into() })?;
        return Ok(Progress::Verified(card));
    }
    Ok(if info.cancelled { Progress::Cancelled } else { Progress::Unverified })
}

/// Whether a reply is about another transaction than the one that was asked about.
fn is_other(transaction_id: Option<&str>, visit: &Visit) -> bool {
    transaction_id.is_some_and(|id| id != visit.transaction_id.to_string())
}

/// A reply that is not one of those expected.
fn failure(operation: &'static str, reply: Reply) -> Failure {
    match reply {
        Reply::Exception(exception) if exception.did_nothing() => {
            Failure::Refused { operation, cause: exception.into() }
        }
        Reply::Exception(exception) => Failure::Unclear { operation, cause: exception.into() },
        Reply::Registered { .. } | Reply::Processed(_) | Reply::PaymentInfo(_) => {
            Failure::Unclear { operation, cause: "a reply to another question".into() }
        }
    }
}

impl From<Exception> for Cause {
    fn from(exception: Exception) -> Self {
        exception.to_string().into()
    }
}
