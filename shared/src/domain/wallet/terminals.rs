//! Terminal sessions, their reconciliation, and the activation of cards (rules 5 to 7).

use chrono::{DateTime, Months, TimeDelta, Utc};

use super::Wallet;
use crate::domain::card::VerifiedCard;
use crate::domain::id::{Attempt, RecurringPaymentId, TransactionId};
use crate::domain::notification::Event;
use crate::domain::recurring_payment::{RecurringPayment, RecurringStatus, State, View};
use crate::domain::terminal::{
    CloseReason, IdempotencyRecord, Outcome, Reconciliation, Terminal, TerminalSession,
};
use crate::domain::text::CallbackUrl;
use crate::error::{Decline, Refusal};

/// The result of a request for a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedTerminal {
    /// The terminal session.
    pub session: TerminalSession,
    /// Whether the request repeats an earlier one with the same idempotency key (rule 16).
    pub repeated: bool,
}

/// The progress of a setup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupProgress {
    /// The recurring payment is ACTIVE.
    Completed(Box<View>),
    /// The open terminal sessions, oldest first. Never empty.
    AwaitingCard(Vec<TerminalSession>),
}

impl Wallet {
    /// Opens a terminal session (rule 6). A `callback` replaces the stored callback address; `None` keeps it.
    /// `allows_merchant_initiated` says whether a card that is stored in it may be charged by the merchant (`MIT_UCOF`).
    ///
    /// A repeated request with the same idempotency key within 24 hours returns the same session (rule 16), unless that session
    /// was never registered at Nets.
    ///
    /// # Errors
    /// `NotFound`; `NotAwaitingCard` if it is not CREATED; `IdempotencyKeyReused` if the key was used for another request;
    /// `NoTerminalLeft` after 16 terminals; `TooManyTerminals` after 5 within an hour, or 10 of the same customer.
    pub fn open_terminal(
        &mut self,
        id: RecurringPaymentId,
        callback: Option<CallbackUrl>,
        idempotency: Option<IdempotencyRecord>,
        allows_merchant_initiated: bool,
    ) -> Result<OpenedTerminal, Refusal> {
        let now = self.now;
        if let Some((session, record)) = self.find_session_by_idempotency_key(id, idempotency) {
            let is_same =
                idempotency.is_some_and(|idempotency| idempotency.request == record.request);
            return if is_same {
                Ok(OpenedTerminal { session, repeated: true })
            } else {
                Err(Refusal::IdempotencyKeyReused)
            };
        }
        let terminals = self.awaiting_card_mut(id)?.0;
        let attempt = Attempt::try_from(terminals.len()).map_err(|_| Refusal::NoTerminalLeft)?;
        let own: Vec<_> = terminals.iter().map(|terminal| terminal.opened_at).collect();
        self.check_hourly_limits(&own)?;
        let terminal = Terminal { idempotency, allows_merchant_initiated, ..Terminal::opened(now) };
        let (terminals, stored_callback) = self.awaiting_card_mut(id)?;
        terminals.push(terminal);
        if callback.is_some() {
            *stored_callback = callback;
        }
        let opened_at = &mut self.contents.terminals_opened_at;
        opened_at.push(now);
        let surplus = opened_at.len().saturating_sub(Self::MAX_CUSTOMER_TERMINALS_PER_HOUR);
        opened_at.drain(..surplus);
        let session = TerminalSession { transaction_id: TransactionId::new(id, attempt), terminal };
        Ok(OpenedTerminal { session, repeated: false })
    }

    /// Checks the limits of terminals within an hour: for a recurring payment whose terminals were opened at these instants, and for
    /// the customer.
    fn check_hourly_limits(&self, own: &[DateTime<Utc>]) -> Result<(), Refusal> {
        let all = &self.contents.terminals_opened_at;
        let delay = seconds_until_allowed(own, Self::MAX_TERMINALS_PER_HOUR, self.now)
            .max(seconds_until_allowed(all, Self::MAX_CUSTOMER_TERMINALS_PER_HOUR, self.now));
        match delay {
            None => Ok(()),
            Some(retry_after_seconds) => Err(Refusal::TooManyTerminals { retry_after_seconds }),
        }
    }

    /// Prepares a session for another attempt to register it at Nets: postpones its reconciliation, so that the reconciliation does
    /// not close it meanwhile. Returns whether the session is still open.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn resume_registration(&mut self, session: &TerminalSession) -> Result<bool, Refusal> {
        let now = self.now;
        Ok(self
            .update_open_session(session, |terminal| terminal.postponed_for_registration(now))?
            .is_some())
    }

    /// The session that was opened with this idempotency key within the last 24 hours, with its idempotency record.
    fn find_session_by_idempotency_key(
        &self,
        id: RecurringPaymentId,
        idempotency: Option<IdempotencyRecord>,
    ) -> Option<(TerminalSession, IdempotencyRecord)> {
        let key = idempotency?.key;
        let payment = &self.contents.payments[self.find(id).ok()?];
        let has_valid_key = |session: &TerminalSession| {
            session.terminal.outcome != Outcome::Failed
                && self.now < session.terminal.opened_at + RecurringPayment::KEY_LIFETIME
        };
        self.sessions(payment).filter(has_valid_key).find_map(|session| {
            Some((session, session.terminal.idempotency.filter(|record| record.key == key)?))
        })
    }

    /// Returns the progress of the setup, with the sessions that have to be reconciled.
    ///
    /// # Errors
    /// `NotFound`; `NotAwaitingCard` if it is EXPIRED or CANCELLED. If no session is open, the outcome of the newest one:
    /// `NoTerminal`, `TerminalCancelled`, `Declined` or `CardExpired` (rule 5).
    pub fn setup_progress(&self, id: RecurringPaymentId) -> Result<SetupProgress, Refusal> {
        let payment = &self.contents.payments[self.find(id)?];
        let terminals = match &payment.state {
            State::Created { terminals, .. } => terminals,
            State::Active { .. } => {
                return Ok(SetupProgress::Completed(Box::new(self.view_of(payment))));
            }
            State::Expired { .. } | State::Cancelled { .. } => {
                return Err(Refusal::NotAwaitingCard);
            }
        };
        let open: Vec<TerminalSession> = self.open_sessions(payment).collect();
        if !open.is_empty() {
            return Ok(SetupProgress::AwaitingCard(open));
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
                Some(Outcome::CardExpired) => Refusal::CardExpired,
            },
        )
    }

    /// Applies the result of a reconciliation. Requests, Nets' callback and the scheduled functions all use this method.
    ///
    /// A session that Nets does not know is closed only if its reconciliation is due: see
    /// [`Terminal::closed_if_never_registered`]. A card that has already expired closes the session as declined.
    ///
    /// # Errors
    /// `NotFound`; `NotAwaitingCard` if there is a card, but the recurring payment is EXPIRED or CANCELLED by now.
    pub fn apply_reconciliation(
        &mut self,
        session: &TerminalSession,
        reconciliation: &Reconciliation,
        lifetime: Months,
    ) -> Result<(), Refusal> {
        let now = self.now;
        match reconciliation {
            Reconciliation::Card(card) => self.store_card(session, card, lifetime),
            Reconciliation::Closed(CloseReason::NeverRegistered) => self
                .update_open_session(session, |terminal| terminal.closed_if_never_registered(now))
                .map(drop),
            Reconciliation::Closed(close_reason) => self.close_terminal(session, *close_reason),
            Reconciliation::Pending => {
                self.update_open_session(session, |terminal| terminal.rescheduled(now)).map(drop)
            }
            Reconciliation::Unclear => self
                .update_open_session(session, |terminal| terminal.rescheduled_soon(now))
                .map(drop),
        }
    }

    /// Stores the card of a session, or closes the session if the card has expired. The first outcome stays: if one request found
    /// the card expired, another one with an earlier clock does not store it.
    fn store_card(
        &mut self,
        session: &TerminalSession,
        card: &VerifiedCard,
        lifetime: Months,
    ) -> Result<(), Refusal> {
        let id = session.transaction_id.recurring_payment_id();
        let payment = &self.contents.payments[self.find(id)?];
        let had_expired = self.sessions(payment).any(|stored| {
            stored.transaction_id == session.transaction_id
                && stored.terminal.opened_at == session.terminal.opened_at
                && stored.terminal.outcome == Outcome::CardExpired
        });
        if had_expired {
            return Ok(());
        }
        match self.activate(session.transaction_id, card.clone(), lifetime) {
            Err(Refusal::CardExpired) => self.close_terminal(session, CloseReason::CardExpired),
            activated => activated.map(drop),
        }
    }

    /// Stores why a session closed. Adds a notification if the card was declined permanently or has expired. Does not change a
    /// session that is no longer open.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn close_terminal(
        &mut self,
        session: &TerminalSession,
        close_reason: CloseReason,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let closed =
            self.update_open_session(session, |terminal| terminal.closed(close_reason, now))?;
        let event = match closed.map(|closed| closed.outcome) {
            Some(Outcome::Declined) => Event::Declined,
            Some(Outcome::CardExpired) => Event::CardExpired,
            Some(Outcome::Open | Outcome::Failed | Outcome::Cancelled) | None => return Ok(()),
        };
        if let (_, Some(callback_url)) =
            self.awaiting_card_mut(session.transaction_id.recurring_payment_id())?
        {
            let callback_url = callback_url.clone();
            self.enqueue(callback_url, session.transaction_id, event, now);
        }
        Ok(())
    }

    /// Updates a session if it is open, and returns the updated session. Returns `None` otherwise.
    fn update_open_session(
        &mut self,
        session: &TerminalSession,
        update: impl FnOnce(Terminal) -> Terminal,
    ) -> Result<Option<Terminal>, Refusal> {
        let attempt = usize::from(session.transaction_id.attempt().number());
        match self.awaiting_card_mut(session.transaction_id.recurring_payment_id()) {
            Ok((terminals, _)) => {
                // Compares the instant too, because ids are reused after 1,023 recurring payments.
                let same = terminals
                    .get_mut(attempt)
                    .filter(|terminal| terminal.opened_at == session.terminal.opened_at);
                let open = same.filter(|terminal| terminal.outcome == Outcome::Open);
                Ok(open.map(|terminal| {
                    *terminal = update(*terminal);
                    *terminal
                }))
            }
            Err(Refusal::NotAwaitingCard) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Stores the card of a session: CREATED becomes ACTIVE. Does not change one that is already ACTIVE, because the first card
    /// counts (rule 6).
    ///
    /// # Errors
    /// `NotFound`; `NotAwaitingCard` if it is EXPIRED or CANCELLED; `CardExpired` if the card has expired (rule 9).
    pub fn activate(
        &mut self,
        session: TransactionId,
        card: VerifiedCard,
        lifetime: Months,
    ) -> Result<View, Refusal> {
        let (id, now) = (session.recurring_payment_id(), self.now);
        match self.view(id)?.status {
            RecurringStatus::Active => self.view(id),
            RecurringStatus::Expired | RecurringStatus::Cancelled => Err(Refusal::NotAwaitingCard),
            RecurringStatus::Created => {
                let at = self.activation_instant();
                if card.card.has_expired(at) {
                    return Err(Refusal::CardExpired);
                }
                if let (_, Some(callback_url)) = self.awaiting_card_mut(id)? {
                    let callback_url = callback_url.clone();
                    self.enqueue(callback_url, session, Event::Activated, now);
                }
                self.update_payment(id, |payment| {
                    payment.activated(session.attempt(), card, at, lifetime)
                })
            }
        }
    }

    /// The wallet's instant, but at least one millisecond after the last activation. So activations keep their order within one
    /// millisecond and if clocks differ, and a new card never replaces an older one as primary.
    fn activation_instant(&self) -> DateTime<Utc> {
        let activations = self
            .contents
            .payments
            .iter()
            .filter_map(|payment| Some(payment.registration()?.activated_at));
        activations.max().map_or(self.now, |last| self.now.max(last + TimeDelta::milliseconds(1)))
    }

    /// The sessions whose reconciliation is due, oldest first (rule 7).
    #[must_use]
    pub fn due_sessions(&self) -> Vec<TerminalSession> {
        let open = self.contents.payments.iter().flat_map(|payment| self.open_sessions(payment));
        open.filter(|session| {
            session.terminal.reconcile_at.is_some_and(|reconcile_at| reconcile_at <= self.now)
        })
        .collect()
    }

    /// When terminals were opened within the last hour. Older instants are not needed any more.
    pub fn terminals_opened_within_hour(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let hour_ago = self.now - TimeDelta::hours(1);
        self.contents.terminals_opened_at.iter().copied().filter(move |at| hour_ago < *at)
    }

    /// The sessions and the callback address of a CREATED recurring payment.
    fn awaiting_card_mut(
        &mut self,
        id: RecurringPaymentId,
    ) -> Result<(&mut Vec<Terminal>, &mut Option<CallbackUrl>), Refusal> {
        let index = self.find(id)?;
        match &mut self.contents.payments[index].state {
            State::Created { terminals, callback } => Ok((terminals, callback)),
            State::Active { .. } | State::Expired { .. } | State::Cancelled { .. } => {
                Err(Refusal::NotAwaitingCard)
            }
        }
    }

    /// The sessions of a recurring payment, oldest first. Empty if it is not CREATED.
    fn sessions<'a>(
        &self,
        payment: &'a RecurringPayment,
    ) -> impl Iterator<Item = TerminalSession> + use<'a> {
        let id = RecurringPaymentId::new(self.slot, payment.sequence);
        payment.terminals().map(move |(attempt, terminal)| TerminalSession {
            transaction_id: TransactionId::new(id, attempt),
            terminal: *terminal,
        })
    }

    /// The open sessions of a recurring payment, oldest first.
    pub(super) fn open_sessions<'a>(
        &self,
        payment: &'a RecurringPayment,
    ) -> impl Iterator<Item = TerminalSession> + use<'a> {
        self.sessions(payment).filter(|session| session.terminal.outcome == Outcome::Open)
    }
}

/// The seconds until fewer than `max` of these instants, oldest first, are within the last hour, rounded up. `None` if this is
/// already the case.
fn seconds_until_allowed(
    instants: &[DateTime<Utc>],
    max: usize,
    now: DateTime<Utc>,
) -> Option<u32> {
    let first = instants.iter().rev().nth(max - 1)?;
    let left = *first + TimeDelta::hours(1) - now;
    let seconds = (left.num_milliseconds() + 999) / 1000;
    u32::try_from(seconds).ok().filter(|seconds| *seconds > 0)
}
