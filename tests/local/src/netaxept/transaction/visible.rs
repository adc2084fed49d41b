//! What Query shows of the operations: all of them, or only those that were executed before an earlier time.

use jiff::Timestamp;

use super::operations::Operation;
use super::{Failure, HistoryLine, State, Transaction};

/// The operations that a Query shows, and their results.
pub(super) struct Visible<'a> {
    pub(super) history: Vec<&'a HistoryLine>,
    pub(super) errors: Vec<&'a Failure>,
    pub(super) state: State,
    pub(super) captured: u64,
    pub(super) credited: u64,
    pub(super) pan_hash: &'a str,
}

impl Transaction {
    /// Returns what a Query shows that does not know the operations after `shown_until`. Register and the terminal session are
    /// always shown.
    pub(super) fn visible(&self, shown_until: Timestamp) -> Visible<'_> {
        let is_line_shown =
            |line: &&HistoryLine| line.operation == "Register" || line.at <= shown_until;
        let is_error_shown =
            |error: &&Failure| error.operation == "Terminal" || error.at <= shown_until;
        let history: Vec<&HistoryLine> = self.history.iter().filter(is_line_shown).collect();
        let registered_hash = self.parameter("panhash");
        let pan_hash = match self.pan_hash.as_deref() {
            Some(pan_hash) if history.len() > 1 => pan_hash,
            _ => registered_hash,
        };
        let mut visible = Visible {
            history: Vec::new(),
            errors: self.errors.iter().filter(is_error_shown).collect(),
            state: State::Registered,
            captured: 0,
            credited: 0,
            pan_hash,
        };
        for line in history {
            visible.add(line);
        }
        visible
    }
}

impl<'a> Visible<'a> {
    /// Adds an operation to the history and to the sums.
    fn add(&mut self, line: &'a HistoryLine) {
        let is = |operation: &Operation| line.operation == operation.log_name;
        if is(&Operation::VERIFY) {
            self.state = State::Verified;
        } else if is(&Operation::ANNUL) {
            self.state = State::Annulled;
        } else if is(&Operation::AUTH) || is(&Operation::SALE) {
            self.state = State::Authorized;
        }
        if is(&Operation::CAPTURE) || is(&Operation::SALE) {
            self.captured += line.amount.unwrap_or_default();
        } else if is(&Operation::CREDIT) {
            self.credited += line.amount.unwrap_or_default();
        }
        self.history.push(line);
    }
}
