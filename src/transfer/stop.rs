//! A wish to stop, seen by everybody at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asked to stop: nothing new is begun, what is in flight is finished. Clones share the wish.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks everybody to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
