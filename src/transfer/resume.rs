//! What an earlier run of the same session left of an entry: looked up when its turn comes, so that nothing is read twice that is stored.
//!
//! In goes an entry about to be stored; what comes out says which of its ranges need not be read. Nothing is believed that the store does
//! not show: a staged block by its id, which is made of its content; a page blob or a hidden file by being this entry's own, and then only
//! the ranges that were acknowledged when they were durable.

use std::sync::Arc;

use super::entry::{Pass, Work};
use super::{Transfer, TransferError, whole};
use crate::ledger::RangeStatus;
use crate::manifest::{BlobKind, Range};
use crate::store::{ErrorClass, StoreError};
use crate::volume::fields::index;

/// Which ranges of an entry are stored already.
#[derive(Clone, Debug, Default)]
pub(super) enum Kept {
    /// None.
    #[default]
    Nothing,
    /// Those of a block blob, in order.
    Blocks(Arc<Vec<bool>>),
    /// Those of a page blob that the records have as completed.
    Acknowledged,
}

impl Kept {
    /// Whether the entry's range of this place is stored, `number` through the manifest.
    pub(super) fn has(&self, transfer: &Transfer, place: u64, number: u64) -> Result<bool, TransferError> {
        match self {
            Self::Nothing => Ok(false),
            Self::Blocks(kept) => Ok(kept.get(index(place)).copied().unwrap_or(false)),
            Self::Acknowledged => Ok(transfer.records.ranges(number, 1)? == [Some(RangeStatus::Completed)]),
        }
    }
}

/// Takes up what an earlier run left of this entry, if it had begun it under this name. `stale` says that staged blocks may be gone.
pub(super) async fn take_up(transfer: &Transfer, work: &mut Work, stale: bool) -> Result<(), TransferError> {
    let taken = match work.entry.kind {
        BlobKind::Block if stale || whole::wanted(transfer, BlobKind::Block) => Ok(()),
        BlobKind::Block => blocks(transfer, work).await?,
        BlobKind::Page => pages(transfer, work).await,
    };
    match taken {
        // it is stored from its beginning then
        Err(error) if error.class() == ErrorClass::Entry => Ok(()),
        taken => taken.map_err(TransferError::Store),
    }
}

/// A block blob: asks which of its blocks are staged.
async fn blocks(transfer: &Transfer, work: &mut Work) -> Result<Result<(), StoreError>, TransferError> {
    let (first, count) = (work.entry.first_range, work.entry.range_count);
    let ranges = transfer.catalogue.ranges(first, count).collect::<Result<Vec<Range>, _>>()?;
    let statuses = transfer.records.ranges(first, ranges.len())?;
    let synced: Vec<bool> = statuses.into_iter().map(|status| status == Some(RangeStatus::Completed)).collect();
    let target = work.target(&transfer.session);
    let taken = transfer.store.take_up(&target, &ranges, &synced).await;
    Ok(taken.map(|kept| {
        if kept.contains(&true) {
            work.kept = Kept::Blocks(Arc::new(kept));
        }
    }))
}

/// A page blob: it was begun only after all its ranges had been seen to be good, if it replaces another.
async fn pages(transfer: &Transfer, work: &mut Work) -> Result<(), StoreError> {
    let target = work.target(&transfer.session);
    if let Some(etag) = transfer.store.take_up_pages(&target, work.entry.length).await? {
        (work.pass, work.checked, work.kept) = (Pass::Store, true, Kept::Acknowledged);
        if !transfer.store.hides_incomplete_pages() {
            work.takes_over(etag);
        }
    }
    Ok(())
}
