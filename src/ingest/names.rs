//! The name book: the final name of every entry, settled before any data is read.
//!
//! In go the manifest's entries and what the store has; out come one [`NameDecision`] per entry in the
//! records, a [`Survey`] of the target containers, and a [`NameIndex`] for names that are lost to another writer later. An entry whose
//! name breaks the rules fails alone; a store that does not answer, or more than [`CONTAINERS`] containers, ends the run.
//!
//! ```text
//!  entries ─▶ count, containers          (first pass)
//!  entries ─▶ spread by root             (second pass)      rule, bucket, sieve
//!  store ───▶ listings, spread by root                      survey
//!             each bucket in turn: HEADs, decide, record    bucketing, settle, table, area
//!             tables of all names                           index
//!  entries ─▶ where names are paths: who is in whose way    tree
//! ```
//!
//! Memory does not grow with the entries: names that can meet share a bucket of about 100,000 entries (at most 256 buckets), one bucket
//! is worked on at a time, and its tables move to files of the scratch folder above 24 MiB, so that a manifest made of names that all
//! can meet costs time for the file's pages, not memory. Time is linear: a number found taken is never tried again for the same name.

mod area;
mod before;
mod bucket;
mod bucketing;
mod index;
mod rule;
mod settle;
mod sieve;
mod survey;
mod table;
mod tree;

#[cfg(test)]
mod tests;

pub use area::ScratchError;
pub use before::Before;
pub use index::NameIndex;
pub use survey::ContainerSurvey;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bucket::{Bucket, Spread, Wanted};
use rule::Keys;
use sieve::Sieve;

use crate::ledger::{LedgerError, NameDecision, NameFate, Records};
use crate::manifest::{ContainerName, Entry};
use crate::store::{ListedBlob, NameRules, Store, StoreError};

/// The most containers that one manifest may name.
pub const CONTAINERS: usize = 10_000;

/// What the name book needs to know beside entries and store.
#[derive(Clone, Debug)]
pub struct NameOptions {
    /// Where logs and receipts go: no target for entries.
    pub diagnostics: ContainerName,
    /// The store's rules.
    pub rules: NameRules,
    /// A folder of this run alone, for files `names-…`; the caller removes it.
    pub scratch: PathBuf,
    /// Requests at once; 0 counts as 1.
    pub heads: usize,
}

/// What the target containers hold, and how the names came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The target containers, by name.
    pub containers: Vec<ContainerSurvey>,
    /// Entries in all.
    pub entries: u64,
    /// Entries that got another name.
    pub renamed: u64,
    /// `no-overwrite` entries that met a blob.
    pub skipped: u64,
    /// `overwrite` entries that replace a blob of before the run.
    pub overwriting: u64,
    /// Entries that wait for an earlier one of the same name.
    pub chained: u64,
    /// Entries whose name is no legal target.
    pub illegal: u64,
    /// Entries for which no number was free.
    pub no_free_name: u64,
}

impl Survey {
    /// The containers to be created before the first write.
    pub fn missing_containers(&self) -> impl Iterator<Item = &ContainerName> {
        self.containers.iter().filter(|container| !container.exists).map(|container| &container.name)
    }

    fn count(&mut self, decision: &NameDecision) {
        self.entries += 1;
        self.chained += u64::from(decision.after.is_some());
        match &decision.fate {
            NameFate::AsAsked { existing } => self.overwriting += u64::from(existing.is_some()),
            NameFate::Renamed { .. } => self.renamed += 1,
            NameFate::Skip => self.skipped += 1,
            NameFate::Illegal { .. } => self.illegal += 1,
            NameFate::NoFreeName => self.no_free_name += 1,
        }
    }
}

/// Names cannot be settled.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The entries cannot be read.
    #[error("the entries of the manifest cannot be read back")]
    Entries(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store does not say what it has.
    #[error("the store does not say which blobs container {container} has")]
    Store {
        /// The container.
        container: ContainerName,
        /// The store's answer.
        #[source]
        source: StoreError,
    },
    /// A decision cannot be kept.
    #[error(transparent)]
    Records(#[from] LedgerError),
    /// A scratch file cannot be used.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// More containers than are allowed.
    #[error("the manifest names more than {CONTAINERS} containers")]
    TooManyContainers,
    /// Far more folders than blobs.
    #[error("the names of the manifest's blobs have too many folders for a store that is a folder")]
    TooManyFolders,
}

/// Settles the name of every entry. `entries` gives them in manifest order, and is called two or three times.
///
/// Reads entries and decides in place, about two CPU-seconds per million entries between two waits: run it where that blocks nobody.
pub async fn settle<F, I, E>(
    entries: F,
    store: &Arc<dyn Store>,
    records: &dyn Records,
    options: &NameOptions,
) -> Result<(Survey, NameIndex), NamesError>
where
    F: Fn() -> I,
    I: Iterator<Item = Result<Entry, E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let keys = Keys::new();
    let mut survey = Survey::default();
    let containers = targets(entries(), options)?;
    let mut sieve = Sieve::new();
    let wanted = spread(entries(), (&keys, &mut sieve, &mut survey), (records, options), total(&containers))?;
    let mut listed = Spread::new(&options.scratch, "listed", wanted.len())?;
    let mut take = |container: &ContainerName, blobs: &[ListedBlob]| {
        keep_page(&keys, &sieve, &mut listed, container, blobs).map_err(NamesError::from)
    };
    survey.containers = survey::survey(store, containers, &mut take).await?;
    drop(sieve);
    let settler = bucketing::Settler::new(keys.clone(), store, records, options, &survey.containers);
    let mut tables = Vec::with_capacity(wanted.len());
    for (number, (wanted, listed)) in wanted.into_iter().zip(listed.finish()?).enumerate() {
        tables.push(settler.settle(number, wanted, listed, &mut survey).await?);
        // deciding alone never waits: this is where the run can be stopped
        tokio::task::yield_now().await;
    }
    if options.rules.is_tree() {
        tree::part(entries(), &keys, (records, options), &mut survey)?;
    }
    Ok((survey, NameIndex::new(keys, tables)))
}

/// First pass: the target containers, and how many entries each has.
fn targets<E>(
    entries: impl Iterator<Item = Result<Entry, E>>,
    options: &NameOptions,
) -> Result<BTreeMap<ContainerName, u64>, NamesError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut containers = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(|error| NamesError::Entries(Box::new(error)))?;
        if let Ok(path) = rule::target(entry.blob_path.raw(), &options.diagnostics) {
            if let Some(count) = containers.get_mut(path.container()) {
                *count += 1;
            } else if containers.len() == CONTAINERS {
                return Err(NamesError::TooManyContainers);
            } else {
                containers.insert(path.container().clone(), 1);
            }
        }
    }
    Ok(containers)
}

fn total(containers: &BTreeMap<ContainerName, u64>) -> u64 {
    containers.values().sum()
}

/// Second pass: entries into their buckets; illegal ones are decided here.
fn spread<E>(
    entries: impl Iterator<Item = Result<Entry, E>>,
    (keys, sieve, survey): (&Keys, &mut Sieve, &mut Survey),
    (records, options): (&dyn Records, &NameOptions),
    legal: u64,
) -> Result<Vec<Bucket>, NamesError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let buckets = bucket::buckets(legal);
    let mut files = Spread::new(&options.scratch, "entries", buckets)?;
    for entry in entries {
        let entry = entry.map_err(|error| NamesError::Entries(Box::new(error)))?;
        let target = rule::target(entry.blob_path.raw(), &options.diagnostics);
        let target = target.and_then(|path| options.rules.check(&path).map(|()| path).map_err(|error| error.to_string()));
        match target {
            Ok(path) => {
                let root = keys.root(path.container().as_str(), path.name());
                sieve.add(root);
                let path = entry.blob_path.into_raw();
                let wanted = Wanted { entry: entry.number, disposition: entry.disposition, path };
                files.entry(bucket::bucket_of(root, buckets), &wanted)?;
            }
            Err(reason) => {
                let decision = NameDecision { fate: NameFate::Illegal { reason }, after: None };
                survey.count(&decision);
                records.set_name(entry.number, &decision)?;
            }
        }
    }
    Ok(files.finish()?)
}

/// A page of a listing into the buckets, without what no entry can meet.
fn keep_page(
    keys: &Keys,
    sieve: &Sieve,
    files: &mut Spread,
    container: &ContainerName,
    blobs: &[ListedBlob],
) -> Result<(), ScratchError> {
    for blob in blobs {
        let root = keys.root(container.as_str(), &blob.name);
        if sieve.may_hold(root) {
            let bucket = bucket::bucket_of(root, files.len());
            files.listed(bucket, keys.name(container.as_str(), &blob.name), blob)?;
        }
    }
    Ok(())
}
