//! `shared/src/app/reconciliation.rs`: queries Nets for a session, and has its card verified.

use shared::domain::card::{CardExpiry, VerifiedCard};
use shared::domain::terminal::{CloseReason, Reconciliation, TerminalSession};
use shared::error::{Decline, Refusal};
use shared::netaxept::{Progress, Verification};

use crate::annotation::ReconciliationSummary;
use crate::defect::Defect;
use crate::event::Event;
use crate::nets::EXPIRING_CARD_MONTH;
use crate::wallets::{Answer, Call, Failure, Stop, Wire};

/// A session with the result of its reconciliation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// The session.
    pub session: TerminalSession,
    /// The result.
    pub reconciliation: Reconciliation,
    /// Whether Nets gave no clear answer.
    pub uncertain: bool,
}

impl Reconciled {
    /// The result for the annotation of a write.
    #[must_use]
    pub fn summary(&self) -> (TerminalSession, ReconciliationSummary) {
        let summary = match &self.reconciliation {
            Reconciliation::Card(VerifiedCard { card, .. }) => ReconciliationSummary::Card {
                digits: card.last_four.as_str().parse().unwrap_or_default(),
                expires_soon: CardExpiry::new(EXPIRING_CARD_MONTH.0, EXPIRING_CARD_MONTH.1)
                    == Some(card.expiry),
            },
            Reconciliation::Closed(CloseReason::NeverRegistered) => {
                ReconciliationSummary::NeverRegistered
            }
            Reconciliation::Closed(CloseReason::Cancelled) => ReconciliationSummary::Cancelled,
            Reconciliation::Closed(CloseReason::Declined(Decline::Hard)) => {
                ReconciliationSummary::Declined
            }
            // The wallet decides whether a card has expired.
            Reconciliation::Closed(
                CloseReason::CardExpired
                | CloseReason::Declined(Decline::Soft | Decline::AuthenticationRequired),
            )
            | Reconciliation::Pending
            | Reconciliation::Unclear => ReconciliationSummary::NoChange,
        };
        (self.session, summary)
    }
}

/// `App::reconcile`.
///
/// # Errors
/// Fails only with `Waiting`. An unclear answer is a reconciliation, too.
pub fn reconcile(wire: &mut Wire<'_>, session: TerminalSession) -> Result<Reconciled, Stop> {
    let (reconciliation, uncertain) = match query_and_verify(wire, &session) {
        Ok(reconciliation) => (reconciliation, false),
        Err(Stop::Failed(_)) => {
            wire.record(Event::Unclear);
            let closed = Reconciliation::Closed(CloseReason::NeverRegistered);
            (
                if wire.has(Defect::UnclearCountsAsUnregistered) {
                    closed
                } else {
                    Reconciliation::Unclear
                },
                true,
            )
        }
        Err(waiting @ Stop::Waiting(_)) => return Err(waiting),
    };
    Ok(Reconciled { session, reconciliation, uncertain })
}

fn query_and_verify(
    wire: &mut Wire<'_>,
    session: &TerminalSession,
) -> Result<Reconciliation, Stop> {
    if wire.has(Defect::VerifiesWithoutQuery) {
        return verify(wire, session);
    }
    match query(wire, session)? {
        Progress::Verified(card) => {
            wire.record(Event::VerifiedBefore);
            Ok(Reconciliation::Card(card))
        }
        Progress::Cancelled => {
            wire.record(Event::CustomerCancelled);
            Ok(Reconciliation::Closed(CloseReason::Cancelled))
        }
        Progress::NeverRegistered => {
            wire.record(Event::NotRegistered);
            Ok(Reconciliation::Closed(CloseReason::NeverRegistered))
        }
        Progress::Unverified => verify(wire, session),
    }
}

fn verify(wire: &mut Wire<'_>, session: &TerminalSession) -> Result<Reconciliation, Stop> {
    let Some(Answer::Verification(verification)) = wire.call(Call::Verify(*session))? else {
        return Err(Stop::Failed(Failure::Unavailable));
    };
    match *verification {
        Verification::NoCard => Ok(Reconciliation::Pending),
        Verification::Cancelled => Ok(Reconciliation::Closed(CloseReason::Cancelled)),
        Verification::Declined(decline) => {
            wire.record(match decline {
                Decline::Soft | Decline::AuthenticationRequired => Event::SoftDecline,
                Decline::Hard => Event::HardDecline,
            });
            Ok(Reconciliation::Closed(CloseReason::Declined(decline)))
        }
        verification @ (Verification::Verified | Verification::AlreadyProcessed) => {
            wire.record(if verification == Verification::Verified {
                Event::Verified
            } else {
                Event::AlreadyProcessed
            });
            match query(wire, session)? {
                Progress::Verified(card) => Ok(Reconciliation::Card(card)),
                Progress::Cancelled | Progress::NeverRegistered | Progress::Unverified => {
                    Err(Stop::Failed(Failure::Unavailable))
                }
            }
        }
    }
}

/// `Netaxept::query`.
///
/// # Errors
/// `Unavailable` if Nets gives no clear answer.
pub fn query(wire: &mut Wire<'_>, session: &TerminalSession) -> Result<Progress, Stop> {
    let Some(Answer::Progress(progress)) = wire.call(Call::Query(*session))? else {
        return Err(Stop::Failed(Failure::Unavailable));
    };
    Ok(progress.clone())
}

/// The failure if no session has a card: `Unavailable` if any answer was unclear, otherwise a refusal.
#[must_use]
pub fn error_without_card(reconciled: &[Reconciled]) -> Failure {
    if reconciled.iter().any(|one| one.uncertain) {
        Failure::Unavailable
    } else {
        Failure::Refused(Refusal::TerminalOpen)
    }
}
