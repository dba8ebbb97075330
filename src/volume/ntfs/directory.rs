//! A directory's index as a whole: its root node and its blocks.
//!
//! In: a directory. Out: nodes, by VCN. Refused: an index of something else than names, blocks that are torn, out of place or not where
//! they say they are.
//!
//! | root | size | field | | block | size | field |
//! |---|---|---|---|---|---|---|
//! | 0 | 4 | type of what is indexed: 30 hex | | 0 | 8 | `INDX` and the fix-ups |
//! | 4 | 4 | order: 1 | | 16 | 8 | own VCN |
//! | 8 | 4 | bytes per index block | | 24 | 16 | node header |
//! | 16 | 16 | node header | | | | |

use super::attribute::kind;
use super::disk::Table;
use super::error::{Fault, FileError, Part};
use super::fixup;
use super::index::Extent;
use super::inode::Inode;
use super::mft::Mft;
use super::record::Reference;
use super::runs::Runs;
use super::stream::{Content, Stream};
use crate::volume::fields::{index, u32_at, u64_at};

/// `$I30` in UTF-16LE: the index of names.
const I30: &[u8] = b"$\0I\x003\x000\0";
/// The order of names by `$UpCase`.
const BY_NAME: u32 = 1;
const ROOT_HEADER: usize = 16;
const BLOCK_HEADER: usize = 24;
/// End of the fixed header of a block: the fix-up list comes after it.
const BLOCK_FIXED: usize = 40;
/// VCNs count these where clusters are larger than blocks.
const SMALL_UNIT: u64 = 512;

/// A directory.
pub(super) struct Directory {
    /// Its record.
    pub(super) reference: Reference,
    root: Node,
    blocks: Runs,
    /// Bytes of all blocks.
    length: u64,
    block: usize,
    unit: u64,
}

/// A node of the index.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) bytes: Vec<u8>,
    pub(super) extent: Extent,
    /// Which it is, for faults.
    pub(super) part: Part,
}

impl Directory {
    /// Takes the index of a file that is a directory.
    pub(super) fn new(mft: &Mft, inode: &Inode) -> Result<Self, FileError> {
        let record = inode.number();
        let broken = |fault: Fault| fault.within(record, Part::IndexRoot);
        let root = Stream::load(mft, inode, kind::INDEX_ROOT, I30)?;
        let Some(Stream { content: Content::Resident(bytes), .. }) = root else {
            return Err(broken(Fault::new(0, "an index root", u64::from(root.is_some()))));
        };
        let field = |offset: usize| u32_at(&bytes, offset).ok_or(Fault::cut(offset, bytes.len()).within(record, Part::IndexRoot));
        for (offset, expected, wanted) in [(0, "an index of file names", kind::FILE_NAME), (4, "the order of names", BY_NAME)] {
            let found = field(offset)?;
            if found != wanted {
                return Err(broken(Fault::new(offset, expected, found)));
            }
        }
        let size = field(8)?;
        if !size.is_power_of_two() || !(512..=65_536).contains(&size) {
            return Err(broken(Fault::new(8, "an index block of 512 to 65536 bytes", size)));
        }
        let extent = Extent::parse(&bytes, ROOT_HEADER).map_err(broken)?;
        let (blocks, length) = match Stream::load(mft, inode, kind::INDEX_ALLOCATION, I30)? {
            None => (Runs::default(), 0),
            Some(Stream { content: Content::Runs(runs), initialized, .. }) => (runs, initialized),
            Some(_) => return Err(broken(Fault::new(0, "index blocks in clusters", 0_u64))),
        };
        let cluster = mft.disk().cluster;
        let unit = if cluster <= u64::from(size) { cluster } else { SMALL_UNIT };
        let root = Node { bytes, extent, part: Part::IndexRoot };
        Ok(Self { reference: inode.record.reference, root, blocks, length, block: index(u64::from(size)), unit })
    }

    /// The root node.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// Number of the block with this VCN, from 0: checked to be inside the index.
    pub(super) fn number(&self, vcn: u64) -> Result<u64, FileError> {
        let block = self.block as u64;
        let offset = vcn.checked_mul(self.unit).filter(|&offset| offset % block == 0 && offset < self.length);
        let outside = Fault { byte: 0, expected: "a child inside the index", found: vcn };
        Ok(offset.ok_or(outside.within(self.reference.record, Part::IndexBlock(vcn)))? / block)
    }

    /// The node with this VCN.
    pub(super) fn node(&self, mft: &Mft, vcn: u64) -> Result<Node, FileError> {
        let record = self.reference.record;
        let part = Part::IndexBlock(vcn);
        let offset = self.number(vcn)? * self.block as u64;
        let table = Table { record, runs: &self.blocks, length: self.length };
        let mut bytes = mft.disk().structure(table, offset, self.block)?;
        let extent = check_block(&mut bytes, vcn).map_err(|fault| fault.within(record, part))?;
        Ok(Node { bytes, extent, part })
    }

    /// Bytes this takes in memory, roughly.
    pub(super) fn cost(&self) -> usize {
        self.root.bytes.len() + 16 * self.blocks.len()
    }
}

/// Undoes the fix-ups of an index block and checks its header against the VCN by which it was asked for.
pub(super) fn check_block(bytes: &mut [u8], vcn: u64) -> Result<Extent, Fault> {
    fixup::apply(bytes, *b"INDX", BLOCK_FIXED)?;
    let own = u64_at(bytes, 16).ok_or(Fault::cut(16, bytes.len()))?;
    if own != vcn {
        return Err(Fault::new(16, "the VCN by which it was asked for", own));
    }
    let allocated = u32_at(bytes, BLOCK_HEADER + 8).ok_or(Fault::cut(BLOCK_HEADER, bytes.len()))?;
    if index(u64::from(allocated)) + BLOCK_HEADER != bytes.len() {
        return Err(Fault::new(BLOCK_HEADER + 8, "the length of the block", allocated));
    }
    Extent::parse(bytes, BLOCK_HEADER)
}
