//! What each deed makes of the truth.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use shared::domain::id::TransactionId;
use shared::domain::notification::Event;
use shared::domain::terminal::{Outcome, Visit};

use super::{Fact, Fate, KEY, LIFETIME, MEMORY, Owed, Seen, Stored, Truth, WAITING};
use crate::breach::{Breach, Breaches};
use crate::intent::{Brought, Deed, Intent};
use crate::operation::Place;

impl Truth {
    /// Carries out what a write means, at its writer's instant. What is wrong with it.
    pub fn apply(&mut self, intent: &Intent, now: DateTime<Utc>) -> Breaches {
        let mut breaches = Breaches::default();
        self.settle(now);
        match &intent.deed {
            Deed::Settle | Deed::Hear(_) => {}
            Deed::Create { place, primary, key } => {
                breaches.join(self.create(*place, *primary, *key, now));
            }
            Deed::Choose(place) => {
                if self.primary() != Some(*place) {
                    self.choose(*place);
                }
                self.settle(now);
                breaches.unless(self.primary() == Some(*place), Breach::FalseAnswer);
            }
            Deed::Rename(place, name) => self.change(*place, |fact| {
                let over = matches!(fact.fate, Fate::Cancelled { .. });
                breaches.unless(!over, Breach::FalseRefusal);
                fact.name = Some(*name);
            }),
            Deed::End(place) => self.change(*place, |fact| {
                if !matches!(fact.fate, Fate::Cancelled { .. }) {
                    let card = fact.fate.card();
                    fact.fate = Fate::Cancelled { at: now, ended: true, card };
                }
            }),
            Deed::Erase => {
                self.facts.iter_mut().for_each(forget);
                self.owed.clear();
            }
            Deed::Open { visit, key, tell } => {
                breaches.join(self.open(visit, *key, *tell, now));
            }
            Deed::WriteOff(visit) => self.close(visit, Outcome::Failed),
            Deed::Conclude(looks) => {
                for (visit, brought) in looks {
                    self.conclude(visit, *brought, now);
                }
            }
        }
        for (visit, event) in &intent.tries {
            let tried =
                self.owed.iter_mut().find(|owed| (owed.visit, owed.event) == (*visit, *event));
            if let Some(owed) = tried {
                owed.first_try.get_or_insert(now);
            }
        }
        self.settle(now);
        breaches
    }

    /// What time alone makes of it (rules 8, 9 and 14).
    pub fn settle(&mut self, now: DateTime<Utc>) {
        let mut owed = Vec::new();
        for fact in &mut self.facts {
            match fact.fate {
                Fate::Waiting if fact.abandoned_at() <= now => {
                    let at = fact.abandoned_at();
                    owed.extend(abandon(fact, at));
                }
                Fate::Active(card) if card.until <= now => fact.fate = Fate::Expired(card),
                Fate::Waiting | Fate::Active(_) | Fate::Expired(_) | Fate::Gone => {}
                Fate::Cancelled { .. } => {}
            }
            if matches!(fact.fate, Fate::Cancelled { at, .. } if at + MEMORY <= now) {
                forget(fact);
            }
        }
        self.owed.extend(owed);
        let live = |place: &Place| {
            self.facts.iter().any(|fact| fact.place == *place && fact.fate.is_live())
        };
        self.choices.retain(live);
    }

    fn create(
        &mut self,
        place: Place,
        primary: bool,
        key: Option<u8>,
        now: DateTime<Utc>,
    ) -> Breaches {
        let mut breaches = Breaches::default();
        let before = |fact: &&Fact| {
            fact.fate != Fate::Gone
                && key.is_some()
                && fact.key == key
                && now < fact.created_at + KEY
        };
        breaches.unless(self.facts.iter().find(before).is_none(), Breach::KeyTwice);
        let fresh = self.facts.iter().all(|fact| fact.place < place);
        breaches.unless(fresh, Breach::IdGivenAgain);
        self.facts.push(Fact {
            place,
            name: None,
            visits: Vec::new(),
            fate: Fate::Waiting,
            created_at: now,
            key,
            tell: false,
        });
        if primary {
            self.choose(place);
        }
        let waiting: Vec<_> = self
            .facts
            .iter()
            .filter(|fact| fact.fate == Fate::Waiting)
            .map(|fact| fact.place)
            .collect();
        if waiting.len() > WAITING {
            let mut owed = None;
            self.change(waiting[0], |fact| owed = abandon(fact, now));
            self.owed.extend(owed);
        }
        breaches
    }

    fn open(&mut self, visit: &Visit, key: Option<u8>, tell: bool, now: DateTime<Utc>) -> Breaches {
        let mut breaches = Breaches::default();
        self.change(place_of(visit.transaction_id), |fact| {
            breaches.unless(fact.fate == Fate::Waiting, Breach::FalseRefusal);
            let attempt = usize::from(visit.transaction_id.attempt().number());
            breaches.unless(attempt == fact.visits.len(), Breach::IdGivenAgain);
            let before = |seen: &Seen| {
                key.is_some()
                    && seen.key == key
                    && seen.outcome != Outcome::Failed
                    && !seen.unknown
                    && now < seen.opened_at + KEY
            };
            breaches.unless(!fact.visits.iter().any(before), Breach::KeyTwice);
            let opened_at = visit.terminal.opened_at;
            fact.visits.push(Seen { opened_at, outcome: Outcome::Open, unknown: false, key });
            fact.tell |= tell;
        });
        breaches
    }

    fn conclude(&mut self, visit: &Visit, brought: Brought, now: DateTime<Utc>) {
        match brought {
            Brought::Card { digits, short } => self.activate(visit, digits, short, now),
            Brought::NeverRegistered => self.change(place_of(visit.transaction_id), |fact| {
                if let Some(seen) = fact.visit_mut(visit) {
                    seen.unknown |= seen.outcome == Outcome::Open;
                }
            }),
            Brought::Cancelled => self.close(visit, Outcome::Cancelled),
            Brought::Declined => self.close(visit, Outcome::Declined),
            Brought::Nothing => {}
        }
    }

    /// Rule 6: the first completed visit counts. Rule 9: how long; a card that has expired when it comes ends the visit.
    fn activate(&mut self, visit: &Visit, digits: u16, short: bool, now: DateTime<Utc>) {
        let last =
            self.facts.iter().filter_map(|fact| fact.fate.card()).map(|card| card.activated_at);
        // Ours: at least a millisecond after the last one, so that cards keep their order.
        let just_after = last.max().map(|last| last + TimeDelta::milliseconds(1));
        let activated_at = just_after.map_or(now, |just_after| now.max(just_after));
        let (year, month) = if short { (2026, 12) } else { (2050, 1) };
        let card_ends = NaiveDate::from_ymd_opt(year, month, 1)
            .unwrap_or_default()
            .and_time(NaiveTime::MIN)
            .and_utc();
        if card_ends <= activated_at {
            self.close(visit, Outcome::CardExpired);
            return;
        }
        let until = card_ends.min(activated_at + LIFETIME);
        let mut owed = None;
        self.change(place_of(visit.transaction_id), |fact| {
            let expired =
                fact.visit_mut(visit).map(|seen| seen.outcome) == Some(Outcome::CardExpired);
            if fact.fate == Fate::Waiting && !expired {
                fact.fate = Fate::Active(Stored { digits, activated_at, until });
                owed = fact.tell.then(|| owe(visit.transaction_id, Event::Activated));
            }
        });
        self.owed.extend(owed);
        self.settle(now);
    }

    /// What came of a visit first stays.
    fn close(&mut self, visit: &Visit, outcome: Outcome) {
        let mut owed = None;
        self.change(place_of(visit.transaction_id), |fact| {
            let (waits, tell) = (fact.fate == Fate::Waiting, fact.tell);
            if let Some(seen) = fact.visit_mut(visit)
                && waits
                && seen.outcome == Outcome::Open
            {
                seen.outcome = outcome;
                let event = match outcome {
                    Outcome::Declined => Some(Event::Declined),
                    Outcome::CardExpired => Some(Event::CardExpired),
                    Outcome::Open | Outcome::Failed | Outcome::Cancelled => None,
                };
                owed = event.filter(|_| tell).map(|event| owe(visit.transaction_id, event));
            }
        });
        self.owed.extend(owed);
    }

    fn choose(&mut self, place: Place) {
        self.choices.retain(|chosen| *chosen != place);
        self.choices.insert(0, place);
    }

    fn change(&mut self, place: Place, change: impl FnOnce(&mut Fact)) {
        if let Some(fact) = self.facts.iter_mut().find(|fact| fact.place == place)
            && fact.fate != Fate::Gone
        {
            change(fact);
        }
    }
}

fn place_of(visit: TransactionId) -> Place {
    visit.recurring_payment_id().sequence().number()
}

fn owe(visit: TransactionId, event: Event) -> Owed {
    Owed { visit, event, first_try: None }
}

/// Nobody finished it. Who named an address is told, unless a decline of the newest visit was told already.
fn abandon(fact: &mut Fact, at: DateTime<Utc>) -> Option<Owed> {
    fact.fate = Fate::Cancelled { at, ended: false, card: None };
    let told = [Outcome::Declined, Outcome::CardExpired];
    let newest =
        fact.visits.last().filter(|newest| fact.tell && !told.contains(&newest.outcome))?;
    debug_assert!(newest.opened_at <= at);
    let attempt = shared::domain::id::Attempt::try_from(fact.visits.len() - 1).ok()?;
    Some(owe(TransactionId::new(crate::protocol::id(fact.place), attempt), Event::Abandoned))
}

/// Nothing is left but that the place was given out.
fn forget(fact: &mut Fact) {
    fact.fate = Fate::Gone;
    fact.visits.clear();
    fact.name = None;
}
