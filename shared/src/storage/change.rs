//! Changes an aggregate: a decision, and a conditional write of its result. On a conflict, decides again with the winner's version.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::table::{Attributes, PutOutcome, Table, unavailable};
use super::uncertain_write::UncertainWrite;
use super::write_ids::WriteIds;
use crate::error::Error;
use crate::invocation;

/// The number of attempts of a change before [`Error::Busy`].
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// An aggregate that is stored as one item: a wallet or a payment.
pub(super) trait Aggregate: Sized {
    /// The stored data.
    type Contents: Clone + PartialEq;
    /// The stored form.
    type Item;
    /// Why a rule does not allow a change.
    type Refusal: Into<Error>;

    /// The data to store.
    fn contents(&self) -> &Self::Contents;
    /// The item to write, which replaces another item with the contents `before` or is the first.
    fn to_item(
        &self,
        before: &Self::Contents,
        replaces: Option<&Self::Item>,
        write_id: u64,
        now: DateTime<Utc>,
    ) -> Self::Item;
    /// Whether an index entry of the item is due although the aggregate is not. The next change corrects the entry.
    fn has_stale_index_entry(&self, item: &Self::Item, now: DateTime<Utc>) -> bool;
    /// Writes the audit log of a change.
    fn audit(before: Self::Contents, after: &Self);

    /// Reads an item.
    fn read(attributes: Attributes) -> Result<Self::Item, Error>;
    /// The attributes of an item.
    fn write(item: &Self::Item) -> Result<Attributes, Error>;
    /// The version of an item, which each write increments.
    fn version(item: &Self::Item) -> u64;
    /// The ids of the last writes of an item.
    fn write_ids(item: &Self::Item) -> &WriteIds;
}

/// An aggregate that was read, or that has no item yet.
pub(super) struct Loaded<A: Aggregate> {
    /// The aggregate as of the instant of the read.
    pub(super) aggregate: A,
    /// The stored contents.
    pub(super) before: A::Contents,
    /// The stored item, if there is one.
    pub(super) item: Option<A::Item>,
    /// Whether nothing was read, and the first write finds out whether there is an item. If there is one, this is no conflict.
    pub(super) is_unread: bool,
}

/// The result of a change.
pub(super) struct Changed<A: Aggregate, T> {
    /// The result of the decision.
    pub(super) outcome: T,
    /// Whether anything was written.
    pub(super) written: bool,
    /// The aggregate after the decision. It can be changed again without a read.
    pub(super) loaded: Loaded<A>,
}

/// A decision that is not confirmed as written yet.
struct Decision<A: Aggregate, T> {
    outcome: T,
    before: A::Contents,
    after: A,
    item: A::Item,
}

impl<A: Aggregate, T> Decision<A, T> {
    /// Confirms the write, and writes the audit log.
    fn written(self) -> Changed<A, T> {
        let Self { outcome, before, after, item } = self;
        A::audit(before, &after);
        let before = after.contents().clone();
        Changed {
            outcome,
            written: true,
            loaded: Loaded { aggregate: after, before, item: Some(item), is_unread: false },
        }
    }
}

/// What the attempts of a change know so far.
struct Attempts<A: Aggregate, T> {
    write_id: u64,
    /// The last decision.
    previous: Option<Decision<A, T>>,
    uncertain: Option<UncertainWrite>,
    /// Whether the last decision was made without a read: see [`Loaded::is_unread`].
    is_unread: bool,
}

/// The result of one attempt.
enum Attempt<A: Aggregate, T> {
    Completed(Changed<A, T>),
    /// Another writer was first, or the outcome is unknown. With the current item, if it is known.
    Failed(Option<A::Item>),
}

/// Changes an aggregate: calls `decide`, and writes the result if the stored version is unchanged. An aggregate that `decide` leaves
/// unchanged is not written. After a conflict or an uncertain write, `open` opens the current item, or `load` reads it, and the
/// change is retried. `open` returns `None` if the item is another aggregate.
///
/// After an uncertain write, the aggregate is read again. If the write was carried out, its id is in the item, and the change is not
/// repeated. If there were so many other writes that the id may have been dropped, the change fails.
///
/// # Errors
/// Fails with the refusal of `decide`, with an error of `load` and `open`, with `Busy` after five conflicts, and with `Unavailable`
/// if it is unknown whether the change was written.
pub(super) async fn change<A, T, F>(
    table: &Table,
    loaded: Loaded<A>,
    now: DateTime<Utc>,
    load: impl Fn() -> F,
    open: impl Fn(A::Item) -> Result<Option<Loaded<A>>, Error>,
    mut decide: impl FnMut(&mut A) -> Result<T, A::Refusal>,
) -> Result<Changed<A, T>, Error>
where
    A: Aggregate,
    F: Future<Output = Result<Loaded<A>, Error>>,
{
    let (write_id, is_unread) = (new_write_id(), loaded.is_unread);
    let mut attempts = Attempts { write_id, previous: None, uncertain: None, is_unread };
    let mut current = Some(loaded);
    for attempt in 0..MAX_ATTEMPTS {
        let loaded = match current.take() {
            Some(loaded) => loaded,
            None => load().await?,
        };
        if let Some(decision) = attempts.confirm(loaded.item.as_ref())? {
            return Ok(decision.written());
        }
        match attempts.attempt(table, loaded, now, &mut decide).await? {
            Attempt::Completed(changed) => return Ok(changed),
            Attempt::Failed(item) => current = item.map(&open).transpose()?.flatten(),
        }
        if !attempts.is_unread {
            pause(attempt).await;
        }
    }
    let Some(UncertainWrite { cause, .. }) = attempts.uncertain else {
        return Err(Error::Busy { attempts: MAX_ATTEMPTS });
    };
    let item = load().await?.item;
    let written = item.is_some_and(|item| A::write_ids(&item).contain(attempts.write_id));
    attempts.previous.filter(|_| written).map(Decision::written).ok_or_else(|| unavailable(cause))
}

impl<A: Aggregate, T> Attempts<A, T> {
    /// Returns the last decision if the item shows that it is written. Otherwise finds out whether it can still be written.
    fn confirm(&mut self, item: Option<&A::Item>) -> Result<Option<Decision<A, T>>, Error> {
        let (Some(decision), Some(item)) = (self.previous.take(), item) else { return Ok(None) };
        if A::write_ids(item).contain(self.write_id) {
            return Ok(Some(decision));
        }
        self.uncertain = UncertainWrite::after(self.uncertain.take(), A::version(item))?;
        Ok(None)
    }

    /// Decides, and writes the result if there is anything to write.
    async fn attempt(
        &mut self,
        table: &Table,
        loaded: Loaded<A>,
        now: DateTime<Utc>,
        decide: &mut impl FnMut(&mut A) -> Result<T, A::Refusal>,
    ) -> Result<Attempt<A, T>, Error> {
        let Loaded { aggregate: mut after, before, item, is_unread } = loaded;
        self.is_unread = is_unread;
        let outcome = decide(&mut after).map_err(Into::into)?;
        let has_stale_index_entry =
            item.as_ref().is_some_and(|item| after.has_stale_index_entry(item, now));
        if *after.contents() == before && !has_stale_index_entry {
            let loaded = Loaded { aggregate: after, before, item, is_unread };
            return Ok(Attempt::Completed(Changed { outcome, written: false, loaded }));
        }
        let write_id = self.write_id;
        let replaces = item.as_ref().map(A::version);
        let item = after.to_item(&before, item.as_ref(), write_id, now);
        self.write(table, Decision { outcome, before, after, item }, replaces).await
    }

    async fn write(
        &mut self,
        table: &Table,
        decision: Decision<A, T>,
        replaces: Option<u64>,
    ) -> Result<Attempt<A, T>, Error> {
        let uncertain_write =
            |cause| UncertainWrite { replaces: replaces.unwrap_or_default(), cause };
        let current = match table.put(A::write(&decision.item)?, replaces).await {
            PutOutcome::Written => return Ok(Attempt::Completed(decision.written())),
            PutOutcome::Conflict(winner, retried) => {
                let winner = winner.map(A::read).transpose()?;
                if winner.as_ref().is_some_and(|item| A::write_ids(item).contain(self.write_id)) {
                    return Ok(Attempt::Completed(decision.written()));
                }
                invocation::record(|invocation| invocation.conflicts += u64::from(!self.is_unread));
                self.uncertain = retried.map(uncertain_write).or(self.uncertain.take());
                if let Some(item) = &winner {
                    self.uncertain =
                        UncertainWrite::after(self.uncertain.take(), A::version(item))?;
                }
                winner
            }
            PutOutcome::Uncertain(cause) => {
                self.uncertain = Some(uncertain_write(cause));
                None
            }
        };
        self.previous = Some(decision);
        Ok(Attempt::Failed(current))
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place that generates write ids")]
pub(super) fn new_write_id() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

/// Waits for a random time of up to 20, 40, 80 … ms, so that writers with the same conflict do not retry at the same time.
async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..20 << attempt))).await;
}
