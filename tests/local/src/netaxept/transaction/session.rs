//! The effects of a terminal session on a transaction.

use jiff::Timestamp;

use super::{Authentication, Card, Step, Transaction, registration};

impl Transaction {
    /// Whether the transaction has a terminal.
    pub(in crate::netaxept) fn has_terminal(&self) -> bool {
        !registration::has_no_terminal(&self.parameters)
    }

    /// Whether a page of the merchant posts the card.
    pub(in crate::netaxept) fn accepts_posted_card(&self) -> bool {
        registration::has_merchant_page(&self.parameters)
    }

    /// Returns the known card, for which the customer must still enter the security code.
    pub(in crate::netaxept) fn stored_card(&self) -> Option<&Card> {
        self.stored_card.as_ref()
    }

    /// Returns the transaction's card if this transaction has stored it with this pan hash. Later charges do not count, because
    /// the buttons of the page can change their card.
    pub(in crate::netaxept) fn card_for(&self, pan_hash: &str) -> Option<&Card> {
        let has_stored = !self.parameters.contains_key("panhash");
        self.card.as_ref().filter(|_| has_stored && self.pan_hash.as_deref() == Some(pan_hash))
    }

    /// Records that the customer has passed 3-D Secure with a card.
    pub(in crate::netaxept) fn enter_authenticated_card(&mut self, card: Card, now: Timestamp) {
        self.enter_card(card, now);
        self.authentication = Authentication::Passed;
    }

    /// Opens the page again for the same card, after the issuer required authentication. A transaction without a page of Nets
    /// stays as it is.
    pub(super) fn reopen_page(&mut self, now: Timestamp) {
        if self.has_terminal() && !self.accepts_posted_card() {
            (self.step, self.stored_card) = (Step::Form, self.card.clone());
            (self.authentication, self.page_opened_at) = (Authentication::Requested, now);
        }
    }

    /// Records the time and the browser of the customer's first request.
    pub(in crate::netaxept) fn enter_terminal(&mut self, user_agent: &str, now: Timestamp) {
        if self.entered_at.is_none() {
            self.entered_at = Some(now);
            self.browser = browser(user_agent);
        }
    }

    /// Ends the session because the posted card is not valid.
    pub(in crate::netaxept) fn reject_card(&mut self, errors: &str, now: Timestamp) {
        self.is_card_rejected = true;
        self.log_failure(now, "Terminal", "30", "Terminal", errors);
    }

    /// Records the time of the redirect to the shop.
    pub(in crate::netaxept) fn redirect(&mut self, now: Timestamp) {
        self.redirected_at = Some(now);
    }

    /// Returns the number of entries in the error log.
    pub(in crate::netaxept) fn failure_count(&self) -> usize {
        self.errors.len()
    }

    /// Returns the `responseCode` for the shop, from the last entry in the error log.
    pub(in crate::netaxept) fn response_code(&self) -> &str {
        match self.errors.last() {
            Some(failure) if failure.code == "17" => "Cancel",
            Some(failure) if self.is_card_rejected => &failure.text,
            Some(failure) => &failure.code,
            None => "OK",
        }
    }

    /// Returns whether an operation has succeeded since the last call of this function.
    pub(in crate::netaxept) fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }
}

/// Formats `Browser` as Nets does: the browser family and the user agent.
fn browser(user_agent: &str) -> String {
    let families = ["Firefox", "Chrome", "Safari"];
    let family = families.into_iter().find(|family| user_agent.contains(family));
    format!("{}-{user_agent}", family.unwrap_or("Unknown"))
}
