//! The hashing of ranges, many at the same time: up to 16 cost hardly more CPU time than one.
//!
//! ```text
//!  reader ── Coming ──▶ piece ── Coming ──▶ queue ── batch ──▶ blocking thread ── digest ──▶ piece
//!    (while it reads)     (until it is here)            (as many at a time as cores)
//! ```
//!
//! A body waits in the queue with its share of the budget until a batch takes it. A batch begins when a core is free and one of these holds:
//!
//! - the queue fills the lanes ([`Queue::full`]);
//! - nothing more is certain to come: no [`Coming`] is held by anyone;
//! - a body has waited for [`LONGEST_WAIT`].
//!
//! A reader holds a [`Coming`] only while nothing but its disk keeps it from sending the next range, and lets go of it before it waits for
//! the budget or for an entry to end: both may need what is in the queue. Each range carries one from the reader to the queue; there
//! it waits for the store at most. So whoever makes a batch wait does not wait for the batch, and were that ever wrong, the longest wait
//! would end it.
//!
//! There are no threads of its own and nothing to end: a batch is one call on the runtime's threads for blocking work. If it panics, or the
//! runtime ends before it begins, its answers are lost, which the callers are told, and its core is free again. Whoever stops waiting for
//! an answer leaves body and share in the queue, and the next batch drops both unhashed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::budget::Share;
use crate::manifest::Digest;

/// The longest that a body waits for others: what a slow disk takes to read ranges for all lanes.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Lanes that a batch should fill.
const LANES: u64 = 16;
/// The most bodies of a batch, so that what ends first need not wait for too many others.
const MOST_BODIES: usize = 64;
/// Bytes with which a batch is large enough: the largest range in each lane.
const MOST_BYTES: u64 = LANES * (4 << 20);

/// Hashes ranges for all drives of a host. Clones share it.
#[derive(Clone, Debug)]
pub struct Hasher {
    cores: usize,
    queue: Arc<Mutex<Queue>>,
    /// [`Digest::of_many`], but in tests.
    of_many: fn(&[&[u8]]) -> Vec<Digest>,
}

/// The answer was lost with the thread that worked on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the thread that hashed a range broke off")]
pub(super) struct HashingLost;

/// A range's bytes with their share of the budget.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) share: Share,
}

/// A body in the queue, and who waits for its digest.
#[derive(Debug)]
struct Waiting {
    body: Body,
    answer: oneshot::Sender<(Body, Digest)>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// The bytes of all that wait.
    bytes: u64,
    /// How many [`Coming`] there are.
    coming: usize,
    /// Batches under way.
    running: usize,
    /// Whether a body has waited long enough.
    overdue: bool,
}

impl Queue {
    fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.body.bytes.len() as u64;
        self.waiting.push_back(waiting);
    }

    /// Whether more bodies would not make a batch any better. Bodies of one length fill the lanes when there is one for each; of others more
    /// are needed, so that no lane is empty while the longest goes on.
    fn full(&self) -> bool {
        if self.waiting.len() >= MOST_BODIES || self.bytes >= MOST_BYTES {
            return true;
        }
        let longest = self.waiting.iter().map(|waiting| waiting.body.bytes.len()).max().unwrap_or_default() as u64;
        self.bytes >= LANES * longest.max(1)
    }

    /// The next batch, if one may begin.
    fn next(&mut self, cores: usize) -> Option<Vec<Waiting>> {
        let ready = !self.waiting.is_empty() && (self.coming == 0 || self.overdue || self.full());
        if !ready || self.running >= cores {
            return None;
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MOST_BODIES
            && bytes < MOST_BYTES
            && let Some(waiting) = self.waiting.pop_front()
        {
            bytes += waiting.body.bytes.len() as u64;
            batch.push(waiting);
        }
        self.bytes -= bytes;
        self.overdue &= !self.waiting.is_empty();
        self.running += 1;
        Some(batch)
    }
}

/// Somebody is certain to bring a body soon, or to drop this. While one is held, a batch may wait for more.
#[derive(Debug)]
pub(super) struct Coming {
    hasher: Hasher,
    runtime: Handle,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.hasher.queue().coming -= 1;
        self.hasher.start(&self.runtime);
    }
}

/// A core that a batch keeps; free again when it is dropped, however the batch ended.
struct Core {
    hasher: Hasher,
    runtime: Handle,
}

impl Drop for Core {
    fn drop(&mut self) {
        self.hasher.queue().running -= 1;
        self.hasher.start(&self.runtime);
    }
}

impl Hasher {
    /// A hasher that keeps at most so many cores busy.
    pub fn new(cores: usize) -> Self {
        Self { cores: cores.max(1), queue: Arc::default(), of_many: Digest::of_many }
    }

    /// Says that a body will come from a task of this runtime.
    pub(super) fn coming(&self, runtime: &Handle) -> Coming {
        self.queue().coming += 1;
        Coming { hasher: self.clone(), runtime: runtime.clone() }
    }

    /// The MD5 of a body, which is given back with it.
    pub(super) async fn digest(&self, body: Body, coming: Option<Coming>) -> Result<(Body, Digest), HashingLost> {
        let (answer, mut answered) = oneshot::channel();
        let runtime = Handle::current();
        self.queue().push(Waiting { body, answer });
        // it is here now; this asks for a batch, too
        drop(coming);
        self.start(&runtime);
        if let Ok(answer) = tokio::time::timeout(LONGEST_WAIT, &mut answered).await {
            return answer.map_err(|_| HashingLost);
        }
        tracing::debug!("a range has waited the longest for others to be hashed with");
        self.hurry();
        self.start(&runtime);
        answered.await.map_err(|_| HashingLost)
    }

    /// Lets what is in the queue wait no longer.
    fn hurry(&self) {
        let mut queue = self.queue();
        queue.overdue = !queue.waiting.is_empty();
    }

    /// Begins every batch that may begin.
    fn start(&self, runtime: &Handle) {
        loop {
            let Some(batch) = self.queue().next(self.cores) else { return };
            let core = Core { hasher: self.clone(), runtime: runtime.clone() };
            runtime.spawn_blocking(move || hash(batch, core));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // nothing that holds it can panic half way
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes a batch and answers each who still waits.
fn hash(mut batch: Vec<Waiting>, core: Core) {
    batch.retain(|waiting| !waiting.answer.is_closed());
    let bodies: Vec<&[u8]> = batch.iter().map(|waiting| &*waiting.body.bytes).collect();
    let digests = (core.hasher.of_many)(&bodies);
    // the next batch need not wait until all of this one are told
    drop(core);
    for (Waiting { body, answer }, digest) in batch.into_iter().zip(digests) {
        // one that has stopped waiting gets nothing: body and share are dropped here
        let _ = answer.send((body, digest));
    }
}

#[cfg(test)]
mod tests;
