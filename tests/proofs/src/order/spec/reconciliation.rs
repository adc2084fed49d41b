//! The effect of reconciliations on a wallet (rules 5 to 9). The result of a reconciliation depends on Nets: the specification has
//! the possible results, and the stored wallet shows which one it was.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::responses::end_of;
use super::{Card, Expected, MINUTE, Outcome, Payment, Problem, State, TerminalSession, Wallet};

/// Maximum validity of a recurring payment (rule 9).
const LIFETIME_YEARS: i64 = 3;

/// The result of a reconciliation of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reconciliation {
    /// A valid card: its kind, last four digits and expiry month.
    Card(String, String, String),
    /// The customer cancelled.
    Cancelled,
    /// The issuer declined the card.
    Declined,
    /// The customer has not done anything yet.
    Pending,
    /// Nets does not know the session.
    Unknown,
}

impl Reconciliation {
    /// Whether it is a card that has expired at an instant.
    fn has_expired(&self, at: i64) -> bool {
        matches!(self, Self::Card(_, _, expiry) if end_of(expiry) <= at)
    }
}

/// Returns the possible results for a session during one invocation, by transaction id. An unclear result is always possible.
pub type PossibleReconciliations<'a> = &'a dyn Fn(u64) -> Vec<Reconciliation>;

impl TerminalSession {
    /// The next planned reconciliation, after a result without an outcome.
    fn next_planned_reconciliation(&self, now: i64) -> Option<i64> {
        Self::RECONCILE_AFTER.into_iter().map(|after| self.opened_at + after).find(|at| now < *at)
    }

    /// The next reconciliation after an unclear result: in a minute.
    fn reconcile_at_if_unclear(&self, now: i64) -> i64 {
        let soon = now + MINUTE;
        self.reconcile_at.filter(|at| now < *at).map_or(soon, |planned| planned.min(soon))
    }

    /// The new state of the session, if one of the results leads to `after`. A card is activated at `activated_at`.
    fn transition(
        &self,
        after: &Self,
        results: &[Reconciliation],
        now: i64,
        activated_at: i64,
    ) -> Result<Self, String> {
        let closed = |outcome| Self { outcome, reconcile_at: None, ..self.clone() };
        let open = |reconcile_at| Self { reconcile_at, ..self.clone() };
        let mut possible = vec![self.clone(), open(Some(self.reconcile_at_if_unclear(now)))];
        for result in results {
            possible.extend(match result {
                card @ Reconciliation::Card(..) if card.has_expired(activated_at) => {
                    Some(closed(Outcome::CardExpired))
                }
                Reconciliation::Card(..) => None,
                Reconciliation::Cancelled => Some(closed(Outcome::Cancelled)),
                Reconciliation::Declined => Some(closed(Outcome::Declined)),
                Reconciliation::Pending => Some(open(self.next_planned_reconciliation(now))),
                // The invocation that opened the session may be registering it.
                Reconciliation::Unknown if now < self.opened_at + MINUTE => {
                    Some(open(self.next_planned_reconciliation(now)))
                }
                Reconciliation::Unknown => Some(closed(Outcome::Failed)),
            });
        }
        let is_after = |session: &Self| {
            session.outcome == after.outcome && session.reconcile_at == after.reconcile_at
        };
        let unexpected =
            || format!("a session changed to {after:?}, but the possible results were {results:?}");
        possible.into_iter().find(is_after).ok_or_else(unexpected)
    }
}

/// Applies reconciliations to a wallet. `stored` is the wallet after them and shows which of the possible results they had. With
/// `only`, one recurring payment was reconciled; without it, all.
///
/// # Errors
/// Fails if no possible result leads to `stored`.
pub fn apply_reconciliation(
    wallet: &mut Wallet,
    stored: &Wallet,
    only: Option<u64>,
    possible: PossibleReconciliations<'_>,
    now: i64,
) -> Result<(), String> {
    let ids: Vec<u64> = wallet.payments.iter().map(|payment| wallet.id(payment.sequence)).collect();
    for id in ids.into_iter().filter(|id| only.is_none_or(|only| only == *id)) {
        let Some(payment) = wallet.find(id) else { continue };
        let State::Created(sessions) = &payment.state else { continue };
        let Some(after) = stored.find(id) else { continue };
        let activated_at = wallet.activation_instant(now);
        if let Some(card) = after.card() {
            let card = card_from_session(id, payment, card, possible, activated_at)?;
            if card.has_expired(activated_at) {
                return Err(format!("{id} became ACTIVE with {card:?}, which had expired"));
            }
            wallet.activate(id, card, activated_at);
            wallet.apply_time(now);
        } else if let State::Created(stored_sessions) = &after.state {
            let pairs = sessions.iter().zip(stored_sessions).enumerate();
            let changed = pairs.map(|(attempt, (session, after))| match session.outcome {
                Outcome::Open => session.transition(
                    after,
                    &possible(id << 4 | attempt as u64),
                    now,
                    activated_at,
                ),
                Outcome::Failed | Outcome::Cancelled | Outcome::Declined | Outcome::CardExpired => {
                    Ok(session.clone())
                }
            });
            let changed: Vec<TerminalSession> = changed.collect::<Result<_, _>>()?;
            if let Some(payment) = wallet.find_mut(id)
                && let State::Created(sessions) = &mut payment.state
            {
                sessions.splice(..changed.len(), changed);
            }
        }
    }
    wallet.apply_time(now);
    Ok(())
}

/// The card that was stored: from the oldest session that can have it. Expired cards are skipped.
fn card_from_session(
    id: u64,
    payment: &Payment,
    stored: &Card,
    possible: PossibleReconciliations<'_>,
    activated_at: i64,
) -> Result<Reconciliation, String> {
    for (attempt, _) in payment.open_sessions() {
        let results = possible(id << 4 | attempt as u64);
        let is_stored = |result: &&Reconciliation| {
            matches!(result, Reconciliation::Card(kind, last_four, expiry)
                if (kind, last_four, expiry) == (&stored.kind, &stored.last_four, &stored.expiry))
        };
        if let Some(card) = results.iter().find(is_stored) {
            return Ok(card.clone());
        }
        if let [card @ Reconciliation::Card(..)] = results.as_slice()
            && !card.has_expired(activated_at)
        {
            return Err(format!("an older session of {id} has another card than {stored:?}"));
        }
    }
    Err(format!("{id} became ACTIVE with {stored:?}, which no customer entered"))
}

impl Wallet {
    /// Each activation is at least a millisecond after the previous one, so that activations keep their order when clocks differ.
    fn activation_instant(&self, now: i64) -> i64 {
        let activations = self.payments.iter().filter_map(|payment| payment.card());
        let last = activations.map(|card| card.activated_at).max();
        last.map_or(now, |last| now.max(last + 1))
    }

    /// Activates a recurring payment (rule 9).
    fn activate(&mut self, id: u64, card: Reconciliation, activated_at: i64) {
        let Reconciliation::Card(kind, last_four, expiry) = card else { return };
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

/// The possible responses of `authorize` to an invocation that read this wallet, as of now.
#[must_use]
pub fn authorize_responses(
    wallet: &Wallet,
    id: u64,
    possible: PossibleReconciliations<'_>,
    now: i64,
) -> Vec<Expected> {
    let refused = |status, kind| Expected::Refused(Problem::new(status, kind));
    let Some(payment) = wallet.find(id) else { return vec![refused(404, "not-found")] };
    let sessions = match &payment.state {
        State::Created(sessions) => sessions,
        State::Active(_) => {
            return vec![Expected::Success(200, wallet.representation(payment), None)];
        }
        State::Expired(_) | State::Cancelled(..) => return vec![refused(409, "not-awaiting-card")],
    };
    let mut kinds = BTreeSet::from(["no-terminal"]);
    if payment.open_sessions().next().is_none() {
        let newest = sessions.iter().rev().find(|session| session.outcome != Outcome::Failed);
        kinds = match newest.map(|session| session.outcome) {
            Some(Outcome::Cancelled) => BTreeSet::from(["terminal-cancelled"]),
            Some(Outcome::Declined) => BTreeSet::from(["declined"]),
            Some(Outcome::CardExpired) => BTreeSet::from(["card-expired"]),
            Some(Outcome::Open | Outcome::Failed) | None => kinds,
        };
    }
    let activated_at = wallet.activation_instant(now);
    for (attempt, session) in payment.open_sessions() {
        let results = possible(id << 4 | attempt as u64);
        let mut next_kinds = BTreeSet::new();
        for result in &results {
            match result {
                card @ Reconciliation::Card(..) if card.has_expired(activated_at) => {
                    next_kinds.extend(["card-expired"]);
                }
                Reconciliation::Card(..) => {}
                Reconciliation::Unknown => next_kinds.extend(&kinds),
                Reconciliation::Cancelled => next_kinds.extend(["terminal-cancelled"]),
                Reconciliation::Declined => next_kinds.extend(["declined"]),
                Reconciliation::Pending if session.ends_at() <= now => {
                    next_kinds.extend(["terminal-timed-out"]);
                }
                Reconciliation::Pending => next_kinds.extend(["terminal-open"]),
            }
        }
        kinds = next_kinds;
    }
    let problem = |kind| Problem {
        reason: (kind == "declined").then_some("REFUSED_BY_ISSUER"),
        ..Problem::new(409, kind)
    };
    kinds.into_iter().map(|kind| Expected::Refused(problem(kind))).collect()
}
