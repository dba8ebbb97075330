//! NTFS, read-only, from a volume that may be damaged or hostile.
//!
//! ```text
//!  volume (ReadAt) ──▶ boot ──▶ mft ──▶ record ──▶ attribute ──▶ runs ──▶ disk ──▶ the caller's buffer
//!                               │  ▲      fix-ups     │                    ▲
//!                 path ──▶ lookup  └── inode ◀── attribute_list            └── compressed (LZNT1)
//!                               └──▶ directory ──▶ index (B-tree of names, by $UpCase)
//! ```
//!
//! In: a volume as a [`ReadAt`]. Out: paths to files ([`Ntfs::lookup`]), names ([`Ntfs::list`]), content ([`NtfsFile::read_at`]). What is
//! not plain content is refused by name; what is broken is an error that names record, byte, expectation and finding.
//!
//! What holds against a hostile volume: no field is believed before it is compared with what contains it; nothing is allocated from a
//! field but from bytes that were read, up to a limit; references are compared with the sequence number, base record and name they
//! should lead to; attribute lists are one level deep, `$MFT` is read only through what is mapped already, index nodes are counted or
//! marked when visited; there is no recursion. Nothing is written, and a log is not replayed.

mod attribute;
mod attribute_list;
mod boot;
mod cache;
mod compressed;
mod directory;
mod disk;
mod error;
mod file;
mod fixup;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod info;
mod inode;
mod list;
mod lookup;
mod lznt1;
mod mft;
mod record;
mod runs;
mod stream;
mod upcase;
mod volume;

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::foreign::Foreign;
use crate::volume::{DrivePath, ReadAt};

pub use error::{Fault, FileError, FileErrorClass, NtfsError, Part};
pub use file::{Extent, NtfsFile};
pub use info::VolumeInfo;

use attribute::kind;
use boot::Boot;
use disk::Disk;
use info::Marks;
use mft::Mft;
use record::Reference;
use runs::Bounds;
use stream::Stream;
use upcase::UpCase;
use volume::Volume;

/// Record of the root directory.
const ROOT: u64 = 5;
/// Record of `$UpCase`.
const UPCASE: u64 = 10;
/// Records below are the file system's own.
const FIRST_USER_RECORD: u64 = 24;

/// What a volume may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NtfsLimits {
    /// Most names in a directory.
    pub names_per_directory: u64,
    /// Most runs of a file; each takes 16 bytes while the file is open.
    pub runs_per_file: u64,
    /// Bytes kept of records and index blocks; as many again for maps of directories, and a quarter for paths to them.
    pub cache_bytes: usize,
}

impl Default for NtfsLimits {
    fn default() -> Self {
        Self { names_per_directory: 20_000_000, runs_per_file: 4_000_000, cache_bytes: 8 << 20 }
    }
}

/// An NTFS volume. Cheap to clone; any number of threads may use it.
#[derive(Clone)]
pub struct Ntfs {
    volume: Arc<Volume>,
    root: Node,
    info: VolumeInfo,
}

/// A file or directory that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    reference: Reference,
    /// Whether it is a directory. From a listing this is what the index says; opening it decides.
    pub is_directory: bool,
    /// Its name on the volume, empty for the root.
    pub name: Foreign,
}

impl Node {
    fn new(reference: Reference, is_directory: bool, name: Foreign) -> Self {
        Self { reference, is_directory, name }
    }

    /// Number of its record.
    pub fn record(&self) -> u64 {
        self.reference.record
    }

    /// How often its record was used, or 0 if not known.
    pub fn sequence(&self) -> u16 {
        self.reference.sequence
    }

    fn reference(&self) -> Reference {
        self.reference
    }
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// What it names.
    pub node: Node,
    /// Whether a [`DrivePath`] can lead there: names may hold separators, colons, control characters and invalid text.
    pub addressable: bool,
}

impl Ntfs {
    /// Opens the volume `device`: reads the boot sector, the map of `$MFT`, and the file system's facts about itself.
    pub fn open(device: Arc<dyn ReadAt>, limits: NtfsLimits) -> Result<Self, NtfsError> {
        let boot = Boot::read(&device)?;
        let stream = i64::MAX as u64 / boot.cluster;
        let bounds = Bounds { clusters: boot.clusters, stream, runs: limits.runs_per_file };
        let disk = Disk::new(device, boot.cluster, bounds, limits.cache_bytes);
        let mft = Mft::open(disk, &boot).map_err(|source| NtfsError::System { name: "$MFT", source })?;
        let upcase = read_upcase(&mft);
        let own_upcase_used = upcase.is_none();
        let volume = Volume::new(mft, upcase.unwrap_or_else(UpCase::builtin), limits);
        let root = root(&volume).map_err(|source| NtfsError::System { name: "the root directory", source })?;
        let Marks { label, version, dirty } = info::marks(&volume).unwrap_or_default();
        let info = VolumeInfo {
            sector_size: boot.sector,
            cluster_size: boot.cluster,
            record_size: boot.record,
            index_block_size: boot.index_block,
            size: boot.size,
            records: volume.mft.records(),
            serial: boot.serial,
            label,
            version,
            dirty,
            log_clean: info::log_clean(&volume).unwrap_or_default(),
            hibernated: false,
            backup_boot_used: boot.from_backup,
            mirror_used: volume.mft.mirror_used(),
            own_upcase_used,
        };
        let mut ntfs = Self { volume: Arc::new(volume), root, info };
        ntfs.info.hibernated = info::hibernated(&ntfs, &ntfs.root);
        Ok(ntfs)
    }

    /// Facts about the volume.
    pub fn info(&self) -> &VolumeInfo {
        &self.info
    }

    /// The file or directory that `path` names: exactly, else equal but for case, else by its MS-DOS name.
    pub fn lookup(&self, path: &DrivePath) -> Result<Node, FileError> {
        self.volume.lookup(&self.root, path)
    }

    /// The root directory.
    pub fn root(&self) -> Node {
        self.root.clone()
    }

    /// Calls `each` for the names in a directory, in their order, until it breaks. MS-DOS names that stand beside a longer one and the
    /// file system's own files are left out. If a part of the index is broken, the names in the others come first, then the error.
    pub fn list(&self, directory: &Node, each: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<(), FileError> {
        self.volume.list(directory, each)
    }

    /// Opens a file for reading.
    pub fn file(&self, node: &Node) -> Result<NtfsFile, FileError> {
        NtfsFile::open(&self.volume, node)
    }
}

/// The root directory, with an index that can be read at least at its root.
fn root(volume: &Volume) -> Result<Node, FileError> {
    let directory = volume.directory(Reference { record: ROOT, sequence: 0 })?;
    Ok(Node::new(directory.reference, true, Foreign::default()))
}

/// The volume's table of capitals, if it is usable.
fn read_upcase(mft: &Mft) -> Option<UpCase> {
    let inode = mft.open_file(Reference { record: UPCASE, sequence: 0 }).ok()?;
    let stream = Stream::load(mft, &inode, kind::DATA, &[]).ok()??;
    UpCase::parse(&stream.read_all(mft.disk(), UPCASE, upcase::BYTES).ok()?)
}

#[cfg(test)]
mod tests;
