//! A look at one visit: what Nets knows of it, and having its card verified.

use chrono::{DateTime, Utc};

use super::App;
use crate::domain::terminal::{Closing, Finding, Visit};
use crate::error::{Error, Refusal};
use crate::netaxept::{Progress, Verification};

/// What is now known of a visit.
pub(super) struct Look {
    pub(super) visit: Visit,
    pub(super) finding: Finding,
    /// Why nothing is known, when it is not.
    pub(super) doubt: Option<Error>,
}

impl App {
    pub(super) async fn look_up(&self, visit: Visit) -> Look {
        match self.find(&visit).await {
            Ok(finding) => Look { visit, finding, doubt: None },
            Err(doubt) => Look { visit, finding: Finding::Unclear, doubt: Some(doubt) },
        }
    }

    async fn find(&self, visit: &Visit) -> Result<Finding, Error> {
        match self.netaxept.query(visit).await? {
            Progress::Verified(card) => Ok(Finding::Card(card)),
            Progress::Cancelled => Ok(Finding::Closed(Closing::Cancelled)),
            Progress::NeverRegistered => Ok(Finding::Closed(Closing::NeverRegistered)),
            Progress::Unverified => self.verify(visit).await,
        }
    }

    async fn verify(&self, visit: &Visit) -> Result<Finding, Error> {
        match self.netaxept.verify(visit).await? {
            Verification::NoCard => Ok(Finding::Waiting),
            Verification::Cancelled => Ok(Finding::Closed(Closing::Cancelled)),
            Verification::Declined(decline) => Ok(Finding::Closed(Closing::Declined(decline))),
            Verification::Verified | Verification::AlreadyProcessed => {
                match self.netaxept.query(visit).await? {
                    Progress::Verified(card) => Ok(Finding::Card(card)),
                    Progress::Cancelled | Progress::NeverRegistered | Progress::Unverified => {
                        Err(Error::Unavailable {
                            what: "Netaxept",
                            cause: "processed, but not verified".into(),
                        })
                    }
                }
            }
        }
    }
}

/// What the caller is told when no visit brought a card that is good: doubt before anything else, then what the newest visit that Nets
/// knows came to.
pub(super) fn answer(looks: Vec<Look>, now: DateTime<Utc>) -> Error {
    let mut answer = Refusal::NoTerminal;
    for look in looks {
        if let Some(doubt) = look.doubt {
            return doubt;
        }
        answer = match look.finding {
            Finding::Closed(Closing::NeverRegistered) => answer,
            Finding::Closed(Closing::Cancelled) => Refusal::TerminalCancelled,
            Finding::Closed(Closing::Declined(decline)) => Refusal::Declined(decline),
            Finding::Waiting if look.visit.terminal.expires_at() <= now => {
                Refusal::TerminalTimedOut
            }
            // A card that is good was answered before.
            Finding::Closed(Closing::CardExpired) | Finding::Card(_) => Refusal::CardExpired,
            Finding::Waiting | Finding::Unclear => Refusal::TerminalOpen,
        };
    }
    answer.into()
}
