//! The names in a directory, in their order.
//!
//! In: a directory. Out: one entry after the other, with memory for one path through the index only. Skipped: MS-DOS twins, system
//! files, the root's own entry. A broken node costs the names in it; the others are listed, and the first fault is the result.

use std::ops::ControlFlow;

use super::directory::{Directory, Node as IndexNode};
use super::error::{Fault, FileError};
use super::index::{self, Entry, FileName};
use super::lookup::text;
use super::volume::Volume;
use super::{DirEntry, FIRST_USER_RECORD, Node};
use crate::foreign::Foreign;

/// Deepest index: ntfs-3g's limit. A node holds several names, so a sound index of this depth does not fit any disk.
const MAX_DEPTH: usize = 32;

/// A node on the way down, and where to go on in it.
struct Level {
    node: IndexNode,
    at: usize,
    /// The name after the child that is being read now.
    held: Option<DirEntry>,
}

/// A listing under way.
struct Walk<'a> {
    volume: &'a Volume,
    directory: &'a Directory,
    each: &'a mut dyn FnMut(DirEntry) -> ControlFlow<()>,
    levels: Vec<Level>,
    visited: Visited,
    names: u64,
    fault: Option<FileError>,
}

/// Blocks already read, a bit each; grows to the highest number seen, which the limit of names bounds.
#[derive(Default)]
struct Visited {
    bits: Vec<u64>,
}

impl Visited {
    /// Marks a block; false if it was marked before.
    fn mark(&mut self, block: u64) -> bool {
        let (word, bit) = (crate::volume::fields::index(block / 64), 1 << (block % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let Some(word) = self.bits.get_mut(word) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

impl Volume {
    /// Calls `each` for the names of a directory until it breaks.
    pub(super) fn list(&self, directory: &Node, each: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<(), FileError> {
        let index = self.directory(directory.reference())?;
        let mut walk = Walk {
            volume: self,
            directory: &index,
            each,
            levels: Vec::new(),
            visited: Visited::default(),
            names: 0,
            fault: None,
        };
        walk.levels.push(Level { node: index.root().clone(), at: index.root().extent.start, held: None });
        while !walk.levels.is_empty() {
            match walk.step() {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(()),
                Err(stop) => return Err(stop),
            }
        }
        walk.fault.map_or(Ok(()), Err)
    }
}

impl Walk<'_> {
    /// One name or one way down or up. An error ends the walk; faults of nodes do not.
    fn step(&mut self) -> Result<ControlFlow<()>, FileError> {
        let Some(level) = self.levels.last_mut() else { return Ok(ControlFlow::Break(())) };
        if let Some(held) = level.held.take() {
            return self.give(held);
        }
        let record = self.directory.reference.record;
        let part = level.node.part;
        let parsed = index::entry(&level.node.bytes, level.node.extent, level.at);
        let (entry, after) = match parsed {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.levels.pop();
                return Ok(ControlFlow::Continue(()));
            }
            Err(fault) => {
                self.levels.pop();
                self.remember(fault.within(record, part));
                return Ok(ControlFlow::Continue(()));
            }
        };
        let child = entry.child;
        let name = shown(&entry);
        level.at = after;
        match name {
            Ok(name) => level.held = name,
            Err(fault) => self.remember(fault.within(record, part)),
        }
        if let Some(vcn) = child {
            match self.descend(vcn) {
                Ok(next) => self.levels.push(next),
                Err(fault @ FileError::TooMany { .. }) => return Err(fault),
                Err(fault) => self.remember(fault),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn descend(&mut self, vcn: u64) -> Result<Level, FileError> {
        let record = self.directory.reference.record;
        let block = self.directory.number(vcn)?;
        let limit = self.volume.limits.names_per_directory;
        // blocks hold several names each, so more blocks than names are beyond the limit, too
        if block >= limit {
            return Err(FileError::TooMany { record, what: "index blocks", limit });
        }
        if self.levels.len() > MAX_DEPTH {
            return Err(FileError::TooMany { record, what: "levels of index nodes", limit: MAX_DEPTH as u64 });
        }
        if !self.visited.mark(block) {
            let fault = Fault { byte: 0, expected: "a child that has one parent", found: vcn };
            return Err(fault.within(record, super::error::Part::IndexBlock(vcn)));
        }
        let node = self.directory.node(&self.volume.mft, vcn)?;
        Ok(Level { at: node.extent.start, node, held: None })
    }

    fn give(&mut self, name: DirEntry) -> Result<ControlFlow<()>, FileError> {
        self.names += 1;
        let limit = self.volume.limits.names_per_directory;
        if self.names > limit {
            return Err(FileError::TooMany { record: self.directory.reference.record, what: "names", limit });
        }
        Ok((self.each)(name))
    }

    fn remember(&mut self, fault: FileError) {
        self.fault.get_or_insert(fault);
    }
}

/// The entry as a listing shows it; `None` if it does not.
fn shown(entry: &Entry<'_>) -> Result<Option<DirEntry>, Fault> {
    let Some(key) = entry.key else { return Ok(None) };
    let key = FileName::parse(key).map_err(|fault| Fault { byte: fault.byte + entry.at as u64 + 16, ..fault })?;
    if key.is_dos() || entry.reference.record < FIRST_USER_RECORD {
        return Ok(None);
    }
    let name = text(key.name);
    let addressable = addressable(key.name, &name);
    let node = Node::new(entry.reference, key.is_directory(), Foreign::new(name));
    Ok(Some(DirEntry { node, addressable }))
}

/// Whether a path can name it: valid text without separators, colons and control characters.
fn addressable(units: &[u8], name: &str) -> bool {
    let valid =
        char::decode_utf16(units.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit))).all(|unit| unit.is_ok());
    valid && !name.chars().any(|sign| matches!(sign, '\\' | '/' | ':') || sign.is_control()) && !matches!(name, "." | "..")
}
