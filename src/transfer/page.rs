//! Page blobs: created with their mark, written in place, unmarked when all ranges are there.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::TransferError;
use super::conflict;
use super::entry::{Context, End, Feed, Gathering, Work};
use super::outcome::Gathered;
use super::piece::Checked;
use super::resume::Kept;
use crate::ledger::RangeStatus;
use crate::store::{ErrorClass, PageEnd, StoreError};

/// Stores one page blob. Ranges that fail leave it with its mark; those that matched are written and stay.
pub(super) async fn store(context: &Context, mut work: Work, feed: UnboundedReceiver<Feed>) -> Result<End, TransferError> {
    // one that an earlier run began is there, and its acknowledged ranges with it
    if !matches!(work.kept, Kept::Acknowledged) {
        if !context.claim(&work).await? {
            return Ok(conflict::elsewhere(context, work).await?.into());
        }
        if let Err(error) = create(context, &mut work).await? {
            return Ok(conflict::after(context, work, error).await?.into());
        }
    }
    let target = Arc::new(work.target(&context.transfer.session));
    let (inner, to) = (context.clone(), Arc::clone(&target));
    let how = Gathering { counted: !work.counted, good: RangeStatus::Completed, staged: Some(Arc::clone(&target)) };
    let gathered = context.gather(feed, &how, move |checked: Checked| {
        let (context, target) = (inner.clone(), Arc::clone(&to));
        async move {
            let _slot = context.slot().await.map_err(|_| StoreError::WriteRefused)?;
            context.transfer.store.write_pages(&target, &checked.range, checked.body.clone()).await
        }
    });
    let gathered = gathered.await?;
    // what was written stays for the run that goes on
    if gathered.whole { finish(context, work, gathered).await } else { Ok(End::BrokenOff) }
}

async fn create(context: &Context, work: &mut Work) -> Result<Result<(), StoreError>, TransferError> {
    if let Err(error) = conflict::clear_way(&context.transfer, work).await? {
        return Ok(Err(error));
    }
    let _slot = context.slot().await?;
    let target = work.target(&context.transfer.session);
    let store = &context.transfer.store;
    let created = store.create_pages(&target, work.entry.length, &work.attributes, &work.condition).await;
    work.present |= created.is_ok() && !store.hides_incomplete_pages();
    Ok(created)
}

async fn finish(context: &Context, mut work: Work, mut gathered: Gathered) -> Result<End, TransferError> {
    work.counted = true;
    if let Some(error) = gathered.conflict() {
        return lost(context, work, error).await;
    }
    let end = if gathered.failed.is_none() { PageEnd::Complete } else { PageEnd::Incomplete };
    let target = work.target(&context.transfer.session);
    context.intend(&work, &gathered).await?;
    let _slot = context.slot().await?;
    match context.transfer.store.finish_pages(&target, &work.attributes, &work.condition, end).await {
        Ok(stored) => {
            work.line_refusals += stored.line_refusals;
            Ok(End::Outcome(work.stored(&gathered)))
        }
        Err(error) => lost(context, work, error).await,
    }
}

/// The blob is no longer this entry's: what was written to it is no part of a blob that counts.
async fn lost(context: &Context, work: Work, error: StoreError) -> Result<End, TransferError> {
    if error.class() == ErrorClass::Entry {
        context.mark_uncommitted(&work.entry)?;
    }
    Ok(conflict::after(context, work, error).await?.into())
}
