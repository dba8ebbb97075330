//! What waits for the writer, in order and bounded.
//!
//! Writes without a waiter hold their caller while the queue is full. A write with a waiter is always taken: its caller waits for the
//! disk anyway, so that there are never more of them than callers. The first failure closes the queue for good: it is told to everybody
//! who waits and to everybody who comes later, for what was queued behind it is lost.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::DbError;
use super::op::{Answer, Op, Queued};

/// Weight of one transaction.
pub(super) const BATCH: usize = 500;

/// Weight of all that waits: what gathers during a few slow syncs.
const MOST: usize = 8 * BATCH;

#[derive(Debug)]
pub(super) struct Queue {
    file: PathBuf,
    waiting: Mutex<Waiting>,
    /// Something is there, or the end.
    filled: Condvar,
    /// Something has been taken.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    writes: VecDeque<Queued>,
    weight: usize,
    end: Option<DbError>,
}

impl Queue {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), waiting: Mutex::default(), filled: Condvar::new(), room: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // a push or a take is done or not, never half
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a write; waits while the queue is full.
    pub(super) fn push(&self, op: Op) -> Result<(), DbError> {
        let mut waiting = self.lock();
        while waiting.weight >= MOST && waiting.end.is_none() {
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        self.put(waiting, Queued { op, waiter: None })
    }

    /// Queues a write and waits until it is on the disk.
    pub(super) async fn ask(&self, op: Op) -> Result<Answer, DbError> {
        let (waiter, answer) = oneshot::channel();
        self.put(self.lock(), Queued { op, waiter: Some(waiter) })?;
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    fn put(&self, mut waiting: MutexGuard<'_, Waiting>, queued: Queued) -> Result<(), DbError> {
        if let Some(end) = &waiting.end {
            return Err(end.clone());
        }
        waiting.weight += queued.op.weight();
        waiting.writes.push_back(queued);
        drop(waiting);
        self.filled.notify_one();
        Ok(())
    }

    /// The next writes, waiting for the first; `None` at the end.
    pub(super) fn take(&self) -> Option<Vec<Queued>> {
        let mut waiting = self.lock();
        while waiting.writes.is_empty() {
            if waiting.end.is_some() {
                return None;
            }
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut batch, mut weight) = (Vec::new(), 0);
        while weight < BATCH
            && let Some(queued) = waiting.writes.pop_front()
        {
            weight += queued.op.weight();
            batch.push(queued);
        }
        waiting.weight = waiting.weight.saturating_sub(weight);
        drop(waiting);
        self.room.notify_all();
        Some(batch)
    }

    /// Nothing more is taken; what is queued is still written.
    pub(super) fn close(&self) {
        self.lock().end.get_or_insert(self.closed());
        self.filled.notify_all();
        self.room.notify_all();
    }

    /// The writer has failed: everybody who waits or comes later is told. What is queued is lost.
    pub(super) fn fail(&self, error: &DbError) {
        let mut waiting = self.lock();
        // a closed queue may be told too: what was still to be written is lost
        waiting.end = Some(error.clone());
        let lost = std::mem::take(&mut waiting.writes);
        waiting.weight = 0;
        drop(waiting);
        for waiter in lost.into_iter().filter_map(|queued| queued.waiter) {
            // who has gone need not be told
            let _ = waiter.send(Err(error.clone()));
        }
        self.filled.notify_all();
        self.room.notify_all();
    }

    /// How it ended, if with more than being closed.
    pub(super) fn failure(&self) -> Option<DbError> {
        self.lock().end.clone().filter(|end| !matches!(end, DbError::Closed { .. }))
    }

    pub(super) fn closed(&self) -> DbError {
        DbError::Closed { path: self.file.display().to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    fn op() -> Op {
        Op::Advance { session: "s".into(), bytes: 1 }
    }

    #[test]
    fn a_full_queue_holds_its_callers_until_the_writer_has_taken_some() {
        let queue = Arc::new(Queue::new(Path::new("ledger.db")));
        for _ in 0..MOST {
            queue.push(op()).unwrap();
        }
        let (told, done) = channel();
        let other = Arc::clone(&queue);
        let caller = std::thread::spawn(move || told.send(other.push(op()).is_ok()).unwrap());
        assert!(done.try_recv().is_err(), "nothing has been taken yet");
        assert_eq!(queue.take().unwrap().len(), BATCH);
        assert!(done.recv().unwrap());
        caller.join().unwrap();
        assert_eq!(queue.lock().weight, MOST - BATCH + 1);
    }

    #[test]
    fn a_failure_is_told_to_who_waits_and_to_who_comes_later() {
        let queue = Arc::new(Queue::new(Path::new("ledger.db")));
        for _ in 0..MOST {
            queue.push(op()).unwrap();
        }
        let other = Arc::clone(&queue);
        let held = std::thread::spawn(move || other.push(op()));
        queue.fail(&DbError::NoSpace { path: "ledger.db".to_owned() });
        assert!(matches!(held.join().unwrap(), Err(DbError::NoSpace { .. })));
        assert!(matches!(queue.push(op()), Err(DbError::NoSpace { .. })));
        assert!(queue.take().is_none() && queue.failure().is_some());
    }

    #[test]
    fn a_closed_queue_gives_what_it_holds_and_takes_nothing_more() {
        let queue = Queue::new(Path::new("ledger.db"));
        queue.push(op()).unwrap();
        queue.close();
        assert!(matches!(queue.push(op()), Err(DbError::Closed { .. })));
        assert_eq!(queue.take().map(|batch| batch.len()), Some(1));
        assert!(queue.take().is_none() && queue.failure().is_none());
    }
}
