//! Settles one bucket: learns what exists, decides entry by entry, keeps each decision.
//!
//! Where a container was not listed to the end, names are asked by HEAD: first all wanted ones and the first number of those that must
//! be renamed, many at a time; then, when an entry's numbers turn out taken, the next ones in batches that double.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::area::{Area, ScratchError};
use super::bucket::{Bucket, Wanted};
use super::rule::{self, Keys};
use super::settle::{NameBook, Version, candidate};
use super::table::Table;
use super::{ContainerSurvey, NameOptions, NamesError, Survey, survey};
use crate::ledger::{NameDecision, Records};
use crate::manifest::{BlobPath, Disposition};
use crate::store::Store;

/// Bytes of the table of names and of the versions that stay in memory.
const TABLE: u64 = 24 << 20;
const VERSIONS: u64 = 8 << 20;
/// Names asked together.
const BATCH: usize = 1_024;

/// See the module.
pub(super) struct Settler<'a> {
    keys: Keys,
    store: &'a Arc<dyn Store>,
    records: &'a dyn Records,
    options: &'a NameOptions,
    /// Containers whose names are asked one by one.
    unlisted: HashSet<String>,
}

/// Why a decision has to wait.
enum Pause {
    /// It is not known whether this name exists.
    Ask(BlobPath),
    Scratch(ScratchError),
}

impl From<ScratchError> for Pause {
    fn from(error: ScratchError) -> Self {
        Self::Scratch(error)
    }
}

impl<'a> Settler<'a> {
    pub(super) fn new(
        keys: Keys,
        store: &'a Arc<dyn Store>,
        records: &'a dyn Records,
        options: &'a NameOptions,
        containers: &[ContainerSurvey],
    ) -> Self {
        let unlisted = containers.iter().filter(|container| !container.listed);
        let unlisted = unlisted.map(|container| container.name.as_str().to_owned()).collect();
        Self { keys, store, records, options, unlisted }
    }

    /// Settles the bucket of this number, removes its files and keeps its table of names.
    pub(super) async fn settle(
        &self,
        number: usize,
        wanted: Bucket,
        listed: Bucket,
        survey: &mut Survey,
    ) -> Result<(PathBuf, u64), NamesError> {
        let path = |kind| self.options.scratch.join(format!("names-{kind}-{number}"));
        let table = Table::new(Area::new(path("table"), TABLE), wanted.count.saturating_add(listed.count))?;
        let versions = Area::new(path("versions"), VERSIONS);
        let mut book = NameBook::new(self.keys.clone(), self.options.diagnostics.clone(), table, versions);
        for blob in listed.listed()? {
            let (key, version) = blob?;
            book.learn(key, Some(&version))?;
        }
        listed.remove()?;
        if !self.unlisted.is_empty() {
            self.ask_wanted(&mut book, &wanted).await?;
        }
        for entry in wanted.entries()? {
            let entry = entry?;
            let decision = self.decide(&mut book, &entry).await?;
            survey.count(&decision);
            self.records.set_name(entry.entry, &decision)?;
        }
        wanted.remove()?;
        let table = book.finish()?;
        let used = table.used();
        Ok((table.into_area().keep()?, used))
    }

    /// Decides one entry, asking the store for the numbers it must try.
    async fn decide(&self, book: &mut NameBook, wanted: &Wanted) -> Result<NameDecision, NamesError> {
        let mut window = 1_u16;
        loop {
            let mut exists = |path: &BlobPath| {
                if self.unlisted.contains(path.container().as_str()) { Err(Pause::Ask(path.clone())) } else { Ok(None) }
            };
            match book.decide(wanted.entry, &wanted.path, wanted.disposition, &mut exists) {
                Ok(decision) => return Ok(decision),
                Err(Pause::Scratch(error)) => return Err(error.into()),
                Err(Pause::Ask(path)) => {
                    let paths = self.following(wanted, path, window);
                    self.ask(book, paths).await?;
                    window = window.saturating_mul(2).min(u16::try_from(self.options.heads).unwrap_or(u16::MAX)).max(1);
                }
            }
        }
    }

    /// The name that must be asked and, if it is a number of the wanted one, some after it.
    fn following(&self, wanted: &Wanted, path: BlobPath, window: u16) -> Vec<BlobPath> {
        let Ok(asked) = rule::target(&wanted.path, &self.options.diagnostics) else { return vec![path] };
        let Some(number) = rule::number_in(asked.name(), path.name()) else { return vec![path] };
        let last = number.saturating_add(window - 1).min(rule::LAST);
        let more = (number + 1..=last).map_while(|number| candidate(&asked, number));
        std::iter::once(path).chain(more).collect()
    }

    /// Asks for all wanted names of containers that were not listed.
    async fn ask_wanted(&self, book: &mut NameBook, bucket: &Bucket) -> Result<(), NamesError> {
        let mut batch = Vec::new();
        for wanted in bucket.entries()? {
            let wanted = wanted?;
            let Ok(path) = rule::target(&wanted.path, &self.options.diagnostics) else { continue };
            if self.unlisted.contains(path.container().as_str()) {
                batch.push((path, wanted.disposition));
            }
            if batch.len() == BATCH {
                self.ask_batch(book, std::mem::take(&mut batch)).await?;
            }
        }
        self.ask_batch(book, batch).await
    }

    /// Asks for these names, then for the first number of those to be renamed.
    async fn ask_batch(&self, book: &mut NameBook, batch: Vec<(BlobPath, Disposition)>) -> Result<(), NamesError> {
        self.ask(book, batch.iter().map(|(path, _)| path.clone()).collect()).await?;
        let mut numbered = Vec::new();
        for (path, disposition) in &batch {
            if *disposition == Disposition::Rename && book.known(self.key(path))?.taken {
                numbered.extend(candidate(path, rule::FIRST));
            }
        }
        self.ask(book, numbered).await
    }

    /// Asks for those of the names that are not known yet, each once.
    async fn ask(&self, book: &mut NameBook, paths: Vec<BlobPath>) -> Result<(), NamesError> {
        let mut unknown = HashSet::new();
        for path in paths {
            if !book.known(self.key(&path))?.asked {
                unknown.insert(path);
            }
        }
        for (path, head) in survey::heads(self.store, unknown.into_iter().collect(), self.options.heads).await? {
            let version: Option<Version> = head.map(|head| (head.etag, head.kind));
            book.learn(self.key(&path), version.as_ref())?;
        }
        Ok(())
    }

    fn key(&self, path: &BlobPath) -> u128 {
        self.keys.name(path.container().as_str(), path.name())
    }
}
