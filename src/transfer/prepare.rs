//! From an entry and its name to work, or to an end without any.

use std::sync::Arc;

use super::attributes::{Carried, SideFiles};
use super::conflict::look_again;
use super::entry::{Pass, Work, failed, skipped};
use super::{Transfer, TransferError, open};
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, NameDecision, NameFate};
use crate::manifest::{BlobKind, BlobPath, Disposition, Entry};
use crate::store::Condition;
use crate::volume::ntfs::NtfsFile;

/// What is to be done with an entry.
pub(super) enum Prepared {
    /// Nothing: it has ended.
    Ended(EntryOutcome),
    /// Send its ranges.
    Work(Box<Work>, NtfsFile),
}

/// Opens the entry's file, gets what its blob carries, and sets the condition under which it may appear.
pub(super) async fn prepare(
    transfer: &Transfer,
    sides: &mut SideFiles,
    entry: Entry,
    name: NameDecision,
) -> Result<Prepared, TransferError> {
    let existed = existed(transfer, &name)?;
    let path = match path_of(&entry, &name.fate, existed) {
        Ok(path) => path,
        Err(outcome) => return Ok(Prepared::Ended(outcome)),
    };
    let file = match open::open(&transfer.files, &entry.file_path) {
        Ok(file) => file,
        Err(failure) => {
            let why = if transfer.volume_dirty { format!("{}; {DIRTY}", failure.why) } else { failure.why };
            return Ok(Prepared::Ended(failed(&entry, failure.status, why, existed)));
        }
    };
    let carried = sides.of(&entry)?;
    let mut work = new_work(entry, path, existed, carried);
    remark_on_length(&mut work, file.len());
    remark_on_md5(transfer, &mut work)?;
    if transfer.volume_dirty && work.flawed {
        work.remarks.push(DIRTY.to_owned());
    }
    settle_condition(transfer, &mut work, name).await?;
    Ok(Prepared::Work(Box::new(work), file))
}

/// Said beside each missing or corrupt file of such a volume.
pub(super) const DIRTY: &str = "the volume was not cleanly dismounted: eject the drive properly and ship it again";

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
        NameFate::Skip => Err(skipped(entry)),
        NameFate::AsAsked { .. } if existed && entry.disposition == Disposition::NoOverwrite => Err(skipped(entry)),
        NameFate::AsAsked { .. } => asked().map_err(|error| illegal(error.to_string())),
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
        other_kind: false,
        pass: Pass::Store,
        checked: false,
        tries: 0,
        attributes: Arc::new(carried.attributes),
        metadata: carried.metadata,
        properties: carried.properties,
        remarks: Vec::new(),
        flawed: false,
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
        work.remarks.push("the Content-MD5 of its properties file is not the content's".to_owned());
    }
    Ok(())
}

/// An overwriting entry must name the blob it replaces; the survey knows it, unless an entry before it in the chain wrote it.
async fn settle_condition(transfer: &Transfer, work: &mut Work, name: NameDecision) -> Result<(), TransferError> {
    if work.entry.disposition != Disposition::Overwrite || !work.existed {
        return Ok(());
    }
    match name.fate {
        NameFate::AsAsked { existing: Some(found) } if name.after.is_none() => {
            work.replaces(Some(found));
            Ok(())
        }
        _ => look_again(transfer, work).await,
    }
}
