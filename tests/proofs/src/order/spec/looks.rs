//! What looks at Nets make of a wallet (rules 5 to 9). What a look finds is Nets' to say: here it is what can have been found,
//! and of that what the wallet shows that was.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::picture::end_of;
use super::{Card, Expected, MINUTE, Outcome, Payment, Problem, State, Visit, Wallet};

/// For how long a recurring payment is valid at most (rule 9).
const LIFETIME_YEARS: i64 = 3;

/// What a look at a visit can find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A card that is good: its kind, last four digits and month.
    Card(String, String, String),
    /// The customer pressed cancel.
    Cancelled,
    /// The card was declined for good.
    Declined,
    /// Nothing yet.
    Waiting,
    /// Nets does not know of it.
    Unknown,
}

impl Finding {
    /// Whether it is a card whose month is over.
    fn has_expired(&self, at: i64) -> bool {
        matches!(self, Self::Card(_, _, expiry) if end_of(expiry) <= at)
    }
}

/// What looks during one invocation can have found at each visit, by its transaction id. That Nets is unclear is always possible.
pub type Findings<'a> = &'a dyn Fn(u64) -> Vec<Finding>;

impl Visit {
    /// When it is looked at next, after a look that found nothing.
    fn looked(&self, now: i64) -> Option<i64> {
        Self::LOOKS.into_iter().map(|after| self.opened_at + after).find(|at| now < *at)
    }

    /// When it is looked at next, after a look that told nothing: in a minute.
    fn unclear(&self, now: i64) -> i64 {
        let soon = now + MINUTE;
        self.look_at.filter(|at| now < *at).map_or(soon, |planned| planned.min(soon))
    }

    /// What it is now, if looks can have made that of it. A card that is stored now is activated at `activated_at`.
    fn became(
        &self,
        after: &Self,
        found: &[Finding],
        now: i64,
        activated_at: i64,
    ) -> Result<Self, String> {
        let closed = |outcome| Self { outcome, look_at: None, ..self.clone() };
        let open = |look_at| Self { look_at, ..self.clone() };
        let mut possible = vec![self.clone(), open(Some(self.unclear(now)))];
        for finding in found {
            possible.extend(match finding {
                card @ Finding::Card(..) if card.has_expired(activated_at) => {
                    Some(closed(Outcome::CardExpired))
                }
                Finding::Card(..) => None,
                Finding::Cancelled => Some(closed(Outcome::Cancelled)),
                Finding::Declined => Some(closed(Outcome::Declined)),
                Finding::Waiting => Some(open(self.looked(now))),
                // Whoever opened it may be about to ask Nets.
                Finding::Unknown if now < self.opened_at + MINUTE => Some(open(self.looked(now))),
                Finding::Unknown => Some(closed(Outcome::Failed)),
            });
        }
        let is_it = |one: &Self| one.outcome == after.outcome && one.look_at == after.look_at;
        let told =
            || format!("a visit became {after:?}, though looks can have found {found:?} only");
        possible.into_iter().find(is_it).ok_or_else(told)
    }
}

/// What looks made of a wallet: what is stored after them shows which of the possible findings they had. `only` is the
/// recurring payment that was looked at; without it, all were.
///
/// # Errors
/// Nothing that can have been found explains it.
pub fn conclude(
    wallet: &mut Wallet,
    stored: &Wallet,
    only: Option<u64>,
    found: Findings<'_>,
    now: i64,
) -> Result<(), String> {
    let ids: Vec<u64> = wallet.payments.iter().map(|payment| wallet.id(payment.place)).collect();
    for id in ids.into_iter().filter(|id| only.is_none_or(|only| only == *id)) {
        let Some(payment) = wallet.find(id) else { continue };
        let State::Created(visits) = &payment.state else { continue };
        let Some(after) = stored.find(id) else { continue };
        let activated_at = wallet.activation_instant(now);
        if let Some(card) = after.card() {
            let card = brought(id, payment, card, found, activated_at)?;
            if card.has_expired(activated_at) {
                return Err(format!("{id} became ACTIVE with {card:?}, which had expired"));
            }
            wallet.activate(id, card, activated_at);
            wallet.settle(now);
        } else if let State::Created(seen) = &after.state {
            let both = visits.iter().zip(seen).enumerate();
            let became = both.map(|(place, (visit, seen))| match visit.outcome {
                Outcome::Open => {
                    visit.became(seen, &found(id << 4 | place as u64), now, activated_at)
                }
                Outcome::Failed | Outcome::Cancelled | Outcome::Declined | Outcome::CardExpired => {
                    Ok(visit.clone())
                }
            });
            let became: Vec<Visit> = became.collect::<Result<_, _>>()?;
            if let Some(payment) = wallet.find_mut(id)
                && let State::Created(visits) = &mut payment.state
            {
                visits.splice(..became.len(), became);
            }
        }
    }
    wallet.settle(now);
    Ok(())
}

/// The card that a visit brought: of the first one that can have brought it, oldest first. One that has expired is passed over.
fn brought(
    id: u64,
    payment: &Payment,
    stored: &Card,
    found: Findings<'_>,
    activated_at: i64,
) -> Result<Finding, String> {
    for (place, _) in payment.open_visits() {
        let findings = found(id << 4 | place as u64);
        let is_it = |finding: &&Finding| {
            matches!(finding, Finding::Card(kind, last_four, expiry)
                if (kind, last_four, expiry) == (&stored.kind, &stored.last_four, &stored.expiry))
        };
        if let Some(card) = findings.iter().find(is_it) {
            return Ok(card.clone());
        }
        if let [card @ Finding::Card(..)] = findings.as_slice()
            && !card.has_expired(activated_at)
        {
            return Err(format!("an older visit of {id} has a card, and {stored:?} is another"));
        }
    }
    Err(format!("{id} became ACTIVE with {stored:?}, which no customer entered"))
}

impl Wallet {
    /// Two activations in one millisecond, or under clocks that differ, keep their order (ours).
    fn activation_instant(&self, now: i64) -> i64 {
        let activations = self.payments.iter().filter_map(|payment| payment.card());
        let last = activations.map(|card| card.activated_at).max();
        last.map_or(now, |last| now.max(last + 1))
    }

    /// Rule 9.
    fn activate(&mut self, id: u64, card: Finding, activated_at: i64) {
        let Finding::Card(kind, last_four, expiry) = card else { return };
        let expires_at = end_of(&expiry).min(years_after(activated_at));
        let card = Card { kind, last_four, expiry, activated_at, expires_at };
        if let Some(payment) = self.find_mut(id) {
            payment.state = State::Active(card);
        }
    }
}

fn years_after(at: i64) -> i64 {
    let at = Timestamp::from_millisecond(at).unwrap_or_default().to_zoned(TimeZone::UTC);
    let then = at.checked_add(LIFETIME_YEARS.years()).unwrap_or(at);
    then.timestamp().as_millisecond()
}

/// What `authorize` can be answered by somebody who found the wallet so, as of now.
#[must_use]
pub fn answers(wallet: &Wallet, id: u64, found: Findings<'_>, now: i64) -> Vec<Expected> {
    let refused = |status, kind| Expected::Refused(Problem::new(status, kind));
    let Some(payment) = wallet.find(id) else { return vec![refused(404, "not-found")] };
    let visits = match &payment.state {
        State::Created(visits) => visits,
        State::Active(_) => return vec![Expected::Done(200, wallet.shown(payment), None)],
        State::Expired(_) | State::Cancelled(..) => return vec![refused(409, "not-awaiting-card")],
    };
    let mut kinds = BTreeSet::from(["no-terminal"]);
    if payment.open_visits().next().is_none() {
        let newest = visits.iter().rev().find(|visit| visit.outcome != Outcome::Failed);
        kinds = match newest.map(|visit| visit.outcome) {
            Some(Outcome::Cancelled) => BTreeSet::from(["terminal-cancelled"]),
            Some(Outcome::Declined) => BTreeSet::from(["declined"]),
            Some(Outcome::CardExpired) => BTreeSet::from(["card-expired"]),
            Some(Outcome::Open | Outcome::Failed) | None => kinds,
        };
    }
    let activated_at = wallet.activation_instant(now);
    for (place, visit) in payment.open_visits() {
        let findings = found(id << 4 | place as u64);
        let mut then = BTreeSet::new();
        for finding in &findings {
            match finding {
                card @ Finding::Card(..) if card.has_expired(activated_at) => {
                    then.extend(["card-expired"]);
                }
                Finding::Card(..) => {}
                Finding::Unknown => then.extend(&kinds),
                Finding::Cancelled => then.extend(["terminal-cancelled"]),
                Finding::Declined => then.extend(["declined"]),
                Finding::Waiting if visit.ends_at() <= now => then.extend(["terminal-timed-out"]),
                Finding::Waiting => then.extend(["terminal-open"]),
            }
        }
        kinds = then;
    }
    let problem = |kind| Problem {
        reason: (kind == "declined").then_some("REFUSED_BY_ISSUER"),
        ..Problem::new(409, kind)
    };
    kinds.into_iter().map(|kind| Expected::Refused(problem(kind))).collect()
}
