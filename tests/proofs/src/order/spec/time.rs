//! What time alone makes of a wallet: rules 8, 9, 14 and 16.

use super::{DAY, ENDED, HOUR, OPEN, Payment, Reason, State, Wallet};

/// How long nobody may finish one (rule 8), and how long a key is remembered (rule 16).
const PATIENCE: i64 = DAY;
/// How long an ended one still answers (rule 14).
const MEMORY: i64 = 30 * DAY;

impl Payment {
    /// Rule 8: 24 hours after its last terminal timed out, or after creation when there was none.
    fn abandoned_at(&self) -> Option<i64> {
        let State::Created(visits) = &self.state else { return None };
        Some(visits.last().map_or(self.created_at, super::Visit::ends_at) + PATIENCE)
    }

    /// When time next makes something else of it.
    fn changes_at(&self) -> Option<i64> {
        match &self.state {
            State::Created(_) => self.abandoned_at(),
            State::Active(card) => Some(card.expires_at),
            State::Expired(_) => None,
            State::Cancelled(_, at, _) => Some(at + MEMORY),
        }
    }

    fn ended_at(&self) -> Option<i64> {
        match &self.state {
            State::Created(_) | State::Active(_) => None,
            State::Expired(card) => Some(card.expires_at),
            State::Cancelled(_, at, _) => Some(*at),
        }
    }

    fn is_forgotten(&self, now: i64) -> bool {
        matches!(self.state, State::Cancelled(_, at, _) if at + MEMORY <= now)
    }

    fn settle(&mut self, now: i64) {
        if self.created_at + PATIENCE <= now {
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
    /// The same at an instant.
    #[must_use]
    pub fn at(&self, now: i64) -> Self {
        let mut then = self.clone();
        then.settle(now);
        then
    }

    /// Carries out what time and number alone decide.
    pub(super) fn settle(&mut self, now: i64) {
        for payment in &mut self.payments {
            payment.settle(now);
        }
        let open = |payment: &Payment| matches!(payment.state, State::Created(_));
        let too_many =
            self.payments.iter().filter(|payment| open(payment)).count().saturating_sub(OPEN);
        for payment in self.payments.iter_mut().filter(|payment| open(payment)).take(too_many) {
            payment.state = State::Cancelled(Reason::Abandoned, now, None);
        }
        self.forget(now, None);
        let live: Vec<u16> =
            self.choices.iter().copied().filter(|place| self.is_live(*place)).collect();
        self.choices = live;
    }

    /// What of it is written down at an instant: of the terminals that were opened, those within the hour.
    #[must_use]
    pub fn written(mut self, now: i64) -> Self {
        self.opened.retain(|at| now - HOUR < *at);
        self
    }

    /// Rule 14: follows the ends in their order; at each, those that are over for thirty days go, and then the oldest while there
    /// are too many. One may be spared: the one that ends now.
    pub(super) fn forget(&mut self, now: i64, spared: Option<u16>) {
        let mut ends: Vec<(i64, usize)> = (0..)
            .zip(&self.payments)
            .filter(|(_, payment)| Some(payment.place) != spared)
            .filter_map(|(index, payment)| Some((payment.ended_at()?.min(now), index)))
            .collect();
        ends.sort_unstable();
        let most = ENDED - usize::from(spared.is_some());
        let mut gone = Vec::new();
        let mut kept: Vec<usize> = Vec::new();
        for (at, index) in ends {
            let over = |index: &usize| self.payments[*index].is_forgotten(at);
            gone.extend(kept.extract_if(.., |index| over(index)));
            kept.push(index);
            if kept.len() > most {
                gone.push(kept.remove(0));
            }
        }
        gone.extend(kept.into_iter().filter(|index| self.payments[*index].is_forgotten(now)));
        let mut index = 0;
        self.payments.retain(|_| {
            index += 1;
            !gone.contains(&(index - 1))
        });
    }

    /// When time next makes something of it: what the index of expiries has to say.
    #[must_use]
    pub fn expires_next(&self) -> Option<i64> {
        self.payments.iter().filter_map(Payment::changes_at).min()
    }

    /// When a visit has next to be looked at: what the index of chores has to say, where nobody is to be told anything.
    #[must_use]
    pub fn looked_at_next(&self) -> Option<i64> {
        let visits = self.payments.iter().flat_map(Payment::open_visits);
        visits.filter_map(|(_, visit)| visit.look_at).min()
    }
}
