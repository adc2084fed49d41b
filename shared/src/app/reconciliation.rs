//! Reconciles one session: queries Nets for its outcome, and verifies its card.

use chrono::{DateTime, Utc};

use super::App;
use crate::domain::terminal::{CloseReason, Reconciliation, TerminalSession};
use crate::error::{Error, Refusal};
use crate::netaxept::{Progress, Verification};

/// The result of a reconciliation.
pub(super) struct Reconciled {
    pub(super) session: TerminalSession,
    pub(super) reconciliation: Reconciliation,
    /// The error, if the reconciliation is `Unclear`.
    pub(super) error: Option<Error>,
}

impl App {
    pub(super) async fn reconcile(&self, session: TerminalSession) -> Reconciled {
        match self.query_and_verify(&session).await {
            Ok(reconciliation) => Reconciled { session, reconciliation, error: None },
            Err(error) => {
                Reconciled { session, reconciliation: Reconciliation::Unclear, error: Some(error) }
            }
        }
    }

    async fn query_and_verify(&self, session: &TerminalSession) -> Result<Reconciliation, Error> {
        match self.netaxept.query(session).await? {
            Progress::Verified(card) => Ok(Reconciliation::Card(card)),
            Progress::Cancelled => Ok(Reconciliation::Closed(CloseReason::Cancelled)),
            Progress::NeverRegistered => Ok(Reconciliation::Closed(CloseReason::NeverRegistered)),
            Progress::Unverified => self.verify(session).await,
        }
    }

    async fn verify(&self, session: &TerminalSession) -> Result<Reconciliation, Error> {
        match self.netaxept.verify(session).await? {
            Verification::NoCard => Ok(Reconciliation::Pending),
            Verification::Cancelled => Ok(Reconciliation::Closed(CloseReason::Cancelled)),
            Verification::Declined(decline) => {
                Ok(Reconciliation::Closed(CloseReason::Declined(decline)))
            }
            Verification::Verified | Verification::AlreadyProcessed => {
                match self.netaxept.query(session).await? {
                    Progress::Verified(card) => Ok(Reconciliation::Card(card)),
                    Progress::Cancelled | Progress::NeverRegistered | Progress::Unverified => {
                        Err(Error::Unavailable {
                            what: "Netaxept",
                            cause: "the transaction was processed, but is not verified".into(),
                        })
                    }
                }
            }
        }
    }
}

/// The error for the caller if no session has a valid card: the first error of a reconciliation, else the result of the newest
/// session that Nets knows.
pub(super) fn error_without_card(reconciled: Vec<Reconciled>, now: DateTime<Utc>) -> Error {
    let mut refusal = Refusal::NoTerminal;
    for one in reconciled {
        if let Some(error) = one.error {
            return error;
        }
        refusal = match one.reconciliation {
            Reconciliation::Closed(CloseReason::NeverRegistered) => refusal,
            Reconciliation::Closed(CloseReason::Cancelled) => Refusal::TerminalCancelled,
            Reconciliation::Closed(CloseReason::Declined(decline)) => Refusal::Declined(decline),
            Reconciliation::Pending if one.session.terminal.expires_at() <= now => {
                Refusal::TerminalTimedOut
            }
            // This function is not called if a session has a valid card.
            Reconciliation::Closed(CloseReason::CardExpired) | Reconciliation::Card(_) => {
                Refusal::CardExpired
            }
            Reconciliation::Pending | Reconciliation::Unclear => Refusal::TerminalOpen,
        };
    }
    refusal.into()
}
