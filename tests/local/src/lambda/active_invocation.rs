//! Counts the invocations of a function that are in progress.

use super::{Pool, lock};

/// Counts an invocation as active until it is dropped.
pub(super) struct ActiveInvocation<'a>(&'a Pool);

impl<'a> ActiveInvocation<'a> {
    pub(super) fn new(pool: &'a Pool) -> Self {
        lock(&pool.load).invocations += 1;
        Self(pool)
    }
}

impl Drop for ActiveInvocation<'_> {
    fn drop(&mut self) {
        lock(&self.0.load).invocations -= 1;
    }
}
