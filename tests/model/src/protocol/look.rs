//! `shared/src/app/look.rs`: what Nets knows of a visit, and having its card verified.

use shared::domain::card::{CardExpiry, VerifiedCard};
use shared::domain::terminal::{Closing, Finding, Visit};
use shared::error::{Decline, Refusal};
use shared::netaxept::{Progress, Verification};

use crate::event::Event;
use crate::flaw::Flaw;
use crate::intent::Brought;
use crate::nets::SHORT;
use crate::wire::{Failure, Reply, Request, Stop, Wire};

/// What is now known of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The visit.
    pub visit: Visit,
    /// What came of it.
    pub finding: Finding,
    /// Whether Nets did not say clearly.
    pub doubt: bool,
}

impl Look {
    /// The same, as the properties hear of it.
    #[must_use]
    pub fn brought(&self) -> (Visit, Brought) {
        let brought = match &self.finding {
            Finding::Card(VerifiedCard { card, .. }) => Brought::Card {
                digits: card.last_four.as_str().parse().unwrap_or_default(),
                short: CardExpiry::new(SHORT.0, SHORT.1) == Some(card.expiry),
            },
            Finding::Closed(Closing::NeverRegistered) => Brought::NeverRegistered,
            Finding::Closed(Closing::Cancelled) => Brought::Cancelled,
            Finding::Closed(Closing::Declined(Decline::Hard)) => Brought::Declined,
            // Whether a card has expired is decided in the wallet.
            Finding::Closed(Closing::CardExpired | Closing::Declined(Decline::Soft))
            | Finding::Waiting
            | Finding::Unclear => Brought::Nothing,
        };
        (self.visit, brought)
    }
}

/// `App::look_up`.
///
/// # Errors
/// `Waits`, and nothing else: doubt is a finding.
pub fn look_up(wire: &mut Wire<'_>, visit: Visit) -> Result<Look, Stop> {
    let (finding, doubt) = match find(wire, &visit) {
        Ok(finding) => (finding, false),
        Err(Stop::Fails(_)) => {
            wire.note(Event::Unclear);
            let no = Finding::Closed(Closing::NeverRegistered);
            (if wire.has(Flaw::DoubtIsNo) { no } else { Finding::Unclear }, true)
        }
        Err(waits @ Stop::Waits(_)) => return Err(waits),
    };
    Ok(Look { visit, finding, doubt })
}

fn find(wire: &mut Wire<'_>, visit: &Visit) -> Result<Finding, Stop> {
    if wire.has(Flaw::VerifiesWithoutQuery) {
        return verify(wire, visit);
    }
    match query(wire, visit)? {
        Progress::Verified(card) => {
            wire.note(Event::VerifiedBefore);
            Ok(Finding::Card(card))
        }
        Progress::Cancelled => {
            wire.note(Event::CustomerCancelled);
            Ok(Finding::Closed(Closing::Cancelled))
        }
        Progress::NeverRegistered => {
            wire.note(Event::NotRegistered);
            Ok(Finding::Closed(Closing::NeverRegistered))
        }
        Progress::Unverified => verify(wire, visit),
    }
}

fn verify(wire: &mut Wire<'_>, visit: &Visit) -> Result<Finding, Stop> {
    let Reply::Verification(verification) = wire.ask(Request::Verify(*visit))? else {
        return Err(Stop::Fails(Failure::Unavailable));
    };
    match *verification {
        Verification::NoCard => Ok(Finding::Waiting),
        Verification::Cancelled => Ok(Finding::Closed(Closing::Cancelled)),
        Verification::Declined(decline) => {
            wire.note(match decline {
                Decline::Soft => Event::SoftDecline,
                Decline::Hard => Event::HardDecline,
            });
            Ok(Finding::Closed(Closing::Declined(decline)))
        }
        verification @ (Verification::Verified | Verification::AlreadyProcessed) => {
            wire.note(if verification == Verification::Verified {
                Event::Verified
            } else {
                Event::AlreadyProcessed
            });
            match query(wire, visit)? {
                Progress::Verified(card) => Ok(Finding::Card(card)),
                Progress::Cancelled | Progress::NeverRegistered | Progress::Unverified => {
                    Err(Stop::Fails(Failure::Unavailable))
                }
            }
        }
    }
}

/// `Netaxept::query`.
///
/// # Errors
/// `Unavailable` when Nets did not say clearly.
pub fn query(wire: &mut Wire<'_>, visit: &Visit) -> Result<Progress, Stop> {
    let Reply::Progress(progress) = wire.ask(Request::Query(*visit))? else {
        return Err(Stop::Fails(Failure::Unavailable));
    };
    Ok(progress.clone())
}

/// What the caller is told when no visit brought a card: doubt before anything else, then that there is none.
#[must_use]
pub fn answer(looks: &[Look]) -> Failure {
    if looks.iter().any(|look| look.doubt) {
        Failure::Unavailable
    } else {
        Failure::Refused(Refusal::TerminalOpen)
    }
}
