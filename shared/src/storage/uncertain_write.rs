//! Writes whose outcome is unknown.

use super::item::Item;
use super::unavailable;
use crate::error::{Cause, Error};

/// A write that may or may not have been carried out.
pub(super) struct UncertainWrite {
    /// The version that the write replaces.
    pub(super) replaces: u64,
    /// The error that made the outcome unknown.
    pub(super) cause: Cause,
}

impl UncertainWrite {
    /// Resolves an uncertain write with an item that does not have the id of the write. Returns the write if it can still be
    /// carried out, or `None` if it can never be.
    ///
    /// # Errors
    /// Fails with `Unavailable` if the id may have been dropped, because there were too many later writes.
    pub(super) fn after(uncertain: Option<Self>, item: &Item) -> Result<Option<Self>, Error> {
        match uncertain {
            Some(uncertain) if item.may_have_dropped_write(uncertain.replaces) => {
                Err(unavailable(uncertain.cause))
            }
            uncertain => Ok(uncertain.filter(|uncertain| item.version() <= uncertain.replaces)),
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

    /// The uncertain write replaces version 4. Its id is not in the item.
    #[test]
    fn an_uncertain_write_stays_uncertain_or_is_ruled_out_or_fails() {
        let (slot, organisation) = (Slot::new(7), Organisation::new(1));
        let wallet = Wallet::empty(slot, organisation, Owner([0; 32]), DateTime::UNIX_EPOCH);
        let mut item = Item::new(&wallet, None, 1);
        for version in 2..=14 {
            item = Item::new(&wallet, Some(&item), version);
            let uncertain = UncertainWrite { replaces: 4, cause: "lost".into() };
            let result = UncertainWrite::after(Some(uncertain), &item)
                .map(|uncertain| uncertain.is_some())
                .ok();
            // The write can still be carried out; then it cannot any more; then the item may have dropped its id.
            let expected = match version {
                ..=4 => Some(true),
                5..=12 => Some(false),
                _ => None,
            };
            assert_eq!(result, expected, "{version}");
        }
    }
}
