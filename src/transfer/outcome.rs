//! From what came of an entry's ranges to its outcome, in the log's words.

use crate::foreign::Foreign;
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, PartStatus, RangeStatus};
use crate::manifest::{BlobPath, Digest, Entry};
use crate::store::{StoreError, Target};

use super::TransferError;
use super::budget::Share;
use super::entry::{Ended, Work};

/// Said beside each missing or corrupt file of such a volume.
pub(super) const DIRTY: &str = "the volume was not cleanly dismounted: eject the drive properly and ship it again";

/// What came of an entry's ranges.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The first that failed, with how many did.
    pub(super) failed: Option<(RangeStatus, u64)>,
    /// What the store said of a range that it refused.
    pub(super) refusal: Option<StoreError>,
    /// How many it refused.
    pub(super) refused: u64,
    /// Whether all were sent.
    pub(super) whole: bool,
    /// The MD5 of all of them, if it is wanted.
    pub(super) whole_md5: Option<Digest>,
    /// Requests the store refused for their checksum and that succeeded when repeated.
    pub(super) line_refusals: u64,
    /// Numbers of those that are staged and not yet known to be durable.
    pub(super) unacknowledged: Vec<u64>,
    /// Their bytes.
    pub(super) unacknowledged_bytes: u64,
    /// Their shares of the budget: what a kill can cost is never more than the budget.
    pub(super) held: Vec<Share>,
}

/// Whether a refusal is about the blob as a whole: its name, its type, its lease or what others staged for it.
fn of_the_blob(error: &StoreError) -> bool {
    use StoreError::{AlreadyExists, BlockMissing, ConditionFailed, ForeignBlocks, LeasePresent, WrongKind};
    matches!(error, AlreadyExists | BlockMissing | ConditionFailed | ForeignBlocks | LeasePresent | WrongKind)
}

impl Gathered {
    /// Adds a range that has ended.
    pub(super) fn add(
        &mut self,
        done: Result<Result<Ended, TransferError>, tokio::task::JoinError>,
    ) -> Result<(), TransferError> {
        let ended = done.map_err(|e| TransferError::Internal(e.to_string()))??;
        self.line_refusals += ended.line_refusals;
        if ended.status == RangeStatus::Completed {
            self.unacknowledged.push(ended.number);
            self.unacknowledged_bytes += ended.length;
            self.held.extend(ended.share);
        }
        // of a range that was only checked nothing is stored, and nothing went wrong
        if ended.refusal.is_some() || ended.status != RangeStatus::Cancelled {
            self.count(ended.status, ended.refusal);
        }
        Ok(())
    }

    /// Counts how one range ended.
    pub(super) fn count(&mut self, status: RangeStatus, refusal: Option<StoreError>) {
        if status != RangeStatus::Completed {
            let failed = self.failed.get_or_insert((status, 0));
            failed.1 += 1;
        }
        if let Some(error) = refusal {
            self.refused += 1;
            if self.refusal.is_none() || of_the_blob(&error) {
                self.refusal = Some(error);
            }
        }
    }

    /// The store's refusal, if nothing else went wrong and it is about the blob rather than about a range: somebody else has the name.
    pub(super) fn conflict(&mut self) -> Option<StoreError> {
        let alone = self.failed.is_some_and(|(_, count)| count == self.refused);
        if alone { self.refusal.take_if(|error| of_the_blob(error)) } else { None }
    }

    /// One sentence on what went wrong.
    fn sentence(&self) -> Option<String> {
        let (status, count) = self.failed?;
        let refusal = self.refusal.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        Some(match status {
            RangeStatus::Corrupted => format!("{count} range(s) differ from the manifest's hash"),
            RangeStatus::FileUnexpectedEnd => format!("the file ends before {count} of its ranges do"),
            RangeStatus::IOFailed => format!("the disk could not give {count} range(s)"),
            other => format!("{count} range(s) ended as {}{refusal}", other.as_str()),
        })
    }
}

impl Work {
    /// What the store is told of whose work this is.
    pub(super) fn target(&self, session: &str) -> Target {
        Target { path: self.path.clone(), session: session.to_owned(), entry: self.entry.number }
    }

    /// The outcome of an entry whose blob is there. `gathered` has failures only for page blobs, which show what was written.
    pub(super) fn stored(&self, gathered: &Gathered) -> EntryOutcome {
        let clean = gathered.failed.is_none() && !self.flawed && good([self.metadata, self.properties]);
        EntryOutcome {
            status: if clean { BlobStatus::Completed } else { BlobStatus::CompletedWithErrors },
            disposition: self.disposition,
            stored_as: stored_as(&self.entry, &self.path),
            metadata: self.metadata,
            properties: self.properties,
            detail: self.detail(gathered),
            exists_after: true,
            line_refusals: self.line_refusals + gathered.line_refusals,
        }
    }

    /// The outcome of a block blob that was not committed: good ranges are staged, nothing is visible.
    pub(super) fn not_committed(&self, gathered: &Gathered) -> EntryOutcome {
        let cancelled = |part: Option<PartStatus>| part.map(|_| PartStatus::Cancelled);
        EntryOutcome {
            status: BlobStatus::CompletedWithErrors,
            disposition: DispositionStatus::Cancelled,
            stored_as: None,
            metadata: cancelled(self.metadata),
            properties: cancelled(self.properties),
            detail: self.detail(gathered),
            exists_after: self.present,
            line_refusals: self.line_refusals + gathered.line_refusals,
        }
    }

    /// The outcome of an entry that failed as a whole.
    pub(super) fn failed(&self, status: BlobStatus, why: String) -> EntryOutcome {
        failed(&self.entry, status, why, self.present)
    }

    /// The outcome of an entry that was not to be stored if a blob of that name exists, and one does.
    pub(super) fn skipped(&self) -> EntryOutcome {
        skipped(&self.entry)
    }

    fn detail(&self, gathered: &Gathered) -> Option<String> {
        let of_the_disk =
            matches!(gathered.failed, Some((RangeStatus::Corrupted | RangeStatus::FileUnexpectedEnd | RangeStatus::IOFailed, _)));
        let dirty = (self.dirty && (of_the_disk || self.flawed)).then(|| DIRTY.to_owned());
        let all: Vec<String> = gathered.sentence().into_iter().chain(self.remarks.iter().cloned()).chain(dirty).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// Whether no metadata or properties stand in the way of a clean end.
pub(super) fn good(parts: [Option<PartStatus>; 2]) -> bool {
    parts.into_iter().flatten().all(|status| status == PartStatus::Completed)
}

/// The path an entry is stored under, if it is not the one asked for.
pub(super) fn stored_as(entry: &Entry, path: &BlobPath) -> Option<Foreign> {
    let now = format!("{}/{}", path.container(), path.name());
    (now != entry.blob_path.raw()).then(|| Foreign::from(now))
}

/// The outcome of an entry of which nothing was stored.
pub(super) fn failed(entry: &Entry, status: BlobStatus, why: String, existed: bool) -> EntryOutcome {
    let outcome = EntryOutcome::new(status, DispositionStatus::Cancelled).with_parts(entry, PartStatus::Cancelled);
    EntryOutcome { detail: Some(why), exists_after: existed, ..outcome }
}

/// The outcome of an entry that gives way to an existing blob, as asked.
pub(super) fn skipped(entry: &Entry) -> EntryOutcome {
    EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Skipped).with_parts(entry, PartStatus::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(ends: impl IntoIterator<Item = (RangeStatus, Option<StoreError>)>) -> Gathered {
        let mut gathered = Gathered::default();
        ends.into_iter().for_each(|(status, refusal)| gathered.count(status, refusal));
        gathered
    }

    #[test]
    fn a_refusal_of_the_blob_is_a_conflict_only_if_all_ranges_are_good() {
        let refused = |error| (RangeStatus::BlobRequestFailed, Some(error));
        let good = || (RangeStatus::Completed, None);
        assert!(gathered([good(), good()]).conflict().is_none());
        assert!(matches!(gathered([good(), refused(StoreError::WrongKind)]).conflict(), Some(StoreError::WrongKind)));
        assert!(
            gathered([refused(StoreError::ForeignBlocks)]).conflict().is_some(),
            "blocks of another tool fail the entry by name"
        );
        assert!(gathered([(RangeStatus::Corrupted, None), refused(StoreError::WrongKind)]).conflict().is_none());
        assert!(gathered([refused(StoreError::ChecksumRefused { attempts: 2 })]).conflict().is_none());
    }

    #[test]
    fn a_refusal_of_the_blob_is_kept_before_one_of_a_range() {
        let damaged = || StoreError::ChecksumRefused { attempts: 2 };
        let ends = [damaged(), StoreError::LeasePresent, damaged()];
        let mut gathered = gathered(ends.map(|error| (RangeStatus::BlobRequestFailed, Some(error))));
        assert!(matches!(gathered.conflict(), Some(StoreError::LeasePresent)));
    }
}
