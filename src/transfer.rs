//! Ranges to blobs: read, check, stage, commit, all within a budget of bytes.
//!
//! ```text
//!  reader thread (1 per drive)        hashing (batches of ranges)       upload tasks
//!  read a range, decrypt in place ──▶ MD5 of the range equal? ───────▶ stage ──▶ all ranges of the entry there ──▶ commit ──▶ records
//!        ▲ waits for budget bytes                                         │ budget bytes given back, also on error
//! ```
//!
//! The reader (`reader`) goes through the plan's entries in order, opens each file and sends its ranges, one `piece` at a time, to the
//! entry's task (`entry`). A piece holds its share of the `budget` until it is stored or dropped, so memory is bounded whatever the
//! drive says. The task checks each piece against the manifest (`hashing`) before the store sees it, and makes the blob visible only when all of them
//! matched. What the task learns goes back to the reader as an event: ended, or "once more, under this name".

mod attributes;
mod block;
mod budget;
mod conflict;
mod entry;
mod hashing;
mod in_doubt;
mod open;
mod outcome;
mod page;
mod piece;
mod prepare;
mod reader;
mod recognise;
mod resume;
mod stop;
mod uploads;
mod whole;
mod work;

pub use budget::{Budget, BudgetError};
pub use hashing::Hasher;
pub use recognise::Candidates;
pub use stop::Stop;
pub use uploads::Uploads;
pub use work::{Interruption, Meter, Names, Silent, TransferError};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Intent, Records};
use crate::manifest::{Catalogue, CatalogueError, Entry, EntryNumber};
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
    pub uploads: Uploads,
    /// Hashes ranges, many at the same time.
    pub hasher: Hasher,
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
    /// Whether each block blob gets the MD5 of its whole content as a property.
    pub set_content_md5: bool,
    /// Whether the volume was not cleanly dismounted: said beside each missing or corrupt file.
    pub volume_dirty: bool,
    /// Whether earlier runs of this session may have left something: then a blob that is in the way is looked at before it is taken for
    /// somebody else's.
    pub resumed: bool,
    /// Asked to stop.
    pub stop: Stop,
    /// Told of progress.
    pub meter: Arc<dyn Meter>,
}

/// How a transfer ended that went through all entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Whether the drive was given up for too many reads that failed.
    pub given_up: bool,
}

impl Transfer {
    /// Asks the store about writes of an earlier run that have no result; answers how many had been carried out. Before [`Transfer::run`].
    pub async fn settle(&self, intents: Vec<(EntryNumber, Intent)>) -> Result<u64, TransferError> {
        in_doubt::settle(self, intents).await
    }

    /// Ends the entries that another ledger's run of this session has stored; answers how many. Before [`Transfer::run`].
    pub async fn recognise(&self, candidates: &dyn Candidates) -> Result<u64, TransferError> {
        recognise::all(self, candidates).await
    }

    /// Stores every entry of the plan that has no outcome yet, and records how each ended. Returns when all have ended, or at the first thing that stops the run;
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
