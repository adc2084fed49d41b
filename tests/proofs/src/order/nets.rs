//! The actions of customers on the pages at Nets, and the possible results of reconciliations.

use std::collections::HashMap;

use super::spec::Reconciliation;

/// An action of a customer on a terminal page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageAction {
    /// Enters a valid card: its kind, last four digits and expiry month, `2027-03`.
    EnterCard(String, String, String),
    /// Enters a card that the issuer declines.
    EnterDeclinedCard,
    /// Presses cancel.
    Cancel,
}

/// A terminal session. Numbers are positions in the order of events.
#[derive(Debug, Default)]
struct TerminalSession {
    /// When a response first contained the address of the session's page.
    registered_at: Option<u64>,
    /// The action that the customer started.
    action: Option<PageAction>,
    /// When the action finished, and whether it was accepted.
    finished: Option<(u64, bool)>,
}

/// All terminal sessions, by transaction id.
#[derive(Debug, Default)]
pub(super) struct TerminalSessions(HashMap<u64, TerminalSession>);

impl TerminalSessions {
    /// Records that Nets has registered a session.
    pub(super) fn registered(&mut self, transaction: u64, at: u64) {
        self.0.entry(transaction).or_default().registered_at.get_or_insert(at);
    }

    /// Records the start of a customer's action.
    pub(super) fn start_action(&mut self, transaction: u64, action: PageAction) {
        self.0.entry(transaction).or_default().action = Some(action);
    }

    /// Records the end of a customer's action.
    pub(super) fn finish_action(&mut self, transaction: u64, at: u64, accepted: bool) {
        self.0.entry(transaction).or_default().finished = Some((at, accepted));
    }

    /// The possible results of a reconciliation that started at this position and is finished now.
    #[must_use]
    pub(super) fn possible_reconciliations(
        &self,
        transaction: u64,
        started_at: u64,
    ) -> Vec<Reconciliation> {
        let Some(session) = self.0.get(&transaction) else {
            return vec![Reconciliation::Pending, Reconciliation::Unknown];
        };
        let found = session.action.as_ref().map(|action| match action {
            PageAction::EnterCard(kind, last_four, month) => {
                Reconciliation::Card(kind.clone(), last_four.clone(), month.clone())
            }
            PageAction::EnterDeclinedCard => Reconciliation::Declined,
            PageAction::Cancel => Reconciliation::Cancelled,
        });
        let mut reconciliations = match (found, session.finished) {
            (None, _) | (Some(_), Some((_, false))) => vec![Reconciliation::Pending],
            (Some(found), Some((at, true))) if at < started_at => vec![found],
            (Some(found), _) => vec![found, Reconciliation::Pending],
        };
        if session.registered_at.is_none_or(|at| started_at < at) {
            reconciliations.push(Reconciliation::Unknown);
        }
        reconciliations
    }

    /// The sessions of a recurring payment in which a valid card was entered and accepted.
    pub(super) fn entered_cards(&self, id: u64) -> impl Iterator<Item = u64> {
        (0..16).map(move |attempt| id << 4 | attempt).filter(|transaction| {
            let session = self.0.get(transaction);
            session.is_some_and(|session| {
                matches!(session.action, Some(PageAction::EnterCard(..)))
                    && session.finished.is_some_and(|(_, accepted)| accepted)
            })
        })
    }

    /// Removes the sessions of a wallet.
    pub(super) fn remove_wallet(&mut self, slot: u64) {
        self.0.retain(|transaction, _| transaction >> 14 != slot);
    }
}
