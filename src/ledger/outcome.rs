//! How names were decided and how entries, ranges, metadata and properties ended. Status words are those of the drive log.

use serde::{Deserialize, Serialize};

use crate::foreign::Foreign;
use crate::manifest::{Entry, EntryNumber};
use crate::store::{ETag, StoredKind};

/// What the name book decided for one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameDecision {
    /// What becomes of the entry.
    pub fate: NameFate,
    /// The nearest entry before it with the same final name: this one starts when that one has ended.
    pub after: Option<EntryNumber>,
}

/// What becomes of an entry's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameFate {
    /// Store under the name asked for.
    AsAsked {
        /// What has that name in the store before the run; `None` if nothing.
        existing: Option<(ETag, StoredKind)>,
    },
    /// Store under this name instead (without container).
    Renamed {
        /// The name.
        name: Foreign,
    },
    /// `no-overwrite`, and a blob of that name exists before the run.
    Skip,
    /// The name breaks the store's rules or may not be written to.
    Illegal {
        /// Which rule.
        reason: String,
    },
    /// No free name within the limit of tries, or it would be too long.
    NoFreeName,
}

macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word of the drive log.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }
    };
}

status! {
    /// How an entry ended as a whole (`Blob/@Status`).
    BlobStatus {
        /// Stored and verified, or skipped as asked.
        Completed,
        /// Something in it failed: see its parts.
        CompletedWithErrors,
        /// The path cannot be a file's on this drive.
        FileNameInvalid,
        /// The path is too long.
        FileNameTooLong,
        /// No such file.
        FileNotFound,
        /// The file's content cannot be read as plain bytes (link, deduplicated, encrypted by EFS, WOF).
        FileAccessDenied,
        /// The store refuses the request, or the name.
        BlobRequestFailed,
        /// The store refuses access.
        BlobRequestForbidden,
        /// No free name.
        RenameFailed,
        /// Somebody else holds a lease.
        LeasePresent,
        /// Disk or network.
        IOFailed,
        /// Unknown.
        Failed,
    }
}

status! {
    /// What became of the name (`ImportDisposition/@Status`).
    DispositionStatus {
        /// A new blob under the name asked for.
        Created,
        /// A new blob under another name.
        Renamed,
        /// Nothing stored, as asked.
        Skipped,
        /// An old blob replaced, as asked.
        Overwritten,
        /// An earlier failure stopped it.
        Cancelled,
    }
}

status! {
    /// How one range ended (`Block/@Status`, `PageRange/@Status`).
    RangeStatus {
        /// Verified and stored.
        Completed,
        /// Stored as part of an incomplete list.
        Committed,
        /// Verified and staged, but the blob was not committed.
        Uncommitted,
        /// Other bytes than the manifest says.
        Corrupted,
        /// The file ends before the range does.
        FileUnexpectedEnd,
        /// The store refused it.
        BlobRequestFailed,
        /// The disk could not give it.
        IOFailed,
        /// Unknown.
        Failed,
        /// Not tried, for an earlier failure.
        Cancelled,
    }
}

status! {
    /// How metadata or properties ended (`Metadata/@Status`, `Properties/@Status`).
    PartStatus {
        /// Applied with the blob.
        Completed,
        /// Their path cannot be a file's.
        FileNameInvalid,
        /// Their path is too long.
        FileNameTooLong,
        /// No such file.
        FileNotFound,
        /// Cannot be read as plain bytes.
        FileAccessDenied,
        /// Other bytes than the manifest says.
        Corrupted,
        /// Not of the required form.
        XmlReadFailed,
        /// The store refused them.
        BlobRequestFailed,
        /// The disk could not give them.
        IOFailed,
        /// Unknown.
        Failed,
        /// Not tried, for an earlier failure.
        Cancelled,
    }
}

/// How an entry ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryOutcome {
    /// The whole.
    pub status: BlobStatus,
    /// The name.
    pub disposition: DispositionStatus,
    /// The path it is stored under (or would be, had it not failed later); `None` if it is the one asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<Foreign>,
    /// Metadata; `None` if the entry has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<PartStatus>,
    /// Properties; `None` if the entry has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<PartStatus>,
    /// One sentence on what went wrong, for the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether a blob of the final name exists now: what an entry chained behind this one finds.
    pub exists_after: bool,
    /// Requests the store refused for their checksum and that succeeded when repeated.
    pub line_refusals: u64,
}

impl EntryOutcome {
    /// One with nothing to tell beside these; a blob is there unless the entry was cancelled.
    pub fn new(status: BlobStatus, disposition: DispositionStatus) -> Self {
        let exists_after = disposition != DispositionStatus::Cancelled;
        Self {
            status,
            disposition,
            stored_as: None,
            metadata: None,
            properties: None,
            detail: None,
            exists_after,
            line_refusals: 0,
        }
    }

    /// The same with this status for each of metadata and properties that the entry has.
    #[must_use]
    pub fn with_parts(self, entry: &Entry, status: PartStatus) -> Self {
        Self { metadata: entry.metadata().map(|_| status), properties: entry.properties().map(|_| status), ..self }
    }
}
