//! Another name at the last moment, for the transfer: the name book's index behind its interface.

use std::sync::Arc;

use async_trait::async_trait;

use super::names::{Before, NameIndex, NamesError, ScratchError};
use crate::foreign::Foreign;
use crate::ledger::{LedgerError, NameDecision, NameFate, Records};
use crate::manifest::{BlobPath, Entry};
use crate::store::Store;
use crate::transfer::{Candidates, Names, TransferError};

/// Gives out free names, and records them.
pub(super) struct LateNames {
    pub(super) index: NameIndex,
    pub(super) store: Arc<dyn Store>,
    pub(super) records: Arc<dyn Records>,
}

#[async_trait]
impl Names for LateNames {
    async fn next_free(&self, entry: &Entry, taken: &BlobPath) -> Result<Option<BlobPath>, TransferError> {
        let asked = entry.blob_path.raw().parse::<BlobPath>().map_err(|e| TransferError::Internal(e.to_string()))?;
        let found = self.index.next_free(&self.store, entry.number, &asked, taken).await.map_err(transfer_error)?;
        if let Some(path) = &found {
            let fate = NameFate::Renamed { name: Foreign::from(path.name()) };
            self.records.set_name(entry.number, &NameDecision { fate, after: None })?;
        }
        Ok(found)
    }
}

/// The names that a run before this one may have given.
pub(super) struct EarlierNames(pub(super) Before);

impl Candidates for EarlierNames {
    fn of(&self, entry: &Entry, decision: &NameDecision) -> Vec<BlobPath> {
        self.0.of(entry, decision)
    }

    fn take(&self, entry: &Entry, path: &BlobPath) -> Result<bool, TransferError> {
        self.0.take(entry, path).map_err(|error| transfer_error(error.into()))
    }
}

fn transfer_error(error: NamesError) -> TransferError {
    match error {
        NamesError::Store { source, .. } => TransferError::Store(source),
        NamesError::Records(error) => TransferError::Records(error),
        NamesError::Scratch(ScratchError { action, path, source }) => {
            TransferError::Records(LedgerError::Scratch { action, path: path.display().to_string(), source })
        }
        other => TransferError::Internal(other.to_string()),
    }
}
