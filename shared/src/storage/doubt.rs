//! Writes of ours of which nobody said whether they were carried out.

use super::item::Item;
use super::unavailable;
use crate::error::{Cause, Error};
use crate::seeded::{Fault, seeded};

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
            Some(doubt)
                if seen.may_have_forgotten(doubt.replaces) && !seeded(Fault::IgnoresForgotten) =>
            {
                Err(unavailable(doubt.cause))
            }
            doubt => Ok(doubt.filter(|doubt| seen.version() <= doubt.replaces)),
        }
    }
}
