//! What to do when the store refuses to make a blob visible.
//!
//! The names were settled beforehand; the conditional request is the guard. When it fails, somebody else wrote meanwhile, and the
//! entry's own disposition decides again. An unfinished blob with this entry's mark is nobody else's: it is taken over.

use super::entry::{Context, Pass, Work};
use super::in_doubt::{end_ranges, is_there};
use super::outcome::Gathered;
use super::resume::{Kept, take_up};
use super::{Transfer, TransferError};
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome};
use crate::manifest::{BlobKind, Disposition};
use crate::store::{BlobHead, Condition, ETag, ErrorClass, StoreError, StoredKind, Target};

/// How often an entry is begun anew before it fails by name: somebody keeps writing there.
const TRIES: u32 = 5;

/// How the entry goes on.
#[allow(clippy::large_enum_variant, reason = "one is moved a few times for each entry: a box would cost more")]
#[derive(Debug)]
pub(super) enum Next {
    /// Its ranges are sent once more, with what is known now.
    Again(Work),
    /// It has ended.
    Ended(EntryOutcome),
}

/// Decides after a refused write.
pub(super) async fn after(context: &Context, mut work: Work, error: StoreError) -> Result<Next, TransferError> {
    if error.class() != ErrorClass::Entry {
        return Err(TransferError::Store(error));
    }
    discard(context, &work).await?;
    work.kept = Kept::Nothing;
    work.tries += 1;
    match error {
        StoreError::AlreadyExists | StoreError::ConditionFailed | StoreError::WrongKind | StoreError::BlockMissing
            if work.tries >= TRIES =>
        {
            let why = "the blob of that name kept changing".to_owned();
            Ok(Next::Ended(work.failed(BlobStatus::BlobRequestFailed, why)))
        }
        StoreError::AlreadyExists | StoreError::ConditionFailed | StoreError::WrongKind => name_taken(context, work).await,
        StoreError::BlockMissing => match only_of_the_run(context.transfer.store.head(&work.path).await)? {
            Ok(found) => {
                work.took_over(found.as_ref(), &context.transfer.session);
                // those that the store still has need not be read again
                take_up(&context.transfer, &mut work, false).await?;
                Ok(Next::Again(work))
            }
            Err(error) => Ok(refused(&work, &error)),
        },
        StoreError::ForeignBlocks if !work.present && work.condition == Condition::Absent => clear_foreign(context, work).await,
        other => Ok(refused(&work, &other)),
    }
}

/// Blocks of another tool lie under a free name: an empty blob of ours takes it and clears them, and is replaced.
async fn clear_foreign(context: &Context, mut work: Work) -> Result<Next, TransferError> {
    context.intend(&work, &Gathered { whole: true, ..Gathered::default() }).await?;
    let target = work.target(&context.transfer.session);
    match only_of_the_run(context.transfer.store.clear_foreign(&target).await)? {
        Ok(etag) => {
            work.takes_over(etag);
            Ok(Next::Again(work))
        }
        Err(StoreError::AlreadyExists) => name_taken(context, work).await,
        Err(error) => Ok(refused(&work, &error)),
    }
}

/// The entry fails by the store's word.
pub(super) fn refused(work: &Work, error: &StoreError) -> Next {
    let status = match error {
        StoreError::LeasePresent => BlobStatus::LeasePresent,
        _ => BlobStatus::BlobRequestFailed,
    };
    Next::Ended(work.failed(status, error.to_string()))
}

/// Forgets what is staged. That the store refuses this concerns nobody but the entry, which has failed already or begins anew.
pub(super) async fn discard(context: &Context, work: &Work) -> Result<(), TransferError> {
    let target = work.target(&context.transfer.session);
    only_of_the_run(context.transfer.store.discard(&target).await).map(drop)
}

/// Parts an error that ends the run from one that concerns this entry alone.
fn only_of_the_run<T>(answer: Result<T, StoreError>) -> Result<Result<T, StoreError>, TransferError> {
    match answer {
        Err(error) if error.class() != ErrorClass::Entry => Err(TransferError::Store(error)),
        answer => Ok(answer),
    }
}

/// The store says that somebody has the name. It is asked who: nothing is skipped or renamed for a blob that is not there.
async fn name_taken(context: &Context, mut work: Work) -> Result<Next, TransferError> {
    let transfer = &context.transfer;
    let found = match only_of_the_run(transfer.store.head(&work.path).await)? {
        Ok(found) => found,
        Err(error) => return Ok(refused(&work, &error)),
    };
    if work.took_over(found.as_ref(), &transfer.session) {
        return Ok(Next::Again(work));
    }
    if found.is_some()
        && transfer.resumed
        && is_there(transfer, (&work.entry, &work.path, &work.attributes), &work.condition).await?
    {
        // a request of the run before this one arrived after all
        end_ranges(transfer, &work.entry)?;
        return Ok(Next::Ended(work.stored(&Gathered { whole: true, ..Gathered::default() })));
    }
    work.present = found.is_some();
    // some servers take blocks that an entry before this one left behind for a blob, when all is to be put at once; a list is taken
    work.by_list |= found.is_none();
    match work.entry.disposition {
        Disposition::NoOverwrite if work.present => Ok(Next::Ended(work.skipped())),
        Disposition::Rename if work.present => elsewhere(context, work).await,
        Disposition::NoOverwrite | Disposition::Rename => {
            work.condition = Condition::Absent;
            Ok(Next::Again(work))
        }
        Disposition::Overwrite => {
            work.meets(found);
            Ok(Next::Again(work))
        }
    }
}

/// The name is somebody else's: the entry takes the next free one.
pub(super) async fn elsewhere(context: &Context, mut work: Work) -> Result<Next, TransferError> {
    match context.transfer.names.next_free(&work.entry, &work.path).await? {
        Some(path) => {
            work.path = path;
            work.disposition = DispositionStatus::Renamed;
            work.condition = Condition::Absent;
            work.present = false;
            work.kept = Kept::Nothing;
            Ok(Next::Again(work))
        }
        None => Ok(Next::Ended(work.failed(BlobStatus::RenameFailed, "there is no free name".to_owned()))),
    }
}

/// The version of a blob that this entry began in this session and did not finish.
pub(super) fn own(head: &BlobHead, kind: BlobKind, target: &Target) -> Option<ETag> {
    (same(kind, head.kind) && head.incomplete.as_ref() == Some(&target.mark())).then(|| head.etag.clone())
}

/// Learns what an overwriting entry finds now, and sets its condition and what must come first.
pub(super) async fn look_again(transfer: &Transfer, work: &mut Work) -> Result<Result<(), StoreError>, TransferError> {
    let found = only_of_the_run(transfer.store.head(&work.path).await)?;
    Ok(found.map(|found| work.meets(found)))
}

/// Removes the old blob of another type, on condition that it is still the one seen. Only after every range was checked.
pub(super) async fn clear_way(transfer: &Transfer, work: &mut Work) -> Result<Result<(), StoreError>, TransferError> {
    let (true, Condition::Matches(etag)) = (work.other_kind, &work.condition) else { return Ok(Ok(())) };
    // a run that goes on must know that it was there
    transfer.records.claim(&work.entry, &work.path).await?;
    transfer.records.clearing(work.entry.number).await?;
    if let Err(error) = transfer.store.delete(&work.path, etag).await {
        return Ok(Err(error));
    }
    work.removed = true;
    work.present = false;
    work.other_kind = false;
    work.condition = Condition::Absent;
    Ok(Ok(()))
}

impl Work {
    /// The entry overwrites what was found under its name, if anything was.
    pub(super) fn replaces(&mut self, found: Option<(ETag, StoredKind)>) {
        self.disposition = if self.existed { DispositionStatus::Overwritten } else { DispositionStatus::Created };
        self.other_kind = false;
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

    /// The entry overwrites what is there now.
    fn meets(&mut self, found: Option<BlobHead>) {
        self.existed = found.is_some() || self.removed;
        self.present = found.is_some();
        self.replaces(found.map(|head| (head.etag, head.kind)));
    }

    /// If what has the name is the unfinished blob of this very entry, it goes on with it; says whether.
    fn took_over(&mut self, found: Option<&BlobHead>, session: &str) -> bool {
        let own = found.and_then(|head| own(head, self.entry.kind, &self.target(session)));
        let took = own.is_some();
        if let Some(etag) = own {
            self.takes_over(etag);
        }
        took
    }

    /// The entry goes on with a blob of its own that is not finished: there is nothing to lose.
    pub(super) fn takes_over(&mut self, etag: ETag) {
        self.present = true;
        self.other_kind = false;
        self.condition = Condition::Matches(etag);
    }
}

fn same(kind: BlobKind, stored: StoredKind) -> bool {
    matches!((kind, stored), (BlobKind::Block, StoredKind::Block) | (BlobKind::Page, StoredKind::Page))
}
