//! Block blobs: one range in one request; several as staged blocks and one commit.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use super::conflict;
use super::entry::{Context, End, Feed, Gathering, Work};
use super::outcome::Gathered;
use super::piece::{Checked, Piece};
use super::resume::Kept;
use super::{TransferError, whole};
use crate::ledger::{DispositionStatus, RangeStatus};
use crate::manifest::{Digest, Range};
use crate::store::{ErrorClass, StoreError, Stored};

/// Stores one block blob.
pub(super) async fn store(context: &Context, mut work: Work, mut feed: UnboundedReceiver<Feed>) -> Result<End, TransferError> {
    if let Err(error) = conflict::clear_way(&context.transfer, &mut work).await? {
        return Ok(conflict::after(context, work, error).await?.into());
    }
    if !in_one_request(&work) {
        return staged(context, work, feed).await;
    }
    match feed.recv().await {
        Some(Feed::Piece(piece)) => single(context, work, piece).await,
        Some(Feed::End(md5)) => {
            work.has_whole_md5(md5);
            empty(context, work).await
        }
        None => Ok(End::BrokenOff),
    }
}

/// One request stores the blob and sets its MD5 property to the range's; properties with another MD5 need a block and a list.
fn in_one_request(work: &Work) -> bool {
    work.entry.range_count <= 1 && !work.by_list && work.attributes.content_md5.is_none()
}

async fn empty(context: &Context, work: Work) -> Result<End, TransferError> {
    let answer = put(context, &work, Bytes::new(), &Digest::of(&[])).await?;
    ended(context, work, answer, Gathered { whole: true, ..Gathered::default() }).await
}

async fn single(context: &Context, mut work: Work, piece: Piece) -> Result<End, TransferError> {
    let number = piece.number;
    let mut gathered = Gathered { whole: true, ..Gathered::default() };
    let (checked, _held_until_the_store_has_answered) = match piece.check(&context.transfer, !work.counted).await {
        Ok(checked) => checked,
        Err(status) => {
            context.transfer.records.set_range(number, status)?;
            gathered.count(status, None);
            return Ok(End::Outcome(work.not_committed(&gathered)));
        }
    };
    work.counted = true;
    if whole::wanted(&context.transfer, work.entry.kind) {
        work.has_whole_md5(Some(checked.range.digest));
    }
    let answer = put(context, &work, checked.body.clone(), &checked.range.digest).await?;
    let end = ended(context, work, answer, gathered).await?;
    // there was but one request: of a blob that did not come to be nothing is staged
    let status = match &end {
        End::Outcome(outcome) => match outcome.disposition {
            DispositionStatus::Cancelled => RangeStatus::BlobRequestFailed,
            DispositionStatus::Skipped => RangeStatus::Cancelled,
            _ => RangeStatus::Completed,
        },
        End::Again(_) | End::BrokenOff => RangeStatus::Cancelled,
    };
    context.transfer.records.set_range(number, status)?;
    Ok(end)
}

async fn put(context: &Context, work: &Work, body: Bytes, digest: &Digest) -> Result<Result<Stored, StoreError>, TransferError> {
    context.intend(work, &Gathered { whole: true, ..Gathered::default() }).await?;
    let _slot = context.slot().await?;
    let target = work.target(&context.transfer.session);
    Ok(context.transfer.store.put(&target, body, digest, &work.attributes, &work.condition).await)
}

async fn staged(context: &Context, mut work: Work, feed: UnboundedReceiver<Feed>) -> Result<End, TransferError> {
    // what an earlier run staged stays claimed by it; who begins anew claims anew
    if matches!(work.kept, Kept::Nothing) && !context.claim(&work).await? {
        return Ok(conflict::elsewhere(context, work).await?.into());
    }
    let target = Arc::new(work.target(&context.transfer.session));
    let (inner, to) = (context.clone(), Arc::clone(&target));
    let how = Gathering { counted: !work.counted, good: RangeStatus::Completed, staged: Some(Arc::clone(&target)) };
    let gathered = context.gather(feed, &how, move |checked: Checked| {
        let (context, target) = (inner.clone(), Arc::clone(&to));
        async move {
            let _slot = context.slot().await.map_err(|_| StoreError::WriteRefused)?;
            context.transfer.store.stage(&target, &checked.range, checked.body.clone()).await
        }
    });
    let mut gathered = gathered.await?;
    if !gathered.whole {
        // what was staged stays for the run that goes on
        return Ok(End::BrokenOff);
    }
    work.counted = true;
    if let Some(error) = gathered.conflict() {
        return ended(context, work, Err(error), gathered).await;
    }
    if gathered.failed.is_some() {
        conflict::discard(context, &work).await?;
        context.mark_uncommitted(&work.entry)?;
        return Ok(End::Outcome(work.not_committed(&gathered)));
    }
    let blocks = context.transfer.catalogue.ranges(work.entry.first_range, work.entry.range_count);
    let blocks = blocks.collect::<Result<Vec<Range>, _>>()?;
    work.has_whole_md5(gathered.whole_md5);
    context.intend(&work, &gathered).await?;
    let _slot = context.slot().await?;
    let answer = context.transfer.store.commit(&target, &blocks, &work.attributes, &work.condition).await;
    ended(context, work, answer, gathered).await
}

async fn ended(
    context: &Context,
    mut work: Work,
    answer: Result<Stored, StoreError>,
    gathered: Gathered,
) -> Result<End, TransferError> {
    match answer {
        Ok(stored) => {
            work.line_refusals += stored.line_refusals;
            Ok(End::Outcome(work.stored(&gathered)))
        }
        Err(error) => {
            if error.class() == ErrorClass::Entry {
                context.mark_uncommitted(&work.entry)?;
            }
            Ok(conflict::after(context, work, error).await?.into())
        }
    }
}
