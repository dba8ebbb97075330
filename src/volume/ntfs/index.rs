//! Nodes of a directory's index: the root in its record, the others in index blocks.
//!
//! In: the bytes of a node, fix-ups undone. Out: its entries, in order. Refused: entries that leave their node, keys that leave their
//! entry, names that leave their key.
//!
//! A node's header: offset of the first entry (4 bytes), length in use (4), length allocated (4), flags (4); all count from the
//! header. It is at byte 16 of the root and at byte 24 of a block.
//!
//! | entry | size | field | | key | size | field |
//! |---|---|---|---|---|---|---|
//! | 0 | 8 | reference of the file | | 0 | 8 | reference of the directory |
//! | 8 | 2 | length of the entry | | 56 | 4 | file attributes |
//! | 10 | 2 | length of the key | | 60 | 4 | reparse tag |
//! | 12 | 2 | flags: 1 has a child, 2 the last | | 64 | 1 | units of the name |
//! | 16 | | key | | | | |
//! | end - 8 | 8 | VCN of the child | | | | |

use super::error::Fault;
use super::record::Reference;
use crate::volume::fields::{index, slice_at, u8_at, u16_at, u32_at, u64_at};

/// Bytes of an entry before its key.
const ENTRY: usize = 16;
/// Bytes of a key before its name.
const KEY: usize = 66;
const HAS_CHILD: u16 = 1;
const LAST: u16 = 2;
/// File attribute in a key: a directory.
const DIRECTORY: u32 = 0x1000_0000;

/// Namespace of names that exist only for MS-DOS.
const DOS: u8 = 2;

/// A name of a file: the value of a `$FILE_NAME` attribute, and the key of an index entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileName<'a> {
    /// The directory.
    pub(super) parent: Reference,
    /// File attributes, as they were when the name was written.
    pub(super) attributes: u32,
    namespace: u8,
    /// UTF-16LE, 1 to 255 units.
    pub(super) name: &'a [u8],
}

impl<'a> FileName<'a> {
    /// Parses a name; bytes of faults count from its start.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let cut = |offset: usize| Fault::cut(offset, bytes.len());
        let units = u8_at(bytes, 64).ok_or_else(|| cut(64))?;
        let name = slice_at(bytes, KEY, 2 * usize::from(units)).filter(|name| !name.is_empty());
        Ok(Self {
            parent: Reference::new(u64_at(bytes, 0).ok_or_else(|| cut(0))?),
            attributes: u32_at(bytes, 56).ok_or_else(|| cut(56))?,
            namespace: u8_at(bytes, 65).ok_or_else(|| cut(65))?,
            name: name.ok_or(Fault::new(64, "a name of one unit or more inside its key", units))?,
        })
    }

    /// Whether it exists only for MS-DOS, beside a longer name of the same file.
    pub(super) fn is_dos(&self) -> bool {
        self.namespace == DOS
    }

    /// Whether it was a directory when the name was written.
    pub(super) fn is_directory(&self) -> bool {
        self.attributes & DIRECTORY != 0
    }
}

/// An entry of a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Byte of the node's bytes.
    pub(super) at: usize,
    pub(super) reference: Reference,
    /// `None` in the last entry, which only has a child.
    pub(super) key: Option<&'a [u8]>,
    /// VCN of the node with the names before this one.
    pub(super) child: Option<u64>,
}

/// Where the entries of a node are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// First byte of the first entry.
    pub(super) start: usize,
    /// Byte after the last entry.
    pub(super) end: usize,
}

impl Extent {
    /// Checks the header at byte `header` of a node.
    pub(super) fn parse(node: &[u8], header: usize) -> Result<Self, Fault> {
        let field = |offset: usize| u32_at(node, header + offset).ok_or(Fault::cut(header + offset, node.len()));
        let (first, used, allocated) = (field(0)?, field(4)?, field(8)?);
        let end = header + index(u64::from(used));
        if used > allocated || end > node.len() {
            return Err(Fault::new(header + 4, "a length in use within the node", used));
        }
        let start = header + index(u64::from(first));
        if first < 16 || !first.is_multiple_of(8) || start > end {
            return Err(Fault::new(header, "a first entry within the node", first));
        }
        Ok(Self { start, end })
    }
}

/// The entry at byte `at` of a node and the byte after it; `None` if the last entry was before.
pub(super) fn entry(node: &[u8], extent: Extent, at: usize) -> Result<Option<(Entry<'_>, usize)>, Fault> {
    let Some(node) = node.get(..extent.end).filter(|_| at < extent.end) else { return Ok(None) };
    let cut = |offset: usize| Fault::cut(at + offset, node.len());
    let reference = Reference::new(u64_at(node, at).ok_or_else(|| cut(0))?);
    let field = |offset: usize| u16_at(node, at + offset).ok_or_else(|| cut(offset));
    let (length, key, flags) = (usize::from(field(8)?), usize::from(field(10)?), field(12)?);
    let child = flags & HAS_CHILD != 0;
    let least = if child { ENTRY + 8 } else { ENTRY };
    let bytes = slice_at(node, at, length).filter(|_| length >= least && length.is_multiple_of(8));
    let bytes =
        bytes.ok_or(Fault::new(at + 8, "an entry of 16 bytes or more, a multiple of 8, inside its node", length as u64))?;
    let room = length - (least - ENTRY);
    let child = if child { u64_at(bytes, length - 8) } else { None };
    if flags & LAST != 0 {
        return Ok(Some((Entry { at, reference, key: None, child }, node.len())));
    }
    let key = bytes.get(ENTRY..room).and_then(|room| room.get(..key)).ok_or(Fault::new(
        at + 10,
        "a key inside its entry",
        key as u64,
    ))?;
    Ok(Some((Entry { at, reference, key: Some(key), child }, at + length)))
}

#[cfg(test)]
mod tests;
