//! What all open files of a volume share: the table of records, the order of names, the directories lately used.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use super::attribute::kind;
use super::cache::Cache;
use super::directory::Directory;
use super::disk::lock;
use super::error::{Fault, FileError, Part};
use super::index::FileName;
use super::inode::Inode;
use super::mft::Mft;
use super::record::Reference;
use super::upcase::UpCase;
use super::{Node, NtfsLimits};
use crate::volume::fields::{u32_at, u64_at};

/// File attribute: a reparse point.
const REPARSE: u32 = 0x400;
/// File attribute: encrypted by EFS.
const ENCRYPTED: u32 = 0x4000;
/// A directory or path kept in memory counts as this many bytes more, so that their number is bounded, too.
const OVERHEAD: usize = 4096;

/// A volume.
pub(super) struct Volume {
    pub(super) mft: Mft,
    pub(super) upcase: UpCase,
    pub(super) limits: NtfsLimits,
    directories: Mutex<Cache<Reference, Arc<Directory>>>,
    paths: Mutex<Cache<String, Node>>,
}

impl Volume {
    pub(super) fn new(mft: Mft, upcase: UpCase, limits: NtfsLimits) -> Self {
        let directories = Mutex::new(Cache::new(limits.cache_bytes));
        let paths = Mutex::new(Cache::new(limits.cache_bytes / 4));
        Self { mft, upcase, limits, directories, paths }
    }

    /// The index of a directory.
    pub(super) fn directory(&self, reference: Reference) -> Result<Arc<Directory>, FileError> {
        if let Some(directory) = lock(&self.directories).get(&reference) {
            return Ok(directory);
        }
        let inode = self.mft.open_file(reference)?;
        let directory = Arc::new(Directory::new(&self.mft, &inode)?);
        let cost = OVERHEAD + directory.cost();
        lock(&self.directories).put(reference, Arc::clone(&directory), cost);
        Ok(directory)
    }

    /// The directory that a path led to before.
    pub(super) fn known_path(&self, path: &str) -> Option<Node> {
        lock(&self.paths).get(path)
    }

    /// Remembers where a path leads.
    pub(super) fn remember_path(&self, path: &str, node: &Node) {
        lock(&self.paths).put(path.to_owned(), node.clone(), OVERHEAD + path.len());
    }

    /// Calls `visit` for each name of a file.
    pub(super) fn each_name(
        &self,
        inode: &Inode,
        visit: &mut dyn FnMut(FileName<'_>) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        inode.each_part(&self.mft, kind::FILE_NAME, &[], &mut |record, attribute| {
            let broken = |byte: usize, fault: Fault| {
                Fault { byte: fault.byte + byte as u64, ..fault }.within(record.reference.record, Part::Record)
            };
            let resident = Fault::new(0, "a name in the record", 1_u64);
            let value = attribute.resident().ok_or_else(|| broken(attribute.at, resident))?;
            Ok(visit(FileName::parse(value).map_err(|fault| broken(attribute.at, fault))?))
        })
    }

    /// Refuses what must not be read as a plain file or entered as a plain directory: reparse points.
    pub(super) fn refuse_reparse(&self, inode: &Inode) -> Result<(), FileError> {
        let record = inode.number();
        let mut found = None;
        inode.each_part(&self.mft, kind::REPARSE_POINT, &[], &mut |_, attribute| {
            found = Some(attribute.resident().and_then(|value| u32_at(value, 0)).unwrap_or(0));
            Ok(ControlFlow::Break(()))
        })?;
        if found.is_none() && self.attributes(inode)? & REPARSE != 0 {
            found = Some(0);
        }
        found.map_or(Ok(()), |tag| Err(FileError::Reparse { record, tag }))
    }

    /// Refuses files encrypted by EFS, by their file attribute.
    pub(super) fn refuse_encrypted(&self, inode: &Inode) -> Result<(), FileError> {
        let encrypted = self.attributes(inode)? & ENCRYPTED != 0;
        if encrypted { Err(FileError::Encrypted { record: inode.number() }) } else { Ok(()) }
    }

    /// The file attributes: of the record, since those of the names are stale by design.
    fn attributes(&self, inode: &Inode) -> Result<u32, FileError> {
        let mut found = None;
        inode.each_part(&self.mft, kind::STANDARD_INFORMATION, &[], &mut |_, attribute| {
            found = attribute.resident().and_then(|value| u64_at(value, 24).and(u32_at(value, 32)));
            Ok(ControlFlow::Break(()))
        })?;
        let missing = Fault::new(0, "standard information", 0_u64);
        found.ok_or_else(|| missing.within(inode.number(), Part::Record))
    }
}
