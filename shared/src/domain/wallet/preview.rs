//! Dry runs: what a change would do.

use super::Wallet;
use crate::domain::id::RecurringPaymentId;
use crate::domain::recurring_payment::View;
use crate::error::Refusal;

/// What a change would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The recurring payment as it would be after the change.
    pub view: View,
    /// The recurring payment that would be primary after the change.
    pub primary: Option<RecurringPaymentId>,
}

impl Wallet {
    /// Makes the decision of a change on a copy of the wallet that is never stored.
    ///
    /// # Errors
    /// Fails with the refusal of `decide`.
    pub fn preview(
        mut self,
        decide: impl FnOnce(&mut Self) -> Result<View, Refusal>,
    ) -> Result<Preview, Refusal> {
        Ok(Preview { view: decide(&mut self)?, primary: self.primary_id() })
    }
}
