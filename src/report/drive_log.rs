//! The drive log: XML that accounts for each entry of the manifest, version 2014-11-01 of the published copy log.
//!
//! In: the entries in manifest order and what is recorded of them. Out: the document, streamed; memory does not depend on the
//! number of entries or ranges. Refused: an entry without a recorded end, a blob that contradicts its ranges, a code of ours.
//!
//! ```text
//! DriveLog @Version
//!   DriveId
//!   Blob @Status *
//!     BlobPath, FilePath, Length
//!     ImportDisposition @Status
//!     BlockList | PageRangeList ?       not if skipped
//!       Block @Offset @Length @Id? @Hash @Status | PageRange @Offset @Length @Hash @Status
//!     Metadata @Status ?                GlobalPath @Hash ?  Path @Hash ?
//!     Properties @Status ?              GlobalPath @Hash ?  Path @Hash ?
//!   Status
//! ```

mod compose;
mod statuses;
mod xml;

pub use compose::{Recorded, compose, tally};
pub use statuses::Statuses;

use std::io;

use crate::drive::DriveId;
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, PartStatus, RangeStatus};
use crate::manifest::{BlobKind, Entry, EntryNumber, Range, SideFileNumber};
use crate::report::DriveCode;
use xml::Xml;

/// How much a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Blobs with errors or warnings only, and inside them only what failed.
    Error,
    /// Every blob with every part.
    Verbose,
}

/// A drive log cannot be composed.
#[derive(Debug, thiserror::Error)]
pub enum DriveLogError {
    /// The place it goes to refuses it.
    #[error("cannot write the drive log")]
    Write(#[from] io::Error),
    /// What is recorded cannot be read.
    #[error("cannot read what is recorded of the entries")]
    Record(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The drive is not through.
    #[error("entry {entry} has no recorded end")]
    NoOutcome {
        /// The entry.
        entry: EntryNumber,
    },
    /// The records of a completed blob say that a range of it is not.
    #[error("entry {entry} is recorded as completed, but its range at {offset} is not")]
    Contradiction {
        /// The entry.
        entry: EntryNumber,
        /// Where the range begins in the file.
        offset: u64,
    },
    /// More or fewer ranges than the entry has.
    #[error("entry {entry} has {expected} ranges, but {found} are recorded")]
    RangeCount {
        /// The entry.
        entry: EntryNumber,
        /// What the manifest lists.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// A code that is not part of the format.
    #[error("the code {0} does not stand in a drive log")]
    NotInLog(DriveCode),
}

/// Writes one drive log, blob by blob. Without [`finish`](Self::finish) the document is not complete.
#[derive(Debug)]
pub struct DriveLogWriter<W: io::Write> {
    xml: Xml<W>,
    detail: Detail,
}

impl<W: io::Write> DriveLogWriter<W> {
    /// Begins the log of a drive.
    pub fn new(out: W, drive: &DriveId, detail: Detail) -> Result<Self, DriveLogError> {
        let mut xml = Xml::new(out)?;
        xml.open("DriveLog", &[("Version", "2014-11-01")])?;
        xml.text("DriveId", &[], drive.as_str())?;
        Ok(Self { xml, detail })
    }

    /// Writes one blob, or leaves it out if the detail asks for that.
    pub fn blob<R: Recorded>(&mut self, entry: &Entry, outcome: &EntryOutcome, recorded: &R) -> Result<(), DriveLogError> {
        if self.detail == Detail::Error && !wants_attention(outcome) {
            return Ok(());
        }
        let path = outcome.stored_as.as_ref().unwrap_or(&entry.blob_path);
        self.xml.open("Blob", &[("Status", outcome.status.as_str())])?;
        self.xml.text("BlobPath", &[], path.raw())?;
        self.xml.text("FilePath", &[], entry.file_path.raw())?;
        self.xml.text("Length", &[], &entry.length.to_string())?;
        let disposition = outcome.disposition.as_str();
        self.xml.text("ImportDisposition", &[("Status", disposition)], entry.disposition.as_str())?;
        if outcome.disposition != DispositionStatus::Skipped {
            self.list(entry, outcome, recorded)?;
            let metadata = [("GlobalPath", entry.list_metadata), ("Path", entry.own_metadata)];
            self.attributes("Metadata", outcome.metadata, metadata, recorded)?;
            let properties = [("GlobalPath", entry.list_properties), ("Path", entry.own_properties)];
            self.attributes("Properties", outcome.properties, properties, recorded)?;
        }
        Ok(self.xml.close("Blob")?)
    }

    /// Ends the log with the status of the drive, and gives back where it went, flushed.
    pub fn finish(mut self, status: DriveCode) -> Result<W, DriveLogError> {
        if !status.in_log() {
            return Err(DriveLogError::NotInLog(status));
        }
        self.xml.text("Status", &[], status.as_str())?;
        self.xml.close("DriveLog")?;
        Ok(self.xml.finish()?)
    }

    /// `BlockList` or `PageRangeList`; one that holds nothing is an empty element.
    fn list<R: Recorded>(&mut self, entry: &Entry, outcome: &EntryOutcome, recorded: &R) -> Result<(), DriveLogError> {
        let list = match entry.kind {
            BlobKind::Block => "BlockList",
            BlobKind::Page => "PageRangeList",
        };
        if self.detail == Detail::Error && outcome.status == BlobStatus::Completed {
            return Ok(self.xml.empty(list, &[])?);
        }
        let mut open = false;
        compose::each_range(entry, outcome, recorded, |range, status| {
            if self.detail == Detail::Error && status == RangeStatus::Completed {
                return Ok(());
            }
            if !open {
                self.xml.open(list, &[])?;
                open = true;
            }
            self.range(entry, &range, status)
        })?;
        Ok(if open { self.xml.close(list) } else { self.xml.empty(list, &[]) }?)
    }

    fn range(&mut self, entry: &Entry, range: &Range, status: RangeStatus) -> Result<(), DriveLogError> {
        let (offset, length) = (range.bytes.offset().to_string(), range.bytes.length().to_string());
        let (offset, length) = (("Offset", &*offset), ("Length", &*length));
        let hash = range.digest.to_string();
        let (hash, status) = (("Hash", &*hash), ("Status", status.as_str()));
        match entry.kind {
            BlobKind::Page => self.xml.empty("PageRange", &[offset, length, hash, status])?,
            // a blob of one block is put in one request: its block has no name
            BlobKind::Block if entry.range_count < 2 => self.xml.empty("Block", &[offset, length, hash, status])?,
            BlobKind::Block => {
                let id = range.digest.block_id();
                self.xml.empty("Block", &[offset, length, ("Id", &id), hash, status])?;
            }
        }
        Ok(())
    }

    /// `Metadata` or `Properties`, if the entry has a file for them at either level. Nothing recorded means not tried.
    fn attributes<R: Recorded>(
        &mut self,
        name: &str,
        status: Option<PartStatus>,
        files: [(&str, Option<SideFileNumber>); 2],
        recorded: &R,
    ) -> Result<(), DriveLogError> {
        let status = status.unwrap_or(PartStatus::Cancelled);
        let dropped = self.detail == Detail::Error && status == PartStatus::Completed;
        if dropped || files.iter().all(|(_, file)| file.is_none()) {
            return Ok(());
        }
        self.xml.open(name, &[("Status", status.as_str())])?;
        for (level, number) in files {
            if let Some(number) = number {
                let file = recorded.side_file(number).map_err(compose::record)?;
                self.xml.text(level, &[("Hash", &file.digest.to_string())], file.path.raw())?;
            }
        }
        Ok(self.xml.close(name)?)
    }
}

/// Whether a blob stands in the error log: it failed, or met another of its name and was renamed or skipped.
fn wants_attention(outcome: &EntryOutcome) -> bool {
    let warned = matches!(outcome.disposition, DispositionStatus::Renamed | DispositionStatus::Skipped);
    outcome.status != BlobStatus::Completed || warned
}

#[cfg(test)]
mod tests;
