//! Who has which name, after all are settled: the guard's way to the next free number.
//!
//! The conditional request is the guard of every name. If it fails because somebody else wrote meanwhile, the entry takes the next free
//! number: one that no entry of the manifest has, and that the store has no blob of.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::NamesError;
use super::area::{Area, ScratchError, create};
use super::bucket::bucket_of;
use super::rule::{self, Keys};
use super::settle::candidate;
use super::survey;
use super::table::Table;
use crate::manifest::{BlobPath, EntryNumber};
use crate::store::Store;

/// The file that says how the kept tables are to be read.
const KEPT: &str = "names-index.json";

#[derive(Serialize, Deserialize)]
struct Kept {
    /// Of the hashes.
    salt: [u8; 16],
    /// Names that each table knows.
    used: Vec<u64>,
}

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

    /// Makes the index last in the scratch folder, for a run that goes on. What is claimed later is not: the ledger has it.
    pub fn keep(&self, scratch: &Path) -> Result<(), ScratchError> {
        let path = scratch.join(KEPT);
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = Kept { salt: self.keys.salt(), used: tables.iter().map(|(_, used)| *used).collect() };
        let written = || {
            tables.iter().try_for_each(|(file, _)| File::open(file)?.sync_data())?;
            let mut file = create(&path).map_err(|error| error.source)?;
            file.write_all(&serde_json::to_vec(&kept)?)?;
            file.sync_all()
        };
        written().map_err(ScratchError::of("keeping", &path))
    }

    /// Takes the index that an earlier run kept in this folder.
    pub fn reopen(scratch: &Path) -> Result<Self, ScratchError> {
        let path = scratch.join(KEPT);
        let read = || Ok(serde_json::from_slice::<Kept>(&std::fs::read(&path)?)?);
        let kept = read().map_err(ScratchError::of("reading", &path))?;
        let table = |(number, used): (usize, u64)| (scratch.join(format!("names-table-{number}")), used);
        Ok(Self::new(Keys::salted(kept.salt), kept.used.into_iter().enumerate().map(table).collect()))
    }

    /// Gives a name to an entry that an earlier run gave it to, after that index was kept.
    pub fn given(&self, entry: EntryNumber, path: &BlobPath) -> Result<(), ScratchError> {
        self.claim(entry, path).map(drop)
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
