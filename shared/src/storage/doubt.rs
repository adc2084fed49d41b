//! Writes of ours of which nobody said whether they were carried out.

use super::item::Item;
use super::unavailable;
use crate::error::{Cause, Error};

/// A write of ours that may have been carried out.
pub(super) struct Doubt {
    /// The version that it was to take the place of.
    pub(super) replaces: u64,
    /// What came instead of an answer.
    pub(super) cause: Cause,
}

impl Doubt {
    /// What is left of a doubt once an item was seen in which the write is not remembered: the write may still come, or it
    /// cannot have been done any more.
    ///
    /// # Errors
    /// `Unavailable`: so many others wrote meanwhile that nobody knows.
    pub(super) fn after(doubt: Option<Self>, seen: &Item) -> Result<Option<Self>, Error> {
        match doubt {
            Some(doubt) if seen.may_have_forgotten(doubt.replaces) => Err(unavailable(doubt.cause)),
            doubt => Ok(doubt.filter(|doubt| seen.version() <= doubt.replaces)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::customer::Organisation;
    use crate::domain::id::Slot;
    use crate::domain::owner::Owner;
    use crate::domain::wallet::Wallet;

    /// A doubt about the write that was to follow version 4, and an item that does not remember it.
    #[test]
    fn a_doubt_stays_is_settled_or_is_for_good() {
        let (slot, organisation) = (Slot::new(7), Organisation::new(1));
        let wallet = Wallet::empty(slot, organisation, Owner([0; 32]), DateTime::UNIX_EPOCH);
        let mut item = Item::new(&wallet, None, 1);
        for version in 2..=14 {
            item = Item::new(&wallet, Some(&item), version);
            let doubt = Doubt { replaces: 4, cause: "lost".into() };
            let left = Doubt::after(Some(doubt), &item).map(|doubt| doubt.is_some()).ok();
            // It may still come; then it can not come any more; then the item may have forgotten it.
            let expected = match version {
                ..=4 => Some(true),
                5..=12 => Some(false),
                _ => None,
            };
            assert_eq!(left, expected, "{version}");
        }
    }
}
