//! The name book: which name each entry gets. A pure function of the entries in manifest order and of what exists.
//!
//! In go the entries whose names can meet, in manifest order; out comes one [`NameDecision`] each. A name is *taken* once a blob of it
//! exists in the store or an earlier entry has it, whether or not that entry succeeds later.
//!
//! | disposition | name free | blob exists | an earlier entry has it |
//! |---|---|---|---|
//! | `rename` | as asked | first free number | first free number |
//! | `no-overwrite` | as asked | skipped, after those before it | as asked, after that entry |
//! | `overwrite` | as asked | as asked, replacing it | as asked, after that entry |
//!
//! A renamed entry is never chained behind another, since its name was free. An entry that asks for the name that a renamed one was
//! given is chained behind it like behind any other. Whether a chained `no-overwrite` stores is seen when its turn comes; a skipped one
//! has its place in the chain too, since an entry before it may remove the blob, and one after it may write there.

use super::area::{Area, ScratchError};
use super::rule::{self, Keys};
use super::table::{Existing, Slot, Table};
use crate::foreign::Foreign;
use crate::ledger::{NameDecision, NameFate};
use crate::manifest::{BlobPath, ContainerName, Disposition, EntryNumber};
use crate::store::{ETag, StoredKind};

/// What a store has under a name.
pub(super) type Version = (ETag, StoredKind);

/// Answers whether a blob of that name existed before the run.
pub(super) type Exists<'a, E> = &'a mut dyn FnMut(&BlobPath) -> Result<Option<Version>, E>;

/// See the module.
pub(super) struct NameBook {
    keys: Keys,
    diagnostics: ContainerName,
    table: Table,
    versions: Area,
}

/// What is known of a name.
pub(super) struct Known {
    /// A blob or an entry has it.
    pub(super) taken: bool,
    /// The store's answer is known.
    pub(super) asked: bool,
}

impl NameBook {
    /// A book of no entries yet.
    pub(super) fn new(keys: Keys, diagnostics: ContainerName, table: Table, versions: Area) -> Self {
        Self { keys, diagnostics, table, versions }
    }

    /// Keeps what exists under a name, by its hash, so that `exists` is not asked.
    pub(super) fn learn(&mut self, key: u128, version: Option<&Version>) -> Result<(), ScratchError> {
        let mut slot = self.table.get(key)?;
        slot.existing = match version {
            None => Existing::Absent,
            Some(version) => Existing::At(self.append(version)?),
        };
        self.table.put(&slot)
    }

    /// What is known of a name without asking.
    pub(super) fn known(&self, key: u128) -> Result<Known, ScratchError> {
        let slot = self.table.get(key)?;
        Ok(Known { taken: slot.taken(), asked: slot.existing != Existing::Unknown })
    }

    /// Decides for the next entry. `exists` is asked only about names not learnt before; if it fails, nothing is decided, and the same
    /// entry may be decided again.
    pub(super) fn decide<E: From<ScratchError>>(
        &mut self,
        entry: EntryNumber,
        raw: &str,
        disposition: Disposition,
        exists: Exists<'_, E>,
    ) -> Result<NameDecision, E> {
        let path = match rule::target(raw, &self.diagnostics) {
            Ok(path) => path,
            Err(reason) => return Ok(NameDecision { fate: NameFate::Illegal { reason }, after: None }),
        };
        let mut slot = self.look(&path, exists)?;
        let there = matches!(slot.existing, Existing::At(_));
        if disposition == Disposition::Rename && slot.taken() {
            let fate = self.rename(entry, &path, slot, exists)?;
            return Ok(NameDecision { fate, after: None });
        }
        let after = slot.owner.replace(entry);
        self.table.put(&slot)?;
        if disposition == Disposition::NoOverwrite && there {
            return Ok(NameDecision { fate: NameFate::Skip, after });
        }
        Ok(NameDecision { fate: NameFate::AsAsked { existing: self.version(slot.existing)? }, after })
    }

    /// Gives the first free number. The slot of the asked name remembers how far the numbers are taken: a taken one never gets free.
    fn rename<E: From<ScratchError>>(
        &mut self,
        entry: EntryNumber,
        asked: &BlobPath,
        mut slot: Slot,
        exists: Exists<'_, E>,
    ) -> Result<NameFate, E> {
        let mut number = slot.next.max(rule::FIRST);
        let found = loop {
            let candidate = (number <= rule::LAST).then(|| candidate(asked, number)).flatten();
            let Some(candidate) = candidate else { break Ok(None) };
            match self.look(&candidate, exists) {
                Err(error) => break Err(error),
                Ok(found) if !found.taken() => break Ok(Some((candidate, found))),
                Ok(_) => number += 1,
            }
        };
        slot.next = number;
        self.table.put(&slot)?;
        let Some((name, mut given)) = found? else { return Ok(NameFate::NoFreeName) };
        given.owner = Some(entry);
        self.table.put(&given)?;
        Ok(NameFate::Renamed { name: Foreign::from(name.name()) })
    }

    /// What is known of a name, after asking if needed.
    fn look<E: From<ScratchError>>(&mut self, path: &BlobPath, exists: Exists<'_, E>) -> Result<Slot, E> {
        let key = self.keys.name(path.container().as_str(), path.name());
        let mut slot = self.table.get(key)?;
        if slot.existing == Existing::Unknown
            && let Some(version) = exists(path)?
        {
            slot.existing = Existing::At(self.append(&version)?);
            self.table.put(&slot)?;
        }
        Ok(slot)
    }

    /// The table, to be asked later who has a name. The versions are no longer needed.
    pub(super) fn finish(self) -> Result<Table, ScratchError> {
        self.versions.remove()?;
        Ok(self.table)
    }

    fn append(&mut self, (etag, kind): &Version) -> Result<u64, ScratchError> {
        let place = self.versions.length();
        self.versions.write(place, &encode(etag, *kind))?;
        Ok(place)
    }

    fn version(&self, existing: Existing) -> Result<Option<Version>, ScratchError> {
        let Existing::At(place) = existing else { return Ok(None) };
        let mut head = [0; 3];
        self.versions.read(place, &mut head)?;
        let [kind, low, high] = head;
        let mut etag = vec![0; usize::from(u16::from_le_bytes([low, high]))];
        self.versions.read(place + 3, &mut etag)?;
        Ok(Some((ETag(String::from_utf8_lossy(&etag).into_owned()), kind_of(kind))))
    }
}

/// The asked path with a number; `None` if that is too long. A number cannot break any other rule of names.
pub(super) fn candidate(asked: &BlobPath, number: u16) -> Option<BlobPath> {
    BlobPath::new(asked.container().clone(), &rule::numbered(asked.name(), number)?).ok()
}

/// A version as bytes: kind, length of the `ETag` (16 bits), `ETag`. One over 64 KiB is cut: no HTTP header line is that long.
pub(super) fn encode(etag: &ETag, kind: StoredKind) -> Vec<u8> {
    let text = etag.0.get(..etag.0.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let kind = match kind {
        StoredKind::Block => 0,
        StoredKind::Page => 1,
        StoredKind::Append => 2,
    };
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The kind behind its byte.
pub(super) fn kind_of(byte: u8) -> StoredKind {
    match byte {
        0 => StoredKind::Block,
        1 => StoredKind::Page,
        _ => StoredKind::Append,
    }
}
