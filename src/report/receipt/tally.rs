//! Counts how the entries of a drive ended, and keeps those that the receipt names.

use super::{EntryResult, Exception, PerOutcome, ReadError, Verified};
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, RangeStatus};
use crate::manifest::{Entry, Range};
use crate::report::DriveCode;

/// Counts, bytes and exceptions of a drive; fed with every entry in manifest order. Memory is bounded by [`Tally::EXCEPTIONS`] and
/// [`Tally::TEXT`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries by how they ended.
    pub counts: PerOutcome,
    /// Their bytes.
    pub bytes: PerOutcome,
    /// The first of those that are not plainly created.
    pub exceptions: Vec<Exception>,
    /// Whether there were more.
    pub exceptions_truncated: bool,
    /// What was compared with the manifest's hashes.
    pub verified: Verified,
    /// The first ranges that the disk could not give.
    pub read_errors: Vec<ReadError>,
    /// Bytes of the texts of all exceptions.
    text: usize,
}

impl EntryResult {
    /// The one word for an outcome. An entry whose content is stored but whose metadata is not has failed: it needs repair.
    pub fn of(outcome: &EntryOutcome) -> Self {
        match (outcome.status, outcome.disposition) {
            (BlobStatus::Completed, DispositionStatus::Created) => Self::Created,
            (BlobStatus::Completed, DispositionStatus::Renamed) => Self::Renamed,
            (BlobStatus::Completed, DispositionStatus::Skipped) => Self::Skipped,
            (BlobStatus::Completed, DispositionStatus::Overwritten) => Self::Overwritten,
            _ => Self::Failed,
        }
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Renamed => "renamed",
            Self::Skipped => "skipped",
            Self::Overwritten => "overwritten",
            Self::Failed => "failed",
        }
    }
}

impl PerOutcome {
    /// The sum over all outcomes.
    pub fn total(&self) -> u64 {
        let parts = [self.created, self.renamed, self.skipped, self.overwritten, self.failed];
        parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }

    fn add(&mut self, result: EntryResult, amount: u64) {
        let place = match result {
            EntryResult::Created => &mut self.created,
            EntryResult::Renamed => &mut self.renamed,
            EntryResult::Skipped => &mut self.skipped,
            EntryResult::Overwritten => &mut self.overwritten,
            EntryResult::Failed => &mut self.failed,
        };
        *place = place.saturating_add(amount);
    }
}

impl Tally {
    /// Exceptions a receipt names at most.
    pub const EXCEPTIONS: usize = 10_000;
    /// Bytes that their paths and sentences may have together (4 MiB): a path can have 64 KiB, and the drive chooses them.
    pub const TEXT: usize = 4 << 20;

    /// Read errors a receipt names at most.
    pub const READ_ERRORS: usize = 10_000;

    /// Counts one range of an entry.
    pub fn add_range(&mut self, entry: &Entry, range: &Range, status: RangeStatus) {
        let (offset, length) = (range.bytes.offset(), range.bytes.length());
        match status {
            RangeStatus::Completed | RangeStatus::Committed | RangeStatus::Uncommitted | RangeStatus::BlobRequestFailed => {
                self.verified.ranges += 1;
                self.verified.bytes = self.verified.bytes.saturating_add(length);
            }
            RangeStatus::IOFailed => self.read_error(entry, offset, length),
            RangeStatus::Corrupted | RangeStatus::FileUnexpectedEnd | RangeStatus::Failed | RangeStatus::Cancelled => {}
        }
    }

    fn read_error(&mut self, entry: &Entry, offset: u64, length: u64) {
        if self.read_errors.len() < Self::READ_ERRORS {
            self.read_errors.push(ReadError { file_path: entry.file_path.clone(), offset, length });
        }
    }

    /// Counts one entry with its bytes.
    pub fn add(&mut self, entry: &Entry, outcome: &EntryOutcome, bytes: u64) {
        let result = EntryResult::of(outcome);
        self.verified.line_refusals = self.verified.line_refusals.saturating_add(outcome.line_refusals);
        self.counts.add(result, 1);
        self.bytes.add(result, bytes);
        if result == EntryResult::Created && outcome.detail.is_none() {
            return;
        }
        // once one is left out, the list ends: it is the first ones, without gaps
        if self.exceptions_truncated || self.exceptions.len() == Self::EXCEPTIONS {
            self.exceptions_truncated = true;
            return;
        }
        let exception = exception(entry, outcome, result);
        let text = self.text.saturating_add(exception.text());
        if text > Self::TEXT {
            self.exceptions_truncated = true;
            return;
        }
        self.text = text;
        self.exceptions.push(exception);
    }

    /// The drive's status: errors before warnings before none. Overwriting was asked for, so it is no warning.
    pub fn status(&self) -> DriveCode {
        if self.counts.failed > 0 {
            DriveCode::CompletedWithErrors
        } else if self.counts.renamed > 0 || self.counts.skipped > 0 {
            DriveCode::CompletedWithWarnings
        } else {
            DriveCode::Completed
        }
    }
}

impl Exception {
    /// Bytes of what the drive or the store worded.
    fn text(&self) -> usize {
        let stored_as = self.stored_as.as_ref().map_or(0, |path| path.raw().len());
        self.blob_path.raw().len() + stored_as + self.file_path.raw().len() + self.detail.len()
    }
}

fn exception(entry: &Entry, outcome: &EntryOutcome, result: EntryResult) -> Exception {
    Exception {
        entry: entry.number,
        blob_path: entry.blob_path.clone(),
        stored_as: outcome.stored_as.clone(),
        file_path: entry.file_path.clone(),
        outcome: result,
        status: outcome.status.as_str().to_owned(),
        detail: outcome.detail.clone().unwrap_or_else(|| sentence(outcome, result).to_owned()),
    }
}

/// What happened, where the record has no sentence of its own.
fn sentence(outcome: &EntryOutcome, result: EntryResult) -> &'static str {
    match result {
        EntryResult::Created => return "A new blob was stored.",
        EntryResult::Renamed => {
            return "A blob of that name existed and was left as it was; this one is stored under another name.";
        }
        EntryResult::Skipped => return "A blob of that name existed and was left as it was, as asked.",
        EntryResult::Overwritten => return "A blob of that name existed and was replaced, as asked.",
        EntryResult::Failed => {}
    }
    match outcome.status {
        BlobStatus::Completed | BlobStatus::CompletedWithErrors => "Some of its parts failed; the drive log names them.",
        BlobStatus::FileNameInvalid => "Its path cannot be a file's on this drive.",
        BlobStatus::FileNameTooLong => "Its path is too long.",
        BlobStatus::FileNotFound => "The drive has no such file.",
        BlobStatus::FileAccessDenied => "The file cannot be read as plain bytes.",
        BlobStatus::BlobRequestFailed => "The store refused the blob or its name.",
        BlobStatus::BlobRequestForbidden => "The store refused access.",
        BlobStatus::RenameFailed => "No free name was found for it.",
        BlobStatus::LeasePresent => "Somebody else holds a lease on the existing blob.",
        BlobStatus::IOFailed => "The disk could not give the file, or the network failed.",
        BlobStatus::Failed => "It failed for an unknown cause.",
    }
}
