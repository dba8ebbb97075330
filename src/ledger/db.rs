//! The database of the state folder: what makes a run that was broken off go on where it was.
//!
//! ```text
//!  transfer ─▶ claim ─▶ intend ─▶ (the store) ─▶ ended       status, drive, ls, cat, prune
//!                 │        │                       │                       │
//!                 ▼        ▼                       ▼                       ▼
//!              queue: bounded, in order ─▶ writer: one transaction     desk: questions and rare writes
//!                                                  │                       │
//!                                                  ▼                       ▼
//!                                     <state>/ledger.db (write-ahead log, synced at every commit)
//! ```
//!
//! In: what is about to be done and what has been done, by session and entry. Out: the same again, after whatever happened in between.
//! What an `async` function was told is on the disk when it returns; what a plain function was told, after the next
//! [`SessionLedger::flush`]. Refuses: network file systems, a schema newer than this program, and everything after a write that failed.
//!
//! The database may be used by several processes at once, a session by one: its lock is [`state`](super::state)'s. Nothing that unlocks
//! a drive or a store ever gets here. A process that has it open must not open its files otherwise: see `place`. Dropping the last clone writes what is queued but tells nobody how that went;
//! [`Ledger::close`] does.

mod bits;
mod care;
mod connect;
mod error;
mod history;
mod op;
mod place;
mod queue;
mod restore;
mod rows;
mod schema;
mod session;
mod text;
mod writer;

pub use bits::{Bits, CHUNK};
pub use care::{Check, Pruned};
pub use error::DbError;
pub use history::{AuditRecord, Event, STAGE_DONE, STAGE_INTERRUPTED, SessionRecord, Which};
pub use op::{Claimed, Note};
pub use restore::{ClaimRecord, Exception, Pages, Restored};
pub use session::{SessionFacts, SessionLedger, Summary};

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use sqlx::{AnyConnection, Connection as _};
use tokio::sync::{MappedMutexGuard, MutexGuard};

use self::place::Space;
use self::queue::Queue;
use super::state::StateDir;

/// The database, open. Clones are the same.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    id: String,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// For questions and rare writes; gone when closed.
    desk: tokio::sync::Mutex<Option<AnyConnection>>,
    space: Space,
    commits: Arc<AtomicU64>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Ledger {
    /// Opens the database of a state folder; makes it, mode 0600, if there is none, and brings an older one to this version's schema.
    pub async fn open(state: &StateDir) -> Result<Self, DbError> {
        // on a thread of its own, so that whoever opens it may be moved between threads meanwhile: the driver's futures may not
        let (state, runtime) = (state.clone(), tokio::runtime::Handle::current());
        let opened = tokio::task::spawn_blocking({
            let state = state.clone();
            move || runtime.block_on(Self::open_here(&state))
        });
        opened.await.unwrap_or_else(|panicked| {
            let (path, source) = (state.path().display().to_string(), Arc::new(std::io::Error::other(panicked)));
            Err(DbError::File { action: "opening the ledger in", path, source })
        })
    }

    async fn open_here(state: &StateDir) -> Result<Self, DbError> {
        let file = place::prepare(state.path())?;
        let mut desk = connect::connect(&file).await?;
        let found = schema::migrate(&mut desk).await.map_err(|error| DbError::of("preparing", &file, error))?;
        if found > schema::known() {
            return Err(DbError::Newer { path: file.display().to_string(), found, known: schema::known() });
        }
        let id = schema::id(&mut desk).await.map_err(|error| DbError::of("reading", &file, error))?;
        let (queue, commits) = (Arc::new(Queue::new(&file)), Arc::default());
        let writer = writer::start(&file, connect::connect(&file).await?, Arc::clone(&queue), Arc::clone(&commits))?;
        let desk = tokio::sync::Mutex::new(Some(desk));
        Ok(Self(Arc::new(Inner { file, id, queue, writer: Mutex::new(Some(writer)), desk, space: Space::default(), commits })))
    }

    /// The database's file.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// Its id, 32 Base16 digits: no other ledger has it.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Writes what is queued and closes the database, for all clones. Tells if anything could not be written.
    pub async fn close(&self) -> Result<(), DbError> {
        self.0.queue.close();
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // a writer that panicked has failed the queue
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
        if let Some(desk) = self.0.desk.lock().await.take() {
            desk.close().await.map_err(|error| self.failed("closing", error))?;
        }
        self.0.queue.failure().map_or(Ok(()), Err)
    }

    /// Whether fewer than `least` bytes are free beside the database: time to pause until there are more. Cheap to ask often.
    pub fn low_on_space(&self, least: u64) -> bool {
        self.0.space.is_low(&self.0.file, least, now())
    }

    /// Transactions that the writer has written so far.
    pub fn commits(&self) -> u64 {
        self.0.commits.load(Ordering::Relaxed)
    }

    async fn desk(&self) -> Result<MappedMutexGuard<'_, AnyConnection>, DbError> {
        MutexGuard::try_map(self.0.desk.lock().await, Option::as_mut).map_err(|_| self.0.queue.closed())
    }

    fn failed(&self, action: &'static str, error: sqlx::Error) -> DbError {
        DbError::of(action, &self.0.file, error)
    }

    fn bad_record(&self, table: &'static str, reason: String) -> DbError {
        DbError::Record { path: self.0.file.display().to_string(), table, reason }
    }
}

/// This moment in milliseconds UTC, as all times of the database.
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests;
