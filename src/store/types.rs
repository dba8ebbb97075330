//! What goes into and comes out of a store.

use std::collections::HashSet;
use std::fmt;

use crate::manifest::{BlobPath, Digest, EntryNumber, Range};

/// What a write is for: the blob, and whose work it is. The session and the entry keep two writers' unfinished work apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The blob.
    pub path: BlobPath,
    /// Session id, `[a-z0-9]+`.
    pub session: String,
    /// Entry of the manifest; `u64::MAX - n` for logs and the receipt.
    pub entry: EntryNumber,
}

impl Target {
    /// What an unfinished blob of this work is marked with: no other entry's, and no other session's.
    pub fn mark(&self) -> String {
        format!("{}-{}", self.session, self.entry)
    }
}

/// A version of a blob, as the store names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ETag(pub String);

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What must hold at the moment a blob becomes visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing of that name exists.
    Absent,
    /// The blob is still this one.
    Matches(ETag),
    /// Anything (only for our own logs and receipts, which replace themselves).
    Any,
}

/// The kind of an existing blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoredKind {
    /// Block blob.
    Block,
    /// Page blob.
    Page,
    /// Append blob.
    Append,
}

/// What is known of an existing blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobHead {
    /// Its version.
    pub etag: ETag,
    /// Its kind.
    pub kind: StoredKind,
    /// Its bytes.
    pub length: u64,
    /// Its MD5 property.
    pub md5: Option<[u8; 16]>,
    /// Its mark `dockside_incomplete`, if it carries one: [`Target::mark`] of whose work it is. Page blobs have it while they are
    /// written, block blobs only where [`crate::store::Store::clear_foreign`] put one to keep the name.
    pub incomplete: Option<String>,
}

/// One blob of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBlob {
    /// Name inside the container.
    pub name: String,
    /// Its version.
    pub etag: ETag,
    /// Its kind.
    pub kind: StoredKind,
}

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken(pub String);

/// A part of a listing; at most 5,000 blobs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListPage {
    /// The blobs.
    pub blobs: Vec<ListedBlob>,
    /// Where to go on; `None` at the end.
    pub next: Option<PageToken>,
}

/// A blob that is now visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its version.
    pub etag: ETag,
    /// Requests the store refused for their checksum and that succeeded when repeated.
    pub line_refusals: u64,
}

/// A block that is staged and not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedBlock {
    /// Its id in Base64.
    pub id: String,
    /// Its bytes.
    pub length: u64,
}

impl StagedBlock {
    /// Which of these ranges are among the blocks. An id is made of the content: equal ranges are one block.
    pub(super) fn among(staged: Vec<Self>, ranges: &[Range]) -> Vec<bool> {
        let staged: HashSet<(String, u64)> = staged.into_iter().map(|block| (block.id, block.length)).collect();
        ranges.iter().map(|range| staged.contains(&(range.digest.block_id(), range.bytes.length()))).collect()
    }
}

/// How a page blob ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageEnd {
    /// All ranges are there: the mark goes.
    Complete,
    /// Some are not: the mark stays.
    Incomplete,
}

/// What a write that may have been carried out was to make of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intended<'a> {
    /// One request's body.
    Whole {
        /// Its bytes.
        length: u64,
        /// Its hash.
        md5: Digest,
    },
    /// These blocks in this order.
    Blocks(&'a [Range]),
    /// A finished page blob whose ranges these are.
    Pages {
        /// Bytes of the blob.
        length: u64,
        /// What was written; the rest is zeros.
        ranges: &'a [Range],
    },
}
