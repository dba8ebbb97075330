//! What a transfer needs from those above it, and how it can end early.

use async_trait::async_trait;

use crate::ledger::LedgerError;
use crate::manifest::{BlobPath, CatalogueError, Entry};
use crate::store::{ErrorClass, StoreError};

/// Finds another name for an entry whose name was taken by somebody else after the names had been settled.
#[async_trait]
pub trait Names: Send + Sync {
    /// The next free name after `taken`; `None` if there is none within the limit of tries. It stays reserved for the entry.
    async fn next_free(&self, entry: &Entry, taken: &BlobPath) -> Result<Option<BlobPath>, TransferError>;
}

/// Told of progress; must return at once.
pub trait Meter: Send + Sync {
    /// Bytes that matched their hash.
    fn bytes_verified(&self, bytes: u64);
    /// An entry ended.
    fn entry_ended(&self, completed: bool);
}

/// A meter that nobody looks at.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Meter for Silent {
    fn bytes_verified(&self, _bytes: u64) {}
    fn entry_ended(&self, _completed: bool) {}
}

/// Why a transfer ended before its plan. None of these fails a single blob.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store does not let the run go on: down, full, or access refused.
    #[error("the store ended the run")]
    Store(#[source] StoreError),
    /// The records cannot be kept.
    #[error(transparent)]
    Records(#[from] LedgerError),
    /// The catalogue cannot be read back.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Asked to stop.
    #[error("asked to stop")]
    Stopped,
    /// A defect of this program.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Whether running again continues, or the program must be mended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Run again when the cause is gone.
    RunAgain,
    /// A defect.
    Defect,
}

impl TransferError {
    /// What the caller does next.
    pub fn interruption(&self) -> Interruption {
        match self {
            Self::Store(error) if error.class() == ErrorClass::Internal => Interruption::Defect,
            Self::Internal(_) => Interruption::Defect,
            Self::Store(_) | Self::Records(_) | Self::Catalogue(_) | Self::Stopped => Interruption::RunAgain,
        }
    }
}
