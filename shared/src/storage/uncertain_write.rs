//! Writes whose outcome is unknown.

use super::table::unavailable;
use super::write_ids::WriteIds;
use crate::error::{Cause, Error};

/// A write that may or may not have been carried out.
pub(super) struct UncertainWrite {
    /// The version that the write replaces.
    pub(super) replaces: u64,
    /// The error that made the outcome unknown.
    pub(super) cause: Cause,
}

impl UncertainWrite {
    /// Resolves an uncertain write with the version of an item that does not have the id of the write. Returns the write if it can
    /// still be carried out, or `None` if it can never be.
    ///
    /// # Errors
    /// Fails with `Unavailable` if the id may have been dropped, because there were too many later writes.
    pub(super) fn after(uncertain: Option<Self>, version: u64) -> Result<Option<Self>, Error> {
        match uncertain {
            Some(uncertain) if WriteIds::may_have_dropped(version, uncertain.replaces) => {
                Err(unavailable(uncertain.cause))
            }
            uncertain => Ok(uncertain.filter(|uncertain| version <= uncertain.replaces)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The uncertain write replaces version 4. Its id is not in the item.
    #[test]
    fn an_uncertain_write_stays_uncertain_or_is_ruled_out_or_fails() {
        for version in 2..=14 {
            let uncertain = UncertainWrite { replaces: 4, cause: "lost".into() };
            let result = UncertainWrite::after(Some(uncertain), version)
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
