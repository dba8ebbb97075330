//! One entry of the manifest, as the catalogue gives it back.

use serde::{Deserialize, Serialize};

use super::{ByteRange, Digest};
use crate::foreign::Foreign;

/// The place of an entry in the manifest, from 0. It names the entry in every record.
pub type EntryNumber = u64;

/// The place of a side file in the catalogue's table of distinct (path, hash) pairs.
pub type SideFileNumber = u32;

/// One `Blob` of the manifest. Lists of ranges are read apart: they can be longer than memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place in the manifest, from 0.
    pub number: EntryNumber,
    /// Line of the manifest where it begins.
    pub line: u64,
    /// `BlobPath` as written: container and name; may break the store's rules, which fails this entry alone.
    pub blob_path: Foreign,
    /// `FilePath` to the letter.
    pub file_path: Foreign,
    /// Bytes of the blob.
    pub length: u64,
    /// What to do if a blob of that name exists.
    pub disposition: Disposition,
    /// Block blob or page blob.
    pub kind: BlobKind,
    /// Number of its first range, counted through the whole manifest.
    pub first_range: u64,
    /// How many ranges it has.
    pub range_count: u64,
    /// Metadata file of its list.
    pub list_metadata: Option<SideFileNumber>,
    /// Metadata file of its own; replaces the list's as a whole.
    pub own_metadata: Option<SideFileNumber>,
    /// Properties file of its list.
    pub list_properties: Option<SideFileNumber>,
    /// Properties file of its own; replaces the list's as a whole.
    pub own_properties: Option<SideFileNumber>,
}

impl Entry {
    /// The metadata file that counts.
    pub fn metadata(&self) -> Option<SideFileNumber> {
        self.own_metadata.or(self.list_metadata)
    }

    /// The properties file that counts.
    pub fn properties(&self) -> Option<SideFileNumber> {
        self.own_properties.or(self.list_properties)
    }
}

/// `ImportDisposition`: what to do if a blob of that name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum Disposition {
    /// Store under another name (the default).
    #[default]
    Rename,
    /// Store nothing.
    NoOverwrite,
    /// Replace the old blob completely.
    Overwrite,
}

impl Disposition {
    /// As the manifest and the log spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::NoOverwrite => "no-overwrite",
            Self::Overwrite => "overwrite",
        }
    }
}

/// Whether a blob has a `BlockList` or a `PageRangeList`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlobKind {
    /// Committed as a list of blocks.
    Block,
    /// Written in place, multiples of 512 bytes.
    Page,
}

/// One `Block` or `PageRange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Place in the file (and in a page blob).
    pub bytes: ByteRange,
    /// MD5 of exactly these bytes.
    pub digest: Digest,
}

/// A metadata or properties file that the manifest refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFile {
    /// Path on the drive, to the letter.
    pub path: Foreign,
    /// MD5 of the whole file.
    pub digest: Digest,
}

/// What a blob carries beside its content. The default is a blob without any: `application/octet-stream`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-MD5` as the properties file gives it; not checked against the content by the store.
    pub content_md5: Option<[u8; 16]>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// Names and values, names distinct without regard to case, in the file's order.
    pub metadata: Vec<(String, String)>,
}
