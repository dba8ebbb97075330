//! What can be wrong with a volume or a file on it: every message names the record, the byte, what was expected and what was found.

use std::fmt;

use crate::foreign::Foreign;
use crate::volume::ReadError;

/// A field that does not hold what the format demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Byte within the structure.
    pub byte: u64,
    /// What the format demands there.
    pub expected: &'static str,
    /// What is there.
    pub found: u64,
}

impl Fault {
    /// A fault at a position in memory.
    pub(super) fn new(byte: usize, expected: &'static str, found: impl Into<u64>) -> Self {
        Self { byte: byte as u64, expected, found: found.into() }
    }

    /// A structure that ends before the field at `byte` does.
    pub(super) fn cut(byte: usize, length: usize) -> Self {
        Self { byte: byte as u64, expected: "a structure that goes on here", found: length as u64 }
    }

    /// The fault of record `record`, in its `part`.
    pub(super) fn within(self, record: u64, part: Part) -> FileError {
        FileError::Broken { record, part, fault: self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: expected {}, found {:#x}", self.byte, self.expected, self.found)
    }
}

/// The part of a file's structures that is broken; the byte of a [`Fault`] counts from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The record itself.
    Record,
    /// The list of attributes that live in other records.
    AttributeList,
    /// The runs of a stream, as far as they do not fit each other or the volume.
    Runs,
    /// The root node of a directory.
    IndexRoot,
    /// The index block of a directory with this VCN.
    IndexBlock(u64),
    /// The compression unit with this number, counted from 0.
    CompressionUnit(u64),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => f.write_str("record"),
            Self::AttributeList => f.write_str("attribute list"),
            Self::Runs => f.write_str("run list"),
            Self::IndexRoot => f.write_str("index root"),
            Self::IndexBlock(vcn) => write!(f, "index block {vcn}"),
            Self::CompressionUnit(unit) => write!(f, "compression unit {unit}"),
        }
    }
}

/// Why a volume cannot be read as NTFS.
#[derive(Debug, thiserror::Error)]
pub enum NtfsError {
    /// The volume is something else, or nothing.
    #[error("the volume is not NTFS but {found}")]
    NotNtfs {
        /// What it looks like.
        found: &'static str,
    },
    /// NTFS, but neither boot sector can be used.
    #[error("the NTFS boot sector is broken at {fault}")]
    Boot {
        /// What is wrong with the first boot sector.
        fault: Fault,
    },
    /// The file system is larger than the volume it lies on.
    #[error("the file system claims {claimed} bytes and the volume has {size}: it is cut off")]
    Cut {
        /// Bytes by the boot sector.
        claimed: u128,
        /// Bytes there are.
        size: u64,
    },
    /// A file of the file system itself is broken.
    #[error("{name} cannot be used")]
    System {
        /// The system file.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: FileError,
    },
    /// The boot sector cannot be read.
    #[error("reading the boot sector failed")]
    Read {
        /// What the layer below said.
        #[source]
        source: ReadError,
    },
}

/// What a failure means for the entry that asked for the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileErrorClass {
    /// No such file.
    NotFound,
    /// There, but its content is not what an ordinary read would give.
    AccessDenied,
    /// The name means no file that may be read, or more than one.
    NameInvalid,
    /// Broken structures or a failing device.
    Io,
}

/// Why a file cannot be found, opened or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A segment of the path is not in its directory.
    #[error("{name:?} does not exist")]
    NotFound {
        /// The segment.
        name: Foreign,
    },
    /// A segment before the last one is a file.
    #[error("{name:?} is a file, not a directory")]
    NotADirectory {
        /// The segment.
        name: Foreign,
    },
    /// A directory where a file was asked for.
    #[error("record {record} is a directory, not a file")]
    IsADirectory {
        /// Its record.
        record: u64,
    },
    /// A reparse point: a link, or a placeholder whose content lies elsewhere.
    #[error("record {record} is a reparse point ({kind}, tag {tag:#010x}), whose content is not stored as a plain file", kind = reparse_kind(*tag))]
    Reparse {
        /// Its record.
        record: u64,
        /// The reparse tag, 0 if unreadable.
        tag: u32,
    },
    /// Encrypted by EFS: the clusters hold ciphertext.
    #[error("record {record} is encrypted by EFS")]
    Encrypted {
        /// Its record.
        record: u64,
    },
    /// Several names are equal but for case, and none is exactly the one asked for.
    #[error("{name:?} fits {matches} names that differ only in case")]
    Ambiguous {
        /// The segment.
        name: Foreign,
        /// Names that fit.
        matches: u64,
    },
    /// A file of the file system itself.
    #[error("record {record} belongs to the file system itself")]
    SystemFile {
        /// Its record.
        record: u64,
    },
    /// A structure of the file is broken.
    #[error("record {record}: {part}, {fault}")]
    Broken {
        /// The record whose file it is.
        record: u64,
        /// The structure.
        part: Part,
        /// The field.
        fault: Fault,
    },
    /// A reference to a record that meanwhile holds another file.
    #[error("record {record} has sequence number {found} and is referred to with {expected}: the reference is stale")]
    Stale {
        /// The record.
        record: u64,
        /// Sequence number in the reference.
        expected: u16,
        /// Sequence number in the record.
        found: u16,
    },
    /// A directory entry whose file does not know that name.
    #[error("record {record} has no name {name:?} in directory {directory}: the index entry is stale")]
    StaleEntry {
        /// The record.
        record: u64,
        /// Record of the directory.
        directory: u64,
        /// The name in the directory.
        name: Foreign,
    },
    /// More than a limit allows.
    #[error("record {record} has more than {limit} {what}")]
    TooMany {
        /// The record.
        record: u64,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The device failed.
    #[error("reading data of record {record} failed")]
    Read {
        /// The record whose data it was.
        record: u64,
        /// What the layer below said.
        #[source]
        source: ReadError,
    },
    /// The range lies beyond the end of the file.
    #[error("bytes {offset}+{length} lie beyond the end of the file at {size}")]
    BeyondEnd {
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        length: u64,
        /// Length of the file.
        size: u64,
    },
}

impl FileError {
    /// What the failure means for the entry. No `_` arm: a new variant must decide.
    pub fn class(&self) -> FileErrorClass {
        match self {
            Self::NotFound { .. } | Self::NotADirectory { .. } => FileErrorClass::NotFound,
            // opening a directory as a file is "access denied" on Windows, too
            Self::IsADirectory { .. } | Self::Reparse { .. } | Self::Encrypted { .. } => FileErrorClass::AccessDenied,
            Self::Ambiguous { .. } | Self::SystemFile { .. } => FileErrorClass::NameInvalid,
            Self::Broken { .. }
            | Self::Stale { .. }
            | Self::StaleEntry { .. }
            | Self::TooMany { .. }
            | Self::Read { .. }
            | Self::BeyondEnd { .. } => FileErrorClass::Io,
        }
    }

    /// Whether the layer below failed to read, so that another try may help.
    pub fn is_read_failure(&self) -> bool {
        matches!(self, Self::Read { .. })
    }
}

/// What a reparse tag stands for. The tags of cloud files carry a number in bits 12 to 15.
fn reparse_kind(tag: u32) -> &'static str {
    match tag {
        0xA000_000C | 0xA000_001D => "symbolic link",
        0xA000_0003 => "junction or mount point",
        0x8000_0017 => "compressed by the Windows overlay filter",
        0x8000_0013 => "deduplicated",
        0x8000_0007 => "single-instance storage",
        0xC000_0004 | 0x8000_0006 => "hierarchical storage",
        0x8000_0018 | 0x9000_1018 | 0x9000_001C => "container or projected file",
        0x8000_0021 | 0x8000_001E => "cloud file",
        0x8000_0023..=0x8000_0026 => "special file of the Linux subsystem",
        _ if tag & 0xFFFF_0FFF == 0x9000_001A => "cloud file",
        _ => "unknown kind",
    }
}
