//! What is named and what is done: records by entry number.
//!
//! [`Records`] is the interface; [`Scratch`] keeps them in files of the state folder for the time of one run.

mod outcome;
mod scratch;
pub mod state;

pub use outcome::{BlobStatus, DispositionStatus, EntryOutcome, NameDecision, NameFate, PartStatus, RangeStatus};
pub use scratch::Scratch;

use crate::manifest::EntryNumber;

/// Records cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{action} the records of this run in {path} failed")]
pub struct LedgerError {
    /// What was tried.
    pub action: &'static str,
    /// The file.
    pub path: String,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// The records of one run, by entry number and by range number (counted through the whole manifest).
pub trait Records: Send + Sync {
    /// Keeps what the name book decided.
    fn set_name(&self, entry: EntryNumber, name: &NameDecision) -> Result<(), LedgerError>;
    /// What the name book decided; `None` before it has.
    fn name(&self, entry: EntryNumber) -> Result<Option<NameDecision>, LedgerError>;
    /// Keeps how a range ended.
    fn set_range(&self, range: u64, status: RangeStatus) -> Result<(), LedgerError>;
    /// How `count` ranges from `first` on ended; a range nothing was recorded of is `None`.
    fn ranges(&self, first: u64, count: usize) -> Result<Vec<Option<RangeStatus>>, LedgerError>;
    /// Keeps how an entry ended.
    fn set_outcome(&self, entry: EntryNumber, outcome: &EntryOutcome) -> Result<(), LedgerError>;
    /// How an entry ended; `None` before it has.
    fn outcome(&self, entry: EntryNumber) -> Result<Option<EntryOutcome>, LedgerError>;
}
