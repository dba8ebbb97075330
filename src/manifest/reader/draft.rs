//! The blob that is being read. In: its children as they come, in any order; out: the entry's record when it ends. Its strings are used
//! again for the next blob.

use super::super::catalogue::{EntryRecord, SidePair};
use super::super::{BlobKind, Disposition, EntryNumber};

/// What is known of the current `Blob`.
#[derive(Default)]
pub(super) struct Draft {
    // 0 until it is known
    pub(super) line: u64,
    pub(super) blob_path: String,
    pub(super) file_path: String,
    pub(super) length: Option<u64>,
    pub(super) disposition: Disposition,
    pub(super) kind: Option<BlobKind>,
    pub(super) first_range: u64,
    pub(super) own: SidePair,
}

impl Draft {
    /// A blob begins; its line comes later.
    pub(super) fn begin(&mut self) {
        let (mut blob_path, mut file_path) = (std::mem::take(&mut self.blob_path), std::mem::take(&mut self.file_path));
        blob_path.clear();
        file_path.clear();
        *self = Self { blob_path, file_path, ..Self::default() };
    }

    /// The record, if everything that must be there is.
    pub(super) fn record(&self, number: EntryNumber, list: u64, ranges: u64) -> Option<EntryRecord<'_>> {
        Some(EntryRecord {
            number,
            line: self.line,
            blob_path: &self.blob_path,
            file_path: &self.file_path,
            length: self.length?,
            disposition: self.disposition,
            kind: self.kind?,
            first_range: self.first_range,
            range_count: ranges.checked_sub(self.first_range)?,
            list,
            own: self.own,
        })
    }
}
