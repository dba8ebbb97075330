//! How often a store has said that it is busy: what a limit of requests at the same time is halved on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count of "busy" (503, 429) since the store was opened. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Busy(Arc<AtomicU64>);

impl Busy {
    /// So far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Once more.
    pub(crate) fn said(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
