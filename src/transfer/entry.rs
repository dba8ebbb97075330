//! One entry's task: gathers its checked ranges, makes the blob visible, records how it ended.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::conflict::Next;
use super::outcome::Gathered;
use super::piece::{Checked, Piece};
use super::tally::Counters;
use super::{Transfer, TransferError, block, page};
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, PartStatus, RangeStatus};
use crate::manifest::{Attributes, BlobKind, BlobPath, Entry, EntryNumber};
use crate::store::{Condition, ErrorClass, StoreError};

/// An entry about to be stored, with all that was decided of it.
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each decided at another place")]
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// The entry.
    pub(super) entry: Entry,
    /// The name it is stored under.
    pub(super) path: BlobPath,
    /// What the log says of the name if it is stored.
    pub(super) disposition: DispositionStatus,
    /// What must hold when the blob becomes visible.
    pub(super) condition: Condition,
    /// Whether a blob of that name existed before, so that storing this one overwrites it.
    pub(super) existed: bool,
    /// Whether a blob of that name is there now, as far as is known: what is left if the entry fails.
    pub(super) present: bool,
    /// Whether this entry has removed the blob that existed before.
    pub(super) removed: bool,
    /// Whether that blob is of another type, so that it must go first.
    pub(super) other_kind: bool,
    /// What this time through the ranges is for.
    pub(super) pass: Pass,
    /// Whether all its ranges have been seen to be good once.
    pub(super) checked: bool,
    /// Whether it goes by block and list although one request would do.
    pub(super) by_list: bool,
    /// Whether its ranges have been counted as verified: each counts once, however often it is read.
    pub(super) counted: bool,
    /// How often it was begun anew because the name was not what it seemed.
    pub(super) tries: u32,
    /// What the blob carries.
    pub(super) attributes: Arc<Attributes>,
    /// How reading its metadata ended.
    pub(super) metadata: Option<PartStatus>,
    /// How reading its properties ended.
    pub(super) properties: Option<PartStatus>,
    /// Remarks for the receipt that do not stop the entry.
    pub(super) remarks: Vec<String>,
    /// Whether a remark makes it `CompletedWithErrors` although its content is stored.
    pub(super) flawed: bool,
    /// Whether the volume was not cleanly dismounted.
    pub(super) dirty: bool,
}

/// What a time through the ranges is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Only check them: the write that follows cannot be undone, so all must be known to be good.
    Check,
    /// Check and store them.
    Store,
}

/// What the reader sends to an entry's task.
#[derive(Debug)]
pub(super) enum Feed {
    /// The next range.
    Piece(Piece),
    /// That was the last one. A feed that closes without it was broken off.
    End,
}

/// What a task tells the reader.
#[derive(Debug)]
pub(super) enum Event {
    /// The entry has an outcome, or was broken off.
    Ended(EntryNumber),
    /// Send its ranges once more.
    Again(Box<Work>),
    /// The run cannot go on. The entry has no outcome.
    Fatal(EntryNumber, TransferError),
}

/// What all tasks of a transfer share.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) transfer: Arc<Transfer>,
    pub(super) counters: Arc<Counters>,
    pub(super) events: UnboundedSender<Event>,
}

/// How the task of an entry ends, when nothing stops the run.
pub(super) enum End {
    /// With an outcome.
    Outcome(EntryOutcome),
    /// Its ranges are needed once more.
    Again(Work),
    /// The reader broke off.
    BrokenOff,
}

/// Tells the reader how a task ended, also if it panics or is dropped: the reader waits for each of its tasks.
struct Told {
    events: UnboundedSender<Event>,
    number: EntryNumber,
    event: Option<Event>,
}

impl Drop for Told {
    fn drop(&mut self) {
        let broken = || Event::Fatal(self.number, TransferError::Internal("the task of an entry broke off".to_owned()));
        let event = self.event.take().unwrap_or_else(broken);
        // the reader outlives its tasks; if it has gone, the run is over and nobody needs to know
        let _ = self.events.send(event);
    }
}

/// Runs one entry to its end and tells the reader: every end is an event.
pub(super) async fn run(context: Context, work: Work, feed: UnboundedReceiver<Feed>) {
    let number = work.entry.number;
    let mut told = Told { events: context.events.clone(), number, event: None };
    let entry = work.entry.clone();
    let end = match (work.pass, work.entry.kind) {
        (Pass::Check, _) => check(&context, work, feed).await,
        (Pass::Store, BlobKind::Block) => block::store(&context, work, feed).await,
        (Pass::Store, BlobKind::Page) => page::store(&context, work, feed).await,
    };
    told.event = Some(match end {
        Ok(End::Outcome(outcome)) => {
            context.record(&entry, &outcome).map_or_else(|e| Event::Fatal(number, e), |()| Event::Ended(number))
        }
        Ok(End::Again(work)) => Event::Again(Box::new(work)),
        Ok(End::BrokenOff) => Event::Ended(number),
        Err(error) => Event::Fatal(number, error),
    });
}

/// First of two times through the ranges: all are good, or nothing is touched. A good one is recorded as cancelled, since nothing of it
/// has been sent; the second time says how it ended.
async fn check(context: &Context, mut work: Work, feed: UnboundedReceiver<Feed>) -> Result<End, TransferError> {
    let gathered = context.gather(feed, (false, RangeStatus::Cancelled), |_| async { Ok(0) }).await?;
    if !gathered.whole {
        return Ok(End::BrokenOff);
    }
    if gathered.failed.is_some() {
        return Ok(End::Outcome(work.not_committed(&gathered)));
    }
    work.pass = Pass::Store;
    work.checked = true;
    Ok(End::Again(work))
}

impl Context {
    /// Checks each range as it comes and hands it to `each`, as many at a time as the budget and the store allow; records its status, which
    /// is `good` if nothing went wrong.
    pub(super) async fn gather<F, Fut>(
        &self,
        mut feed: UnboundedReceiver<Feed>,
        (counted, good): (bool, RangeStatus),
        each: F,
    ) -> Result<Gathered, TransferError>
    where
        F: Fn(Checked) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<u64, StoreError>> + Send,
    {
        let mut gathered = Gathered::default();
        let mut under_way = JoinSet::new();
        let mut fatal = None;
        loop {
            tokio::select! {
                sent = feed.recv(), if !gathered.whole && fatal.is_none() => match sent {
                    Some(Feed::Piece(piece)) => {
                        let (context, each) = (self.clone(), each.clone());
                        under_way.spawn(async move { context.one(piece, (counted, good), each).await }.in_current_span());
                    }
                    Some(Feed::End) => gathered.whole = true,
                    None => break,
                },
                Some(done) = under_way.join_next() => fatal = fatal.or(gathered.add(done).err()),
                else => break,
            }
        }
        // what is under way is finished, whatever happened: none of it may reach the store after the entry has ended
        while let Some(done) = under_way.join_next().await {
            fatal = fatal.or(gathered.add(done).err());
        }
        fatal.map_or(Ok(gathered), Err)
    }

    /// One range: checked, handed on, recorded.
    pub(super) async fn one<F, Fut>(
        &self,
        piece: Piece,
        (counted, good): (bool, RangeStatus),
        each: F,
    ) -> Result<(RangeStatus, Option<StoreError>), TransferError>
    where
        F: FnOnce(Checked) -> Fut,
        Fut: Future<Output = Result<u64, StoreError>>,
    {
        let number = piece.number;
        let ended = match piece.check(&self.transfer, counted).await {
            Err(status) => (status, None),
            Ok(checked) => {
                let length = checked.range.bytes.length();
                if counted {
                    self.counters.matched(length);
                }
                self.outcome_of(each(checked).await)?
            }
        };
        let status = if ended.0 == RangeStatus::Completed { good } else { ended.0 };
        self.transfer.records.set_range(number, status)?;
        Ok(ended)
    }

    /// A slot among the requests under way.
    pub(super) async fn slot(&self) -> Result<tokio::sync::OwnedSemaphorePermit, TransferError> {
        let uploads = Arc::clone(&self.transfer.host.uploads);
        uploads.acquire_owned().await.map_err(|_| TransferError::Internal("the upload limit is gone".into()))
    }

    fn outcome_of(&self, answer: Result<u64, StoreError>) -> Result<(RangeStatus, Option<StoreError>), TransferError> {
        match answer {
            Ok(refusals) => {
                self.counters.refused(refusals);
                Ok((RangeStatus::Completed, None))
            }
            Err(error) if error.class() == ErrorClass::Entry => Ok((RangeStatus::BlobRequestFailed, Some(error))),
            Err(error) => Err(TransferError::Store(error)),
        }
    }

    /// What was verified and staged stays invisible: says so of each such range.
    pub(super) fn mark_uncommitted(&self, entry: &Entry) -> Result<(), TransferError> {
        const STEP: u64 = 4096;
        let end = entry.first_range + entry.range_count;
        let mut first = entry.first_range;
        while first < end {
            let count = STEP.min(end - first);
            let statuses = self.transfer.records.ranges(first, crate::volume::fields::index(count))?;
            for (number, status) in (first..).zip(statuses) {
                if status == Some(RangeStatus::Completed) {
                    self.transfer.records.set_range(number, RangeStatus::Uncommitted)?;
                }
            }
            first += count;
        }
        Ok(())
    }

    /// Keeps an outcome and tells of it.
    pub(super) fn record(&self, entry: &Entry, outcome: &EntryOutcome) -> Result<(), TransferError> {
        self.transfer.records.set_outcome(entry.number, outcome)?;
        let completed = outcome.status == BlobStatus::Completed;
        if !completed {
            let (code, detail) = (outcome.status.as_str(), outcome.detail.as_deref());
            tracing::warn!(blob = %entry.blob_path, file = %entry.file_path, code, detail, "entry failed");
        }
        self.transfer.meter.entry_ended(completed);
        Ok(())
    }
}

impl From<Next> for End {
    fn from(next: Next) -> Self {
        match next {
            Next::Again(work) => Self::Again(work),
            Next::Ended(outcome) => Self::Outcome(outcome),
        }
    }
}
