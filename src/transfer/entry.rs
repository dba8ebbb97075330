//! One entry's task: gathers its checked ranges, makes the blob visible, records how it ended.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::conflict::Next;
use super::piece::{Checked, Piece};
use super::tally::Counters;
use super::{Transfer, TransferError, block, page};
use crate::foreign::Foreign;
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, PartStatus, RangeStatus};
use crate::manifest::{Attributes, BlobKind, BlobPath, Entry, EntryNumber};
use crate::store::{Condition, ErrorClass, StoreError, Target};

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
    /// Whether a blob of that name existed before.
    pub(super) existed: bool,
    /// Whether that blob is of another type, so that it must go first.
    pub(super) other_kind: bool,
    /// What this time through the ranges is for.
    pub(super) pass: Pass,
    /// Whether all its ranges have been seen to be good once.
    pub(super) checked: bool,
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

/// What came of an entry's ranges.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The first that failed, with how many did.
    pub(super) failed: Option<(RangeStatus, u64)>,
    /// What the store said of the first range that it refused.
    pub(super) refusal: Option<String>,
    /// Whether all were sent.
    pub(super) whole: bool,
}

/// Runs one entry to its end and tells the reader. Never panics the run: every end is an event.
pub(super) async fn run(context: Context, work: Work, feed: UnboundedReceiver<Feed>) {
    let number = work.entry.number;
    let end = match (work.pass, work.entry.kind) {
        (Pass::Check, _) => check(&context, work, feed).await,
        (Pass::Store, BlobKind::Block) => block::store(&context, work, feed).await,
        (Pass::Store, BlobKind::Page) => page::store(&context, work, feed).await,
    };
    let event = match end {
        Ok(End::Outcome(outcome)) => {
            context.record(number, &outcome).map_or_else(|e| Event::Fatal(number, e), |()| Event::Ended(number))
        }
        Ok(End::Again(work)) => Event::Again(Box::new(work)),
        Ok(End::BrokenOff) => Event::Ended(number),
        Err(error) => Event::Fatal(number, error),
    };
    // the reader outlives its tasks; if it has gone, the run is over and nobody needs to know
    let _ = context.events.send(event);
}

/// First of two times through the ranges: all are good, or nothing is touched.
async fn check(context: &Context, mut work: Work, feed: UnboundedReceiver<Feed>) -> Result<End, TransferError> {
    let gathered = context.gather(feed, false, |_| async { Ok(0) }).await?;
    if !gathered.whole {
        return Ok(End::BrokenOff);
    }
    if gathered.failed.is_some() {
        context.mark_uncommitted(&work.entry)?;
        return Ok(End::Outcome(work.not_committed(&gathered)));
    }
    work.pass = Pass::Store;
    work.checked = true;
    Ok(End::Again(work))
}

impl Context {
    /// Checks each range as it comes and hands it to `each`, as many at a time as the budget and the store allow; records its status.
    pub(super) async fn gather<F, Fut>(
        &self,
        mut feed: UnboundedReceiver<Feed>,
        counted: bool,
        each: F,
    ) -> Result<Gathered, TransferError>
    where
        F: Fn(Checked) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<u64, StoreError>> + Send,
    {
        let mut gathered = Gathered::default();
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                sent = feed.recv(), if !gathered.whole => match sent {
                    Some(Feed::Piece(piece)) => {
                        let (context, each) = (self.clone(), each.clone());
                        under_way.spawn(async move { context.one(piece, counted, each).await });
                    }
                    Some(Feed::End) => gathered.whole = true,
                    None => break,
                },
                Some(done) = under_way.join_next() => gathered.add(done)?,
                else => break,
            }
        }
        while let Some(done) = under_way.join_next().await {
            gathered.add(done)?;
        }
        Ok(gathered)
    }

    /// One range: checked, handed on, recorded.
    pub(super) async fn one<F, Fut>(
        &self,
        piece: Piece,
        counted: bool,
        each: F,
    ) -> Result<(RangeStatus, Option<String>), TransferError>
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
        self.transfer.records.set_range(number, ended.0)?;
        Ok(ended)
    }

    /// A slot among the requests under way.
    pub(super) async fn slot(&self) -> Result<tokio::sync::OwnedSemaphorePermit, TransferError> {
        let uploads = Arc::clone(&self.transfer.host.uploads);
        uploads.acquire_owned().await.map_err(|_| TransferError::Internal("the upload limit is gone".into()))
    }

    fn outcome_of(&self, answer: Result<u64, StoreError>) -> Result<(RangeStatus, Option<String>), TransferError> {
        match answer {
            Ok(refusals) => {
                self.counters.refused(refusals);
                Ok((RangeStatus::Completed, None))
            }
            Err(error) if error.class() == ErrorClass::Entry => Ok((RangeStatus::BlobRequestFailed, Some(error.to_string()))),
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
    pub(super) fn record(&self, number: EntryNumber, outcome: &EntryOutcome) -> Result<(), TransferError> {
        self.transfer.records.set_outcome(number, outcome)?;
        let completed = outcome.status == BlobStatus::Completed;
        if !completed {
            tracing::warn!(entry = number, code = outcome.status.as_str(), detail = outcome.detail.as_deref(), "entry failed");
        }
        self.transfer.meter.entry_ended(completed);
        Ok(())
    }
}

impl Gathered {
    fn add(
        &mut self,
        done: Result<Result<(RangeStatus, Option<String>), TransferError>, tokio::task::JoinError>,
    ) -> Result<(), TransferError> {
        let (status, refusal) = done.map_err(|e| TransferError::Internal(e.to_string()))??;
        self.count(status, refusal);
        Ok(())
    }

    /// Counts how one range ended.
    pub(super) fn count(&mut self, status: RangeStatus, refusal: Option<String>) {
        if status != RangeStatus::Completed {
            let failed = self.failed.get_or_insert((status, 0));
            failed.1 += 1;
        }
        if self.refusal.is_none() {
            self.refusal = refusal;
        }
    }

    /// One sentence on what went wrong.
    fn sentence(&self) -> Option<String> {
        let (status, count) = self.failed?;
        let refusal = self.refusal.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
        Some(match status {
            RangeStatus::Corrupted => format!("{count} range(s) differ from the manifest's hash"),
            RangeStatus::FileUnexpectedEnd => format!("the file ends before {count} of its ranges do"),
            RangeStatus::IOFailed => format!("the disk could not give {count} range(s)"),
            other => format!("{count} range(s) ended as {}{refusal}", other.as_str()),
        })
    }
}

impl Work {
    /// What the store is told of whose work this is.
    pub(super) fn target(&self, session: &str) -> Target {
        Target { path: self.path.clone(), session: session.to_owned(), entry: self.entry.number }
    }

    /// The outcome of an entry whose blob is there. `gathered` has failures only for page blobs, which show what was written.
    pub(super) fn stored(&self, gathered: &Gathered) -> EntryOutcome {
        let good = |part: Option<PartStatus>| part.is_none_or(|status| status == PartStatus::Completed);
        let clean = gathered.failed.is_none() && !self.flawed && good(self.metadata) && good(self.properties);
        EntryOutcome {
            status: if clean { BlobStatus::Completed } else { BlobStatus::CompletedWithErrors },
            disposition: self.disposition,
            stored_as: self.stored_as(),
            metadata: self.metadata,
            properties: self.properties,
            detail: self.detail(gathered.sentence()),
            exists_after: true,
        }
    }

    /// The outcome of a block blob that was not committed: good ranges are staged, nothing is visible.
    pub(super) fn not_committed(&self, gathered: &Gathered) -> EntryOutcome {
        let cancelled = |part: Option<PartStatus>| part.map(|_| PartStatus::Cancelled);
        EntryOutcome {
            status: BlobStatus::CompletedWithErrors,
            disposition: DispositionStatus::Cancelled,
            stored_as: None,
            metadata: cancelled(self.metadata),
            properties: cancelled(self.properties),
            detail: self.detail(gathered.sentence()),
            exists_after: self.existed,
        }
    }

    /// The outcome of an entry that failed as a whole.
    pub(super) fn failed(&self, status: BlobStatus, why: String) -> EntryOutcome {
        failed(&self.entry, status, why, self.existed)
    }

    /// The outcome of an entry that was not to be stored if a blob of that name exists, and one does.
    pub(super) fn skipped(&self) -> EntryOutcome {
        skipped(&self.entry)
    }

    fn stored_as(&self) -> Option<Foreign> {
        let now = format!("{}/{}", self.path.container(), self.path.name());
        (now != self.entry.blob_path.raw()).then(|| Foreign::from(now))
    }

    fn detail(&self, sentence: Option<String>) -> Option<String> {
        let all: Vec<String> = sentence.into_iter().chain(self.remarks.iter().cloned()).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// The outcome of an entry of which nothing was stored.
pub(super) fn failed(entry: &Entry, status: BlobStatus, why: String, existed: bool) -> EntryOutcome {
    EntryOutcome {
        status,
        disposition: DispositionStatus::Cancelled,
        stored_as: None,
        metadata: entry.metadata().map(|_| PartStatus::Cancelled),
        properties: entry.properties().map(|_| PartStatus::Cancelled),
        detail: Some(why),
        exists_after: existed,
    }
}

/// The outcome of an entry that gives way to an existing blob, as asked.
pub(super) fn skipped(entry: &Entry) -> EntryOutcome {
    EntryOutcome {
        status: BlobStatus::Completed,
        disposition: DispositionStatus::Skipped,
        stored_as: None,
        metadata: entry.metadata().map(|_| PartStatus::Cancelled),
        properties: entry.properties().map(|_| PartStatus::Cancelled),
        detail: None,
        exists_after: true,
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
