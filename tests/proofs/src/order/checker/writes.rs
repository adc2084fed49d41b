//! Checks that each version is the specification's result for the previous version.

use std::sync::Arc;

use super::events::{self, EventTotals, Version};
use super::history::{History, difference};
use super::inbox::Inbox;
use super::invocation::{Invocation, Returned, Write};
use super::{Checker, Violation, customer_of, empty_wallet, probe_of};
use crate::order::item::Item;
use crate::order::nets::TerminalSessions;
use crate::order::operation::{Call, Operation};
use crate::order::spec::{
    Expected, Origin, Reconciliation, Wallet, apply_reconciliation, authorize_responses, decide,
};

impl Checker {
    /// Records a write, and the reads and writes that waited for it.
    pub(super) fn record_write(&mut self, id: u64, item: Item) -> Result<(), Violation> {
        let slot = item.wallet.slot;
        self.inbox.record(&item.events);
        let history = self.wallets.entry(slot).or_insert_with(|| History::new(slot));
        if item.version <= history.last_version {
            let what = format!("version {} was written again, by {id}", item.version);
            return Err(history.violation(&what));
        }
        if item.version > history.last_version + 1 {
            history.add_early_write(id, item)?;
            self.invocation(id)?.unresolved += 1;
            return Ok(());
        }
        self.apply_write(id, &item)?;
        while let Some((id, item)) =
            self.wallets.get_mut(&slot).and_then(History::take_next_early_write)
        {
            self.invocation(id)?.unresolved -= 1;
            self.apply_write(id, &item)?;
            self.check(id)?;
        }
        Ok(())
    }

    /// Checks the next version of a wallet and adds it to the history.
    fn apply_write(&mut self, id: u64, item: &Item) -> Result<(), Violation> {
        self.totals.versions += 1;
        let slot = item.wallet.slot;
        self.check_owner(id, item)?;
        let unknown_invocation =
            || Violation::new(format!("a write with an unknown invocation: {id}"));
        let invocation = self.invocations.get_mut(&id).ok_or_else(unknown_invocation)?;
        let history = self.wallets.get_mut(&slot).ok_or_else(unknown_invocation)?;
        let checked = check_version(id, invocation, history, item, (&self.sessions, &self.inbox));
        let CheckedVersion { wallet, response, events, log_line } = checked?;
        history.push(wallet.clone(), item.events.clone(), log_line);
        self.totals.events.merge(events);
        let has_response =
            matches!(&invocation.returned, Returned::Responded(response) if response.status != 503);
        if invocation.is_checked && has_response {
            let what = format!("version {} was written after its response", item.version);
            return Err(history.violation(&what));
        }
        self.totals.committed_without_response +=
            u64::from(!matches!(invocation.returned, Returned::Pending));
        let version = item.version;
        invocation.writes.push(Write { slot, version, wallet, response });
        self.resolve_pending_reads(slot)
    }

    /// Checks that a wallet always has the same owner, and is in the owner's slot.
    fn check_owner(&mut self, id: u64, item: &Item) -> Result<(), Violation> {
        let slot = item.wallet.slot;
        let call = self.invocation(id)?.call.clone();
        let Some(history) = self.wallets.get_mut(&slot) else { return Ok(()) };
        if history.last_version == 0 {
            history.owner.clone_from(&item.owner);
            let Some(customer) = customer_of(&call) else {
                return Err(history.violation(
                    "the first version was written by an operation without a customer",
                ));
            };
            let probe = probe_of(slot, &customer);
            let is_taken = |probe| {
                let slot = crate::order::slots::slot(customer.0, &customer.1, probe);
                self.wallets.get(&slot).is_some_and(|history| history.last_version > 0)
            };
            let is_first_free = probe.is_some_and(|probe| (0..probe).all(is_taken));
            if !is_first_free || self.slots.contains_key(&customer) {
                let what = format!("the wallet of {customer:?} is in the wrong slot {slot}");
                return Err(Violation::new(what));
            }
            self.slots.insert(customer, slot);
            self.totals.wallets += 1;
            return Ok(());
        }
        if history.owner != item.owner {
            return Err(history.violation("the owner changed"));
        }
        match customer_of(&call) {
            Some(customer) if self.slots.get(&customer) != Some(&slot) => {
                let what = format!("it was changed for {customer:?}, who is not its owner");
                Err(self.wallets.get(&slot).map_or_else(
                    || Violation::new(what.clone()),
                    |history| history.violation(&what),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Completes the pending reads of the newest version.
    fn resolve_pending_reads(&mut self, slot: u64) -> Result<(), Violation> {
        let reads =
            self.wallets.get_mut(&slot).map(History::take_pending_reads).unwrap_or_default();
        for (id, item) in reads {
            self.invocation(id)?.unresolved -= 1;
            self.record_read(id, slot, Some(item))?;
            self.check(id)?;
        }
        Ok(())
    }
}

/// A version that was checked.
struct CheckedVersion {
    /// The specification's wallet.
    wallet: Arc<Wallet>,
    /// The specification's response, if the version determines it.
    response: Option<Expected>,
    /// The lifecycle events that it stored and removed.
    events: EventTotals,
    /// The version in one line.
    log_line: String,
}

/// Compares the next version of a wallet with the specification.
fn check_version(
    id: u64,
    invocation: &Invocation,
    history: &mut History,
    item: &Item,
    (sessions, inbox): (&TerminalSessions, &Inbox),
) -> Result<CheckedVersion, Violation> {
    let Call { operation, caller, now } = &*invocation.call;
    let before = history.newest().unwrap_or_else(|| {
        let customer = customer_of(&invocation.call).unwrap_or_default();
        Arc::new(empty_wallet(item.wallet.slot, &customer))
    });
    let log_line =
        format!("version {} by {id} at {now}: {operation:?} by {caller:?}", item.version);
    let checked = transition(id, invocation, &before, item, sessions).and_then(|checked| {
        let (wallet, response) = checked;
        let version = Version { previous: &before, wallet: &wallet, operation, now: *now, inbox };
        let events = events::check(&history.events, &item.events, &version)?;
        Ok((Arc::new(wallet), response, events))
    });
    let (wallet, response, events) = checked.map_err(|what| {
        history.log(format!("before: {before:?} {:?}", history.events));
        history.log(log_line.clone());
        history.log(format!("stored: {:?} {:?}", item.wallet, item.events));
        history.violation(&format!("version {}: {what}", item.version))
    })?;
    Ok(CheckedVersion { wallet, response, events, log_line })
}

/// Returns the specification's result and response for an invocation. Fails if the stored item differs.
fn transition(
    id: u64,
    invocation: &Invocation,
    before: &Wallet,
    item: &Item,
    sessions: &TerminalSessions,
) -> Result<(Wallet, Option<Expected>), String> {
    let call = &invocation.call;
    let (now, stored) = (call.now, item.wallet.at(call.now));
    let (before, mut wallet) = (before.at(now), before.at(now));
    let possible =
        |transaction| sessions.possible_reconciliations(transaction, invocation.position);
    let check_first_write = || match invocation.writes.first() {
        None => Ok(()),
        Some(first) => {
            Err(format!("one invocation wrote twice; it also wrote version {}", first.version))
        }
    };
    let response = match &call.operation {
        Operation::List(..)
        | Operation::Get(_)
        | Operation::Wait(..)
        | Operation::DryRun(..)
        | Operation::History(_) => {
            return Err("a read operation wrote".to_owned());
        }
        Operation::Payment(_) => return Err("an operation on a payment wrote a wallet".to_owned()),
        Operation::Authorize(id) => {
            apply_reconciliation(&mut wallet, &stored, Some(*id), &possible, now)?;
            authorize_responses(&wallet, *id, &possible, now)
                .into_iter()
                .find(|response| matches!(response, Expected::Success(..)))
        }
        Operation::Callback(_) => {
            apply_reconciliation(&mut wallet, &stored, call.operation.id(), &possible, now)?;
            None
        }
        Operation::Finish => {
            apply_reconciliation(&mut wallet, &stored, None, &possible, now)?;
            None
        }
        Operation::Terminal(id, _) if !invocation.writes.is_empty() => {
            apply_reconciliation(
                &mut wallet,
                &stored,
                Some(*id),
                &|_| vec![Reconciliation::Unknown],
                now,
            )?;
            None
        }
        Operation::Expire => None,
        Operation::Create(_)
        | Operation::Update(..)
        | Operation::End(_)
        | Operation::Terminal(..)
        | Operation::Erase(_) => {
            check_first_write()?;
            let decided = decide(call, &mut wallet);
            Some(decided.map_err(|problem| format!("expected a refusal: {problem:?}"))?)
        }
    };
    wallet.record(&before, now, Origin::of(call, id));
    let wallet = wallet.as_stored(now);
    match first_difference(&wallet, &stored.as_stored(now), item) {
        None => Ok((wallet, response)),
        Some(what) => Err(what),
    }
}

fn first_difference(wallet: &Wallet, stored: &Wallet, item: &Item) -> Option<String> {
    if let Some(what) = difference(wallet, stored) {
        return Some(what);
    }
    let specified = events::index_entries(wallet, &item.events);
    for (name, stored, specified) in
        [("expiryAt", item.expiry_at, specified[0]), ("taskAt", item.task_at, specified[1])]
    {
        if stored != specified {
            return Some(format!("{name}: stored {stored:?}, specified {specified:?}"));
        }
    }
    (!item.has_correct_pan_hashes).then(|| "a pan hash is missing or not deleted".to_owned())
}
