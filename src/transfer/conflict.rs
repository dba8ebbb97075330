//! What to do when the store refuses to make a blob visible.
//!
//! The names were settled beforehand; the conditional request is the guard. When it fails, somebody else wrote meanwhile, and the
//! entry's own disposition decides again.

use super::entry::{Context, Pass, Work};
use super::{Transfer, TransferError};
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome};
use crate::manifest::{BlobKind, Disposition};
use crate::store::{Condition, ErrorClass, StoreError, StoredKind};

/// How often an entry is begun anew before it fails by name: somebody keeps writing there.
const TRIES: u32 = 5;

/// How the entry goes on.
#[derive(Debug)]
pub(super) enum Next {
    /// Its ranges are sent once more, with what is known now.
    Again(Work),
    /// It has ended.
    Ended(EntryOutcome),
}

/// Decides after a refused `put`, `commit`, `create_pages` or `finish_pages`.
pub(super) async fn after(context: &Context, mut work: Work, error: StoreError) -> Result<Next, TransferError> {
    if error.class() != ErrorClass::Entry {
        return Err(TransferError::Store(error));
    }
    let target = work.target(&context.transfer.session);
    context.transfer.store.discard(&target).await.map_err(TransferError::Store)?;
    work.tries += 1;
    match error {
        StoreError::AlreadyExists | StoreError::ConditionFailed | StoreError::WrongKind | StoreError::BlockMissing
            if work.tries >= TRIES =>
        {
            let why = "the blob of that name kept changing".to_owned();
            Ok(Next::Ended(work.failed(BlobStatus::BlobRequestFailed, why)))
        }
        StoreError::AlreadyExists | StoreError::ConditionFailed | StoreError::WrongKind => name_taken(context, work).await,
        StoreError::BlockMissing => Ok(Next::Again(work)),
        StoreError::LeasePresent => Ok(Next::Ended(work.failed(BlobStatus::LeasePresent, error.to_string()))),
        other => Ok(Next::Ended(work.failed(BlobStatus::BlobRequestFailed, other.to_string()))),
    }
}

async fn name_taken(context: &Context, mut work: Work) -> Result<Next, TransferError> {
    match work.entry.disposition {
        Disposition::NoOverwrite => Ok(Next::Ended(work.skipped())),
        Disposition::Rename => match context.transfer.names.next_free(&work.entry, &work.path).await? {
            Some(path) => {
                work.path = path;
                work.disposition = DispositionStatus::Renamed;
                work.condition = Condition::Absent;
                Ok(Next::Again(work))
            }
            None => Ok(Next::Ended(work.failed(BlobStatus::RenameFailed, "there is no free name".to_owned()))),
        },
        Disposition::Overwrite => {
            look_again(&context.transfer, &mut work).await?;
            Ok(Next::Again(work))
        }
    }
}

/// Learns what an overwriting entry finds now, and sets its condition and what must come first.
pub(super) async fn look_again(transfer: &Transfer, work: &mut Work) -> Result<(), TransferError> {
    let found = transfer.store.head(&work.path).await.map_err(TransferError::Store)?;
    work.existed |= found.is_some();
    work.replaces(found.map(|head| (head.etag, head.kind)));
    Ok(())
}

/// Removes the old blob of another type, on condition that it is still the one seen. Only after every range was checked.
pub(super) async fn clear_way(transfer: &Transfer, work: &mut Work) -> Result<(), StoreError> {
    if let (true, Condition::Matches(etag)) = (work.other_kind, &work.condition) {
        transfer.store.delete(&work.path, etag).await?;
        work.other_kind = false;
        work.condition = Condition::Absent;
    }
    Ok(())
}

impl Work {
    /// The entry overwrites what was found under its name, if anything was.
    pub(super) fn replaces(&mut self, found: Option<(crate::store::ETag, StoredKind)>) {
        self.disposition = if self.existed { DispositionStatus::Overwritten } else { DispositionStatus::Created };
        match found {
            None => self.condition = Condition::Absent,
            Some((etag, kind)) => {
                // a page blob shows what is written at once, and a blob of another type must go before the new one can come:
                // neither can be undone, so every range is checked before the first write
                let other = !same(self.entry.kind, kind);
                if !self.checked && (other || self.entry.kind == BlobKind::Page) {
                    self.pass = Pass::Check;
                }
                self.other_kind = other;
                self.condition = Condition::Matches(etag);
            }
        }
    }
}

fn same(kind: BlobKind, stored: StoredKind) -> bool {
    matches!((kind, stored), (BlobKind::Block, StoredKind::Block) | (BlobKind::Page, StoredKind::Page))
}
