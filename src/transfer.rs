//! Ranges to blobs: read, check, stage, commit, all within a budget of bytes.
//!
//! ```text
//!  reader thread (1 per drive)        hashing (as many as cores)        upload tasks
//!  read a range, decrypt in place ──▶ MD5 of the range equal? ───────▶ stage ──▶ all ranges of the entry there ──▶ commit ──▶ records
//!        ▲ waits for budget bytes                                         │ budget bytes given back, also on error
//! ```
//!
//! The reader (`reader`) goes through the plan's entries in order, opens each file and sends its ranges, one `piece` at a time, to the
//! entry's task (`entry`). A piece holds its share of the `budget` until it is stored or dropped, so memory is bounded whatever the
//! drive says. The task checks each piece against the manifest before the store sees it, and makes the blob visible only when all of them
//! matched. What the task learns goes back to the reader as an event: ended, or "once more, under this name".

mod attributes;
mod block;
mod budget;
mod conflict;
mod entry;
mod open;
mod outcome;
mod page;
mod piece;
mod prepare;
mod reader;
mod stop;
mod tally;
mod work;

pub use budget::{Budget, BudgetError};
pub use stop::Stop;
pub use tally::Verified;
pub use work::{Interruption, Meter, Names, Silent, TransferError};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

use crate::ledger::Records;
use crate::manifest::{Catalogue, CatalogueError, Entry};
use crate::store::Store;
use crate::volume::ntfs::Ntfs;

/// The entries to store, in the order in which they are to be read.
pub type Plan = Box<dyn Iterator<Item = Result<Entry, CatalogueError>> + Send>;

/// What all drives of a host share.
#[derive(Clone)]
pub struct Host {
    /// Bytes that may be in memory.
    pub budget: Budget,
    /// Requests that may be under way.
    pub uploads: Arc<Semaphore>,
    /// How many that is when none is.
    pub most_uploads: usize,
    /// Ranges that may be hashed at the same time: the cores.
    pub hashing: Arc<Semaphore>,
}

/// One drive's transfer: where from, where to, and what keeps book.
#[derive(Clone)]
pub struct Transfer {
    /// The drive's files.
    pub files: Ntfs,
    /// What the manifest says.
    pub catalogue: Arc<Catalogue>,
    /// Where names and outcomes are kept.
    pub records: Arc<dyn Records>,
    /// Where blobs go.
    pub store: Arc<dyn Store>,
    /// Finds another name when one is taken at the last moment.
    pub names: Arc<dyn Names>,
    /// Session id, for the names of unfinished work in the store.
    pub session: String,
    /// A folder of this run alone, gone at its end.
    pub scratch: PathBuf,
    /// What the host shares.
    pub host: Host,
    /// The most bytes this drive may reserve at once.
    pub window: u64,
    /// Ranges that may fail to be read before the drive is given up.
    pub max_read_errors: u64,
    /// Time that may be spent in reads that fail before the drive is given up.
    pub max_read_error_time: Duration,
    /// Bytes of file tables that may be gone through to open files, as [`crate::volume::ntfs::NtfsFile::cost`] counts them, before the
    /// drive is given up: many small entries of files in millions of pieces are more work than the drive's size tells.
    pub max_open_work: u64,
    /// Whether the volume was not cleanly dismounted: said beside each missing or corrupt file.
    pub volume_dirty: bool,
    /// Asked to stop.
    pub stop: Stop,
    /// Told of progress.
    pub meter: Arc<dyn Meter>,
}

/// How a transfer ended that went through all entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What was verified.
    pub verified: Verified,
    /// Ranges the disk could not give: file, offset, length; at most 10,000.
    pub read_errors: Vec<ReadFailure>,
    /// Whether the drive was given up for too many of them.
    pub given_up: bool,
}

/// A range the disk could not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFailure {
    /// The file, to the letter.
    pub file_path: crate::foreign::Foreign,
    /// First byte in the file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

impl Transfer {
    /// Stores every entry of the plan, and records how each ended. Returns when all have ended, or at the first thing that stops the run;
    /// then what is in flight has been finished or dropped.
    pub async fn run(self, plan: Plan) -> Result<Finished, TransferError> {
        let runtime = tokio::runtime::Handle::current();
        let reader = reader::Reader::new(Arc::new(self), runtime);
        let span = tracing::Span::current();
        match tokio::task::spawn_blocking(move || span.in_scope(|| reader.run(plan))).await {
            Ok(result) => result,
            Err(panicked) => Err(TransferError::Internal(panicked.to_string())),
        }
    }
}
