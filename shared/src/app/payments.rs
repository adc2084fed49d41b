//! Creates the payments of orders.

use chrono::{DateTime, Utc};

use crate::config::{Environment, charge_currency};
use crate::domain::caller::Caller;
use crate::domain::id::{PaymentTransactionId, RecurringPaymentId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Order, OrderId, OrderVersion};
use crate::domain::owner::Owner;
use crate::domain::payment::{Charge, ChargedCard, Payment};
use crate::domain::wallet::StoredCard;
use crate::error::{Cause, Error, PaymentRefusal, Refusal};
use crate::storage::{CreatedPayment, PaymentStore, Store, WalletKey};

/// The state of the function that creates payments.
pub struct Payments {
    /// The payments.
    pub store: PaymentStore,
    /// The currency of all charges.
    pub currency: Currency,
    wallets: Store,
}

/// A payment to create.
pub struct NewPayment {
    /// The id of the order.
    pub order_id: OrderId,
    /// The version of the order.
    pub order_version: OrderVersion,
    /// The amount to charge, which is the total of the order.
    pub amount: Money,
    /// The recurring payment whose card is charged.
    pub recurring_payment_id: RecurringPaymentId,
}

impl Payments {
    /// Reads the configuration from the environment.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let currency = charge_currency(environment)?;
        let (store, wallets) = PaymentStore::start_with_wallets(environment).await?;
        Ok(Self { store, currency, wallets })
    }

    /// Creates a payment with its first transaction. If the order already has a payment with the same facts, returns that one. After
    /// a transaction that is over, a new transaction begins. Nets is not called.
    ///
    /// # Errors
    /// Fails with `NotFound` of the wallet if the caller has no such recurring payment, with `CardNotActive` if it is not ACTIVE,
    /// with a refusal of the payment, or with an error of the store.
    pub async fn create(
        &self,
        caller: &Caller,
        new: NewPayment,
        now: DateTime<Utc>,
    ) -> Result<CreatedPayment, Error> {
        let id = new.recurring_payment_id;
        let wallet = self.wallets.load(WalletKey::Payment(caller, id), now).await?.wallet;
        let order = Order {
            organisation: caller.organisation,
            id: new.order_id,
            version: new.order_version,
        };
        let charge = Charge { amount: new.amount, recurring_payment_id: id };
        match wallet.stored_card(id)? {
            Some(stored) => {
                let card = ChargedCard {
                    payment_type: stored.card.payment_type,
                    last_four: stored.card.last_four,
                };
                self.store.create(order, wallet.owner(), charge, card, now).await
            }
            None => self.existing(&order, wallet.owner(), &charge, now).await,
        }
    }

    /// The payment of an order whose card is not ACTIVE any more: a create whose response was lost can be repeated.
    async fn existing(
        &self,
        order: &Order,
        owner: Owner,
        charge: &Charge,
        now: DateTime<Utc>,
    ) -> Result<CreatedPayment, Error> {
        let found = self.store.find(order, now).await?.map(|loaded| loaded.payment);
        found
            .filter(|payment| is_paid_by(payment, owner, charge))
            .map(|payment| CreatedPayment { payment, is_new: false })
            .ok_or_else(|| PaymentRefusal::CardNotActive.into())
    }
}

/// The card that a transaction charges. `None` if its recurring payment is not ACTIVE as of `now`, or does not exist any more.
///
/// # Errors
/// Fails with `NotFound` if there is no such transaction, and with an error of the store.
pub(super) async fn active_card(
    wallets: &Store,
    payment: &Payment,
    id: PaymentTransactionId,
    now: DateTime<Utc>,
) -> Result<Option<StoredCard>, Error> {
    let id = payment.transaction(id)?.charge.recurring_payment_id;
    let key = WalletKey::Owner(payment.contents().owner, id);
    match wallets.load(key, now).await {
        Ok(loaded) => Ok(loaded.wallet.stored_card(id).unwrap_or_default()),
        Err(Error::Refused(Refusal::NotFound)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_paid_by(payment: &Payment, owner: Owner, charge: &Charge) -> bool {
    let mut transactions = payment.history().map(|(_, transaction)| transaction);
    payment.contents().owner == owner
        && transactions.any(|one| one.charge == *charge && one.blocks_order())
}
