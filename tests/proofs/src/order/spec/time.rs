//! Changes of a wallet by time alone: rules 8, 9, 14 and 16.

use super::{DAY, HOUR, MAX_CREATED, MAX_ENDED, Payment, Reason, State, Wallet};

/// How long after its last terminal a recurring payment is abandoned (rule 8).
const GRACE_PERIOD: i64 = DAY;
/// How long an idempotency key is kept (rule 16).
const KEY_RETENTION: i64 = DAY;
/// How long a CANCELLED recurring payment is kept (rule 14).
const RETENTION: i64 = 30 * DAY;

impl Payment {
    /// Rule 8: 24 hours after its last terminal timed out, or after its creation if it has no terminal.
    fn abandoned_at(&self) -> Option<i64> {
        let State::Created(sessions) = &self.state else { return None };
        Some(
            sessions.last().map_or(self.created_at, super::TerminalSession::ends_at) + GRACE_PERIOD,
        )
    }

    /// The next change by time.
    pub(super) fn changes_at(&self) -> Option<i64> {
        match &self.state {
            State::Created(_) => self.abandoned_at(),
            State::Active(card) => Some(card.expires_at),
            State::Expired(_) => None,
            State::Cancelled(_, at, _) => Some(at + RETENTION),
        }
    }

    fn ended_at(&self) -> Option<i64> {
        match &self.state {
            State::Created(_) | State::Active(_) => None,
            State::Expired(card) => Some(card.expires_at),
            State::Cancelled(_, at, _) => Some(*at),
        }
    }

    fn is_retention_over(&self, now: i64) -> bool {
        matches!(self.state, State::Cancelled(_, at, _) if at + RETENTION <= now)
    }

    fn apply_time(&mut self, now: i64) {
        if self.created_at + KEY_RETENTION <= now {
            self.key = None;
        }
        let abandoned_at = self.abandoned_at().filter(|at| *at <= now);
        match &self.state {
            State::Created(_) => {
                if let Some(at) = abandoned_at {
                    self.state = State::Cancelled(Reason::Abandoned, at, None);
                }
            }
            State::Active(card) if card.expires_at <= now => {
                self.state = State::Expired(card.clone());
            }
            State::Active(_) | State::Expired(_) | State::Cancelled(..) => {}
        }
    }
}

impl Wallet {
    /// Returns the wallet as of an instant.
    #[must_use]
    pub fn at(&self, now: i64) -> Self {
        let mut then = self.clone();
        then.record_changes_by_time(now);
        then.apply_time(now);
        then
    }

    /// Applies the changes by time and by the limits.
    pub(super) fn apply_time(&mut self, now: i64) {
        for payment in &mut self.payments {
            payment.apply_time(now);
        }
        let is_created = |payment: &Payment| matches!(payment.state, State::Created(_));
        let too_many = self
            .payments
            .iter()
            .filter(|payment| is_created(payment))
            .count()
            .saturating_sub(MAX_CREATED);
        for payment in self.payments.iter_mut().filter(|payment| is_created(payment)).take(too_many)
        {
            payment.state = State::Cancelled(Reason::Abandoned, now, None);
        }
        self.apply_retention(now, None);
        let live: Vec<u16> =
            self.choices.iter().copied().filter(|sequence| self.is_live(*sequence)).collect();
        self.choices = live;
    }

    /// Returns the wallet as it is stored: without openings of terminals that are more than an hour old.
    #[must_use]
    pub fn as_stored(mut self, now: i64) -> Self {
        self.opened.retain(|at| now - HOUR < *at);
        self
    }

    /// Rule 14: goes through the ends in order. At each end, those that are thirty days old are removed, and then the oldest above
    /// the limit. The recurring payment that ends now is exempt.
    pub(super) fn apply_retention(&mut self, now: i64, exempt: Option<u16>) {
        let mut ends: Vec<(i64, usize)> = (0..)
            .zip(&self.payments)
            .filter(|(_, payment)| Some(payment.sequence) != exempt)
            .filter_map(|(index, payment)| Some((payment.ended_at()?.min(now), index)))
            .collect();
        ends.sort_unstable();
        let limit = MAX_ENDED - usize::from(exempt.is_some());
        let mut removed = Vec::new();
        let mut kept: Vec<usize> = Vec::new();
        for (at, index) in ends {
            let is_over = |index: &usize| self.payments[*index].is_retention_over(at);
            removed.extend(kept.extract_if(.., |index| is_over(index)));
            kept.push(index);
            if kept.len() > limit {
                removed.push(kept.remove(0));
            }
        }
        removed
            .extend(kept.into_iter().filter(|index| self.payments[*index].is_retention_over(now)));
        let mut index = 0;
        self.payments.retain(|_| {
            index += 1;
            !removed.contains(&(index - 1))
        });
    }

    /// The next change by time, stored as `expiryAt` if no notice is due before.
    #[must_use]
    pub fn next_change_at(&self) -> Option<i64> {
        self.payments.iter().filter_map(Payment::changes_at).min()
    }

    /// The next reconciliation of a session, stored as `taskAt` if no delivery attempt is due before.
    #[must_use]
    pub fn next_reconcile_at(&self) -> Option<i64> {
        let sessions = self.payments.iter().flat_map(Payment::open_sessions);
        sessions.filter_map(|(_, session)| session.reconcile_at).min()
    }
}
