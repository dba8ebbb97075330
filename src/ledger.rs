//! What is named and what is done: records by entry number.
//!
//! [`Records`] is the interface. [`Scratch`] keeps them in files of the state folder for the time of one run; [`Kept`] keeps what a later
//! run must know in the [database](db) as well.

pub mod db;
mod kept;
mod outcome;
mod scratch;
pub mod state;

pub use db::{Claimed, DbError};
#[doc(hidden)]
pub use kept::Watch;
pub use kept::{Kept, RestoreError};
pub use outcome::{BlobStatus, DispositionStatus, EntryOutcome, NameDecision, NameFate, PartStatus, RangeStatus};
pub use scratch::Scratch;

use async_trait::async_trait;

use crate::manifest::{Attributes, BlobPath, Entry, EntryNumber};
use crate::store::Condition;

/// Records cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A scratch file.
    #[error("{action} the records of this run in {path} failed")]
    Scratch {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The session is another run's now.
    #[error("{cause}")]
    Lost {
        /// How that came to be known.
        cause: String,
    },
}

/// A write that can make a blob visible, kept before it is sent: what it would make of the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The blob.
    pub path: BlobPath,
    /// What must hold when it becomes visible: the version seen before, or none.
    pub condition: Condition,
    /// What it carries.
    pub attributes: Attributes,
    /// How the entry has ended if the write is carried out.
    pub outcome: EntryOutcome,
}

/// What an earlier run had begun of an entry that has no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The name it was staged under.
    pub path: BlobPath,
    /// Whether an old blob of another type was about to be removed, or has been.
    pub cleared: bool,
    /// Whether what was staged then is too old to be relied on.
    pub stale: bool,
}

/// The records of one run, by entry number and by range number (counted through the whole manifest).
///
/// What is decided and how things ended is read back at once. What a later run must find is durable when [`Records::claim`],
/// [`Records::clearing`] and [`Records::intend`] return, the rest soon after; records that serve one run alone keep nothing for a later
/// one, and need not have these methods.
#[async_trait]
pub trait Records: Send + Sync {
    /// Keeps what the name book decided.
    fn set_name(&self, entry: EntryNumber, name: &NameDecision) -> Result<(), LedgerError>;
    /// What the name book decided; `None` before it has.
    fn name(&self, entry: EntryNumber) -> Result<Option<NameDecision>, LedgerError>;
    /// Keeps how a range ended.
    fn set_range(&self, range: u64, status: RangeStatus) -> Result<(), LedgerError>;
    /// How `count` ranges from `first` on ended; a range nothing was recorded of is `None`.
    fn ranges(&self, first: u64, count: usize) -> Result<Vec<Option<RangeStatus>>, LedgerError>;
    /// Keeps how an entry ended. Its ranges have been recorded before.
    fn set_outcome(&self, entry: &Entry, outcome: &EntryOutcome) -> Result<(), LedgerError>;
    /// How an entry ended; `None` before it has.
    fn outcome(&self, entry: EntryNumber) -> Result<Option<EntryOutcome>, LedgerError>;
    /// What an earlier run had begun of an entry.
    fn begun(&self, _entry: EntryNumber) -> Option<Begun> {
        None
    }
    /// Claims a name for an entry, before anything is staged under it.
    async fn claim(&self, _entry: &Entry, _path: &BlobPath) -> Result<Claimed, LedgerError> {
        Ok(Claimed::Ours)
    }
    /// The old blob of another type is about to be removed for this entry, which has claimed the name.
    async fn clearing(&self, _entry: EntryNumber) -> Result<(), LedgerError> {
        Ok(())
    }
    /// A write that can make a blob visible is about to be sent.
    async fn intend(&self, _entry: EntryNumber, _intent: &Intent) -> Result<(), LedgerError> {
        Ok(())
    }
    /// Whether the disk that keeps the records is almost full: nothing new should be begun.
    fn short_of_space(&self) -> bool {
        false
    }
    /// Ranges of an entry that has no outcome yet are durable in the store.
    fn acknowledge(&self, _ranges: &[u64]) -> Result<(), LedgerError> {
        Ok(())
    }
}
