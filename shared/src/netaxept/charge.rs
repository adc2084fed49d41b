//! Charging a stored card: a registration with the card's pan hash, then AUTH, and then CAPTURE or ANNUL.
//!
//! Nets carries out AUTH, CAPTURE of the whole amount, and ANNUL at most once for a registration (payments.md §2.2). So a repeated
//! or a late call never takes money twice. Of a reply that is not clear, only [`Netaxept::query_charge`] tells what happened.

use url::Url;

use super::wire::{Exception, PaymentInfo, Reply, ResponseClass};
use super::{Failure, Netaxept, Operation, Registered, TerminalOptions, record_decline};
use crate::domain::id::RegistrationId;
use crate::domain::money::Money;
use crate::domain::payment::{Initiator, Reconciliation};
use crate::error::Decline;
use crate::secret::Secret;

/// The data of a registration of a charge.
#[derive(Debug, Clone, Copy)]
pub struct ChargeRegistration<'a> {
    /// The id at Nets.
    pub id: RegistrationId,
    /// Nets' order number, which is on the customer's statement: 1 to 32 visible ASCII characters.
    pub order_number: &'a str,
    /// The amount of AUTH and CAPTURE, more than zero.
    pub amount: Money,
    /// The pan hash of the stored card.
    pub pan_hash: &'a Secret,
    /// Who starts the charge. A customer confirms it at the terminal page; a merchant's charge has no page.
    pub initiator: Initiator,
    /// The options of the terminal. `merchant_initiated` is not used here: `initiator` says who charges the card.
    pub options: &'a TerminalOptions,
}

/// The result of AUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authorization {
    /// The registered amount is reserved. Query it before CAPTURE, to compare the amount.
    Authorized,
    /// The registration was processed before, or Nets does not find it: query it.
    AlreadyProcessed,
    /// The customer has not confirmed the charge at the terminal page.
    NoCard,
    /// The customer cancelled.
    Cancelled,
    /// The card was declined.
    Declined(Decline),
}

/// The result of CAPTURE or ANNUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Processed {
    /// Nets has carried it out.
    Done,
    /// Nets has not carried it out, because the registration is in another state: for example, it was done before. Query it.
    Refused,
}

impl Netaxept {
    /// The address of the terminal page, where the customer confirms a charge of the stored card.
    #[must_use]
    pub fn charge_terminal_uri(&self, id: RegistrationId) -> Url {
        self.page_uri(&id.to_string())
    }

    /// Registers a charge of a stored card (payments.md §2.1). No money is reserved or taken.
    ///
    /// # Errors
    /// Fails with `Unclear` if the charge may or may not be registered, and with `Refused` if it is not.
    pub async fn register_charge(
        &self,
        registration: &ChargeRegistration<'_>,
    ) -> Result<Registered, Failure> {
        let amount = registration.amount.minor().to_string();
        let mut form = vec![
            ("orderNumber", registration.order_number),
            ("currencyCode", registration.amount.currency().code()),
            ("amount", amount.as_str()),
            ("redirectUrl", registration.options.redirect_url.as_url().as_str()),
        ];
        form.extend(registration.options.parameters());
        match registration.initiator {
            Initiator::Customer => form.extend([
                ("serviceType", "B"),
                ("recurringType", "S"),
                ("recurringUse3DS", "true"),
            ]),
            // No 3-D Secure: the customer is absent, and issuers would decline it.
            Initiator::Merchant => form.extend([("serviceType", "M"), ("recurringType", "R")]),
        }
        form.push(("panHash", registration.pan_hash.expose()));
        self.send_registration(&registration.id.to_string(), &form).await
    }

    /// Reserves the registered amount on the card (`AUTH`).
    ///
    /// # Errors
    /// Fails with `Unclear` if the amount may or may not be reserved; then query the registration. Fails with `Refused` if it is
    /// not.
    pub async fn authorize(&self, id: RegistrationId) -> Result<Authorization, Failure> {
        authorization(self.process(Operation::Auth, id, &[]).await?)
    }

    /// Takes the reserved amount (`CAPTURE`). `amount` must be the whole registered amount: only then a repeated call takes
    /// nothing more.
    ///
    /// # Errors
    /// Fails with `Unclear` if the amount may or may not be taken; then query the registration. Fails with `Refused` if it is not.
    pub async fn capture(&self, id: RegistrationId, amount: Money) -> Result<Processed, Failure> {
        let amount = amount.minor().to_string();
        let form = [("transactionAmount", amount.as_str())];
        processed(Operation::Capture, self.process(Operation::Capture, id, &form).await?)
    }

    /// Releases the reserved amount (`ANNUL`). Not possible after CAPTURE.
    ///
    /// # Errors
    /// Fails with `Unclear` if the amount may or may not be released; then query the registration. Fails with `Refused` if it is
    /// not.
    pub async fn annul(&self, id: RegistrationId) -> Result<Processed, Failure> {
        processed(Operation::Annul, self.process(Operation::Annul, id, &[]).await?)
    }

    /// Queries what Nets knows of a registration. Returns `Authorized` with the registered amount, `Captured`, `Annulled`,
    /// `Cancelled`, `Pending`, or `NeverRegistered`, also if another order has this id. A decline is `Pending`: Nets shows only the
    /// latest error, which can be older than an AUTH that is still in progress.
    ///
    /// # Errors
    /// Fails with `Unclear` or `Refused`. In both cases the state is unknown.
    pub async fn query_charge(
        &self,
        id: RegistrationId,
        order_number: &str,
    ) -> Result<Reconciliation, Failure> {
        let reply = self.call(Operation::Query, &id.to_string(), &[]).await?;
        reconciliation(reply, order_number)
    }

    /// Calls `Process`. `transactionReconRef` names the operation in Nets' history.
    async fn process(
        &self,
        operation: Operation,
        id: RegistrationId,
        more: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let mut form = more.to_vec();
        form.push(("transactionReconRef", operation.name()));
        self.call(operation, &id.to_string(), &form).await
    }
}

/// The result of AUTH. Code 99 and unknown codes do not say whether the amount is reserved (payments.md §2.4).
fn authorization(reply: Reply) -> Result<Authorization, Failure> {
    match reply.class() {
        Some(ResponseClass::Accepted) => Ok(Authorization::Authorized),
        Some(ResponseClass::AlreadyProcessed) => Ok(Authorization::AlreadyProcessed),
        Some(ResponseClass::NoCard) => Ok(Authorization::NoCard),
        Some(ResponseClass::Cancelled) => Ok(Authorization::Cancelled),
        Some(ResponseClass::Declined(decline)) => {
            record_decline();
            Ok(Authorization::Declined(decline))
        }
        Some(ResponseClass::Undetermined | ResponseClass::Unclear) | None => {
            Err(Operation::Auth.failure(reply))
        }
    }
}

/// The result of CAPTURE or ANNUL.
fn processed(operation: Operation, reply: Reply) -> Result<Processed, Failure> {
    if is_wrong_state(&reply) {
        return Ok(Processed::Refused);
    }
    match reply.class() {
        Some(ResponseClass::Accepted) => Ok(Processed::Done),
        Some(ResponseClass::AlreadyProcessed) => Ok(Processed::Refused),
        Some(
            ResponseClass::NoCard
            | ResponseClass::Cancelled
            | ResponseClass::Declined(_)
            | ResponseClass::Undetermined
            | ResponseClass::Unclear,
        )
        | None => Err(operation.failure(reply)),
    }
}

fn is_wrong_state(reply: &Reply) -> bool {
    let is_wrong_state =
        |exception: &Exception| exception.is_wrong_state() || exception.is_unknown_transaction();
    match reply {
        Reply::Exception(exception) => is_wrong_state(exception),
        Reply::Registered { .. } | Reply::Processed(_) | Reply::PaymentInfo(_) => false,
    }
}

/// What a reply to Query says about the registration of an order.
fn reconciliation(reply: Reply, order_number: &str) -> Result<Reconciliation, Failure> {
    match reply {
        Reply::PaymentInfo(info) if info.order_number != order_number => {
            Ok(Reconciliation::NeverRegistered)
        }
        Reply::PaymentInfo(info) => charge_state(*info),
        Reply::Exception(exception) if exception.is_unknown_transaction() => {
            Ok(Reconciliation::NeverRegistered)
        }
        Reply::Registered { .. } | Reply::Processed(_) | Reply::Exception(_) => {
            Err(Operation::Query.failure(reply))
        }
    }
}

/// Money that was taken comes first, whatever else the reply says.
fn charge_state(info: PaymentInfo) -> Result<Reconciliation, Failure> {
    let amounts = info.amounts.map_err(|cause| Operation::Query.unclear(cause))?;
    Ok(if amounts.captured.minor() > 0 {
        let credited_minor = amounts.credited_minor;
        Reconciliation::Captured { captured: amounts.captured, credited_minor }
    } else if amounts.is_annulled {
        Reconciliation::Annulled
    } else if info.authorized {
        Reconciliation::Authorized(amounts.registered)
    } else if info.cancelled {
        Reconciliation::Cancelled
    } else {
        Reconciliation::Pending
    })
}

/// Interprets a reply as one to Query. Used by `fuzz/`.
#[cfg(feature = "fuzz")]
pub(super) fn interpret_for_fuzzing(reply: Reply) {
    drop(reconciliation(reply, "114704-1795428000000"));
}

#[cfg(test)]
#[path = "charge_tests.rs"]
mod tests;
