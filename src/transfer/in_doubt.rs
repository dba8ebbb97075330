//! Writes of an earlier run whose answers nobody heard: the store is asked, and its answer settles each.
//!
//! In go the intents without a result; those that were carried out get the outcome that was kept with them, the others are done again
//! under the same name when their entry's turn comes.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Transfer, TransferError};
use crate::ledger::{EntryOutcome, Intent, RangeStatus};
use crate::manifest::{Attributes, BlobKind, BlobPath, Digest, Entry, EntryNumber, Range};
use crate::store::{Condition, ErrorClass, Intended, Target};

/// Ranges compared of a page blob, which can have any number of them: more are not held in memory.
const LOOKED_AT: u64 = 1 << 20;

/// Settles all intents; answers how many had been carried out.
pub(super) async fn settle(transfer: &Transfer, intents: Vec<(EntryNumber, Intent)>) -> Result<u64, TransferError> {
    let asked = stream::iter(intents).map(|(number, intent)| one(transfer, number, intent));
    asked.buffer_unordered(transfer.host.uploads.most()).try_fold(0, async |sum, done| Ok(sum + u64::from(done))).await
}

async fn one(transfer: &Transfer, number: EntryNumber, intent: Intent) -> Result<bool, TransferError> {
    let entry = transfer.catalogue.entry(number)?;
    let done = is_there(transfer, (&entry, &intent.path, &intent.attributes), &intent.condition).await?;
    if done {
        end(transfer, &entry, &intent.outcome)?;
        tracing::debug!(blob = %entry.blob_path, "stored by the run before");
    }
    Ok(done)
}

/// Records an entry whose blob is there with all its ranges.
pub(super) fn end(transfer: &Transfer, entry: &Entry, outcome: &EntryOutcome) -> Result<(), TransferError> {
    end_ranges(transfer, entry)?;
    Ok(transfer.records.set_outcome(entry, outcome)?)
}

/// All ranges of an entry are stored.
pub(super) fn end_ranges(transfer: &Transfer, entry: &Entry) -> Result<(), TransferError> {
    let ranges = entry.first_range..entry.first_range + entry.range_count;
    ranges.into_iter().try_for_each(|range| Ok(transfer.records.set_range(range, RangeStatus::Completed)?))
}

/// Whether a blob is there exactly as an entry would be stored, and is not the version of before.
pub(super) async fn is_there(
    transfer: &Transfer,
    (entry, path, attributes): (&Entry, &BlobPath, &Attributes),
    before: &Condition,
) -> Result<bool, TransferError> {
    let looked_at = if entry.kind == BlobKind::Page { entry.range_count.min(LOOKED_AT) } else { entry.range_count };
    let ranges = transfer.catalogue.ranges(entry.first_range, looked_at).collect::<Result<Vec<Range>, _>>()?;
    let target = Target { path: path.clone(), session: transfer.session.clone(), entry: entry.number };
    let whole = ranges.first().map_or_else(|| Digest::of(&[]), |range| range.digest);
    let as_list = match entry.kind {
        BlobKind::Page => Intended::Pages { length: entry.length, ranges: &ranges },
        BlobKind::Block => Intended::Blocks(&ranges),
    };
    // one range or none goes in one request, if the store lets it
    let at_once =
        (entry.kind == BlobKind::Block && ranges.len() <= 1).then_some(Intended::Whole { length: entry.length, md5: whole });
    for intended in at_once.into_iter().chain([as_list]) {
        match transfer.store.carried_out(&target, &intended, attributes, before).await {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(true),
            Err(error) if error.class() == ErrorClass::Entry => return Ok(false),
            Err(error) => return Err(TransferError::Store(error)),
        }
    }
    Ok(false)
}
