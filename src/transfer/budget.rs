//! The budget: bytes that may be in memory between the disk and the store, for all drives of a host together.
//!
//! A reader reserves a [`Window`] before it reads, all of it or nothing, and cuts a share off it for each range. The share travels with
//! the range and is given back when that is dropped: stored, refused or failed. Requests are served in the order they came, so no drive
//! starves. A range in flight never waits for another range, so what is reserved is always given back.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits are counted in units of this many bytes, since a semaphore counts requests in 32 bits.
const UNIT: u64 = 4096;

/// A budget of bytes. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    bytes: u64,
    free: Arc<Semaphore>,
}

/// More was asked for than the whole budget: it would never be granted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{wanted} bytes are wanted at once, the whole budget has {budget}")]
pub struct BudgetError {
    wanted: u64,
    budget: u64,
}

/// A part of the budget, reserved for the next ranges of one drive.
#[derive(Debug)]
pub(super) struct Window(OwnedSemaphorePermit);

/// The share of one range; dropping it gives the bytes back.
#[derive(Debug)]
pub(super) struct Share(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Budget {
    /// A budget of so many bytes, at least one unit of 4 KiB.
    pub fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes / UNIT).unwrap_or(Semaphore::MAX_PERMITS).clamp(1, Semaphore::MAX_PERMITS);
        Self { bytes, free: Arc::new(Semaphore::new(units)) }
    }

    /// The whole budget in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes not reserved now.
    pub fn free(&self) -> u64 {
        self.free.available_permits() as u64 * UNIT
    }

    /// A window of so many bytes, if nobody has to wait for it or is waiting already.
    pub(super) fn try_reserve(&self, bytes: u64) -> Option<Window> {
        Arc::clone(&self.free).try_acquire_many_owned(units(bytes)).ok().map(Window)
    }

    /// Waits for a window of so many bytes.
    pub(super) async fn reserve(&self, bytes: u64) -> Result<Window, BudgetError> {
        let error = BudgetError { wanted: bytes, budget: self.bytes };
        let units = units(bytes);
        if u64::from(units) * UNIT > self.bytes.max(UNIT) {
            return Err(error);
        }
        Arc::clone(&self.free).acquire_many_owned(units).await.map(Window).map_err(|_| error)
    }
}

impl Window {
    /// Cuts the share of a range off; `None` if what is left is too small.
    pub(super) fn cut(&mut self, bytes: u64) -> Option<Share> {
        self.0.split(units(bytes) as usize).map(Share)
    }
}

/// Units for a range. An empty one costs a unit too: its task is not free.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shares_come_back_when_they_are_dropped() {
        let budget = Budget::new(64 * UNIT);
        let mut window = budget.reserve(16 * UNIT).await.unwrap();
        let share = window.cut(10 * UNIT).unwrap();
        assert!(window.cut(7 * UNIT).is_none());
        drop(window);
        assert_eq!(budget.free(), 54 * UNIT);
        drop(share);
        assert_eq!(budget.free(), 64 * UNIT);
    }

    #[tokio::test]
    async fn a_window_larger_than_the_budget_is_refused_not_waited_for() {
        let budget = Budget::new(8 * UNIT);
        let error = budget.reserve(9 * UNIT).await.unwrap_err();
        assert_eq!(error, BudgetError { wanted: 9 * UNIT, budget: 8 * UNIT });
    }

    #[tokio::test]
    async fn a_second_window_waits_until_the_first_gives_back() {
        let budget = Budget::new(8 * UNIT);
        let first = budget.reserve(8 * UNIT).await.unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(UNIT).await.is_ok() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        assert!(budget.try_reserve(UNIT).is_none());
        drop(first);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn what_is_free_is_not_taken_from_under_one_who_waits_for_more() {
        let budget = Budget::new(8 * UNIT);
        let first = budget.try_reserve(6 * UNIT).unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(4 * UNIT).await }
        });
        tokio::task::yield_now().await;
        assert!(budget.try_reserve(UNIT).is_none());
        drop(first);
        assert!(waiting.await.unwrap().is_ok());
    }
}
