//! Catalogue and records together: what the log is composed from.

use std::sync::Arc;

use crate::ledger::{EntryOutcome, LedgerError, RangeStatus, Records};
use crate::manifest::{Catalogue, CatalogueError, Entry, EntryNumber, Range, SideFile, SideFileNumber};
use crate::report::{Recorded, Statuses};

/// What was listed, and how it ended.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) records: Arc<dyn Records>,
}

/// What was listed or how it ended cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccountError {
    /// The catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The records.
    #[error(transparent)]
    Records(#[from] LedgerError),
}

impl Account {
    /// All entries in manifest order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<Entry, AccountError>> + '_ {
        self.catalogue.entries().map(|entry| entry.map_err(AccountError::from))
    }
}

impl Recorded for Account {
    type Error = AccountError;

    fn outcome(&self, entry: EntryNumber) -> Result<Option<EntryOutcome>, AccountError> {
        Ok(self.records.outcome(entry)?)
    }

    fn ranges(&self, entry: &Entry) -> impl Iterator<Item = Result<(Range, Option<RangeStatus>), AccountError>> {
        let ranges = self.catalogue.ranges(entry.first_range, entry.range_count);
        ranges.zip(Statuses::of(self.records.as_ref(), entry)).map(|(range, status)| Ok((range?, status?)))
    }

    fn side_file(&self, number: SideFileNumber) -> Result<SideFile, AccountError> {
        Ok(self.catalogue.side_file(number)?)
    }
}
