//! Finds the payment of an order. If another order has its id, the next id of the order is tried (payments.md §4.5).

use chrono::{DateTime, Utc};

use super::MAX_PROBES;
use super::change::{Aggregate, Loaded, MAX_ATTEMPTS, new_write_id};
use super::payment_item::PaymentItem;
use super::payments::{PaymentStore, open_for_order};
use super::table::{PutOutcome, unavailable};
use crate::domain::id::PaymentId;
use crate::domain::order::Order;
use crate::domain::owner::OrderHash;
use crate::domain::payment::Payment;
use crate::error::Error;

/// The result of a search for the payment of an order.
pub(super) struct Search {
    /// The payment of the order.
    pub(super) found: Option<Loaded<Payment>>,
    /// The id that the payment of the order gets, if there is none yet.
    free: Option<PaymentId>,
    /// The payments of other orders that have the first ids of the order.
    others: Vec<PaymentItem>,
}

impl PaymentStore {
    /// Loads the payment of an order. If there is none, returns a new one, at the first id that no other order has. Until that one is
    /// forgotten, the payments before it must not be deleted: otherwise a search would end there.
    pub(super) async fn load_or_new(
        &self,
        order: &Order,
        hash: OrderHash,
        now: DateTime<Utc>,
        new: impl Fn(PaymentId) -> Loaded<Payment>,
    ) -> Result<Loaded<Payment>, Error> {
        let search = self.search(order, hash, now).await?;
        if let Some(loaded) = search.found {
            return Ok(loaded);
        }
        for other in search.others {
            self.keep(other).await?;
        }
        search.free.map(new).ok_or_else(|| Error::Internal {
            what: "there is no free id for the payment",
            cause: "every probed id belongs to another order".into(),
        })
    }

    /// Finds the payment of an order, and the first id that no payment has.
    pub(super) async fn search(
        &self,
        order: &Order,
        hash: OrderHash,
        now: DateTime<Utc>,
    ) -> Result<Search, Error> {
        let mut search = Search { found: None, free: None, others: Vec::new() };
        for id in (0..MAX_PROBES).map(|probe| self.id_key.payment_id(order, probe)) {
            match self.get(id).await? {
                None => {
                    search.free = Some(id);
                    return Ok(search);
                }
                Some(item) if item.order_hash() == hash => {
                    search.found = open_for_order(hash, item, now)?;
                    return Ok(search);
                }
                Some(item) => search.others.push(item),
            }
        }
        Ok(search)
    }

    /// Stores that a payment is never deleted.
    async fn keep(&self, item: PaymentItem) -> Result<(), Error> {
        let mut current = Some(item);
        for _ in 0..MAX_ATTEMPTS {
            let Some(item) = current.take().filter(|item| !item.is_kept()) else { return Ok(()) };
            let (id, replaces) = (item.id()?, Payment::version(&item));
            let kept = Payment::write(&item.kept(new_write_id()))?;
            current = match self.payments.put(kept, Some(replaces)).await {
                PutOutcome::Written => return Ok(()),
                PutOutcome::Conflict(Some(winner), _) => Some(Payment::read(winner)?),
                PutOutcome::Conflict(None, _) => self.get(id).await?,
                PutOutcome::Uncertain(cause) => return Err(unavailable(cause)),
            };
        }
        Err(Error::Busy { attempts: MAX_ATTEMPTS })
    }
}
