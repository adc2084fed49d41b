//! The rules: one customer's recurring payments, as of one instant.
//!
//! A wallet is always as of an instant: whatever time alone changes (rules 8, 9 and 14 of api.md §6) has been carried out when
//! anybody looks, whether or not it was ever written down. So a missed run of the schedule changes nothing that can be seen.
//!
//! Who is primary is derived (rule 1), so two primaries cannot be written down and promotion needs no write.

mod notifications;
mod terminals;
mod time;

use chrono::{DateTime, Utc};

use crate::domain::customer::Organisation;
use crate::domain::id::{RecurringPaymentId, Sequence, Slot, TransactionId};
use crate::domain::notification::{Event, Notification};
use crate::domain::owner::Owner;
use crate::domain::recurring_payment::{
    Idempotency, RecurringPayment, RecurringStatus, State, StatusReason, View,
};
use crate::domain::text::Nickname;
use crate::error::Refusal;
pub use terminals::{Opened, Setup};
pub use time::Due;

/// What a wallet has in it: what is stored, and nothing that can be derived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Contents {
    /// Whose customer it is.
    pub organisation: Organisation,
    /// Whose wallet it is.
    pub owner: Owner,
    /// The place that was given out last.
    pub last_sequence: Sequence,
    /// Explicit choices of primary, newest first.
    pub choices: Vec<Sequence>,
    /// The recurring payments, oldest first.
    pub payments: Vec<RecurringPayment>,
    /// What callers have still to be told, oldest first.
    pub notifications: Vec<Notification>,
    /// When the last terminals were opened, oldest first, at most as many as one can have within an hour.
    pub opened: Vec<DateTime<Utc>>,
}

/// One customer's recurring payments as of one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    slot: Slot,
    now: DateTime<Utc>,
    contents: Contents,
}

/// What a new recurring payment is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecurringPayment {
    /// What the customer calls it.
    pub nickname: Option<Nickname>,
    /// Whether it is chosen as primary.
    pub primary: bool,
    /// Hashes of the idempotency key and of the request that it came with.
    pub idempotency: Option<([u8; 16], [u8; 16])>,
}

/// What is to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Another nickname, or none; absent: as it is.
    pub nickname: Option<Option<Nickname>>,
    /// Whether it is chosen as primary; absent: as it is.
    pub primary: Option<bool>,
}

impl Wallet {
    /// How many can be CREATED or ACTIVE at once (rule 14).
    pub const LIVE: usize = 16;
    /// How many ended ones are kept (rule 14).
    pub const ENDED: usize = 16;
    /// How many can be CREATED at once before the oldest is abandoned (rule 8).
    pub const OPEN: usize = 5;
    /// How many terminals one recurring payment can have within an hour (rule 6).
    pub const TERMINALS_AN_HOUR: usize = 5;
    /// How many terminals one customer can have within an hour, whatever became of the recurring payments: whoever tries
    /// cards that are not theirs needs many.
    pub const CUSTOMERS_TERMINALS_AN_HOUR: usize = 10;
    /// How many notifications can wait. The oldest gives way, so that a receiver that is down does not make a wallet grow.
    pub const NOTIFICATIONS: usize = 16;

    /// What is stored at a slot, as of an instant.
    #[must_use]
    pub fn new(slot: Slot, contents: Contents, now: DateTime<Utc>) -> Self {
        let mut wallet = Self { slot, now, contents };
        wallet.settle();
        wallet
    }

    /// A wallet in which there was never anything.
    #[must_use]
    pub fn empty(slot: Slot, organisation: Organisation, owner: Owner, now: DateTime<Utc>) -> Self {
        let contents = Contents {
            organisation,
            owner,
            last_sequence: Sequence::NONE,
            choices: Vec::new(),
            payments: Vec::new(),
            notifications: Vec::new(),
            opened: Vec::new(),
        };
        Self { slot, now, contents }
    }

    /// What is stored at a slot as it is stored, whatever time has made of it since: to tell what was from what is.
    #[must_use]
    pub fn as_stored(slot: Slot, contents: Contents) -> Self {
        Self { slot, now: DateTime::<Utc>::MIN_UTC, contents }
    }

    /// The same wallet at a later instant.
    #[must_use]
    pub fn at(self, now: DateTime<Utc>) -> Self {
        Self::new(self.slot, self.contents, now)
    }

    /// Where it lies.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// What is to be stored.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// A customer that a request names beside the id has to be the wallet's.
    ///
    /// # Errors
    /// `OtherCustomer`.
    pub fn must_be_of(&self, named: Option<Owner>) -> Result<(), Refusal> {
        if named.is_none_or(|owner| owner == self.contents.owner) {
            Ok(())
        } else {
            Err(Refusal::OtherCustomer)
        }
    }

    /// Rule 1: the newest explicit choice that is still usable; else the ACTIVE one activated first; else the oldest CREATED.
    #[must_use]
    pub fn primary(&self) -> Option<Sequence> {
        let payments = &self.contents.payments;
        let live = |sequence: &Sequence| {
            payments.iter().any(|payment| payment.sequence == *sequence && payment.is_live())
        };
        let chosen = self.contents.choices.iter().copied().find(live);
        let active = || {
            let with = |status| payments.iter().filter(move |payment| payment.status() == status);
            let first = with(RecurringStatus::Active)
                .min_by_key(|payment| payment.registration().map(|card| card.activated_at));
            first.or_else(|| with(RecurringStatus::Created).next()).map(|payment| payment.sequence)
        };
        chosen.or_else(active)
    }

    /// One recurring payment as callers see it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn view(&self, id: RecurringPaymentId) -> Result<View, Refusal> {
        self.find(id).map(|place| self.view_of(&self.contents.payments[place]))
    }

    /// All that are CREATED or ACTIVE, and the EXPIRED ones too if they are asked for, oldest first. Never the CANCELLED ones.
    #[must_use]
    pub fn list(&self, include_expired: bool) -> Vec<View> {
        let shown = |payment: &&RecurringPayment| match payment.status() {
            RecurringStatus::Created | RecurringStatus::Active => true,
            RecurringStatus::Expired => include_expired,
            RecurringStatus::Cancelled => false,
        };
        self.contents.payments.iter().filter(shown).map(|payment| self.view_of(payment)).collect()
    }

    /// A new one, CREATED. The same idempotency key again answers as it did the first time (rule 16).
    ///
    /// # Errors
    /// `KeyReused`; `WalletFull` (rule 14).
    pub fn create(&mut self, new: NewRecurringPayment) -> Result<View, Refusal> {
        if let Some((key, request)) = new.idempotency
            && let Some((payment, idempotency)) = self.created_with(key)
        {
            let replay = View {
                nickname: new.nickname,
                ..Self::as_created(self.slot, payment, idempotency.primary)
            };
            return if idempotency.request == request {
                Ok(replay)
            } else {
                Err(Refusal::KeyReused)
            };
        }
        if self.contents.payments.iter().filter(|payment| payment.is_live()).count() >= Self::LIVE {
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
        self.settle();
        let primary = self.primary() == Some(sequence);
        if let Some(payment) = self.contents.payments.last_mut() {
            payment.idempotency =
                new.idempotency.map(|(key, request)| Idempotency { key, request, primary });
        }
        self.view(RecurringPaymentId::new(self.slot, sequence))
    }

    /// Another nickname, or another primary.
    ///
    /// # Errors
    /// `NotFound`; `PrimaryNeedsSuccessor` (rule 2); `NeverPrimary` (rule 3); `Ended` for the nickname of a CANCELLED one.
    pub fn update(&mut self, id: RecurringPaymentId, change: Change) -> Result<View, Refusal> {
        let place = self.find(id)?;
        let payment = &self.contents.payments[place];
        let is_primary = self.primary() == Some(payment.sequence);
        match change.primary {
            Some(false) if is_primary => return Err(Refusal::PrimaryNeedsSuccessor),
            Some(true) if !payment.is_live() => return Err(Refusal::NeverPrimary),
            Some(_) | None => {}
        }
        let renamed = change.nickname.filter(|nickname| *nickname != payment.nickname);
        if renamed.is_some() && payment.status() == RecurringStatus::Cancelled {
            return Err(Refusal::Ended);
        }
        if change.primary == Some(true) && !is_primary {
            self.choose(id.sequence());
        }
        if let Some(nickname) = renamed {
            self.contents.payments[place].nickname = nickname;
        }
        self.view(id)
    }

    /// Ends it for good, and destroys its pan hash. Ended already: nothing changes (rule 4).
    ///
    /// # Errors
    /// `NotFound`.
    pub fn end(&mut self, id: RecurringPaymentId) -> Result<View, Refusal> {
        if self.contents.payments[self.find(id)?].is_live() {
            self.keep_ended(Self::ENDED - 1);
        }
        let now = self.now;
        self.replace(id, |payment| payment.cancelled(StatusReason::Ended, now))
    }

    /// Destroys everything but what ids need: whose the wallet is, and the place that was given out last. So no id that was
    /// given out finds anything or soon means something else, and who looks for a customer with the same slot goes on past
    /// it. What is unfinished at Nets, or waits to be told, is nobody's then.
    pub fn erase(&mut self) {
        let Contents { organisation, owner, last_sequence, .. } = self.contents;
        *self = Self::empty(self.slot, organisation, owner, self.now);
        self.contents.last_sequence = last_sequence;
    }

    fn find(&self, id: RecurringPaymentId) -> Result<usize, Refusal> {
        let is_it =
            |payment: &RecurringPayment| RecurringPaymentId::new(self.slot, payment.sequence) == id;
        self.contents.payments.iter().position(is_it).ok_or(Refusal::NotFound)
    }

    /// Puts what a recurring payment has become in its place, and what time makes of that.
    fn replace(
        &mut self,
        id: RecurringPaymentId,
        become_: impl FnOnce(RecurringPayment) -> RecurringPayment,
    ) -> Result<View, Refusal> {
        let place = self.find(id)?;
        self.replace_at(place, become_);
        self.settle();
        self.view(id)
    }

    /// Puts what a recurring payment has become in its place, and has it told when nobody finished it.
    fn replace_at(
        &mut self,
        place: usize,
        become_: impl FnOnce(RecurringPayment) -> RecurringPayment,
    ) {
        let before = self.contents.payments.remove(place);
        let id = RecurringPaymentId::new(self.slot, before.sequence);
        let unfinished = before.unfinished().map(|(to, attempt)| (to.clone(), attempt));
        let after = become_(before);
        if let Some((to, attempt)) = unfinished
            && let State::Cancelled { reason: StatusReason::Abandoned, at, .. } = after.state
        {
            let visit = TransactionId::new(id, attempt);
            self.tell(Notification::new(to, visit, Event::Abandoned, at));
        }
        self.contents.payments.insert(place, after);
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
            ..Self::as_created(self.slot, payment, primary)
        }
    }

    fn as_created(slot: Slot, payment: &RecurringPayment, primary: bool) -> View {
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

    fn created_with(&self, key: [u8; 16]) -> Option<(&RecurringPayment, Idempotency)> {
        let payments = self.contents.payments.iter();
        let mut with_keys = payments.filter_map(|payment| Some((payment, payment.idempotency?)));
        with_keys.find(|(_, idempotency)| idempotency.key == key)
    }

    fn next_sequence(&self) -> Sequence {
        let taken = |sequence: &Sequence| {
            self.contents.payments.iter().any(|payment| payment.sequence == *sequence)
        };
        let mut next = self.contents.last_sequence.next();
        while taken(&next) {
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
