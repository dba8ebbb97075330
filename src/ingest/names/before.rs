//! Names that blobs of this session may have, stored by a run whose ledger is not here.
//!
//! In goes an entry with the name it was given now; out come the names it would have been given before, when its own blob was not there
//! yet: the one asked for, and the numbers below its own. Each is given to one entry only; who has which is kept in a table that moves to
//! a scratch file when it grows.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::area::{Area, ScratchError};
use super::rule::{self, Keys};
use super::settle::candidate;
use super::table::Table;
use crate::ledger::{NameDecision, NameFate};
use crate::manifest::{BlobPath, ContainerName, Entry};

/// Bytes of the table that stay in memory.
const TABLE: u64 = 8 << 20;
/// Numbers looked at for one entry: each costs a request.
const NUMBERS: u16 = 100;

/// See the module.
pub struct Before {
    keys: Keys,
    diagnostics: ContainerName,
    taken: Mutex<Table>,
}

impl Before {
    /// No name is taken yet. The caller removes the scratch folder.
    pub fn new(scratch: &Path, diagnostics: &ContainerName) -> Result<Self, ScratchError> {
        let taken = Table::new(Area::new(scratch.join("names-before"), TABLE), 0)?;
        Ok(Self { keys: Keys::new(), diagnostics: diagnostics.clone(), taken: Mutex::new(taken) })
    }

    /// The names that an entry may have been stored under, in the order in which it would have got them.
    pub fn of(&self, entry: &Entry, decision: &NameDecision) -> Vec<BlobPath> {
        let Ok(asked) = rule::target(entry.blob_path.raw(), &self.diagnostics) else { return Vec::new() };
        match &decision.fate {
            NameFate::AsAsked { existing: Some(_) } | NameFate::Skip | NameFate::NoFreeName => vec![asked],
            NameFate::AsAsked { existing: None } | NameFate::Illegal { .. } => Vec::new(),
            NameFate::Renamed { name } => {
                let below = rule::number_in(asked.name(), name.raw()).unwrap_or(rule::FIRST).min(rule::FIRST + NUMBERS);
                let numbered = (rule::FIRST..below).filter_map(|number| candidate(&asked, number)).collect::<Vec<_>>();
                std::iter::once(asked).chain(numbered).collect()
            }
        }
    }

    /// Takes a name for an entry; `false` if another has taken it.
    pub fn take(&self, entry: &Entry, path: &BlobPath) -> Result<bool, ScratchError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slot = taken.get(self.keys.name(path.container().as_str(), path.name()))?;
        if slot.owner.is_some() {
            return Ok(false);
        }
        slot.owner = Some(entry.number);
        taken.put(&slot)?;
        Ok(true)
    }
}
