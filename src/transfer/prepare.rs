//! From an entry and its name to work, or to an end without any.

use std::sync::Arc;

use super::attributes::{Carried, SideFiles};
use super::conflict::{Next, look_again, own, refused};
use super::entry::{Pass, Work};
use super::outcome::{DIRTY, failed, skipped};
use super::resume::{Kept, take_up};
use super::{Transfer, TransferError, open};
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, NameDecision, NameFate};
use crate::manifest::{BlobKind, BlobPath, Disposition, Entry};
use crate::store::{Condition, ETag, ErrorClass, StoreError, Target};

/// Under which name an entry is stored, and what is there.
pub(super) struct Place {
    path: BlobPath,
    existed: bool,
    /// A blob that this entry left unfinished in an earlier run.
    leftover: Option<ETag>,
}

impl Place {
    /// Whether a blob is there that stays if the entry fails.
    fn present(&self) -> bool {
        self.existed || self.leftover.is_some()
    }
}

/// The entry's name, or its end if that is settled without its file.
pub(super) async fn place(
    transfer: &Transfer,
    entry: &Entry,
    name: &NameDecision,
) -> Result<Result<Place, EntryOutcome>, TransferError> {
    let existed = existed(transfer, name)?;
    // a name that seems taken may be so by what an earlier run of this session has begun, and nobody remembers
    let seems_taken = match name.fate {
        NameFate::Skip => entry.kind == BlobKind::Page || transfer.resumed,
        NameFate::Renamed { .. } => transfer.resumed,
        NameFate::AsAsked { .. } | NameFate::Illegal { .. } | NameFate::NoFreeName => false,
    };
    if seems_taken && let Ok(path) = entry.blob_path.raw().parse::<BlobPath>() {
        let target = Target { path, session: transfer.session.clone(), entry: entry.number };
        if let Some(etag) = leftover(transfer, entry, &target).await? {
            return Ok(Ok(Place { path: target.path, existed: false, leftover: Some(etag) }));
        }
    }
    // a dry run must fail what the store would
    let refused = |error: StoreError| failed(entry, BlobStatus::BlobRequestFailed, error.to_string(), existed);
    let path = match path_of(entry, &name.fate, existed) {
        Ok(path) => path,
        Err(outcome) => return Ok(Err(outcome)),
    };
    match transfer.store.room_for(&path).await {
        Ok(()) => Ok(Ok(Place { path, existed, leftover: None })),
        Err(error) if error.class() == ErrorClass::Entry => Ok(Err(refused(error))),
        Err(error) => Err(TransferError::Store(error)),
    }
}

/// An unfinished blob under the name that is this entry's own: a run before this one was interrupted. Nothing that runs now can have made
/// it, since the entry has not begun.
async fn leftover(transfer: &Transfer, entry: &Entry, target: &Target) -> Result<Option<ETag>, TransferError> {
    match transfer.store.head(&target.path).await {
        Ok(found) => Ok(found.and_then(|head| own(&head, entry.kind, target))),
        // a name that the store does not look up is taken by who has it
        Err(error) if error.class() == ErrorClass::Entry => Ok(None),
        Err(error) => Err(TransferError::Store(error)),
    }
}

/// The outcome of an entry whose file cannot be opened.
pub(super) fn unopened(transfer: &Transfer, entry: &Entry, place: &Place, failure: open::Failure) -> EntryOutcome {
    let why = if transfer.volume_dirty { format!("{}; {DIRTY}", failure.why) } else { failure.why };
    failed(entry, failure.status, why, place.present())
}

/// The outcome of an entry whose file was not even looked for.
pub(super) fn unread(entry: &Entry, place: &Place) -> EntryOutcome {
    failed(entry, BlobStatus::IOFailed, GIVEN_UP.to_owned(), place.present())
}

/// Said of a property that is stored as it was given.
pub(super) const OTHER_MD5: &str = "the Content-MD5 of its properties file is not the content's";

/// Said of what was not read any more.
pub(super) const GIVEN_UP: &str = "the drive was given up after too many failed reads, or too much work to open its files";

/// Gets what the blob of an entry carries, and sets the condition under which it may appear. `length` is that of its file.
pub(super) async fn work(
    transfer: &Transfer,
    sides: &mut SideFiles,
    entry: Entry,
    (place, name): (Place, NameDecision),
    length: u64,
) -> Result<Result<Work, EntryOutcome>, TransferError> {
    let carried = sides.of(&entry)?;
    let mut work = new_work(entry, place.path, place.existed, carried);
    work.dirty = transfer.volume_dirty;
    remark_on_length(&mut work, length);
    remark_on_md5(transfer, &mut work)?;
    if let Some(etag) = place.leftover {
        work.takes_over(etag);
        return Ok(Ok(work));
    }
    let begun = transfer.records.begun(work.entry.number).filter(|begun| begun.path == work.path);
    work.removed = begun.as_ref().is_some_and(|begun| begun.cleared);
    if let Err(error) = settle_condition(transfer, &mut work, name).await? {
        return Ok(match refused(&work, &error) {
            Next::Ended(outcome) => Err(outcome),
            Next::Again(work) => Ok(work),
        });
    }
    if let Some(begun) = begun {
        take_up(transfer, &mut work, begun.stale).await?;
    }
    Ok(Ok(work))
}

/// Whether a blob of the final name exists before the entry's turn: from the entry before it in its chain, or from the survey.
fn existed(transfer: &Transfer, name: &NameDecision) -> Result<bool, TransferError> {
    if let Some(before) = name.after {
        let outcome = transfer.records.outcome(before)?;
        return outcome
            .map(|outcome| outcome.exists_after)
            .ok_or_else(|| TransferError::Internal(format!("entry {before} has no outcome, but the next of its name begins")));
    }
    Ok(matches!(name.fate, NameFate::AsAsked { existing: Some(_) } | NameFate::Skip))
}

fn path_of(entry: &Entry, fate: &NameFate, existed: bool) -> Result<BlobPath, EntryOutcome> {
    let asked = || entry.blob_path.raw().parse::<BlobPath>();
    let illegal = |why: String| failed(entry, BlobStatus::BlobRequestFailed, why, false);
    match fate {
        NameFate::Skip | NameFate::AsAsked { .. } if existed && entry.disposition == Disposition::NoOverwrite => {
            Err(skipped(entry))
        }
        // an entry before a skipped one has removed the blob, and failed
        NameFate::Skip | NameFate::AsAsked { .. } => asked().map_err(|error| illegal(error.to_string())),
        NameFate::Renamed { name } => asked()
            .and_then(|path| BlobPath::new(path.container().clone(), name.raw()))
            .map_err(|error| illegal(error.to_string())),
        NameFate::Illegal { reason } => Err(illegal(reason.clone())),
        NameFate::NoFreeName => Err(failed(entry, BlobStatus::RenameFailed, "there is no free name".to_owned(), true)),
    }
}

fn new_work(entry: Entry, path: BlobPath, existed: bool, carried: Carried) -> Work {
    let renamed = entry.blob_path.raw() != format!("{}/{}", path.container(), path.name());
    Work {
        path,
        disposition: if renamed { DispositionStatus::Renamed } else { DispositionStatus::Created },
        condition: Condition::Absent,
        existed,
        present: existed,
        removed: false,
        other_kind: false,
        pass: Pass::Store,
        checked: false,
        by_list: false,
        counted: false,
        kept: Kept::Nothing,
        line_refusals: 0,
        tries: 0,
        attributes: Arc::new(carried.attributes),
        metadata: carried.metadata,
        properties: carried.properties,
        remarks: Vec::new(),
        flawed: false,
        dirty: false,
        entry,
    }
}

/// A file that is longer than its entry is content that changed after it was listed. A page blob's uncovered tail may be anything.
fn remark_on_length(work: &mut Work, length: u64) {
    if length > work.entry.length && work.entry.kind == BlobKind::Block {
        work.flawed = true;
        work.remarks.push(format!("the file has {length} bytes, the manifest lists {}", work.entry.length));
    }
}

/// The MD5 property is stored as given; where the whole content's MD5 is known, a difference is worth a remark.
fn remark_on_md5(transfer: &Transfer, work: &mut Work) -> Result<(), TransferError> {
    let (Some(given), 1, BlobKind::Block) = (work.attributes.content_md5, work.entry.range_count, work.entry.kind) else {
        return Ok(());
    };
    if let Some(range) = transfer.catalogue.ranges(work.entry.first_range, 1).next().transpose()?
        && range.digest.0 != given
    {
        work.remarks.push(OTHER_MD5.to_owned());
    }
    Ok(())
}

/// An overwriting entry must name the blob it replaces; the survey knows it, unless an entry before it in the chain wrote it.
async fn settle_condition(
    transfer: &Transfer,
    work: &mut Work,
    name: NameDecision,
) -> Result<Result<(), StoreError>, TransferError> {
    if work.entry.disposition != Disposition::Overwrite || !work.existed {
        return Ok(Ok(()));
    }
    match name.fate {
        NameFate::AsAsked { existing: Some(found) } if name.after.is_none() && !work.removed => {
            work.replaces(Some(found));
            Ok(Ok(()))
        }
        _ => {
            let looked = look_again(transfer, work).await;
            // the entry before it in its chain stored the blob, even where a dry run has kept nothing
            if name.after.is_some() {
                work.existed = true;
                work.disposition = DispositionStatus::Overwritten;
            }
            looked
        }
    }
}
