//! The card of a recurring payment, for a charge.

use super::Wallet;
use crate::domain::card::Card;
use crate::domain::id::RecurringPaymentId;
use crate::domain::recurring_payment::State;
use crate::error::Refusal;
use crate::secret::Secret;

/// A stored card that can be charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    /// Nets' token for the card.
    pub pan_hash: Secret,
    /// The card data that callers see.
    pub card: Card,
    /// Whether the customer agreed to charges by the merchant (`MIT_UCOF`).
    pub allows_merchant_initiated: bool,
}

impl Wallet {
    /// Returns the card of a recurring payment, or `None` if it is not ACTIVE.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn stored_card(&self, id: RecurringPaymentId) -> Result<Option<StoredCard>, Refusal> {
        match &self.contents.payments[self.find(id)?].state {
            State::Active { registration, pan_hash, .. } => Ok(Some(StoredCard {
                pan_hash: pan_hash.clone(),
                card: registration.card.clone(),
                allows_merchant_initiated: registration.allows_merchant_initiated,
            })),
            State::Created { .. } | State::Expired { .. } | State::Cancelled { .. } => Ok(None),
        }
    }
}
