//! The passes over catalogue and records: one that counts and checks, one for each log.
//!
//! Both read every entry in manifest order and keep none. The counting pass comes first, for it says with which status the logs end:
//! [`tally`], then [`compose`] for the error log and, if asked for, for the verbose one.

use std::io;

use super::{DriveLogError, DriveLogWriter};
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, RangeStatus};
use crate::manifest::{Entry, EntryNumber, Range, SideFile, SideFileNumber};
use crate::report::Tally;

/// What is known of the entries of a drive: the catalogue and the records, seen by entry.
pub trait Recorded {
    /// Why it cannot be read.
    type Error: Into<Box<dyn std::error::Error + Send + Sync>>;

    /// How an entry ended; `None` if it has not.
    fn outcome(&self, entry: EntryNumber) -> Result<Option<EntryOutcome>, Self::Error>;

    /// The ranges of an entry in the manifest's order, and how each ended; `None` if nothing is recorded of it.
    fn ranges(&self, entry: &Entry) -> impl Iterator<Item = Result<(Range, Option<RangeStatus>), Self::Error>>;

    /// A metadata or properties file by its number.
    fn side_file(&self, number: SideFileNumber) -> Result<SideFile, Self::Error>;
}

/// Counts how the entries ended, and checks that the records account for each range of each.
pub fn tally<R: Recorded>(
    entries: impl IntoIterator<Item = Result<Entry, R::Error>>,
    recorded: &R,
) -> Result<Tally, DriveLogError> {
    let mut tally = Tally::default();
    each_entry(entries, recorded, |entry, outcome| {
        let mut bytes = 0_u64;
        each_range(entry, outcome, recorded, |range, status| {
            bytes = bytes.saturating_add(range.bytes.length());
            tally.add_range(entry, &range, status);
            Ok(())
        })?;
        tally.add(entry, outcome, bytes);
        Ok(())
    })?;
    Ok(tally)
}

/// Writes all entries into a log. The caller begins and [finishes](DriveLogWriter::finish) it.
pub fn compose<W: io::Write, R: Recorded>(
    log: &mut DriveLogWriter<W>,
    entries: impl IntoIterator<Item = Result<Entry, R::Error>>,
    recorded: &R,
) -> Result<(), DriveLogError> {
    each_entry(entries, recorded, |entry, outcome| log.blob(entry, outcome, recorded))
}

fn each_entry<R: Recorded>(
    entries: impl IntoIterator<Item = Result<Entry, R::Error>>,
    recorded: &R,
    mut act: impl FnMut(&Entry, &EntryOutcome) -> Result<(), DriveLogError>,
) -> Result<(), DriveLogError> {
    for entry in entries {
        let entry = entry.map_err(record)?;
        let outcome = recorded.outcome(entry.number).map_err(record)?;
        let outcome = outcome.ok_or(DriveLogError::NoOutcome { entry: entry.number })?;
        act(&entry, &outcome)?;
    }
    Ok(())
}

/// Calls `act` for each range of an entry. A range of a failed blob of which nothing is recorded was not tried: `Cancelled`.
pub(super) fn each_range<R: Recorded>(
    entry: &Entry,
    outcome: &EntryOutcome,
    recorded: &R,
    mut act: impl FnMut(Range, RangeStatus) -> Result<(), DriveLogError>,
) -> Result<(), DriveLogError> {
    let complete = outcome.status == BlobStatus::Completed && outcome.disposition != DispositionStatus::Skipped;
    let mut found = 0;
    for range in recorded.ranges(entry) {
        let (range, status) = range.map_err(record)?;
        if complete && status != Some(RangeStatus::Completed) {
            return Err(DriveLogError::Contradiction { entry: entry.number, offset: range.bytes.offset() });
        }
        act(range, status.unwrap_or(RangeStatus::Cancelled))?;
        found += 1;
    }
    if found == entry.range_count {
        Ok(())
    } else {
        Err(DriveLogError::RangeCount { entry: entry.number, expected: entry.range_count, found })
    }
}

pub(super) fn record(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DriveLogError {
    DriveLogError::Record(error.into())
}
