//! The writer: a thread that takes what is queued into one transaction after the other.
//!
//! While one commit is being synced, the next batch gathers: the more callers wait, the more of them one sync serves. A thread of its
//! own, since callers may hold every thread of their runtime while they wait for room in the queue.
//!
//! A batch is brought to its net effect first, so that it takes a few statements over many rows. Its order is kept where order shows:
//! of two writes about the same entry the later holds, and of two claims on one path the earlier. What ended in a batch gives its
//! claim back before the batch's claims are decided, for nobody has been told of any of them yet.

mod batch;
mod bits;
mod claims;
mod entries;
mod stages;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use sqlx::{AnyConnection, Connection as _};

use self::batch::Batch;
use self::bits::BitCache;
use super::op::{Answer, Claimed};
use super::queue::Queue;
use super::rows::Statements;
use super::{DbError, connect, place};

/// What the writer works with.
struct Writer {
    file: PathBuf,
    identity: (u64, u64),
    connection: AnyConnection,
    statements: Statements,
    bits: BitCache,
    commits: Arc<AtomicU64>,
}

/// A transaction's connection, and what is remembered between transactions.
struct Work<'a> {
    on: &'a mut AnyConnection,
    statements: &'a mut Statements,
    bits: &'a mut BitCache,
}

/// Starts the writer; `commits` counts its transactions.
pub(super) fn start(
    file: &Path,
    connection: AnyConnection,
    queue: Arc<Queue>,
    commits: Arc<AtomicU64>,
) -> Result<JoinHandle<()>, DbError> {
    let failed = |action, error| DbError::file(action, file, error);
    let identity = place::identity(file).map_err(|error| failed("looking at the ledger", error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("starting the writer of", error))?;
    let (statements, bits) = (Statements::default(), BitCache::default());
    let mut writer = Writer { file: file.to_owned(), identity, connection, statements, bits, commits };
    let named = std::thread::Builder::new().name("ledger".to_owned());
    let started = named.spawn(move || {
        let end = AtTheEnd(Arc::clone(&queue));
        runtime.block_on(writer.serve(&queue));
        drop(end);
        // a close that fails leaves the log, which the next opening takes in
        let _ = runtime.block_on(writer.connection.close());
    });
    started.map_err(|error| failed("starting the writer of", error))
}

/// However the writer ends, nobody goes on waiting for it.
struct AtTheEnd(Arc<Queue>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let end = self.0.failure().unwrap_or_else(|| self.0.closed());
        self.0.fail(&end);
    }
}

impl Writer {
    async fn serve(&mut self, queue: &Queue) {
        while let Some(taken) = queue.take() {
            let (batch, waiters) = Batch::of(taken);
            match self.write(&batch).await {
                Ok(claimed) => answer(waiters, claimed),
                Err(error) => {
                    tracing::error!(error = %error, "the ledger cannot be written");
                    // first the door, then the news: who is told and tries again meets the same error
                    queue.fail(&error);
                    for waiter in waiters.into_iter().filter_map(|(waiter, _)| waiter) {
                        let _ = waiter.send(Err(error.clone()));
                    }
                    return;
                }
            }
        }
    }

    /// Writes a batch; when this returns, it is on the disk.
    async fn write(&mut self, batch: &Batch) -> Result<Vec<Claimed>, DbError> {
        if place::identity(&self.file).ok() != Some(self.identity) {
            return Err(DbError::Gone { path: self.file.display().to_string() });
        }
        for session in &batch.forgotten {
            self.bits.forget(session);
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let written = self.commit(batch).await;
        self.commits.fetch_add(1, Ordering::Relaxed);
        written.map_err(|error| DbError::of("writing", &self.file, error))
    }

    async fn commit(&mut self, batch: &Batch) -> Result<Vec<Claimed>, sqlx::Error> {
        let mut transaction = self.connection.begin_with(connect::BEGIN).await?;
        let mut work = Work { on: &mut transaction, statements: &mut self.statements, bits: &mut self.bits };
        work.stages(&batch.stages).await?;
        for (session, changes) in &batch.sessions {
            work.ended(session, changes).await?;
        }
        let claimed = work.claims(&batch.claims).await?;
        for (session, changes) in &batch.sessions {
            work.intended(session, changes).await?;
        }
        transaction.commit().await?;
        self.bits.bound();
        Ok(claimed)
    }
}

/// Tells each waiter what it asked for; claims by their place among the batch's claims.
fn answer(waiters: batch::Waiters, claimed: Vec<Claimed>) {
    let mut claimed: Vec<Option<Claimed>> = claimed.into_iter().map(Some).collect();
    for (waiter, claim) in waiters {
        let claim = claim.and_then(|place| claimed.get_mut(place)?.take());
        if let Some(waiter) = waiter {
            // who has gone need not be told
            let _ = waiter.send(Ok(claim.map_or(Answer::Durable, Answer::Claimed)));
        }
    }
}
