//! A wish to stop, seen by everybody at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asked to stop: nothing new is begun, what is in flight is finished. Clones share the wish.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    /// The wish of all, if this is one drive's.
    of_all: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// Asks everybody who shares this wish to stop.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Whether somebody asked.
    pub fn asked(&self) -> bool {
        let is_set = |flag: &Arc<AtomicBool>| flag.load(Ordering::Acquire);
        is_set(&self.asked) || self.of_all.as_ref().is_some_and(is_set)
    }

    /// A wish of one drive alone, which stops with all others too.
    #[must_use]
    pub fn of_one(&self) -> Self {
        Self { asked: Arc::default(), of_all: Some(Arc::clone(&self.asked)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stops_alone_and_with_all() {
        let all = Stop::default();
        let (one, other) = (all.of_one(), all.of_one());
        one.ask();
        assert!(one.asked() && one.clone().asked() && !other.asked() && !all.asked());
        all.ask();
        assert!(other.asked());
    }
}
