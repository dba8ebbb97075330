//! One entry's task: gathers its checked ranges, makes the blob visible, records how it ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::budget::Share;
use super::conflict::Next;
use super::outcome::Gathered;
use super::piece::{Checked, Piece};
use super::resume::Kept;
use super::uploads::Slot;
use super::{Transfer, TransferError, block, page};
use crate::ledger::{BlobStatus, Claimed, DispositionStatus, EntryOutcome, Intent, PartStatus, RangeStatus};
use crate::manifest::{Attributes, BlobKind, BlobPath, Digest, Disposition, Entry, EntryNumber};
use crate::store::{Condition, ErrorClass, StoreError, Target};

/// Most bytes of one entry that are made durable together: what a kill can cost beside the bytes in flight. A small window has less.
const LARGEST_CHECKPOINT: u64 = 8 << 20;

/// After so long without a range coming or ending, what is staged is acknowledged, however little.
const QUIET: Duration = Duration::from_millis(20);

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
    /// Whether its ranges have been counted as progress: each counts once, however often it is read.
    pub(super) counted: bool,
    /// What of its ranges an earlier run has stored.
    pub(super) kept: Kept,
    /// Requests the store refused for their checksum and that succeeded when repeated.
    pub(super) line_refusals: u64,
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
    /// That was the last one; the MD5 of all of them, if it is wanted. A feed that closes without it was broken off.
    End(Option<Digest>),
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
    pub(super) events: UnboundedSender<Event>,
}

/// How the task of an entry ends, when nothing stops the run.
#[allow(clippy::large_enum_variant, reason = "one is moved a few times for each entry: a box would cost more")]
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
    let how = Gathering { counted: false, good: RangeStatus::Cancelled, staged: None };
    let gathered = context.gather(feed, &how, |_| async { Ok(0) }).await?;
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

/// How ranges are gathered.
pub(super) struct Gathering {
    /// Whether they count as progress.
    pub(super) counted: bool,
    /// The status of one of which nothing went wrong.
    pub(super) good: RangeStatus,
    /// Where they are staged: from time to time they are made durable there, and acknowledged.
    pub(super) staged: Option<Arc<Target>>,
}

/// How one range ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its number, counted through the whole manifest.
    pub(super) number: u64,
    /// Its bytes.
    pub(super) length: u64,
    /// How it ended.
    pub(super) status: RangeStatus,
    /// What the store said if it refused it.
    pub(super) refusal: Option<StoreError>,
    /// How often the store refused the bytes for their checksum before it took them.
    pub(super) line_refusals: u64,
    /// Its share of the budget, if the store took it.
    pub(super) share: Option<Share>,
}

impl Context {
    /// Checks each range as it comes and hands it to `each`, as many at a time as the budget and the store allow; records its status, which
    /// is `good` if nothing went wrong.
    pub(super) async fn gather<F, Fut>(
        &self,
        mut feed: UnboundedReceiver<Feed>,
        how: &Gathering,
        each: F,
    ) -> Result<Gathered, TransferError>
    where
        F: Fn(Checked) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<u64, StoreError>> + Send,
    {
        let mut gathered = Gathered::default();
        let mut under_way = JoinSet::new();
        let mut fatal = None;
        let (counted, good) = (how.counted, how.good);
        let checkpoint = LARGEST_CHECKPOINT.min(self.transfer.window / 4);
        loop {
            tokio::select! {
                sent = feed.recv(), if !gathered.whole && fatal.is_none() => match sent {
                    Some(Feed::Piece(piece)) => {
                        let (context, each) = (self.clone(), each.clone());
                        under_way.spawn(async move { context.one(piece, (counted, good), each).await }.in_current_span());
                    }
                    Some(Feed::End(md5)) => (gathered.whole, gathered.whole_md5) = (true, md5),
                    None => break,
                },
                Some(done) = under_way.join_next() => {
                    fatal = fatal.or(gathered.add(done).err());
                    if gathered.unacknowledged_bytes >= checkpoint {
                        fatal = fatal.or(self.acknowledge(how, &mut gathered).await.err());
                    }
                }
                // the reader may be waiting for the shares of what is not acknowledged
                () = tokio::time::sleep(QUIET), if !gathered.whole && !gathered.held.is_empty() && fatal.is_none() => {
                    fatal = self.acknowledge(how, &mut gathered).await.err();
                }
                else => break,
            }
        }
        // what is under way is finished, whatever happened: none of it may reach the store after the entry has ended
        while let Some(done) = under_way.join_next().await {
            fatal = fatal.or(gathered.add(done).err());
        }
        if !gathered.whole || fatal.is_some() {
            // for the run that goes on; if this fails, it only reads more
            let _ = self.acknowledge(how, &mut gathered).await;
        }
        fatal.map_or(Ok(gathered), Err)
    }

    /// Makes durable what was staged so far, and keeps that it is.
    async fn acknowledge(&self, how: &Gathering, gathered: &mut Gathered) -> Result<(), TransferError> {
        gathered.unacknowledged_bytes = 0;
        let ranges = std::mem::take(&mut gathered.unacknowledged);
        if let Some(target) = &how.staged {
            self.transfer.store.sync(target).await.map_err(TransferError::Store)?;
            self.transfer.records.acknowledge(&ranges)?;
        }
        gathered.held.clear();
        Ok(())
    }

    /// One range: checked, handed on, recorded.
    async fn one<F, Fut>(&self, piece: Piece, (counted, good): (bool, RangeStatus), each: F) -> Result<Ended, TransferError>
    where
        F: FnOnce(Checked) -> Fut,
        Fut: Future<Output = Result<u64, StoreError>>,
    {
        let (number, length) = (piece.number, piece.range.bytes.length());
        let mut ended = Ended { number, length, status: good, refusal: None, line_refusals: 0, share: None };
        match piece.check(&self.transfer, counted).await {
            Err(status) => ended.status = status,
            Ok((checked, share)) => match each(checked).await {
                Ok(refusals) => (ended.line_refusals, ended.share) = (refusals, Some(share)),
                Err(error) if error.class() == ErrorClass::Entry => {
                    (ended.status, ended.refusal) = (RangeStatus::BlobRequestFailed, Some(error));
                }
                Err(error) => return Err(TransferError::Store(error)),
            },
        }
        self.transfer.records.set_range(number, ended.status)?;
        Ok(ended)
    }

    /// A slot among the requests under way.
    pub(super) async fn slot(&self) -> Result<Slot, TransferError> {
        let slot = self.transfer.host.uploads.slot(self.transfer.store.busy()).await;
        slot.ok_or_else(|| TransferError::Internal("the upload limit is gone".into()))
    }

    /// Claims the entry's name before anything is staged under it. One that another session is working on is nobody's to take: an entry
    /// that may be renamed goes on under another, the others share it, which is harmless as blocks are known by their content.
    pub(super) async fn claim(&self, work: &Work) -> Result<bool, TransferError> {
        match self.transfer.records.claim(&work.entry, &work.path).await? {
            Claimed::Ours => Ok(true),
            Claimed::Other { session, .. } => {
                tracing::info!(blob = %work.entry.blob_path, session, "another session works on this name");
                Ok(work.entry.disposition != Disposition::Rename)
            }
        }
    }

    /// Keeps what is about to be sent and what it would make of the entry.
    pub(super) async fn intend(&self, work: &Work, gathered: &Gathered) -> Result<(), TransferError> {
        let intent = Intent {
            path: work.path.clone(),
            condition: work.condition.clone(),
            attributes: Attributes::clone(&work.attributes),
            outcome: work.stored(gathered),
        };
        Ok(self.transfer.records.intend(work.entry.number, &intent).await?)
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
        if matches!(outcome.disposition, DispositionStatus::Cancelled | DispositionStatus::Skipped) {
            // an earlier run may have staged some of it
            self.mark_uncommitted(entry)?;
        }
        self.transfer.records.set_outcome(entry, outcome)?;
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
