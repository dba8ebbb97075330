//! Names as paths: where a blob's name cannot also be a folder's, the later of two such entries fails by name.
//!
//! In go the entries with their decisions, in manifest order; out come the decisions of those that lose. Which one loses is settled
//! here and not by who is stored first, so that it does not depend on time, and a dry run knows it. An entry keeps its name against
//! later ones even if it fails itself. What the store has from before is seen when an entry's turn comes.
//!
//! A table holds every name, and every folder as its name with a NUL behind it, which no blob's name holds. A folder is entered with all
//! folders above it, so that the way up ends at the first one known. Refuses manifests with more folders than [`FOLDERS_PER_NAME`] allows.

use super::area::Area;
use super::rule::{self, Keys};
use super::table::Table;
use super::{NameOptions, NamesError, Survey};
use crate::ledger::{NameDecision, NameFate, Records};
use crate::manifest::{BlobPath, Entry};

/// Bytes of the table that stay in memory.
const TABLE: u64 = 24 << 20;
/// Folders for each name, more than any manifest of people's files has; a few are free.
const FOLDERS_PER_NAME: u64 = 4;
const FREE_FOLDERS: u64 = 1 << 20;

/// Fails the entries whose name is a folder of an earlier one's, or has an earlier one as a folder.
pub(super) fn part<E>(
    entries: impl Iterator<Item = Result<Entry, E>>,
    keys: &Keys,
    (records, options): (&dyn Records, &NameOptions),
    survey: &mut Survey,
) -> Result<(), NamesError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let table = Table::new(Area::new(options.scratch.join("names-tree"), TABLE), survey.entries)?;
    let mut tree = Tree { keys, table, most: survey.entries.saturating_mul(1 + FOLDERS_PER_NAME).saturating_add(FREE_FOLDERS) };
    for entry in entries {
        let entry = entry.map_err(|error| NamesError::Entries(Box::new(error)))?;
        let Some(decision) = records.name(entry.number)? else { continue };
        let Some(path) = final_name(&entry, &decision, options) else { continue };
        if let Err(reason) = tree.enter(&entry, &path)? {
            records.set_name(entry.number, &NameDecision { fate: NameFate::Illegal { reason }, ..decision })?;
            survey.illegal += 1;
        }
    }
    tree.table.into_area().remove()?;
    Ok(())
}

/// The name that an entry is to be stored under, if it is.
fn final_name(entry: &Entry, decision: &NameDecision, options: &NameOptions) -> Option<BlobPath> {
    let asked = rule::target(entry.blob_path.raw(), &options.diagnostics).ok()?;
    match &decision.fate {
        NameFate::AsAsked { .. } => Some(asked),
        NameFate::Renamed { name } => BlobPath::new(asked.container().clone(), name.raw()).ok(),
        NameFate::Skip | NameFate::Illegal { .. } | NameFate::NoFreeName => None,
    }
}

struct Tree<'a> {
    keys: &'a Keys,
    table: Table,
    most: u64,
}

impl Tree<'_> {
    /// Enters a name with its folders, or says which earlier entry is in its way. Nothing is entered then.
    fn enter(&mut self, entry: &Entry, path: &BlobPath) -> Result<Result<(), String>, NamesError> {
        let (container, name) = (path.container().as_str(), path.name());
        let of = |name: &str| self.keys.name(container, name);
        let folder = |name: &str| of(&format!("{name}\0"));
        if let Some(other) = self.table.get(folder(name))?.owner {
            return Ok(Err(format!("entry {other} has a name below it: in a folder it cannot be both a blob and a folder")));
        }
        let mut new_folders = Vec::new();
        for (place, _) in name.rmatch_indices('/') {
            let above = &name[..place];
            if let Some(other) = self.table.get(of(above))?.owner {
                return Ok(Err(format!(
                    "entry {other} has the name of a folder on its way: in a folder it cannot be a blob as well"
                )));
            }
            let key = folder(above);
            if self.table.get(key)?.owner.is_some() {
                break;
            }
            new_folders.push(key);
        }
        let own = of(name);
        for key in new_folders.into_iter().chain([own]) {
            let mut slot = self.table.get(key)?;
            slot.owner.get_or_insert(entry.number);
            self.table.put(&slot)?;
        }
        if self.table.used() > self.most { Err(NamesError::TooManyFolders) } else { Ok(Ok(())) }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::tests::fake::{Names, entry};
    use super::*;
    use crate::manifest::Disposition;
    use crate::store::NameRules;

    /// Numbers of the entries that fail.
    fn failing(paths: &[String]) -> Vec<u64> {
        let scratch = tempfile::tempdir().unwrap();
        let diagnostics = "logs".parse().unwrap();
        let options = NameOptions { diagnostics, rules: NameRules::Folder, scratch: scratch.path().to_owned(), heads: 1 };
        let (records, mut survey) = (Names::default(), Survey { entries: paths.len() as u64, ..Survey::default() });
        let entries = || (0..).zip(paths).map(|(number, path)| entry(number, path, Disposition::Overwrite));
        for entry in entries() {
            records.set_name(entry.number, &NameDecision { fate: NameFate::AsAsked { existing: None }, after: None }).unwrap();
        }
        part(entries().map(Ok::<_, Infallible>), &Keys::new(), (&records, &options), &mut survey).unwrap();
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
        let illegal = |number: &u64| matches!(records.name(*number).unwrap().unwrap().fate, NameFate::Illegal { .. });
        (0..paths.len() as u64).filter(illegal).collect()
    }

    /// The same by comparing each entry with all before it that were taken.
    fn model(paths: &[String]) -> Vec<u64> {
        let mut taken: Vec<&String> = Vec::new();
        let mut failing = Vec::new();
        for (number, path) in (0..).zip(paths) {
            let below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
            if taken.iter().any(|other| below(path, other) || below(other, path)) {
                failing.push(number);
            } else {
                taken.push(path);
            }
        }
        failing
    }

    #[test]
    fn the_later_of_a_blob_and_a_folder_fails() {
        let paths = ["abc/a", "abc/a/b", "abc/b/c", "abc/b", "abd/a/b", "abc/a.x", "abc/a", "abc/b//d", "abc/b/c/d/e"];
        let paths = paths.map(str::to_owned);
        assert_eq!(failing(&paths), [1, 3, 8]);
    }

    proptest! {
        #[test]
        fn as_by_comparing_all(paths in prop::collection::vec("abc/[ab](/[ab]?[ab]){0,3}(//a)?", 0..40)) {
            prop_assert_eq!(failing(&paths), model(&paths));
        }
    }
}
