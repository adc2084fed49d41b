//! Charging a stored card: a registration with the card's pan hash, then AUTH, then CAPTURE or ANNUL, and after CAPTURE credits.
//!
//! Nets carries out AUTH, CAPTURE of the whole amount, and ANNUL at most once for a registration (payments.md §2.2). So a repeated
//! or a late call never takes money twice. A repeated CREDIT of a part does give money back twice, so each CREDIT has a reference,
//! which Nets' history shows. Of a reply that is not clear, only [`Netaxept::query_charge`] tells what happened.

use url::Url;

use super::wire::{Exception, PaymentInfo, Reply, ResponseClass, credit_reference};
use super::{Failure, Netaxept, Operation, Registered, TerminalOptions, record_decline};
use crate::domain::id::RegistrationId;
use crate::domain::money::Money;
use crate::domain::payment::{CreditRequest, Initiator, Reconciliation};
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
    /// Whether Nets authorizes the charge by itself when the customer has confirmed it at the terminal page (`autoAuth`). Ignored for
    /// a merchant's charge: without a page, Nets would authorize it at the registration.
    pub auto_auth: bool,
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

/// The result of CAPTURE, CREDIT or ANNUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Processed {
    /// Nets has carried it out.
    Done,
    /// Nets has not carried it out, because the registration is in another state: for example, it was done before, or there is less
    /// to credit. Query it.
    Refused,
}

impl Netaxept {
    /// The address of the terminal page, where the customer confirms a charge of the stored card.
    #[must_use]
    pub fn charge_terminal_uri(&self, id: RegistrationId) -> Url {
        self.page_uri(&id.to_string())
    }

    /// Registers a charge of a stored card (payments.md §2.1). No money is reserved or taken by this call.
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
            Initiator::Customer => {
                form.extend([
                    ("serviceType", "B"),
                    ("recurringType", "S"),
                    ("recurringUse3DS", "true"),
                ]);
                form.extend(registration.auto_auth.then_some(("autoAuth", "true")));
            }
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
        authorization(self.process(Operation::Auth, id, None, &[]).await?)
    }

    /// Takes the reserved amount (`CAPTURE`). `amount` must be the whole registered amount: only then a repeated call takes
    /// nothing more.
    ///
    /// # Errors
    /// Fails with `Unclear` if the amount may or may not be taken; then query the registration. Fails with `Refused` if it is not.
    pub async fn capture(&self, id: RegistrationId, amount: Money) -> Result<Processed, Failure> {
        let amount = amount.minor().to_string();
        let form = [("transactionAmount", amount.as_str())];
        processed(Operation::Capture, self.process(Operation::Capture, id, None, &form).await?)
    }

    /// Gives a part of the captured amount back to the customer (`CREDIT`), with a reference that names the target. The amount must
    /// be more than zero. A repeated call gives back as much again: before a repetition, query the registration.
    ///
    /// # Errors
    /// Fails with `Unclear` if the amount may or may not be credited, and with `Refused` if it is not. An issuer's decline and each
    /// response code except success are unclear: only for a few messages is it known that Nets has not credited (netaxept.md §4.3).
    pub async fn credit(&self, credit: &CreditRequest) -> Result<Processed, Failure> {
        let (operation, amount) = (Operation::Credit, credit.amount.minor().to_string());
        let reference = credit_reference(credit.target_minor);
        let form = [("transactionAmount", amount.as_str())];
        processed(operation, self.process(operation, credit.id, Some(&reference), &form).await?)
    }

    /// Releases the reserved amount (`ANNUL`). Not possible after CAPTURE.
    ///
    /// # Errors
    /// Fails with `Unclear` if the amount may or may not be released; then query the registration. Fails with `Refused` if it is
    /// not.
    pub async fn annul(&self, id: RegistrationId) -> Result<Processed, Failure> {
        processed(Operation::Annul, self.process(Operation::Annul, id, None, &[]).await?)
    }

    /// Queries what Nets knows of a registration. Returns `Authorized` with the registered amount, `Captured`, `Annulled`,
    /// `Cancelled`, `Declined`, `Pending`, or `NeverRegistered`, also if another order has this id.
    ///
    /// Nets shows only the latest error, which can be older than an AUTH that is still in progress. So a decline is `Pending`, except
    /// for a registration with `is_auto_auth`: only Nets' own AUTH can be the reason of its decline.
    ///
    /// # Errors
    /// Fails with `Unclear` or `Refused`. In both cases the state is unknown.
    pub async fn query_charge(
        &self,
        id: RegistrationId,
        order_number: &str,
        is_auto_auth: bool,
    ) -> Result<Reconciliation, Failure> {
        let reply = self.call(Operation::Query, &id.to_string(), &[]).await?;
        reconciliation(reply, order_number, is_auto_auth)
    }

    /// Calls `Process`. In Nets' history, `transactionReconRef` is the reference, else the name of the operation.
    async fn process(
        &self,
        operation: Operation,
        id: RegistrationId,
        reference: Option<&str>,
        more: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let mut form = more.to_vec();
        form.push(("transactionReconRef", reference.unwrap_or(operation.name())));
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

/// The result of CAPTURE, CREDIT or ANNUL. For CREDIT, "already processed" is not clear: the same credit may have been carried out.
fn processed(operation: Operation, reply: Reply) -> Result<Processed, Failure> {
    if is_wrong_state(operation, &reply) {
        return Ok(Processed::Refused);
    }
    match reply.class() {
        Some(ResponseClass::Accepted) => Ok(Processed::Done),
        Some(ResponseClass::AlreadyProcessed) if operation != Operation::Credit => {
            Ok(Processed::Refused)
        }
        Some(
            ResponseClass::AlreadyProcessed
            | ResponseClass::NoCard
            | ResponseClass::Cancelled
            | ResponseClass::Declined(_)
            | ResponseClass::Undetermined
            | ResponseClass::Unclear,
        )
        | None => Err(operation.failure(reply)),
    }
}

fn is_wrong_state(operation: Operation, reply: &Reply) -> bool {
    let is_wrong_state = |exception: &Exception| {
        if operation == Operation::Credit {
            exception.is_not_credited()
        } else {
            exception.is_wrong_state()
        }
    };
    match reply {
        Reply::Exception(exception) => {
            is_wrong_state(exception) || exception.is_unknown_transaction()
        }
        Reply::Registered { .. } | Reply::Processed(_) | Reply::PaymentInfo(_) => false,
    }
}

/// What a reply to Query says about the registration of an order.
fn reconciliation(
    reply: Reply,
    order_number: &str,
    is_auto_auth: bool,
) -> Result<Reconciliation, Failure> {
    match reply {
        Reply::PaymentInfo(info) if info.order_number != order_number => {
            Ok(Reconciliation::NeverRegistered)
        }
        Reply::PaymentInfo(info) => charge_state(*info, is_auto_auth),
        Reply::Exception(exception) if exception.is_unknown_transaction() => {
            Ok(Reconciliation::NeverRegistered)
        }
        Reply::Registered { .. } | Reply::Processed(_) | Reply::Exception(_) => {
            Err(Operation::Query.failure(reply))
        }
    }
}

/// Money that was taken comes first, whatever else the reply says.
fn charge_state(info: PaymentInfo, is_auto_auth: bool) -> Result<Reconciliation, Failure> {
    let amounts = info.amounts.map_err(|cause| Operation::Query.unclear(cause))?;
    Ok(if amounts.captured.minor() > 0 {
        Reconciliation::Captured {
            captured: amounts.captured,
            credited_minor: amounts.credited_minor,
            credited_target: amounts.credited_target,
        }
    } else if amounts.is_annulled {
        Reconciliation::Annulled
    } else if info.authorized {
        Reconciliation::Authorized(amounts.registered)
    } else if info.latest_error.is_cancelled() {
        Reconciliation::Cancelled
    } else if let Some(decline) = is_auto_auth.then(|| info.latest_error.decline()).flatten() {
        record_decline();
        Reconciliation::Declined(decline)
    } else {
        Reconciliation::Pending
    })
}

/// Interprets a reply as one to Query. Used by `fuzz/`.
#[cfg(feature = "fuzz")]
pub(super) fn interpret_for_fuzzing(reply: Reply) {
    drop(reconciliation(reply, "114704-1795428000000", true));
}

#[cfg(test)]
#[path = "auto_auth_tests.rs"]
mod auto_auth_tests;
#[cfg(test)]
#[path = "credit_tests.rs"]
mod credit_tests;
#[cfg(test)]
#[path = "decline_log_tests.rs"]
mod decline_log_tests;
#[cfg(test)]
#[path = "charge_tests.rs"]
mod tests;
