//! Each version is what the specification makes of the one before it.

use std::sync::Arc;

use super::history::{History, difference};
use super::invocation::{Invocation, Returned, Wrote};
use super::{Checker, Violation, empty, probe_of, whose};
use crate::order::item::Item;
use crate::order::nets::Visits;
use crate::order::operation::Operation;
use crate::order::spec::{Expected, Finding, Wallet, answers, conclude, decide};

impl Checker {
    /// An invocation wrote a version; with it, those are known that waited for it.
    pub(super) fn write(&mut self, id: u64, item: Item) -> Result<(), Violation> {
        let slot = item.wallet.slot;
        let history = self.wallets.entry(slot).or_insert_with(|| History::new(slot));
        if item.version <= history.last {
            let what = format!("version {} was written again, by {id}", item.version);
            return Err(history.violation(&what));
        }
        if item.version > history.last + 1 {
            history.keep(id, item)?;
            self.invocation(id)?.unresolved += 1;
            return Ok(());
        }
        self.settle(id, &item)?;
        while let Some((id, item)) = self.wallets.get_mut(&slot).and_then(History::next) {
            self.invocation(id)?.unresolved -= 1;
            self.settle(id, &item)?;
            self.check(id)?;
        }
        Ok(())
    }

    /// The next version of its wallet.
    fn settle(&mut self, id: u64, item: &Item) -> Result<(), Violation> {
        self.totals.versions += 1;
        let slot = item.wallet.slot;
        self.belongs(id, item)?;
        let unknown = || Violation::new(format!("a write by nobody known: {id}"));
        let invocation = self.invocations.get_mut(&id).ok_or_else(unknown)?;
        let history = self.wallets.get_mut(&slot).ok_or_else(unknown)?;
        let call = &invocation.call;
        let before = match history.newest() {
            Some(before) => before,
            None => Arc::new(empty(slot, &whose(call).unwrap_or_default())),
        };
        let told = format!(
            "version {} by {id} at {}: {:?} by {:?}",
            item.version, call.now, call.operation, call.caller
        );
        let made = transition(invocation, &before, item, &self.visits);
        let (wallet, answer) = made.map_err(|what| {
            history.tell(format!("before: {before:?}"));
            history.tell(told.clone());
            history.tell(format!("stored: {:?}", item.wallet));
            history.violation(&format!("version {}: {what}", item.version))
        })?;
        let wallet = Arc::new(wallet);
        history.push(wallet.clone(), told);
        let heard =
            matches!(&invocation.returned, Returned::Answered(answer) if answer.status != 503);
        if invocation.checked && heard {
            let what = format!("version {} was written after its answer", item.version);
            return Err(history.violation(&what));
        }
        self.totals.committed_unheard +=
            u64::from(!matches!(invocation.returned, Returned::NotYet));
        let version = item.version;
        invocation.wrote.push(Wrote { slot, version, wallet, answer });
        self.resolve(slot)
    }

    /// A wallet is its customer's from its first version on, and lies where it belongs.
    fn belongs(&mut self, id: u64, item: &Item) -> Result<(), Violation> {
        let slot = item.wallet.slot;
        let call = self.invocation(id)?.call.clone();
        let Some(history) = self.wallets.get_mut(&slot) else { return Ok(()) };
        if history.last == 0 {
            history.owner.clone_from(&item.owner);
            let Some(whose) = whose(&call) else {
                return Err(history.violation("it began with what creates nothing"));
            };
            let probe = probe_of(slot, &whose);
            let taken = |probe| {
                let slot = crate::order::place::slot(whose.0, &whose.1, probe);
                self.wallets.get(&slot).is_some_and(|history| history.last > 0)
            };
            let is_first = probe.is_some_and(|probe| (0..probe).all(taken));
            if !is_first || self.homes.contains_key(&whose) {
                let what = format!("a wallet of {whose:?} at {slot}, where it does not belong");
                return Err(Violation::new(what));
            }
            self.homes.insert(whose, slot);
            self.totals.wallets += 1;
            return Ok(());
        }
        if history.owner != item.owner {
            return Err(history.violation("it became somebody else's"));
        }
        match whose(&call) {
            Some(whose) if self.homes.get(&whose) != Some(&slot) => {
                let what = format!("it was changed for {whose:?}, whose it is not");
                Err(self.wallets.get(&slot).map_or_else(
                    || Violation::new(what.clone()),
                    |history| history.violation(&what),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whoever read the newest version before it was known has now seen it.
    fn resolve(&mut self, slot: u64) -> Result<(), Violation> {
        let waited = self.wallets.get_mut(&slot).map(History::waited).unwrap_or_default();
        for (id, item) in waited {
            self.invocation(id)?.unresolved -= 1;
            self.see(id, slot, Some(item))?;
            self.check(id)?;
        }
        Ok(())
    }
}

/// What the specification makes of a wallet for an invocation, if that is what was stored.
fn transition(
    invocation: &Invocation,
    before: &Wallet,
    item: &Item,
    visits: &Visits,
) -> Result<(Wallet, Option<Expected>), String> {
    let call = &invocation.call;
    let (now, stored) = (call.now, item.wallet.at(call.now));
    let mut wallet = before.at(now);
    let found = |transaction| visits.findings(transaction, invocation.invoked);
    let once = || match invocation.wrote.first() {
        None => Ok(()),
        Some(first) => {
            Err(format!("one invocation did it twice, with version {} too", first.version))
        }
    };
    let answer = match &call.operation {
        Operation::List(..) | Operation::Get(_) => return Err("a read wrote".to_owned()),
        Operation::Authorize(id) => {
            conclude(&mut wallet, &stored, Some(*id), &found, now)?;
            answers(&wallet, *id, &found, now)
                .into_iter()
                .find(|answer| matches!(answer, Expected::Done(..)))
        }
        Operation::Callback(_) => {
            conclude(&mut wallet, &stored, call.operation.id(), &found, now)?;
            None
        }
        Operation::Finish => {
            conclude(&mut wallet, &stored, None, &found, now)?;
            None
        }
        Operation::Terminal(id, _) if !invocation.wrote.is_empty() => {
            conclude(&mut wallet, &stored, Some(*id), &|_| vec![Finding::Unknown], now)?;
            None
        }
        Operation::Expire => None,
        Operation::Create(_)
        | Operation::Update(..)
        | Operation::End(_)
        | Operation::Terminal(..)
        | Operation::Erase(_) => {
            once()?;
            let decided = decide(call, &mut wallet);
            Some(decided.map_err(|problem| format!("it was to be refused: {problem:?}"))?)
        }
    };
    let wallet = wallet.written(now);
    match wrong(&wallet, &stored.written(now), item) {
        None => Ok((wallet, answer)),
        Some(what) => Err(what),
    }
}

fn wrong(wallet: &Wallet, stored: &Wallet, item: &Item) -> Option<String> {
    if let Some(what) = difference(wallet, stored) {
        return Some(what);
    }
    if item.expiry_at != wallet.expires_next() {
        let (says, is) = (item.expiry_at, wallet.expires_next());
        return Some(format!("the index of expiries says {says:?}, and it is {is:?}"));
    }
    if item.chore_at != wallet.looked_at_next() {
        let (says, is) = (item.chore_at, wallet.looked_at_next());
        return Some(format!("the index of chores says {says:?}, and it is {is:?}"));
    }
    (!item.right_pan_hashes).then(|| "a pan hash is where it must not be, or is not".to_owned())
}
