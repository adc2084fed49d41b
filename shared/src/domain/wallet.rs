//! The rules: one customer's recurring payments, as of one instant.
//!
//! A wallet is always as of an instant: whatever time alone changes (rules 8, 9 and 14 of api.md §6) has been carried out when
//! anybody looks, whether or not it was ever written down. So a missed run of the schedule changes nothing that can be seen.
//!
//! Who is primary is derived (rule 1), so two primaries cannot be written down and promotion needs no write.

use chrono::{DateTime, Months, TimeDelta, Utc};

use crate::domain::caller::Organisation;
use crate::domain::card::VerifiedCard;
use crate::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot, TransactionId};
use crate::domain::notification::{Event, Notification};
use crate::domain::owner::Owner;
use crate::domain::recurring_payment::{
    Idempotency, RecurringPayment, RecurringStatus, State, StatusReason, View,
};
use crate::domain::terminal::{Asked, Closing, Finding, Outcome, Terminal, Visit};
use crate::domain::text::{CallbackUrl, Nickname};
use crate::error::{Decline, Refusal};
use crate::seeded::{Fault, seeded};

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

/// A terminal that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The visit.
    pub visit: Visit,
    /// Whether it was asked for before, with the same key (rule 16).
    pub again: bool,
}

/// How far the setup of a recurring payment has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setup {
    /// It has its card.
    Done(Box<View>),
    /// These visits may bring one, oldest first; never empty.
    Open(Vec<Visit>),
}

/// When the service has something to do for a wallet by itself, the first instant of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When time makes something else of a recurring payment.
    pub expiry: Option<DateTime<Utc>>,
    /// When a terminal has to be looked at, or somebody to be told something.
    pub chore: Option<DateTime<Utc>>,
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
            let first = if seeded(Fault::NewestIsPrimary) {
                with(RecurringStatus::Active).next_back()
            } else {
                with(RecurringStatus::Active)
                    .min_by_key(|payment| payment.registration().map(|card| card.activated_at))
            };
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
        if !seeded(Fault::KeyIgnored)
            && let Some((key, request)) = new.idempotency
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
        if !seeded(Fault::SequenceStands) {
            self.contents.last_sequence = sequence;
        }
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
            Some(false) if is_primary && !seeded(Fault::FalseUnchooses) => {
                return Err(Refusal::PrimaryNeedsSuccessor);
            }
            Some(true) if !payment.is_live() && !seeded(Fault::EndedIsChosen) => {
                return Err(Refusal::NeverPrimary);
            }
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
        if !seeded(Fault::ErasesSequence) {
            self.contents.last_sequence = last_sequence;
        }
    }

    /// Another visit to Nets' page (rule 6). An address that it names is where the end of the setup is told; without one it
    /// stays what it was. The same idempotency key again, within a day, is the same visit (rule 16), unless Nets never knew
    /// of it.
    ///
    /// # Errors
    /// `NotFound`; `NotAwaitingCard`; `KeyReused`; `NoTerminalLeft` after 16; `TooManyTerminals` after 5 within an hour, or
    /// 10 of the customer's.
    pub fn open_terminal(
        &mut self,
        id: RecurringPaymentId,
        tell: Option<CallbackUrl>,
        asked: Option<Asked>,
    ) -> Result<Opened, Refusal> {
        let now = self.now;
        if let Some((visit, before)) = self.asked_before(id, asked) {
            let same = asked.is_some_and(|asked| asked.request == before.request);
            return if same { Ok(Opened { visit, again: true }) } else { Err(Refusal::KeyReused) };
        }
        let terminals = self.waiting_mut(id)?.0;
        let attempt = Attempt::try_from(terminals.len()).map_err(|_| Refusal::NoTerminalLeft)?;
        let own: Vec<_> = terminals.iter().map(|terminal| terminal.opened_at).collect();
        let wait = wait(&own, Self::TERMINALS_AN_HOUR, now).max(wait(
            &self.contents.opened,
            Self::CUSTOMERS_TERMINALS_AN_HOUR,
            now,
        ));
        if let Some(retry_after_seconds) = wait {
            return Err(Refusal::TooManyTerminals { retry_after_seconds });
        }
        let terminal = Terminal { asked, ..Terminal::opened(now) };
        let (terminals, callback) = self.waiting_mut(id)?;
        terminals.push(terminal);
        if tell.is_some() {
            *callback = tell;
        }
        let opened = &mut self.contents.opened;
        opened.push(now);
        let surplus = opened.len().saturating_sub(Self::CUSTOMERS_TERMINALS_AN_HOUR);
        opened.drain(..surplus);
        let visit = Visit { transaction_id: TransactionId::new(id, attempt), terminal };
        Ok(Opened { visit, again: false })
    }

    /// Writes down that a request is going to register a visit that another one opened and did not register, so that no look
    /// writes it off meanwhile. Whether it is still open.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn take_over(&mut self, visit: &Visit) -> Result<bool, Refusal> {
        let now = self.now;
        Ok(self.keep_open(visit, |terminal| terminal.taken_over(now))?.is_some())
    }

    /// The visit that was asked for with this key within its day, and what was asked.
    fn asked_before(&self, id: RecurringPaymentId, asked: Option<Asked>) -> Option<(Visit, Asked)> {
        let key = asked?.key;
        let payment = &self.contents.payments[self.find(id).ok()?];
        let remembered = |visit: &Visit| {
            visit.terminal.outcome != Outcome::Failed
                && self.now < visit.terminal.opened_at + RecurringPayment::KEY_LIFETIME
        };
        self.visits(payment).filter(remembered).find_map(|visit| {
            Some((visit, visit.terminal.asked.filter(|before| before.key == key)?))
        })
    }

    /// How far the setup has come, and which visits Nets has to be asked about.
    ///
    /// # Errors
    /// `NotFound`; `NotAwaitingCard` when it is EXPIRED or CANCELLED; and when no visit can bring a card any more, what the
    /// newest came to: `NoTerminal`, `TerminalCancelled` or `Declined` (rule 5).
    pub fn setup(&self, id: RecurringPaymentId) -> Result<Setup, Refusal> {
        let payment = &self.contents.payments[self.find(id)?];
        let terminals = match &payment.state {
            State::Created { terminals, .. } => terminals,
            State::Active { .. } => return Ok(Setup::Done(Box::new(self.view_of(payment)))),
            State::Expired { .. } | State::Cancelled { .. } => {
                return Err(Refusal::NotAwaitingCard);
            }
        };
        let open: Vec<Visit> = self.open_visits(payment).collect();
        if !open.is_empty() {
            return Ok(Setup::Open(open));
        }
        Err(
            match terminals
                .iter()
                .rev()
                .map(|terminal| terminal.outcome)
                .find(|outcome| *outcome != Outcome::Failed)
            {
                None | Some(Outcome::Open | Outcome::Failed) => Refusal::NoTerminal,
                Some(Outcome::Cancelled) => Refusal::TerminalCancelled,
                Some(Outcome::Declined) => Refusal::Declined(Decline::Hard),
            },
        )
    }

    /// Writes down what a look at a visit brought: the one rule for request, callback and schedule. That Nets does not know a
    /// visit says nothing before a look at it is due: see [`Terminal::unknown`].
    ///
    /// # Errors
    /// As for [`Self::activate`] and [`Self::close_terminal`].
    pub fn conclude(
        &mut self,
        visit: &Visit,
        finding: &Finding,
        lifetime: Months,
    ) -> Result<(), Refusal> {
        let now = self.now;
        match finding {
            Finding::Card(card) => {
                self.activate(visit.transaction_id, card.clone(), lifetime).map(drop)
            }
            Finding::Closed(Closing::NeverRegistered) => {
                self.keep_open(visit, |terminal| terminal.unknown(now)).map(drop)
            }
            Finding::Closed(closing) => self.close_terminal(visit, *closing),
            Finding::Waiting => self.keep_open(visit, |terminal| terminal.looked(now)).map(drop),
            Finding::Unclear => self.keep_open(visit, |terminal| terminal.unclear(now)).map(drop),
        }
    }

    /// Writes down what came of a visit, and has a card that was declined for good told. A visit whose outcome is known
    /// already, or no longer matters, is left alone.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn close_terminal(&mut self, visit: &Visit, closing: Closing) -> Result<(), Refusal> {
        let now = self.now;
        let closed = self.keep_open(visit, |terminal| terminal.closed(closing, now))?;
        if closed.is_some_and(|closed| closed.outcome == Outcome::Declined)
            && let (_, Some(to)) = self.waiting_mut(visit.transaction_id.recurring_payment_id())?
        {
            let to = to.clone();
            self.tell(Notification::new(to, visit.transaction_id, Event::Declined, now));
        }
        Ok(())
    }

    /// Replaces a visit that is open; another one is left alone. What it is now, if it was replaced.
    fn keep_open(
        &mut self,
        visit: &Visit,
        become_: impl FnOnce(Terminal) -> Terminal,
    ) -> Result<Option<Terminal>, Refusal> {
        let attempt = usize::from(visit.transaction_id.attempt().number());
        match self.waiting_mut(visit.transaction_id.recurring_payment_id()) {
            Ok((terminals, _)) => {
                // The same instant: after a thousand recurring payments the same id could be another visit.
                let same = terminals
                    .get_mut(attempt)
                    .filter(|terminal| terminal.opened_at == visit.terminal.opened_at);
                let open = same.filter(|terminal| terminal.outcome == Outcome::Open);
                Ok(open.map(|terminal| {
                    *terminal = become_(*terminal);
                    *terminal
                }))
            }
            Err(Refusal::NotAwaitingCard) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The card that a visit brought: CREATED becomes ACTIVE. ACTIVE already: nothing changes, the first card counts (rule 6).
    ///
    /// # Errors
    /// `NotFound`; `NotAwaitingCard` when it is EXPIRED or CANCELLED by now.
    pub fn activate(
        &mut self,
        visit: TransactionId,
        card: VerifiedCard,
        lifetime: Months,
    ) -> Result<View, Refusal> {
        let (id, now) = (visit.recurring_payment_id(), self.now);
        match self.view(id)?.status {
            RecurringStatus::Active => self.view(id),
            RecurringStatus::Expired | RecurringStatus::Cancelled => Err(Refusal::NotAwaitingCard),
            RecurringStatus::Created => {
                if let (_, Some(to)) = self.waiting_mut(id)? {
                    let activated = Notification::new(to.clone(), visit, Event::Activated, now);
                    self.tell(activated);
                }
                let at = self.activation_instant();
                self.replace(id, |payment| payment.activated(card, at, lifetime))
            }
        }
    }

    /// When the service next has something to do by itself. As of now nothing of the first kind is overdue; of the second may be.
    #[must_use]
    pub fn due(&self) -> Due {
        let payments = &self.contents.payments;
        let looks = payments
            .iter()
            .flat_map(|payment| self.open_visits(payment))
            .filter_map(|visit| visit.terminal.look_at);
        let tries = self.contents.notifications.iter().map(Notification::due_at);
        Due {
            expiry: payments.iter().filter_map(RecurringPayment::due_at).min(),
            chore: looks.chain(tries).min(),
        }
    }

    /// When terminals were opened within the hour: all that matters of it.
    pub fn opened_lately(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let hour_ago = self.now - TimeDelta::hours(1);
        self.contents.opened.iter().copied().filter(move |at| hour_ago < *at)
    }

    /// The visits that the service has to look at by now, oldest first (rule 7).
    #[must_use]
    pub fn visits_due(&self) -> Vec<Visit> {
        let open = self.contents.payments.iter().flat_map(|payment| self.open_visits(payment));
        open.filter(|visit| visit.terminal.look_at.is_some_and(|look_at| look_at <= self.now))
            .collect()
    }

    /// Begins a try of every notification that is due, of one recurring payment or of all. Whoever writes this down makes the
    /// tries, so two never make the same; should nobody live to make them, the next ones are due all the same.
    pub fn begin_tries(&mut self, of: Option<RecurringPaymentId>) -> Vec<Notification> {
        let now = self.now;
        let mut begun = Vec::new();
        for notification in &mut self.contents.notifications {
            let of_it =
                of.is_none_or(|id| notification.transaction_id.recurring_payment_id() == id);
            if of_it && notification.due_at() <= now && !notification.is_given_up(now) {
                let tried = notification.clone().tried(now);
                if !seeded(Fault::TriesUnwritten) {
                    *notification = tried.clone();
                }
                begun.push(tried);
            }
        }
        begun
    }

    /// Forgets a notification that was heard.
    pub fn heard(&mut self, id: &str) {
        self.contents
            .notifications
            .retain(|notification| notification.id() != id || seeded(Fault::HeardIsKept));
    }

    /// Takes out the notifications whose time is over.
    pub fn give_up(&mut self) -> Vec<Notification> {
        let now = self.now;
        self.contents
            .notifications
            .extract_if(.., |notification| {
                notification.is_given_up(now) && notification.due_at() <= now
            })
            .collect()
    }

    fn tell(&mut self, notification: Notification) {
        let notifications = &mut self.contents.notifications;
        // In the order in which things happened, as if somebody had looked each time.
        let later = |other: &Notification| {
            (other.occurred_at, other.transaction_id)
                <= (notification.occurred_at, notification.transaction_id)
        };
        notifications.insert(notifications.partition_point(later), notification);
        let surplus = notifications.len().saturating_sub(Self::NOTIFICATIONS);
        notifications.drain(..surplus);
    }

    /// Now, or just after the last activation when that is not over yet: two in one millisecond, or under clocks that differ,
    /// keep their order, so that a new card never takes the primary away from one that was there before.
    fn activation_instant(&self) -> DateTime<Utc> {
        let activations = self
            .contents
            .payments
            .iter()
            .filter_map(|payment| Some(payment.registration()?.activated_at));
        activations.max().map_or(self.now, |last| self.now.max(last + TimeDelta::milliseconds(1)))
    }

    fn find(&self, id: RecurringPaymentId) -> Result<usize, Refusal> {
        let is_it =
            |payment: &RecurringPayment| RecurringPaymentId::new(self.slot, payment.sequence) == id;
        self.contents.payments.iter().position(is_it).ok_or(Refusal::NotFound)
    }

    /// The visits of a recurring payment that waits for a card, and where its end is told.
    fn waiting_mut(
        &mut self,
        id: RecurringPaymentId,
    ) -> Result<(&mut Vec<Terminal>, &mut Option<CallbackUrl>), Refusal> {
        let place = self.find(id)?;
        match &mut self.contents.payments[place].state {
            State::Created { terminals, callback } => Ok((terminals, callback)),
            State::Active { .. } | State::Expired { .. } | State::Cancelled { .. } => {
                Err(Refusal::NotAwaitingCard)
            }
        }
    }

    /// The visits of a recurring payment that waits for a card, oldest first.
    fn visits<'a>(&self, payment: &'a RecurringPayment) -> impl Iterator<Item = Visit> + use<'a> {
        let id = RecurringPaymentId::new(self.slot, payment.sequence);
        payment.terminals().map(move |(attempt, terminal)| Visit {
            transaction_id: TransactionId::new(id, attempt),
            terminal: *terminal,
        })
    }

    /// Those of them that may still bring one.
    fn open_visits<'a>(
        &self,
        payment: &'a RecurringPayment,
    ) -> impl Iterator<Item = Visit> + use<'a> {
        self.visits(payment).filter(|visit| visit.terminal.outcome == Outcome::Open)
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
        let primary = if seeded(Fault::FlagPrimary) {
            self.contents.choices.contains(&payment.sequence)
        } else {
            self.primary() == Some(payment.sequence)
        };
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

    /// Carries out what time and number alone decide: rules 8, 9 and 14.
    fn settle(&mut self) {
        let now = self.now;
        for place in 0..self.contents.payments.len() {
            self.replace_at(place, |payment| payment.settled(now));
        }
        let waiting = |payment: &RecurringPayment| payment.status() == RecurringStatus::Created;
        let payments = &self.contents.payments;
        let mut oldest: Vec<usize> =
            (0..payments.len()).filter(|place| waiting(&payments[*place])).collect();
        if seeded(Fault::AbandonsNewest) {
            oldest.reverse();
        }
        for place in &oldest[..oldest.len().saturating_sub(Self::OPEN)] {
            self.replace_at(*place, |payment| payment.cancelled(StatusReason::Abandoned, now));
        }
        self.keep_ended(Self::ENDED);
        let payments = &self.contents.payments;
        let live = |sequence: &Sequence| {
            payments.iter().any(|payment| payment.sequence == *sequence && payment.is_live())
        };
        self.contents.choices.retain(live);
    }

    /// Forgets those whose time is over, and the oldest of the ended ones while more than so many are left: in the order in
    /// which they ended, as if somebody had looked each time.
    fn keep_ended(&mut self, most: usize) {
        let (now, payments) = (self.now, &mut self.contents.payments);
        // Under clocks that differ something may have ended just after now.
        let ended_at = |payment: &RecurringPayment| payment.ended_at().map(|at| at.min(now));
        let mut instants: Vec<_> = payments.iter().filter_map(ended_at).collect();
        instants.sort_unstable();
        for at in instants.into_iter().chain([now]) {
            payments.retain(|payment| !payment.is_forgotten(at));
            let by_then =
                |payment: &RecurringPayment| ended_at(payment).filter(|ended_at| *ended_at <= at);
            while payments.iter().filter_map(by_then).count() > most {
                let ended = payments
                    .iter()
                    .enumerate()
                    .filter_map(|(place, payment)| Some((by_then(payment)?, place)));
                if let Some((_, oldest)) = ended.min() {
                    payments.remove(oldest);
                }
            }
        }
    }
}

/// How many seconds until fewer than so many of these instants, oldest first, are within the hour; none: that is so now.
fn wait(instants: &[DateTime<Utc>], most: usize, now: DateTime<Utc>) -> Option<u32> {
    let first = instants.iter().rev().nth(most - 1)?;
    let left = *first + TimeDelta::hours(1) - now;
    // A started second is a second.
    let seconds = (left.num_milliseconds() + 999) / 1000;
    u32::try_from(seconds).ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
#[path = "wallet_tests.rs"]
mod tests;
