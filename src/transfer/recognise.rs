//! A session that another ledger began: what it stored is told from what is there.
//!
//! In go the entries that have no outcome, in manifest order, each with the names it may have been stored under; those whose blob is there
//! exactly as this session would store it have ended. A blob counts for one entry only, the first that it fits. What is left of the other
//! run's staged blocks and page blobs is taken up as after any interruption, since it is the same session.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::attributes::{Carried, SideFiles};
use super::in_doubt::is_there;
use super::outcome::{good, stored_as};
use super::{Transfer, TransferError, whole};
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, NameDecision};
use crate::manifest::{Attributes, BlobKind, BlobPath, Entry, EntryNumber};
use crate::store::{Condition, ErrorClass};

/// Names of blobs that may be this session's.
pub trait Candidates: Send + Sync {
    /// The names that an entry may have been stored under before it was decided so, in the order in which it would have got them.
    fn of(&self, entry: &Entry, decision: &NameDecision) -> Vec<BlobPath>;

    /// Takes a name for an entry; `false` if another entry has taken it.
    fn take(&self, entry: &Entry, path: &BlobPath) -> Result<bool, TransferError>;
}

/// An entry with what its blob would carry, and where it may be.
struct Sought {
    entry: Entry,
    carried: Carried,
    names: Vec<BlobPath>,
    /// The entry before it with the same name.
    after: Option<EntryNumber>,
}

/// Ends every entry whose blob is there; answers how many.
pub(super) async fn all(transfer: &Transfer, candidates: &dyn Candidates) -> Result<u64, TransferError> {
    take_known(transfer, candidates)?;
    let path = transfer.scratch.join("side-files-before");
    let mut sides = SideFiles::new(transfer.files.clone(), Arc::clone(&transfer.catalogue), path);
    let sought = transfer.catalogue.entries().map(|entry| sought(transfer, candidates, &mut sides, entry?));
    let sought = stream::iter(sought.filter_map(Result::transpose));
    let found = sought.map(|sought| async { found(transfer, sought?).await }).buffered(transfer.host.uploads.most());
    found.try_fold(0, async |sum, (sought, there)| Ok(sum + u64::from(end(transfer, candidates, &sought, there)?))).await
}

/// The blobs of entries that are known to have ended are no others': equal content does not make them so.
fn take_known(transfer: &Transfer, candidates: &dyn Candidates) -> Result<(), TransferError> {
    for entry in transfer.catalogue.entries() {
        let entry = entry?;
        let Some(outcome) = transfer.records.outcome(entry.number)?.filter(is_stored) else { continue };
        let path = outcome.stored_as.as_ref().unwrap_or(&entry.blob_path);
        if let Ok(path) = path.raw().parse() {
            candidates.take(&entry, &path)?;
        }
    }
    Ok(())
}

fn is_stored(outcome: &EntryOutcome) -> bool {
    !matches!(outcome.disposition, DispositionStatus::Cancelled | DispositionStatus::Skipped)
}

fn sought(
    transfer: &Transfer,
    candidates: &dyn Candidates,
    sides: &mut SideFiles,
    entry: Entry,
) -> Result<Option<Sought>, TransferError> {
    if transfer.stop.asked() {
        return Err(TransferError::Stopped);
    }
    if transfer.records.outcome(entry.number)?.is_some() {
        return Ok(None);
    }
    let Some(decision) = transfer.records.name(entry.number)? else { return Ok(None) };
    let names = candidates.of(&entry, &decision);
    if names.is_empty() {
        return Ok(None);
    }
    let carried = sides.of(&entry)?;
    Ok(Some(Sought { entry, carried, names, after: decision.after }))
}

/// Which of its names have exactly this blob.
async fn found(transfer: &Transfer, sought: Sought) -> Result<(Sought, Vec<BlobPath>), TransferError> {
    let mut there = Vec::new();
    for path in &sought.names {
        let attributes = with_its_md5(transfer, &sought, path).await?;
        if is_there(transfer, (&sought.entry, path, &attributes), &Condition::Absent).await? {
            there.push(path.clone());
        }
    }
    Ok((sought, there))
}

/// What the blob would carry. The MD5 of a whole blob is not known without reading it: the one that is there is as good, for the content
/// is compared range by range.
async fn with_its_md5(transfer: &Transfer, sought: &Sought, path: &BlobPath) -> Result<Attributes, TransferError> {
    let mut attributes = sought.carried.attributes.clone();
    if whole::wanted(transfer, BlobKind::Block) && sought.entry.kind == BlobKind::Block && attributes.content_md5.is_none() {
        match transfer.store.head(path).await {
            Ok(head) => attributes.content_md5 = head.and_then(|head| head.md5),
            Err(error) if error.class() == ErrorClass::Entry => {}
            Err(error) => return Err(TransferError::Store(error)),
        }
    }
    Ok(attributes)
}

fn end(transfer: &Transfer, candidates: &dyn Candidates, sought: &Sought, there: Vec<BlobPath>) -> Result<bool, TransferError> {
    let Sought { entry, carried, after, .. } = sought;
    // the one before it will be stored again, under this name: so must this one, behind it
    if let Some(before) = after
        && transfer.records.outcome(*before)?.is_none()
    {
        return Ok(false);
    }
    for path in there {
        if candidates.take(entry, &path)? {
            super::in_doubt::end(transfer, entry, &outcome(entry, carried, &path))?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn outcome(entry: &Entry, carried: &Carried, path: &BlobPath) -> EntryOutcome {
    let stored_as = stored_as(entry, path);
    let clean = good([carried.metadata, carried.properties]);
    let status = if clean { BlobStatus::Completed } else { BlobStatus::CompletedWithErrors };
    let disposition = if stored_as.is_some() { DispositionStatus::Renamed } else { DispositionStatus::Created };
    EntryOutcome {
        stored_as,
        metadata: carried.metadata,
        properties: carried.properties,
        detail: Some(
            "stored by an earlier run whose records are not here: the blob is there with its content and attributes".to_owned(),
        ),
        ..EntryOutcome::new(status, disposition)
    }
}
