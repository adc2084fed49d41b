//! A stored card at the sandbox, and charges of it.

use local::clock::Clock;
use local::netaxept as sandbox;
use reqwest::StatusCode;
use serde_json::Value;
use shared::domain::id::{Attempt, PaymentId, PaymentTransactionId, RegistrationId};
use shared::domain::money::{Currency, Money};
use shared::domain::payment::{CreditRequest, Initiator, Reconciliation};
use shared::netaxept::{
    Authorization, ChargeRegistration, Failure, Netaxept, Processed, Progress, Registered,
    TerminalOptions, Verification,
};
use shared::secret::Secret;

use crate::{client, options, session};

pub(crate) const VISA: &str = "4925000000000004";
pub(crate) const ORDER: &str = "DW2N19A6";
/// 100.00 NOK.
pub(crate) const PRICE: u64 = 10_000;

/// The state of a charge of [`PRICE`] after AUTH.
pub(crate) const AUTHORIZED: Reconciliation = Reconciliation::Authorized(nok(PRICE));
/// The state of a charge of [`PRICE`] after CAPTURE.
pub(crate) const CAPTURED: Reconciliation =
    Reconciliation::Captured { captured: nok(PRICE), credited_minor: 0, credited_target: None };

/// A valid security code.
const CODE: [(&str, &str); 1] = [("securityCode", "123")];

pub(crate) const fn nok(minor: u64) -> Money {
    Money::new(minor, Currency::Nok)
}

/// A credit in minor units, and its target.
pub(crate) fn credit(id: RegistrationId, minor: u64, target_minor: u64) -> CreditRequest {
    CreditRequest { id, amount: nok(minor), target_minor }
}

/// The id of a registration: index 0 to 15.
pub(crate) fn registration_id(index: usize) -> RegistrationId {
    let transaction =
        PaymentTransactionId::new(PaymentId::from_bits(7171), Attempt::try_from(0_usize).unwrap());
    RegistrationId { transaction, number: Attempt::try_from(index).unwrap() }
}

/// A client with a stored card.
pub(crate) struct Charging {
    pub(crate) sandbox: sandbox::Netaxept,
    pub(crate) address: String,
    pub(crate) clock: Clock,
    pub(crate) netaxept: Netaxept,
    pub(crate) pan_hash: Secret,
    options: TerminalOptions,
}

impl Charging {
    /// Stores a card, which expires in March 2029.
    pub(crate) async fn with_card(number: &str) -> Self {
        let clock = Clock::default();
        let (sandbox, address) = sandbox::Netaxept::start(0, clock.clone()).await.unwrap();
        let netaxept = client(&address, sandbox::TOKEN);
        let session = session(1);
        assert_eq!(netaxept.register(&session, &options()).await.unwrap(), Registered::Yes);
        let uri = netaxept.terminal_uri(session.transaction_id);
        let form = [("cardNo", number), ("month", "03"), ("year", "29"), ("okButton", "Pay")];
        let page = post(uri.clone(), &[&form[..], &CODE].concat()).await;
        if page.status() == StatusCode::OK {
            // Some cards have a 3-D Secure step.
            post(uri, &[("acceptButton", "x")]).await;
        }
        assert_eq!(netaxept.verify(&session).await.unwrap(), Verification::Verified);
        let Progress::Verified(card) = netaxept.query(&session).await.unwrap() else {
            panic!("not verified")
        };
        let pan_hash = card.pan_hash;
        Self { sandbox, address, clock, netaxept, pan_hash, options: options() }
    }

    pub(crate) fn charge(
        &self,
        id: RegistrationId,
        minor: u64,
        initiator: Initiator,
    ) -> ChargeRegistration<'_> {
        ChargeRegistration {
            id,
            order_number: ORDER,
            amount: nok(minor),
            pan_hash: &self.pan_hash,
            initiator,
            auto_auth: false,
            options: &self.options,
        }
    }

    /// Registers a charge and returns its id.
    pub(crate) async fn register(
        &self,
        index: usize,
        minor: u64,
        initiator: Initiator,
    ) -> RegistrationId {
        let id = registration_id(index);
        let registered = self.netaxept.register_charge(&self.charge(id, minor, initiator)).await;
        assert_eq!(registered.unwrap(), Registered::Yes);
        id
    }

    /// Registers a charge without a page, and authorizes it.
    pub(crate) async fn authorized(&self, index: usize) -> RegistrationId {
        let id = self.register(index, PRICE, Initiator::Merchant).await;
        let authorized = self.netaxept.authorize(id).await.unwrap();
        assert_eq!(authorized, Authorization::Authorized);
        id
    }

    pub(crate) async fn query(&self, id: RegistrationId) -> Reconciliation {
        self.netaxept.query_charge(id, ORDER, false).await.unwrap()
    }

    /// Registers a charge without a page, authorizes it and captures it.
    pub(crate) async fn captured(&self, index: usize) -> RegistrationId {
        let id = self.authorized(index).await;
        let captured = self.netaxept.capture(id, nok(PRICE)).await.unwrap();
        assert_eq!(captured, Processed::Done);
        id
    }

    /// Presses a button of the terminal page, with a valid security code. Returns the address that the page redirects to, or the
    /// page.
    pub(crate) async fn press(&self, id: RegistrationId, button: &str) -> String {
        let uri = self.netaxept.charge_terminal_uri(id);
        let page = post(uri, &[&CODE[..], &[(button, "x")]].concat()).await;
        match page.headers().get("location") {
            Some(location) => location.to_str().unwrap().to_owned(),
            None => page.text().await.unwrap(),
        }
    }

    /// The transaction at the sandbox, as JSON.
    pub(crate) fn transaction(&self, id: RegistrationId) -> Value {
        let transactions = self.sandbox.transactions();
        let is_it = |one: &&Value| one["transactionId"] == id.to_string();
        transactions.as_array().unwrap().iter().find(is_it).unwrap()["transaction"].clone()
    }
}

async fn post(uri: url::Url, form: &[(&str, &str)]) -> reqwest::Response {
    local::http_client().unwrap().post(uri).form(form).send().await.unwrap()
}

pub(crate) fn is_unclear<T>(result: &Result<T, Failure>) -> bool {
    matches!(result, Err(Failure::Unclear { .. }))
}

pub(crate) fn is_refused<T>(result: &Result<T, Failure>) -> bool {
    matches!(result, Err(Failure::Refused { .. }))
}
