//! The records of a run that can be gone on with: scratch files to read from, the ledger to outlast the run.
//!
//! In: [`Records`] calls; out: what was recorded, by this run and those before it. What the ledger has of an interrupted session is filled
//! into the scratch files at the start ([`Kept::restore`]); names are there already. Refuses: numbers beyond those the manifest has, and
//! any further intent once the session is [lost](Kept::lose) to another host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::db::{Bits, ClaimRecord, Exception, Pages, Restored, SessionLedger};
use super::{Begun, BlobStatus, Claimed, DispositionStatus, EntryOutcome, Intent, LedgerError, NameDecision, NameFate};
use super::{PartStatus, RangeStatus, Records, Scratch};
use crate::foreign::Foreign;
use crate::manifest::{BlobPath, Catalogue, CatalogueError, Entry, EntryNumber};
use crate::volume::fields::index;

/// Ranges looked at together.
const CHUNK: u64 = 4_096;
/// Ranges of one write that forgets them.
const FORGOTTEN_AT_ONCE: u64 = 16 * CHUNK;
/// Staged blocks vanish about a week after the last one was staged; a day is left for the run.
const LASTS: Duration = Duration::from_hours(6 * 24);

/// See the module.
pub struct Kept {
    scratch: Scratch,
    session: SessionLedger,
    /// Bytes free below which nothing new is begun.
    pause_below: u64,
    begun: Mutex<HashMap<EntryNumber, Begun>>,
    /// Why the session is not this run's any more.
    lost: Mutex<Option<String>>,
    watch: Option<Watch>,
}

/// For tests: told of each call that makes something last, before it and after it.
#[doc(hidden)]
pub type Watch = Arc<dyn Fn() + Send + Sync>;

/// What an earlier run recorded cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The ledger or the scratch files.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

impl Kept {
    /// The records of a session that begins.
    pub fn new(scratch: Scratch, session: SessionLedger, pause_below: u64, watch: Option<Watch>) -> Self {
        Self { scratch, session, pause_below, begun: Mutex::default(), lost: Mutex::default(), watch }
    }

    fn watched<T>(&self, call: impl FnOnce() -> T) -> T {
        let tell = || self.watch.iter().for_each(|watch| watch());
        tell();
        let done = call();
        tell();
        done
    }

    async fn watched_until<T>(&self, call: impl Future<Output = T> + Send) -> T {
        let tell = || self.watch.iter().for_each(|watch| watch());
        tell();
        let done = call.await;
        tell();
        done
    }

    /// Fills in what earlier runs recorded; answers the writes whose results are not known. There are never more of these, or of claims,
    /// than a few runs can have in flight.
    pub async fn restore(&self, catalogue: &Catalogue) -> Result<Vec<(EntryNumber, Intent)>, RestoreError> {
        let mut restored = self.session.restore().await.map_err(LedgerError::from)?;
        each(&mut restored.acknowledged, |bits: Bits| {
            bits.numbers().try_for_each(|range| Ok(self.scratch.set_range(range, RangeStatus::Completed)?))
        })
        .await?;
        // behind them: how the ranges of an entry ended is said by the entry
        self.restore_ended(&mut restored, catalogue).await?;
        each(&mut restored.claims, |claim: ClaimRecord| {
            self.named(catalogue, claim.entry, &claim.path)?;
            let age = Timestamp::now().as_millisecond().saturating_sub(claim.begun);
            let begun =
                Begun { path: claim.path, cleared: claim.cleared, stale: u128::from(age.unsigned_abs()) > LASTS.as_millis() };
            guard(&self.begun).insert(claim.entry, begun);
            Ok(())
        })
        .await?;
        let mut intents = Vec::new();
        each(&mut restored.intents, |(number, intent): (EntryNumber, Intent)| {
            self.named(catalogue, number, &intent.path)?;
            intents.push((number, intent));
            Ok(())
        })
        .await?;
        Ok(intents)
    }

    async fn restore_ended(&self, restored: &mut Restored, catalogue: &Catalogue) -> Result<(), RestoreError> {
        each(&mut restored.completed, |bits: Bits| {
            bits.numbers().try_for_each(|number| {
                let entry = catalogue.entry(number)?;
                self.scratch.set_outcome(&entry, &plain(&entry))?;
                Ok(self.fill(entry.first_range, [(RangeStatus::Completed, entry.range_count)])?)
            })
        })
        .await?;
        each(&mut restored.exceptions, |ended: Exception| {
            let entry = catalogue.entry(ended.entry)?;
            self.scratch.set_outcome(&entry, &ended.outcome)?;
            Ok(self.fill(entry.first_range, ended.ranges)?)
        })
        .await
    }

    /// Nothing that earlier runs acknowledged counts any more. Queued before whatever is written next.
    pub fn forget_acknowledged(&self, ranges: u64) -> Result<(), LedgerError> {
        let mut first = 0;
        while first < ranges {
            let count = FORGOTTEN_AT_ONCE.min(ranges - first);
            self.session.forget(first, count)?;
            first += count;
        }
        Ok(())
    }

    fn fill(&self, first: u64, runs: impl IntoIterator<Item = (RangeStatus, u64)>) -> Result<(), LedgerError> {
        let mut next = first;
        for (status, count) in runs {
            for number in next..next.saturating_add(count) {
                self.scratch.set_range(number, status)?;
            }
            next = next.saturating_add(count);
        }
        Ok(())
    }

    /// An entry keeps the name that it had begun under, whatever has been decided since: what is there under it is its own.
    fn named(&self, catalogue: &Catalogue, number: EntryNumber, path: &BlobPath) -> Result<(), RestoreError> {
        let entry = catalogue.entry(number)?;
        let Some(decision) = self.scratch.name(number)? else { return Ok(()) };
        let asked = entry.blob_path.raw() == format!("{}/{}", path.container(), path.name());
        let fate = match decision.fate {
            NameFate::Renamed { .. } | NameFate::Skip if asked => NameFate::AsAsked { existing: None },
            fate if asked => fate,
            _ => NameFate::Renamed { name: Foreign::from(path.name()) },
        };
        self.scratch.set_name(number, &NameDecision { fate, after: decision.after })?;
        Ok(())
    }

    /// Names that were claimed by entries without an outcome, by earlier runs.
    pub fn claimed(&self) -> Vec<(EntryNumber, BlobPath)> {
        guard(&self.begun).iter().map(|(entry, begun)| (*entry, begun.path.clone())).collect()
    }

    /// Makes the names last: from now on the session can be gone on with.
    pub fn keep_names(&self) -> Result<(), LedgerError> {
        self.scratch.keep_names()
    }

    /// From now on nothing more becomes visible: the session is somebody else's.
    pub fn lose(&self, cause: String) {
        guard(&self.lost).get_or_insert(cause);
    }

    /// Why the session was lost, if it was.
    pub fn lost(&self) -> Option<String> {
        guard(&self.lost).clone()
    }

    /// Waits until all that was recorded is durable.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        Ok(self.session.flush().await?)
    }

    /// How the ranges of an entry ended, as runs.
    fn runs(&self, entry: &Entry) -> Result<Vec<(RangeStatus, u64)>, LedgerError> {
        let mut runs: Vec<(RangeStatus, u64)> = Vec::new();
        let (mut next, end) = (entry.first_range, entry.first_range.saturating_add(entry.range_count));
        while next < end {
            let count = CHUNK.min(end - next);
            for status in self.scratch.ranges(next, index(count))? {
                // what was not tried is cancelled, as in the log
                let status = status.unwrap_or(RangeStatus::Cancelled);
                match runs.last_mut() {
                    Some((last, count)) if *last == status => *count += 1,
                    _ => runs.push((status, 1)),
                }
            }
            next += count;
        }
        Ok(runs)
    }
}

/// The outcome of an entry of which there is nothing to tell: a bit says all of it.
fn plain(entry: &Entry) -> EntryOutcome {
    EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Created).with_parts(entry, PartStatus::Completed)
}

/// Calls `act` for every row of a part.
async fn each<T>(pages: &mut Pages<T>, mut act: impl FnMut(T) -> Result<(), RestoreError>) -> Result<(), RestoreError> {
    loop {
        let page = pages.next().await.map_err(LedgerError::from)?;
        if page.is_empty() {
            return Ok(());
        }
        page.into_iter().try_for_each(&mut act)?;
    }
}

/// The guard, also after a panic elsewhere: each holds one value, old or new.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Records for Kept {
    fn set_name(&self, entry: EntryNumber, name: &NameDecision) -> Result<(), LedgerError> {
        self.scratch.set_name(entry, name)
    }

    fn name(&self, entry: EntryNumber) -> Result<Option<NameDecision>, LedgerError> {
        self.scratch.name(entry)
    }

    fn set_range(&self, range: u64, status: RangeStatus) -> Result<(), LedgerError> {
        self.scratch.set_range(range, status)
    }

    fn ranges(&self, first: u64, count: usize) -> Result<Vec<Option<RangeStatus>>, LedgerError> {
        self.scratch.ranges(first, count)
    }

    fn set_outcome(&self, entry: &Entry, outcome: &EntryOutcome) -> Result<(), LedgerError> {
        self.scratch.set_outcome(entry, outcome)?;
        let is_plain = *outcome == plain(entry);
        let runs = if is_plain { Vec::new() } else { self.runs(entry)? };
        Ok(self.watched(|| self.session.ended(entry.number, outcome, is_plain, &runs))?)
    }

    fn outcome(&self, entry: EntryNumber) -> Result<Option<EntryOutcome>, LedgerError> {
        self.scratch.outcome(entry)
    }

    fn begun(&self, entry: EntryNumber) -> Option<Begun> {
        guard(&self.begun).remove(&entry)
    }

    async fn claim(&self, entry: &Entry, path: &BlobPath) -> Result<Claimed, LedgerError> {
        // who begins anew knows nothing of what was staged before; both are durable together
        self.session.forget(entry.first_range, entry.range_count)?;
        Ok(self.watched_until(self.session.claim(entry.number, path)).await?)
    }

    async fn clearing(&self, entry: EntryNumber) -> Result<(), LedgerError> {
        Ok(self.watched_until(self.session.mark_cleared(entry)).await?)
    }

    async fn intend(&self, entry: EntryNumber, intent: &Intent) -> Result<(), LedgerError> {
        if let Some(cause) = self.lost() {
            return Err(LedgerError::Lost { cause });
        }
        Ok(self.watched_until(self.session.intend(entry, intent)).await?)
    }

    fn short_of_space(&self) -> bool {
        self.session.ledger().low_on_space(self.pause_below)
    }

    fn acknowledge(&self, ranges: &[u64]) -> Result<(), LedgerError> {
        Ok(self.watched(|| self.session.acknowledge(ranges.iter().copied()))?)
    }
}
