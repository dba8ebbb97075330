//! Who has which name, after all are settled: the guard's way to the next free number.
//!
//! The conditional request is the guard of every name. If it fails because somebody else wrote meanwhile, the entry takes the next free
//! number: one that no entry of the manifest has, and that the store has no blob of.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::NamesError;
use super::area::{Area, ScratchError};
use super::bucket::bucket_of;
use super::rule::{self, Keys};
use super::settle::candidate;
use super::survey;
use super::table::Table;
use crate::manifest::{BlobPath, EntryNumber};
use crate::store::Store;

/// See the module. Lies in the scratch folder, 43 bytes a name, twice that where it grew.
pub struct NameIndex {
    keys: Keys,
    /// One kept table per bucket, and how many names it knows.
    tables: Mutex<Vec<(PathBuf, u64)>>,
}

impl NameIndex {
    pub(super) fn new(keys: Keys, tables: Vec<(PathBuf, u64)>) -> Self {
        Self { keys, tables: Mutex::new(tables) }
    }

    /// The next free number of the asked name behind the one that failed (the asked name itself, or one of its numbers). The name is
    /// then the entry's own: no other call gives it. `None` if there is none within the limits.
    pub async fn next_free(
        &self,
        store: &Arc<dyn Store>,
        entry: EntryNumber,
        asked: &BlobPath,
        failed: &BlobPath,
    ) -> Result<Option<BlobPath>, NamesError> {
        let failed = rule::number_in(asked.name(), failed.name()).unwrap_or(rule::FIRST - 1);
        for number in failed + 1..=rule::LAST {
            let Some(path) = candidate(asked, number) else { return Ok(None) };
            if !self.claim(entry, &path)? {
                continue;
            }
            if survey::head(store, &path).await?.is_none() {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Makes the name the entry's own, if it is nobody's. One that the store turns out to have stays claimed: it is not free either.
    fn claim(&self, entry: EntryNumber, path: &BlobPath) -> Result<bool, ScratchError> {
        let (container, name) = (path.container().as_str(), path.name());
        // a claim interrupted by a panic has written nothing or all, so the tables are still good
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = bucket_of(self.keys.root(container, name), tables.len());
        let Some((file, used)) = tables.get_mut(bucket) else { return Ok(true) };
        let mut table = Table::open(Area::open(file.clone())?, *used);
        let mut slot = table.get(self.keys.name(container, name))?;
        if slot.taken() {
            return Ok(false);
        }
        slot.owner = Some(entry);
        table.put(&slot)?;
        *used = table.used();
        Ok(true)
    }
}
