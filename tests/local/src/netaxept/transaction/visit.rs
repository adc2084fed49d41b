//! What a visit to the terminal leaves behind, whichever way the card is given.

use jiff::Timestamp;

use super::{Card, Transaction, registration};

impl Transaction {
    /// Whether the customer may come to the terminal at all.
    pub(in crate::netaxept) fn has_terminal(&self) -> bool {
        !registration::is_windowless(&self.parameters)
    }

    /// Whether the merchant's own page posts the card.
    pub(in crate::netaxept) fn takes_posted_card(&self) -> bool {
        registration::is_hosted_by_merchant(&self.parameters)
    }

    /// The card of a pan hash whose security code is still to be entered.
    pub(in crate::netaxept) fn stored(&self) -> Option<&Card> {
        self.stored.as_ref()
    }

    /// The card of this pan hash, if it was given for this transaction.
    pub(in crate::netaxept) fn card_of(&self, pan_hash: &str) -> Option<&Card> {
        self.card.as_ref().filter(|_| self.pan_hash.as_deref() == Some(pan_hash))
    }

    /// The customer comes, with a browser; the first time counts.
    pub(in crate::netaxept) fn arrive(&mut self, user_agent: &str, now: Timestamp) {
        if self.arrived_at.is_none() {
            self.arrived_at = Some(now);
            self.browser = browser(user_agent);
        }
    }

    /// The card that was posted is not fit for use: the visit is over.
    pub(in crate::netaxept) fn reject(&mut self, faults: &str, now: Timestamp) {
        self.rejected = true;
        self.fail(now, "Terminal", "30", "Terminal", faults);
    }

    /// The customer goes back to the shop.
    pub(in crate::netaxept) fn leave(&mut self, now: Timestamp) {
        self.redirected_at = Some(now);
    }

    /// How many attempts failed so far.
    pub(in crate::netaxept) fn failures(&self) -> usize {
        self.errors.len()
    }

    /// What the shop is told of the last failed attempt.
    pub(in crate::netaxept) fn last_code(&self) -> &str {
        match self.errors.last() {
            Some(failure) if failure.code == "17" => "Cancel",
            Some(failure) if self.rejected => &failure.text,
            Some(failure) => &failure.code,
            None => "OK",
        }
    }

    /// Whether something happened to it since the last call of this.
    pub(in crate::netaxept) fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}

/// As Nets names it: a family, and all that the browser said.
fn browser(user_agent: &str) -> String {
    let families = ["Firefox", "Chrome", "Safari"];
    let family = families.into_iter().find(|family| user_agent.contains(family));
    format!("{}-{user_agent}", family.unwrap_or("Unknown"))
}
