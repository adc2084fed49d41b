//! Opens the terminals of payments: stores the registration first, then registers it at Nets.

use chrono::{DateTime, Utc};
use url::Url;

use super::netaxept;
use super::payments::active_card;
use crate::config::{CallbackAddresses, Environment, MerchantInitiatedCards};
use crate::domain::caller::Caller;
use crate::domain::id::{PaymentTransactionId, RecurringPaymentId, RegistrationId};
use crate::domain::payment::{
    Initiator, NewRegistration, OpenedRegistration, Payment, Reconciliation, Transaction,
};
use crate::domain::terminal::Terminal;
use crate::domain::text::CallbackUrl;
use crate::domain::wallet::StoredCard;
use crate::error::{Cause, Error, PaymentRefusal, Violation};
use crate::netaxept::{ChargeRegistration, Netaxept, Registered, TerminalOptions};
use crate::notify;
use crate::secrets::Secrets;
use crate::storage::{LoadedPayment, PaymentKey, PaymentStore, Store};

/// The state of the function that opens the terminals of payments.
pub struct PaymentTerminals {
    /// The payments.
    pub payments: PaymentStore,
    wallets: Store,
    netaxept: Netaxept,
    merchant_initiated: MerchantInitiatedCards,
    addresses: CallbackAddresses,
}

/// A terminal that is registered at Nets.
pub struct OpenedTerminal {
    /// The transaction to pay.
    pub transaction_id: PaymentTransactionId,
    /// The recurring payment whose card is charged.
    pub recurring_payment_id: RecurringPaymentId,
    /// The address for the customer. Without the customer (`MIT_UCOF`), the redirect address of the request.
    pub uri: Url,
    /// Until when the transaction can be authorized with this terminal.
    pub expires_at: DateTime<Utc>,
}

impl PaymentTerminals {
    /// Reads the configuration from the environment and fetches Nets' token.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, if the token cannot be fetched, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let merchant_initiated = MerchantInitiatedCards::read(environment)?;
        let addresses = CallbackAddresses::read(environment)?;
        let (sdk, secrets) = Secrets::start(environment)?;
        let (payments, wallets) = PaymentStore::with_wallets(environment, &sdk).await?;
        let netaxept = netaxept(environment, &secrets).await?;
        Ok(Self { payments, wallets, netaxept, merchant_initiated, addresses })
    }

    /// Parses and checks a caller's `callbackUrl`.
    ///
    /// # Errors
    /// Fails if the text is not an address that notifications may be sent to.
    pub fn callback_url(&self, text: &str) -> Result<CallbackUrl, Violation> {
        notify::callback_url(text, self.addresses)
    }

    /// Opens a terminal for a transaction. A charge of the merchant (`MIT_UCOF`) needs no page, and a repeated request uses the same
    /// registration. With `autoSale`, so does a repeated request for the customer.
    ///
    /// # Errors
    /// Fails with `CardNotActive` if the recurring payment is not ACTIVE; with `NoAgreement`; with another refusal of the payment;
    /// with an error of the store; or with `Unavailable` if Nets does not confirm the registration. In the last two cases a retry is
    /// safe.
    pub async fn open(
        &self,
        caller: &Caller,
        id: PaymentTransactionId,
        terminal: NewRegistration,
        options: &TerminalOptions,
        now: DateTime<Utc>,
    ) -> Result<OpenedTerminal, Error> {
        let key = PaymentKey::Caller(caller, id.payment_id());
        let loaded = self.payments.load(key, now).await?;
        let transaction = loaded.payment.transaction(id)?;
        let recurring_payment_id = transaction.charge.recurring_payment_id;
        let is_live = transaction.is_live();
        let card = match active_card(&self.wallets, &loaded.payment, id, now).await? {
            Some(card) => card,
            None if is_live => return Err(self.cancel_without_card(loaded, key, id, now).await),
            None => return Err(refusal_if_over(&loaded.payment, id)),
        };
        if terminal.initiator == Initiator::Merchant {
            self.check_agreement(&card)?;
        }
        let opened = self
            .payments
            .change_loaded(loaded, key, now, |payment| payment.open_terminal(id, terminal.clone()))
            .await?;
        let payment = opened.loaded.payment;
        self.register(&payment, opened.outcome, &card, &terminal, options).await?;
        let registration = payment.registration(opened.outcome.id);
        let opened_at = registration.map_or(now, |registration| registration.opened_at);
        let (uri, expires_at) = match terminal.initiator {
            Initiator::Customer => (
                self.netaxept.charge_terminal_uri(opened.outcome.id),
                opened_at + Terminal::LIFETIME,
            ),
            Initiator::Merchant => {
                (options.redirect_url.as_url().clone(), opened_at + Transaction::TIMEOUT)
            }
        };
        Ok(OpenedTerminal { transaction_id: id, recurring_payment_id, uri, expires_at })
    }

    /// Only cards whose customers agreed are charged without the customer, unless the operator decides otherwise.
    fn check_agreement(&self, card: &StoredCard) -> Result<(), PaymentRefusal> {
        match self.merchant_initiated {
            MerchantInitiatedCards::Any => Ok(()),
            MerchantInitiatedCards::Agreed if card.allows_merchant_initiated => Ok(()),
            MerchantInitiatedCards::Agreed => Err(PaymentRefusal::NoAgreement),
        }
    }

    /// Cancels a transaction whose recurring payment is not ACTIVE any more. Returns the refusal for the caller.
    async fn cancel_without_card(
        &self,
        loaded: LoadedPayment,
        key: PaymentKey<'_>,
        id: PaymentTransactionId,
        now: DateTime<Utc>,
    ) -> Error {
        let cancelled = self
            .payments
            .change_loaded(loaded, key, now, |payment| payment.cancel_without_card(id));
        match cancelled.await {
            Ok(cancelled) => refusal_if_over(&cancelled.loaded.payment, id),
            Err(error) => error,
        }
    }

    /// Registers a charge at Nets. A registration that was sent before is queried first.
    async fn register(
        &self,
        payment: &Payment,
        opened: OpenedRegistration,
        card: &StoredCard,
        terminal: &NewRegistration,
        options: &TerminalOptions,
    ) -> Result<(), Error> {
        if !opened.is_new && self.is_registered(payment, opened.id).await? {
            return Ok(());
        }
        let registration = ChargeRegistration {
            id: opened.id,
            order_number: &payment.order_number(),
            amount: payment.transaction(opened.id.transaction)?.charge.amount,
            pan_hash: &card.pan_hash,
            initiator: terminal.initiator,
            auto_auth: terminal.auto_sale && terminal.initiator == Initiator::Customer,
            options,
        };
        let failure = match self.netaxept.register_charge(&registration).await {
            Ok(Registered::Yes) => return Ok(()),
            Ok(Registered::IdTaken) => None,
            Err(failure) => Some(failure),
        };
        match (self.is_registered(payment, opened.id).await, failure) {
            (Ok(true), _) => Ok(()),
            (_, Some(failure)) => Err(failure.into()),
            (Err(error), None) => Err(error),
            (Ok(false), None) => Err(Error::Unavailable {
                what: "Netaxept",
                cause: "the transaction id belongs to another transaction".into(),
            }),
        }
    }

    async fn is_registered(&self, payment: &Payment, id: RegistrationId) -> Result<bool, Error> {
        match self.netaxept.query_charge(id, &payment.order_number(), false).await? {
            Reconciliation::NeverRegistered => Ok(false),
            Reconciliation::Authorized(_)
            | Reconciliation::Captured { .. }
            | Reconciliation::Annulled
            | Reconciliation::Declined(_)
            | Reconciliation::Cancelled
            | Reconciliation::NoCard
            | Reconciliation::Pending => Ok(true),
            Reconciliation::Unclear => Err(Error::Unavailable {
                what: "Netaxept",
                cause: "the registration is not confirmed".into(),
            }),
        }
    }
}

/// The refusal of a terminal for a transaction that is captured or over.
fn refusal_if_over(payment: &Payment, id: PaymentTransactionId) -> Error {
    payment.check_captured(id).err().unwrap_or(PaymentRefusal::AlreadyCaptured).into()
}
