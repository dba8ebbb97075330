//! The upload limit: requests that all drives of a host may have under way at the store, as many as it takes well.
//!
//! In go the most that the configuration allows and, with each [`Slot`], what its store says of being busy; the limit moves between 1 and that most as
//! [`limit::Limit`] decides. A slot is given back when it is dropped, however its request ended; a drive that waits for one and is
//! dropped takes none. Slots are given in the order in which they were asked for, so no drive starves.

mod limit;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::limit::{Limit, Round};
use crate::store::Busy;

/// The upload limit of a host. Clones share it.
#[derive(Clone)]
pub struct Uploads(Arc<Shared>);

struct Shared {
    most: usize,
    limit: Mutex<Limit>,
    /// Has as many permits, free and held, as `limit` says: both change under its lock.
    free: Arc<Semaphore>,
}

/// One request that may be under way; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Slot {
    uploads: Uploads,
    store: Busy,
    /// How often the store had said that it is busy when this was given.
    before: u64,
    round: Round,
    /// Taken only when this is dropped.
    permit: Option<OwnedSemaphorePermit>,
}

/// Counts one that waits, also if it is dropped while it does.
struct Waiting<'a>(&'a Uploads);

impl Uploads {
    /// A limit of at most so many requests, and at least one.
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let limit = Limit::new(most);
        let free = Arc::new(Semaphore::new(limit.now()));
        Self(Arc::new(Shared { most, limit: Mutex::new(limit), free }))
    }

    /// The most requests there will ever be under way.
    pub fn most(&self) -> usize {
        self.0.most
    }

    /// The limit as it is now.
    pub fn limit(&self) -> usize {
        self.limit_now().now()
    }

    /// Requests under way.
    pub fn held(&self) -> usize {
        let limit = self.limit_now();
        limit.permits() - self.0.free.available_permits().min(limit.permits())
    }

    /// Waits for a place among the requests under way. `None` cannot happen while anybody holds this limit.
    pub(super) async fn slot(&self, store: Busy) -> Option<Slot> {
        let waiting = Waiting::begin(self);
        let permit = Arc::clone(&self.0.free).acquire_owned().await.ok()?;
        drop(waiting);
        let round = self.limit_now().round();
        Some(Slot { uploads: self.clone(), before: store.count(), store, round, permit: Some(permit) })
    }

    fn limit_now(&self) -> MutexGuard<'_, Limit> {
        self.0.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a permit back, and as many out of use or into it as the limit has moved.
    fn give_back(&self, permit: OwnedSemaphorePermit, round: Round, busy: bool) {
        let mut limit = self.limit_now();
        let before = limit.now();
        limit.answered(round, busy);
        if limit.now() < before {
            tracing::debug!(uploads = limit.now(), "the store is busy: fewer requests at the same time");
        }
        if limit.surplus() > 0 {
            permit.forget();
            limit.retired(1);
        } else {
            drop(permit);
        }
        let retired = self.0.free.forget_permits(limit.surplus());
        limit.retired(retired);
        let missing = limit.missing();
        self.0.free.add_permits(missing);
        limit.added(missing);
    }
}

impl<'a> Waiting<'a> {
    fn begin(uploads: &'a Uploads) -> Self {
        uploads.limit_now().waits();
        Self(uploads)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.limit_now().waits_no_more();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let busy = self.store.count() > self.before;
        if let Some(permit) = self.permit.take() {
            self.uploads.give_back(permit, self.round, busy);
        }
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uploads({} of at most {}, {} held)", self.limit(), self.most(), self.held())
    }
}

#[cfg(test)]
mod tests;
