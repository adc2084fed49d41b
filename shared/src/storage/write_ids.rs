//! The ids of the last writes of an item, by which a writer recognises its own write after a lost response.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// The number of write ids that an item keeps. An uncertain write can be recognised until there were this many later writes.
const KEPT: usize = 8;

/// The ids of the last writes of an item, newest first, 8 bytes each.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct WriteIds(ByteBuf);

impl WriteIds {
    /// The ids after one more write.
    pub(super) fn after(previous: Option<&Self>, write_id: u64) -> Self {
        let mut ids = write_id.to_be_bytes().to_vec();
        ids.extend(previous.into_iter().flat_map(|previous| previous.0.iter()));
        ids.truncate(KEPT * size_of::<u64>());
        Self(ByteBuf::from(ids))
    }

    /// Whether this write is one of the last writes.
    pub(super) fn contain(&self, write_id: u64) -> bool {
        self.0.chunks(size_of::<u64>()).any(|id| id == write_id.to_be_bytes())
    }

    /// Whether an item of a version may have dropped the id of a write that replaced another version: there were too many later
    /// writes.
    pub(super) fn may_have_dropped(version: u64, replaced: u64) -> bool {
        version > replaced + KEPT as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An item keeps the ids of its last eight writes, newest first.
    #[test]
    fn a_write_is_recognised_until_eight_later_writes() {
        let mut ids: Option<WriteIds> = None;
        for write in 1..=20_u64 {
            let next = WriteIds::after(ids.as_ref(), write);
            for other in 0..=20 {
                let is_kept = other > 0 && other <= write && write < other + 8;
                assert_eq!(next.contain(other), is_kept, "{other} in the {write}th");
            }
            ids = Some(next);
        }
    }
}
