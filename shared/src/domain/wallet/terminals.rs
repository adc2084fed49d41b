//! A card's way into the wallet: visits to Nets' page, and what came of them (rules 5 to 7).

use chrono::{DateTime, Months, TimeDelta, Utc};

use super::Wallet;
use crate::domain::card::VerifiedCard;
use crate::domain::id::{Attempt, RecurringPaymentId, TransactionId};
use crate::domain::notification::{Event, Notification};
use crate::domain::recurring_payment::{RecurringPayment, RecurringStatus, State, View};
use crate::domain::terminal::{Asked, Closing, Finding, Outcome, Terminal, Visit};
use crate::domain::text::CallbackUrl;
use crate::error::{Decline, Refusal};

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

impl Wallet {
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
    /// newest came to: `NoTerminal`, `TerminalCancelled`, `Declined` or `CardExpired` (rule 5).
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
                Some(Outcome::CardExpired) => Refusal::CardExpired,
            },
        )
    }

    /// Writes down what a look at a visit brought: the one rule for request, callback and schedule. That Nets does not know a
    /// visit says nothing before a look at it is due: see [`Terminal::unknown`]. A card that has expired when it arrives ends the
    /// visit as declined.
    ///
    /// # Errors
    /// `NotFound`; `NotAwaitingCard` when there is a card, and the recurring payment is EXPIRED or CANCELLED by now.
    pub fn conclude(
        &mut self,
        visit: &Visit,
        finding: &Finding,
        lifetime: Months,
    ) -> Result<(), Refusal> {
        let now = self.now;
        match finding {
            Finding::Card(card) => self.keep_card(visit, card, lifetime),
            Finding::Closed(Closing::NeverRegistered) => {
                self.keep_open(visit, |terminal| terminal.unknown(now)).map(drop)
            }
            Finding::Closed(closing) => self.close_terminal(visit, *closing),
            Finding::Waiting => self.keep_open(visit, |terminal| terminal.looked(now)).map(drop),
            Finding::Unclear => self.keep_open(visit, |terminal| terminal.unclear(now)).map(drop),
        }
    }

    /// Stores the card that a visit brought, if it has not expired. What a visit came to first stays: a card that had expired for
    /// a request is not stored by another one with an earlier clock.
    fn keep_card(
        &mut self,
        visit: &Visit,
        card: &VerifiedCard,
        lifetime: Months,
    ) -> Result<(), Refusal> {
        let id = visit.transaction_id.recurring_payment_id();
        let payment = &self.contents.payments[self.find(id)?];
        let is_over = self.visits(payment).any(|known| {
            known.transaction_id == visit.transaction_id
                && known.terminal.opened_at == visit.terminal.opened_at
                && known.terminal.outcome == Outcome::CardExpired
        });
        if is_over {
            return Ok(());
        }
        match self.activate(visit.transaction_id, card.clone(), lifetime) {
            Err(Refusal::CardExpired) => self.close_terminal(visit, Closing::CardExpired),
            activated => activated.map(drop),
        }
    }

    /// Writes down what came of a visit, and has a card told that was declined for good or has expired. A visit whose outcome is known
    /// already, or no longer matters, is left alone.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn close_terminal(&mut self, visit: &Visit, closing: Closing) -> Result<(), Refusal> {
        let now = self.now;
        let closed = self.keep_open(visit, |terminal| terminal.closed(closing, now))?;
        let event = match closed.map(|closed| closed.outcome) {
            Some(Outcome::Declined) => Event::Declined,
            Some(Outcome::CardExpired) => Event::CardExpired,
            Some(Outcome::Open | Outcome::Failed | Outcome::Cancelled) | None => return Ok(()),
        };
        if let (_, Some(to)) = self.waiting_mut(visit.transaction_id.recurring_payment_id())? {
            let to = to.clone();
            self.tell(Notification::new(to, visit.transaction_id, event, now));
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
    /// `NotFound`; `NotAwaitingCard` when it is EXPIRED or CANCELLED by now; `CardExpired` when the card would be EXPIRED at once
    /// (rule 9).
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
                let at = self.activation_instant();
                if card.card.has_expired(at) {
                    return Err(Refusal::CardExpired);
                }
                if let (_, Some(to)) = self.waiting_mut(id)? {
                    let activated = Notification::new(to.clone(), visit, Event::Activated, now);
                    self.tell(activated);
                }
                self.replace(id, |payment| payment.activated(card, at, lifetime))
            }
        }
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

    /// The visits that the service has to look at by now, oldest first (rule 7).
    #[must_use]
    pub fn visits_due(&self) -> Vec<Visit> {
        let open = self.contents.payments.iter().flat_map(|payment| self.open_visits(payment));
        open.filter(|visit| visit.terminal.look_at.is_some_and(|look_at| look_at <= self.now))
            .collect()
    }

    /// When terminals were opened within the hour: all that matters of it.
    pub fn opened_lately(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let hour_ago = self.now - TimeDelta::hours(1);
        self.contents.opened.iter().copied().filter(move |at| hour_ago < *at)
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
    pub(super) fn open_visits<'a>(
        &self,
        payment: &'a RecurringPayment,
    ) -> impl Iterator<Item = Visit> + use<'a> {
        self.visits(payment).filter(|visit| visit.terminal.outcome == Outcome::Open)
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
