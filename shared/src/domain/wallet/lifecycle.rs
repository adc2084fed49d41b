//! Lifecycle events (api.md §7): which notifications a wallet adds when a card expires soon, when it expires, and when another one
//! becomes primary without a choice of the customer.
//!
//! The events have their nominal instants, and each instant is processed separately. So they do not depend on when, or how often,
//! the wallet was updated. A wallet without [`LifecycleRules`] has no events.

use std::mem;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Wallet;
use crate::domain::id::{RecurringPaymentId, Sequence};
use crate::domain::notification::{
    CardEvent, Notification, PrimaryChange, PrimaryChangeReason, WalletEvent, WalletNotification,
    queue,
};
use crate::domain::recurring_payment::{RecurringPayment, State, StatusReason};
use crate::domain::text::CallbackUrl;

/// The rules for the lifecycle events of an organisation that has an address for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleRules {
    /// How long before its expiry an ACTIVE recurring payment is announced: 1 to 365 days.
    pub notice: TimeDelta,
    /// The address that receives the events.
    pub address: CallbackUrl,
}

impl Wallet {
    /// The same wallet with the rules of its organisation. `None` if the organisation has no address for events. The rules are not
    /// stored.
    #[must_use]
    pub fn with_lifecycle_rules(self, rules: Option<Arc<LifecycleRules>>) -> Self {
        Self { rules, ..self }
    }

    /// Removes and returns the lifecycle events that cannot be delivered, because their organisation has no address any more.
    pub fn drop_undeliverable_events(&mut self) -> Vec<WalletNotification> {
        let has_rules = self.rules.is_some();
        let is_undeliverable =
            |one: &mut WalletNotification| !has_rules && one.subject.setup().is_none();
        self.contents.notifications.extract_if(.., is_undeliverable).collect()
    }

    pub(super) fn notice(&self) -> Option<TimeDelta> {
        self.rules.as_ref().map(|rules| rules.notice)
    }

    /// Applies rules 8 and 9 to the live recurring payments, instant by instant, and adds the events.
    pub(super) fn apply_instants(&mut self) {
        let Some(notice) = self.notice() else { return };
        let next = |wallet: &Self| {
            let live = wallet.contents.payments.iter().filter(|payment| payment.is_live());
            let instants = live.filter_map(|payment| payment.due_at(Some(notice)));
            instants.min().filter(|at| *at <= wallet.now)
        };
        while let Some(at) = next(self) {
            let primary = self.primary();
            self.add_primary_change(at, |wallet| {
                for index in 0..wallet.contents.payments.len() {
                    wallet.apply_instant(index, at, notice, primary);
                }
            });
        }
    }

    /// Applies one instant to the recurring payment at an index. All that change at this instant see the same `primary`.
    fn apply_instant(
        &mut self,
        index: usize,
        at: DateTime<Utc>,
        notice: TimeDelta,
        primary: Option<Sequence>,
    ) {
        let payment = &self.contents.payments[index];
        let State::Active { registration, .. } = &payment.state else {
            return self.update_payment_at(index, |payment| payment.with_time_applied(at));
        };
        let event = CardEvent {
            recurring_payment_id: RecurringPaymentId::new(self.slot, payment.sequence),
            expires_at: registration.expires_at,
            card: registration.card.clone(),
            primary: primary == Some(payment.sequence),
        };
        if payment.notice_at(notice).is_some_and(|notice_at| notice_at <= at) {
            self.update_payment_at(index, RecurringPayment::with_notice_given);
            self.enqueue_event(WalletEvent::Expiring(event.clone()), at);
        }
        if event.expires_at <= at {
            self.update_payment_at(index, |payment| payment.with_time_applied(at));
            self.enqueue_event(WalletEvent::Expired(event), at);
        }
    }

    /// Makes a change, and adds an event if it ended the primary recurring payment and another one is primary now.
    pub(super) fn add_primary_change(&mut self, at: DateTime<Utc>, change: impl FnOnce(&mut Self)) {
        let before = self.rules.as_ref().and_then(|_| self.primary());
        change(self);
        if let Some(old) = before
            && let Some(reason) = self.reason_of_end(old)
            && let Some(new) = self.primary()
        {
            let [old, new] =
                [old, new].map(|sequence| RecurringPaymentId::new(self.slot, sequence));
            self.enqueue_event(WalletEvent::PrimaryChanged(PrimaryChange { old, new, reason }), at);
        }
    }

    /// Why a recurring payment is not live any more. `None` if it is live.
    fn reason_of_end(&self, sequence: Sequence) -> Option<PrimaryChangeReason> {
        let payment = self.contents.payments.iter().find(|payment| payment.sequence == sequence)?;
        match payment.state {
            State::Created { .. } | State::Active { .. } => None,
            State::Expired { .. } => Some(PrimaryChangeReason::Expired),
            State::Cancelled { reason: StatusReason::Ended, .. } => {
                Some(PrimaryChangeReason::Ended)
            }
            State::Cancelled { reason: StatusReason::Abandoned, .. } => {
                Some(PrimaryChangeReason::Abandoned)
            }
        }
    }

    fn enqueue_event(&mut self, event: WalletEvent, occurred_at: DateTime<Utc>) {
        self.enqueue_notification(Notification::new(None, event, occurred_at));
    }

    /// Adds a notification. The maximum applies to each kind of event, so that those of one kind never displace those of another.
    pub(super) fn enqueue_notification(&mut self, notification: WalletNotification) {
        let kind = mem::discriminant(&notification.subject);
        let is_same_kind = |subject: &WalletEvent| mem::discriminant(subject) == kind;
        queue::enqueue(&mut self.contents.notifications, notification, is_same_kind);
    }
}
