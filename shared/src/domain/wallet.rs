//! One customer's recurring payments as of one instant, and the rules for them.
//!
//! A wallet always applies the changes that depend only on time (rules 8, 9 and 14 of api.md §6) up to its instant, whether or not
//! they are stored. So a missed scheduled run has no visible effect.
//!
//! The primary is derived (rule 1), so two primaries cannot be stored and a promotion needs no write.

mod lifecycle;
mod notifications;
mod preview;
mod stored_card;
mod terminals;
mod time;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::customer::Organisation;
use crate::domain::id::{RecurringPaymentId, Sequence, Slot, TransactionId};
use crate::domain::notification::{Event, WalletNotification, queue};
use crate::domain::owner::Owner;
use crate::domain::recurring_payment::{
    Idempotency, RecurringPayment, RecurringStatus, State, StatusReason, View,
};
use crate::domain::text::Nickname;
use crate::error::Refusal;
pub use lifecycle::LifecycleRules;
pub use preview::Preview;
pub use stored_card::StoredCard;
pub use terminals::{OpenedTerminal, SetupProgress};
pub use time::Due;

/// The stored data of a wallet. Contains nothing that can be derived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Contents {
    /// The organisation of the customer.
    pub organisation: Organisation,
    /// The hash of the customer.
    pub owner: Owner,
    /// The number of the newest recurring payment.
    pub last_sequence: Sequence,
    /// Explicit choices of primary, newest first.
    pub choices: Vec<Sequence>,
    /// The recurring payments, oldest first.
    pub payments: Vec<RecurringPayment>,
    /// Undelivered notifications, oldest first.
    pub notifications: Vec<WalletNotification>,
    /// When the last terminals were opened, oldest first. At most as many as a customer can open within an hour.
    pub terminals_opened_at: Vec<DateTime<Utc>>,
}

/// One customer's recurring payments as of one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    slot: Slot,
    now: DateTime<Utc>,
    contents: Contents,
    /// Not stored: see [`Wallet::with_lifecycle_rules`].
    rules: Option<Arc<LifecycleRules>>,
}

/// The input for a new recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecurringPayment {
    /// The customer's name for it.
    pub nickname: Option<Nickname>,
    /// Whether it is explicitly chosen as primary.
    pub primary: bool,
    /// The hashes of the idempotency key and of the request.
    pub idempotency: Option<([u8; 16], [u8; 16])>,
}

/// The changes of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// `Some(None)` removes the nickname. `None` leaves it unchanged.
    pub nickname: Option<Option<Nickname>>,
    /// Whether it is explicitly chosen as primary. `None` leaves this unchanged.
    pub primary: Option<bool>,
}

impl Wallet {
    /// How many recurring payments can be CREATED or ACTIVE at once (rule 14).
    pub const MAX_LIVE: usize = 16;
    /// How many EXPIRED or CANCELLED recurring payments are kept (rule 14).
    pub const MAX_ENDED: usize = 16;
    /// How many recurring payments can be CREATED at once. One more abandons the oldest (rule 8).
    pub const MAX_CREATED: usize = 5;
    /// How many terminals can be opened for one recurring payment within an hour (rule 6).
    pub const MAX_TERMINALS_PER_HOUR: usize = 5;
    /// How many terminals can be opened for one customer within an hour, including those of ended recurring payments. Limits the
    /// testing of stolen cards.
    pub const MAX_CUSTOMER_TERMINALS_PER_HOUR: usize = 10;
    /// How many undelivered notifications of each kind are stored. Beyond that the oldest is deleted, so that an unavailable receiver
    /// does not make a wallet grow.
    pub const MAX_NOTIFICATIONS: usize = queue::MAX;

    /// The wallet stored at a slot, as of `now`, without lifecycle events.
    #[must_use]
    pub fn new(slot: Slot, contents: Contents, now: DateTime<Utc>) -> Self {
        Self::as_stored(slot, contents).at(now)
    }

    /// A new wallet without recurring payments.
    #[must_use]
    pub fn empty(slot: Slot, organisation: Organisation, owner: Owner, now: DateTime<Utc>) -> Self {
        let contents = Contents {
            organisation,
            owner,
            last_sequence: Sequence::NONE,
            choices: Vec::new(),
            payments: Vec::new(),
            notifications: Vec::new(),
            terminals_opened_at: Vec::new(),
        };
        Self { slot, now, contents, rules: None }
    }

    /// The wallet exactly as it is stored at a slot, without the changes that depend on time. Used for comparison with the current
    /// state.
    #[must_use]
    pub fn as_stored(slot: Slot, contents: Contents) -> Self {
        Self { slot, now: DateTime::<Utc>::MIN_UTC, contents, rules: None }
    }

    /// The same wallet at a later instant.
    #[must_use]
    pub fn at(self, now: DateTime<Utc>) -> Self {
        let mut wallet = Self { now, ..self };
        wallet.apply_time();
        wallet
    }

    /// The slot of the wallet.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The instant of the wallet.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The hash of the customer.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.contents.owner
    }

    /// The data to store.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Checks the customer that a request names in addition to the id.
    ///
    /// # Errors
    /// `OtherCustomer` if the wallet belongs to another customer.
    pub fn check_owner(&self, named: Option<Owner>) -> Result<(), Refusal> {
        if named.is_none_or(|owner| owner == self.contents.owner) {
            Ok(())
        } else {
            Err(Refusal::OtherCustomer)
        }
    }

    /// The primary recurring payment (rule 1): the newest explicit choice that is CREATED or ACTIVE, else the ACTIVE one activated
    /// first, else the oldest CREATED one.
    #[must_use]
    pub fn primary(&self) -> Option<Sequence> {
        let payments = &self.contents.payments;
        let is_live = |sequence: &Sequence| {
            payments.iter().any(|payment| payment.sequence == *sequence && payment.is_live())
        };
        let chosen = self.contents.choices.iter().copied().find(is_live);
        let derived = || {
            let with_status =
                |status| payments.iter().filter(move |payment| payment.status() == status);
            let first = with_status(RecurringStatus::Active)
                .min_by_key(|payment| payment.registration().map(|card| card.activated_at));
            first
                .or_else(|| with_status(RecurringStatus::Created).next())
                .map(|payment| payment.sequence)
        };
        chosen.or_else(derived)
    }

    /// The id of the primary recurring payment.
    #[must_use]
    pub fn primary_id(&self) -> Option<RecurringPaymentId> {
        self.primary().map(|sequence| RecurringPaymentId::new(self.slot, sequence))
    }

    /// Returns one recurring payment as callers see it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn view(&self, id: RecurringPaymentId) -> Result<View, Refusal> {
        self.find(id).map(|index| self.view_of(&self.contents.payments[index]))
    }

    /// Returns whether the setup of a recurring payment is pending (api.md §7).
    ///
    /// # Errors
    /// `NotFound`.
    pub fn is_pending(&self, id: RecurringPaymentId) -> Result<bool, Refusal> {
        self.find(id).map(|index| self.contents.payments[index].is_pending(self.now))
    }

    /// Returns the CREATED and ACTIVE recurring payments, and with `include_expired` the EXPIRED ones, oldest first. Never returns
    /// CANCELLED ones.
    #[must_use]
    pub fn list(&self, include_expired: bool) -> Vec<View> {
        let is_listed = |payment: &&RecurringPayment| match payment.status() {
            RecurringStatus::Created | RecurringStatus::Active => true,
            RecurringStatus::Expired => include_expired,
            RecurringStatus::Cancelled => false,
        };
        self.contents
            .payments
            .iter()
            .filter(is_listed)
            .map(|payment| self.view_of(payment))
            .collect()
    }

    /// Creates a recurring payment. A repeated request with the same idempotency key returns the first result (rule 16).
    ///
    /// # Errors
    /// `IdempotencyKeyReused` if the key was used for another request; `WalletFull` (rule 14).
    pub fn create(&mut self, new: NewRecurringPayment) -> Result<View, Refusal> {
        if let Some((key, request)) = new.idempotency
            && let Some((payment, idempotency)) = self.find_by_idempotency_key(key)
        {
            let replay = View {
                nickname: new.nickname,
                ..Self::created_view(self.slot, payment, idempotency.primary)
            };
            return if idempotency.request == request {
                Ok(replay)
            } else {
                Err(Refusal::IdempotencyKeyReused)
            };
        }
        if self.contents.payments.iter().filter(|payment| payment.is_live()).count()
            >= Self::MAX_LIVE
        {
            return Err(Refusal::WalletFull);
        }
        let sequence = self.next_sequence();
        self.contents.last_sequence = sequence;
        self.contents.payments.push(RecurringPayment {
            sequence,
            created_at: self.now,
            nickname: new.nickname,
            idempotency: None,
            state: State::Created { terminals: Vec::new(), callback: None },
        });
        if new.primary {
            self.choose(sequence);
        }
        self.apply_time();
        let primary = self.primary() == Some(sequence);
        if let Some(payment) = self.contents.payments.last_mut() {
            payment.idempotency =
                new.idempotency.map(|(key, request)| Idempotency { key, request, primary });
        }
        self.view(RecurringPaymentId::new(self.slot, sequence))
    }

    /// Changes the nickname, chooses the recurring payment as primary, or both.
    ///
    /// # Errors
    /// `NotFound`; `PrimaryNeedsSuccessor` (rule 2); `NeverPrimary` (rule 3); `Ended` if the nickname of a CANCELLED one would
    /// change.
    pub fn update(&mut self, id: RecurringPaymentId, change: Change) -> Result<View, Refusal> {
        let index = self.find(id)?;
        let payment = &self.contents.payments[index];
        let is_primary = self.primary() == Some(payment.sequence);
        match change.primary {
            Some(false) if is_primary => return Err(Refusal::PrimaryNeedsSuccessor),
            Some(true) if !payment.is_live() => return Err(Refusal::NeverPrimary),
            Some(_) | None => {}
        }
        let new_nickname = change.nickname.filter(|nickname| *nickname != payment.nickname);
        if new_nickname.is_some() && payment.status() == RecurringStatus::Cancelled {
            return Err(Refusal::Ended);
        }
        if change.primary == Some(true) && !is_primary {
            self.choose(id.sequence());
        }
        if let Some(nickname) = new_nickname {
            self.contents.payments[index].nickname = nickname;
        }
        self.view(id)
    }

    /// Ends a recurring payment and deletes its pan hash. Does not change one that is already CANCELLED (rule 4).
    ///
    /// # Errors
    /// `NotFound`.
    pub fn end(&mut self, id: RecurringPaymentId) -> Result<View, Refusal> {
        if self.contents.payments[self.find(id)?].is_live() {
            self.delete_surplus_ended(Self::MAX_ENDED - 1);
        }
        let now = self.now;
        self.update_payment(id, |payment| payment.cancelled(StatusReason::Ended, now))
    }

    /// Deletes everything except the organisation, the owner and the newest number, including undelivered notifications and open
    /// sessions.
    ///
    /// The remaining data keeps existing ids from being found or soon reused, and lets the search for another customer with the
    /// same slot continue with the next probe.
    pub fn erase(&mut self) {
        let Contents { organisation, owner, last_sequence, .. } = self.contents;
        self.contents = Self::empty(self.slot, organisation, owner, self.now).contents;
        self.contents.last_sequence = last_sequence;
    }

    fn find(&self, id: RecurringPaymentId) -> Result<usize, Refusal> {
        let has_id =
            |payment: &RecurringPayment| RecurringPaymentId::new(self.slot, payment.sequence) == id;
        self.contents.payments.iter().position(has_id).ok_or(Refusal::NotFound)
    }

    /// Updates a recurring payment, and applies the changes that depend on time.
    fn update_payment(
        &mut self,
        id: RecurringPaymentId,
        update: impl FnOnce(RecurringPayment) -> RecurringPayment,
    ) -> Result<View, Refusal> {
        let index = self.find(id)?;
        self.add_primary_change(self.now, |wallet| wallet.update_payment_at(index, update));
        self.apply_time();
        self.view(id)
    }

    /// Updates the recurring payment at an index. Adds a notification if the update abandons it.
    fn update_payment_at(
        &mut self,
        index: usize,
        update: impl FnOnce(RecurringPayment) -> RecurringPayment,
    ) {
        let before = self.contents.payments.remove(index);
        let id = RecurringPaymentId::new(self.slot, before.sequence);
        let callback = before.abandonment_callback().map(|(url, attempt)| (url.clone(), attempt));
        let after = update(before);
        if let Some((callback_url, attempt)) = callback
            && let State::Cancelled { reason: StatusReason::Abandoned, at, .. } = after.state
        {
            let session = TransactionId::new(id, attempt);
            self.enqueue(callback_url, session, Event::Abandoned, at);
        }
        self.contents.payments.insert(index, after);
    }

    fn view_of(&self, payment: &RecurringPayment) -> View {
        let primary = self.primary() == Some(payment.sequence);
        View {
            status: payment.status(),
            reason: match payment.state {
                State::Cancelled { reason, .. } => Some(reason),
                State::Created { .. } | State::Active { .. } | State::Expired { .. } => None,
            },
            registration: payment.registration().cloned(),
            ..Self::created_view(self.slot, payment, primary)
        }
    }

    fn created_view(slot: Slot, payment: &RecurringPayment, primary: bool) -> View {
        View {
            id: RecurringPaymentId::new(slot, payment.sequence),
            primary,
            status: RecurringStatus::Created,
            reason: None,
            nickname: payment.nickname.clone(),
            created_at: payment.created_at,
            registration: None,
        }
    }

    fn find_by_idempotency_key(&self, key: [u8; 16]) -> Option<(&RecurringPayment, Idempotency)> {
        let payments = self.contents.payments.iter();
        let mut with_keys = payments.filter_map(|payment| Some((payment, payment.idempotency?)));
        with_keys.find(|(_, idempotency)| idempotency.key == key)
    }

    fn next_sequence(&self) -> Sequence {
        let is_taken = |sequence: &Sequence| {
            self.contents.payments.iter().any(|payment| payment.sequence == *sequence)
        };
        let mut next = self.contents.last_sequence.next();
        while is_taken(&next) {
            next = next.next();
        }
        next
    }

    fn choose(&mut self, sequence: Sequence) {
        self.contents.choices.retain(|chosen| *chosen != sequence);
        self.contents.choices.insert(0, sequence);
    }
}

#[cfg(test)]
#[path = "wallet_tests.rs"]
mod tests;
