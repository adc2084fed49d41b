//! The sandbox's ledger: what Nets did with the registrations of payments.

use local::netaxept::Netaxept;
use serde_json::Value;

use crate::order::payments::operation::RegistrationId;

/// One registration at Nets. Amounts are minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// Nets' id.
    pub id: RegistrationId,
    /// The registered amount.
    pub amount: u64,
    /// Whether the amount was reserved on the card.
    pub is_authorized: bool,
    /// Whether the reserved amount was released.
    pub is_annulled: bool,
    /// How often money was captured.
    pub captures: u64,
    /// The captured sum.
    pub captured: u64,
    /// The credited sum.
    pub credited: u64,
}

impl Registration {
    /// The amount that is reserved, and neither captured nor released.
    #[must_use]
    pub fn held(&self) -> u64 {
        let is_held = self.is_authorized && !self.is_annulled;
        if is_held { self.amount.saturating_sub(self.captured) } else { 0 }
    }

    /// The amount that was released.
    #[must_use]
    pub fn annulled(&self) -> u64 {
        if self.is_annulled { self.amount } else { 0 }
    }

    fn read(transaction: &Value) -> Option<Self> {
        let id = RegistrationId::parse(transaction["transactionId"].as_str()?)?;
        let data = &transaction["transaction"];
        let number = |name: &str| data[name].as_u64().unwrap_or_default();
        Some(Self {
            id,
            amount: number("amountMinor"),
            is_authorized: data["authorized"] == true,
            is_annulled: data["annulled"] == true,
            captures: data["done"]["CAPTURE"].as_u64().unwrap_or_default(),
            captured: number("capturedMinor"),
            credited: number("creditedMinor"),
        })
    }
}

/// The registrations of all payments. Terminal sessions of card setups are not included.
pub(crate) fn registrations(nets: &Netaxept) -> Vec<Registration> {
    let transactions = nets.transactions();
    transactions.as_array().into_iter().flatten().filter_map(Registration::read).collect()
}
