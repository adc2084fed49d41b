//! The history of a wallet: its last changes, with instant, actor, reason and primary (§7 of api.md and `docs/DECISIONS.md`).

use serde_json::{Value, json};

use super::{Reason, State, Wallet, instant};
use crate::order::operation::{CLIENT_NAME, Call, Caller, correlation_id};

/// Number of changes that are kept, of all recurring payments of a customer together.
const MAX_CHANGES: usize = 16;

/// Where a change comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Time alone.
    Time,
    /// A client, with the number of the invocation.
    Client(u64),
    /// The result of a terminal, from Nets' callback with the number of its invocation, or from a schedule.
    Nets(Option<u64>),
}

/// A change of one recurring payment, and the change of the primary that it causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    at: i64,
    origin: Origin,
    /// The primary before and after.
    primary: [Option<u16>; 2],
    /// What the history of each recurring payment shows: the one that changed, the old primary and the new one.
    shown: Vec<Shown>,
}

/// A change in the history of one recurring payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    sequence: u16,
    before: Option<&'static str>,
    after: &'static str,
    reason: &'static str,
}

impl Origin {
    /// The origin of what an invocation changes, except by time.
    #[must_use]
    pub fn of(call: &Call, invocation: u64) -> Self {
        match call.caller {
            Caller::Unauthenticated if call.operation.is_scheduled() => Self::Nets(None),
            Caller::Unauthenticated => Self::Nets(Some(invocation)),
            Caller::Partner(_) | Caller::Internal(_) | Caller::Traveller(..) => {
                Self::Client(invocation)
            }
        }
    }

    fn actor(self) -> Value {
        match self {
            Self::Time => json!({ "type": "TIME" }),
            Self::Client(_) => json!({ "type": "CLIENT", "client": CLIENT_NAME }),
            Self::Nets(_) => json!({ "type": "NETS" }),
        }
    }

    fn correlation_id(self) -> Option<String> {
        match self {
            Self::Time => None,
            Self::Client(invocation) => Some(correlation_id(invocation)),
            Self::Nets(invocation) => invocation.map(correlation_id),
        }
    }
}

impl HistoryEntry {
    fn representation(&self, wallet: &Wallet, shown: &Shown) -> Value {
        let [primary_before, primary_after] =
            self.primary.map(|primary| primary.map(|sequence| wallet.id(sequence)));
        let mut all = json!({
            "changedAt": instant(self.at),
            "actor": self.origin.actor(),
            "statusBefore": shown.before,
            "statusAfter": shown.after,
            "reason": shown.reason,
            "primaryBefore": primary_before,
            "primaryAfter": primary_after,
            "correlationId": self.origin.correlation_id(),
        });
        if let Some(members) = all.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        all
    }
}

impl Wallet {
    /// The changes of a recurring payment, oldest first.
    pub(super) fn history_of(&self, id: u64) -> Value {
        let changes = self.history.iter().flat_map(|entry| {
            let shown = entry.shown.iter().filter(|shown| self.id(shown.sequence) == id);
            shown.map(|shown| entry.representation(self, shown))
        });
        changes.collect()
    }

    /// Adds the changes by time until an instant, each at the instant at which it is due.
    pub(super) fn record_changes_by_time(&mut self, now: i64) {
        let mut before = self.clone();
        while let Some(at) = before.next_change_at().filter(|at| *at <= now) {
            let mut after = before.clone();
            after.apply_time(at);
            after.record(&before, at, Origin::Time);
            before = after;
        }
        self.history = before.history;
    }

    /// Adds the changes since `before` to the history. The one that changes the primary is the first: that of the new primary, else
    /// that of the old one. If both are unchanged, the new primary was chosen.
    pub fn record(&mut self, before: &Self, at: i64, origin: Origin) {
        let primary = [before.primary(), self.primary()];
        let [old, new] = primary;
        let statuses = self.payments.iter().map(|payment| (payment.sequence, payment.status()));
        let mut changed: Vec<u16> = statuses
            .filter(|(sequence, status)| before.status_of(*sequence) != Some(*status))
            .map(|(sequence, _)| sequence)
            .collect();
        let is_changed = |sequence: &u16| changed.contains(sequence);
        let first = new.filter(is_changed).or(old.filter(is_changed)).or(new);
        let first = first.filter(|_| old != new);
        if let Some(first) = first {
            changed.retain(|sequence| *sequence != first);
            changed.insert(0, first);
        }
        for sequence in changed {
            let primary = if Some(sequence) == first { primary } else { [new; 2] };
            let shown = self.shown(before, sequence, primary);
            self.history.push(HistoryEntry { at, origin, primary, shown });
        }
        let mut kept = std::mem::take(&mut self.history);
        let exists = |shown: &Shown| self.status_of(shown.sequence).is_some();
        kept.retain(|entry| entry.shown.iter().any(exists));
        kept.drain(..kept.len().saturating_sub(MAX_CHANGES));
        self.history = kept;
    }

    /// What the histories show of a change of one recurring payment.
    fn shown(&self, before: &Self, sequence: u16, [old, new]: [Option<u16>; 2]) -> Vec<Shown> {
        let (was, is) = (before.status_of(sequence), self.status_of(sequence).unwrap_or_default());
        let reason = self.reason(before, sequence);
        let mut all = vec![Shown { sequence, before: was, after: is, reason }];
        if old == new {
            return all;
        }
        let handed_back = before.choices.contains(&sequence);
        let of_promotion = match reason {
            "ENDED" => "PROMOTED_AFTER_END",
            "EXPIRED" => "PROMOTED_AFTER_EXPIRY",
            "ABANDONED" if handed_back => "HANDED_BACK",
            "ABANDONED" => "PROMOTED_AFTER_ABANDONMENT",
            other => other,
        };
        for (primary, wallet, reason) in [(old, before, reason), (new, self, of_promotion)] {
            let Some(primary) = primary.filter(|primary| *primary != sequence) else { continue };
            let status = wallet.status_of(primary);
            let after = status.unwrap_or_default();
            all.push(Shown { sequence: primary, before: status, after, reason });
        }
        all
    }

    /// Why a recurring payment changed.
    fn reason(&self, before: &Self, sequence: u16) -> &'static str {
        let payment = self.payments.iter().find(|payment| payment.sequence == sequence);
        let is_changed = before.status_of(sequence) != self.status_of(sequence);
        match payment.map(|payment| &payment.state) {
            Some(State::Cancelled(Reason::Ended, ..)) => "ENDED",
            Some(State::Cancelled(Reason::Abandoned, ..)) => "ABANDONED",
            Some(State::Expired(_)) => "EXPIRED",
            Some(State::Active(_)) if is_changed => "CARD_STORED",
            Some(State::Created(_))
                if is_changed && before.primary().is_none() && self.primary() == Some(sequence) =>
            {
                "FIRST"
            }
            Some(State::Active(_) | State::Created(_)) | None => "REQUESTED",
        }
    }

    fn status_of(&self, sequence: u16) -> Option<&'static str> {
        let payment = self.payments.iter().find(|payment| payment.sequence == sequence);
        payment.map(super::Payment::status)
    }
}
