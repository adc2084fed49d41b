//! The bodies that create a payment of an order with a stored card, and that credit a transaction (payments.md §1.2, §4.2).

use super::body::Fields;
use super::{NOT_AN_ID, Request};
use crate::domain::id::RecurringPaymentId;
use crate::domain::money::{Currency, Money};
use crate::domain::order::OrderVersion;
use crate::domain::payment::Charge;
use crate::error::{Error, Violation};

impl Request {
    /// `creditedAmount`: the sum that shall have been credited in total. `None` without a body, which means everything that was
    /// captured.
    ///
    /// A body has to name the amount: a misspelt or empty member must not credit everything.
    ///
    /// # Errors
    /// Fails like [`Request::body`], and with `Invalid` if the body has no valid amount.
    pub fn credited_amount(&self, currency: Currency) -> Result<Option<Money>, Error> {
        if self.has_no_body() {
            return Ok(None);
        }
        let mut body = self.body()?;
        let amount = body.required_text("creditedAmount", |text| Money::parse(text, currency));
        body.finish_with(amount).map(Some)
    }
}

impl Fields {
    /// `orderVersion`, a number. Absent means the first version.
    pub fn order_version(&mut self) -> OrderVersion {
        const RANGE: Violation =
            Violation::new("range", "must be a whole number between 1 and 2147483648");
        let version = |number| OrderVersion::try_from(number).ok();
        self.whole_number("orderVersion", version, RANGE).unwrap_or(OrderVersion::FIRST)
    }

    /// `totalAmount` and `transaction`, which have the same amount. `currency` is the currency of all charges.
    ///
    /// A new card, Vipps and the like have no `recurringPaymentId`, and an imported payment or a payment agreement charges no
    /// stored card (payments.md §4.6). `paymentType` and `paymentTypeGroup` do not matter for a stored card and are ignored.
    pub fn charge(&mut self, currency: Currency) -> Option<Charge> {
        const UNSUPPORTED: &str = "unsupported";
        self.check_currency("currency", currency);
        let total = self.required_text("totalAmount", |text| Money::parse(text, currency));
        if !self.has_object("transaction") {
            return None;
        }
        self.check_currency("transaction.currency", currency);
        let amount = self.required_text("transaction.amount", |text| Money::parse(text, currency));
        let recurring_payment_id = self.required_whole_number(
            "transaction.recurringPaymentId",
            |number| RecurringPaymentId::try_from(number).ok(),
            NOT_AN_ID,
        );
        self.must_be_absent(
            "transaction.paymentAgreementId",
            Violation::new(UNSUPPORTED, "is not supported: only stored cards can be charged"),
        );
        self.must_not_be_true(
            "transaction.isImport",
            Violation::new(UNSUPPORTED, "must be false: payments cannot be imported"),
        );
        let amount = amount?;
        if total.is_some_and(|total| total != amount) {
            return self.add_error(
                "totalAmount",
                Violation::new("differs", "must be equal to transaction.amount"),
            );
        }
        Some(Charge { amount, recurring_payment_id: recurring_payment_id? })
    }

    /// Only the currency of all charges is accepted. Absent means that currency.
    fn check_currency(&mut self, name: &'static str, currency: Currency) {
        self.text(name, |code| {
            if Currency::from_code(code) == Some(currency) {
                return Ok(());
            }
            let rule = Violation::new("currency", "must be the currency of all charges");
            Err(rule.with_reason(currency.code()))
        });
    }
}
