//! Storing a card: the customer enters it at the terminal page, and Nets verifies it without a charge.

use chrono::{DateTime, Months, Utc};
use url::Url;

use super::wire::{PaymentInfo, Reply, ResponseClass};
use super::{Failure, Netaxept, Operation, Registered, TerminalOptions, record_decline};
use crate::domain::card::VerifiedCard;
use crate::domain::id::TransactionId;
use crate::domain::terminal::TerminalSession;
use crate::error::Decline;

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

impl Netaxept {
    /// The address of the terminal, where the customer enters the card.
    #[must_use]
    pub fn terminal_uri(&self, transaction_id: TransactionId) -> Url {
        self.page_uri(&transaction_id.to_string())
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
            ("currencyCode", self.config.currency.as_str()),
            ("updateStoredPaymentInfo", "true"),
            ("force3DSecure", "true"),
            ("redirectUrl", redirect_url.as_str()),
        ];
        form.extend(options.parameters());
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
        self.send_registration(&id.to_string(), &form).await
    }

    /// Queries the state of a session at Nets.
    ///
    /// # Errors
    /// Fails with `Unclear` or `Refused`. In both cases the state is unknown.
    pub async fn query(&self, session: &TerminalSession) -> Result<Progress, Failure> {
        let operation = Operation::Query;
        match self.call(operation, &session.transaction_id.to_string(), &[]).await? {
            Reply::PaymentInfo(info) if info.order_number != session.order_number() => {
                Ok(Progress::NeverRegistered)
            }
            Reply::PaymentInfo(info) => progress(*info),
            Reply::Exception(exception) if exception.is_unknown_transaction() => {
                Ok(Progress::NeverRegistered)
            }
            reply @ (Reply::Registered { .. } | Reply::Processed(_) | Reply::Exception(_)) => {
                Err(operation.failure(reply))
            }
        }
    }

    /// Verifies the card that the customer entered (`VERIFY`). Nets processes a transaction only once, even if this is called
    /// again. Call [`Netaxept::query`] first all the same.
    ///
    /// # Errors
    /// Fails with `Unclear` if the card may or may not be verified; then query the session. Fails with `Refused` if it is not.
    pub async fn verify(&self, session: &TerminalSession) -> Result<Verification, Failure> {
        let operation = Operation::Verify;
        let reply = self.call(operation, &session.transaction_id.to_string(), &[]).await?;
        match reply.class() {
            Some(ResponseClass::Accepted) => Ok(Verification::Verified),
            Some(ResponseClass::AlreadyProcessed) => Ok(Verification::AlreadyProcessed),
            Some(ResponseClass::NoCard) => Ok(Verification::NoCard),
            Some(ResponseClass::Cancelled) => Ok(Verification::Cancelled),
            Some(ResponseClass::Declined(decline)) => {
                record_decline();
                Ok(Verification::Declined(decline))
            }
            // VERIFY moves no money, so it is safe to ask for another card. Nets asks not to retry (netaxept.md §6.3).
            Some(ResponseClass::Undetermined) => {
                record_decline();
                Ok(Verification::Declined(Decline::Hard))
            }
            Some(ResponseClass::Unclear) | None => Err(operation.failure(reply)),
        }
    }
}

/// `recurringExpiryDate`, `YYYYMMDD`: the last day on which the registration can be valid.
fn recurring_expiry_date(start: DateTime<Utc>, lifetime: Months) -> String {
    start.checked_add_months(lifetime).unwrap_or(start).format("%Y%m%d").to_string()
}

fn progress(info: PaymentInfo) -> Result<Progress, Failure> {
    if info.verified {
        let cause = "a verified transaction has no pan hash or no usable card";
        let card = info.card.ok_or_else(|| Operation::Query.unclear(cause))?;
        return Ok(Progress::Verified(card));
    }
    Ok(if info.latest_error.is_cancelled() { Progress::Cancelled } else { Progress::Unverified })
}
