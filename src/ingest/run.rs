//! The line of one drive: each step consumes what the one before it proved.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tracing::Instrument as _;

use super::broken::{Broken, blocking};
use super::finish::{Closing, Facts};
use super::identity::Claim;
use super::stage::{Event, Stage};
use super::unlock::{Opened, locate};
use super::{Access, Admitted, Ending, Halt, Services};
use crate::ledger::db::SessionLedger;
use crate::ledger::state::{Output, Purpose, Session, SessionLock};
use crate::manifest::BlobPath;
use crate::report::{DriveCode, Leaves, LogNames, Progress, Receipt, Stamp};
use crate::store::Store;
use crate::transfer::Stop;

/// Ingests one admitted drive, from its first sector to its receipt.
pub async fn ingest(drive: Admitted, services: Services, progress: Progress) -> Ending {
    let span = tracing::info_span!("drive", drive = %drive.id, job = services.job.name.as_str());
    line(drive, None, services, progress).instrument(span).await
}

/// The same for a drive that is open already: key stretching costs a fraction of a CPU-second, and once is enough.
#[doc(hidden)]
pub async fn ingest_opened(drive: Admitted, opened: Opened, services: Services, progress: Progress) -> Ending {
    let span = tracing::info_span!("drive", drive = %drive.id, job = services.job.name.as_str());
    line(drive, Some(opened), services, progress).instrument(span).await
}

async fn line(drive: Admitted, opened: Option<Opened>, services: Services, progress: Progress) -> Ending {
    let ending = match Line::begin(&drive, opened, &services).await {
        Ok(Begun::Done(receipt, kept)) => Ok(Ending::Finished { receipt, already: true, kept: Some(kept) }),
        Ok(Begun::Line(line)) => line.run(&progress).await,
        Err(broken) => Err(broken),
    };
    progress.finish();
    match ending {
        Ok(ending) => ending,
        Err(Broken::Halted(halt)) => {
            tracing::warn!(code = halt.code.as_str(), detail = %halt.in_short(), "drive not taken");
            Ending::Halted(halt)
        }
        Err(Broken::Interrupted(_, cause)) => {
            tracing::warn!(%cause, "drive interrupted");
            Ending::Interrupted { cause }
        }
        Err(Broken::Internal(cause)) => {
            tracing::error!(code = DriveCode::InternalError.as_str(), %cause, "drive broken off");
            Ending::Internal { cause }
        }
    }
}

/// One drive's line: what all its steps share.
pub(super) struct Line<'a> {
    pub(super) drive: &'a Admitted,
    pub(super) services: &'a Services,
    pub(super) store: Arc<dyn Store>,
    pub(super) lock: SessionLock,
    /// What outlasts the run; a dry run has none.
    pub(super) session: Option<SessionLedger>,
    /// Where the drive stands.
    pub(super) stage: Mutex<Stage>,
    /// The wish to stop this drive.
    pub(super) stop: Stop,
    pub(super) stamp: Stamp,
    opened: Option<Opened>,
}

enum Begun<'a> {
    Line(Box<Line<'a>>),
    Done(Box<Receipt>, PathBuf),
}

impl<'a> Line<'a> {
    /// The way to the store is open, and nobody else runs this session; one that ran to its end is not run again.
    async fn begin(drive: &'a Admitted, opened: Option<Opened>, services: &'a Services) -> Result<Begun<'a>, Broken> {
        let line = drive.line()?;
        let store = match &services.access {
            Access::Open(store) => Arc::clone(store),
            Access::Closed(error) => return Err(Halt::of(DriveCode::BlobRequestForbidden, error).into()),
        };
        let key = super::finish::session_key(drive, services, &store, line);
        let session = services.state.session(&key);
        let purpose = if services.dry_run.is_some() { Purpose::DryRun } else { Purpose::Run };
        // on a thread of its own: what a broken dry run left here is removed now, and can be large
        let locked = blocking(move || {
            let lock = session.lock(purpose).map_err(|error| Broken::interrupted(&error))?;
            let earlier = if purpose == Purpose::DryRun { None } else { super::finish::earlier(&session)? };
            Ok::<_, Broken>((lock, earlier))
        });
        let (lock, earlier) = locked.await??;
        if let Some(receipt) = earlier {
            lock.keep_scratch(false);
            if let Some(ledger) = &services.ledger {
                super::history::make_up(ledger, &key, drive, receipt.status).await?;
            }
            return Ok(Begun::Done(receipt, kept(lock.session())));
        }
        let session = match &services.ledger {
            Some(ledger) if purpose == Purpose::Run => Some(super::history::begin(ledger, &key, drive).await?),
            _ => {
                lock.keep_scratch(false);
                None
            }
        };
        let stamp = session.as_ref().and_then(super::history::stamp).unwrap_or_else(Stamp::now);
        let stop = services.stop.of_one();
        let stage = Mutex::new(Stage::Attached);
        Ok(Begun::Line(Box::new(Self { drive, services, store, lock, session, stage, stop, stamp, opened })))
    }

    async fn run(self, progress: &Progress) -> Result<Ending, Broken> {
        let ending = self.end(progress).await;
        self.ended(&ending).await;
        let Self { lock, .. } = self;
        // removes the scratch files, which can be large; what goes wrong there is for the session's next run
        let _ = blocking(move || drop(lock)).await;
        ending
    }

    async fn end(&self, progress: &Progress) -> Result<Ending, Broken> {
        let mut facts = Facts::of(self.drive, self.session.as_ref());
        let ended = self.steps(progress, &mut facts).await;
        match ended {
            Ok(receipt) => {
                let kept = self.services.dry_run.is_none().then(|| kept(self.lock.session()));
                Ok(Ending::Finished { receipt: Box::new(receipt), already: false, kept })
            }
            Err(Broken::Halted(halt)) => {
                // the disk's own failure ends a drive, whether or not it got as far as its entries
                if halt.code.leaves() != Leaves::Held {
                    self.closing(facts).refused(halt.code).await;
                }
                Err(Broken::Halted(halt))
            }
            Err(other) => Err(other),
        }
    }

    async fn steps(&self, progress: &Progress, facts: &mut Facts) -> Result<Receipt, Broken> {
        self.advance(Event::Identified).await?;
        self.advance(Event::Admitted).await?;
        self.drive.check_size(self.services.config.limits.max_drive_bytes)?;
        progress.stage("unlocking");
        let opened = self.open().await?;
        facts.opened(&opened);
        self.unless_stopped()?;
        self.advance(Event::Unlocked).await?;
        let prepared = self.prepare(&opened, progress, facts).await?;
        self.unless_stopped()?;
        self.advance(Event::Checked).await?;
        self.advance(Event::TransferBegan).await?;
        progress.stage("transferring");
        let (account, given_up) = self.transfer(&opened, prepared, progress).await?;
        progress.stage("reporting");
        self.reporting(given_up).await?;
        self.closing(facts.clone()).finished(account, given_up, self.scratch()).await
    }

    /// The scratch folder.
    pub(super) fn scratch(&self) -> &Path {
        self.lock.scratch()
    }

    /// Between two steps. Behind the transfer nothing is asked any more: what is stored gets its log and receipt.
    pub(super) fn unless_stopped(&self) -> Result<(), Broken> {
        if self.stop.asked() { Err(Broken::stopped()) } else { Ok(()) }
    }

    fn closing(&self, facts: Facts) -> Closing<'_> {
        Closing {
            drive: self.drive,
            services: self.services,
            store: Arc::clone(&self.store),
            lock: &self.lock,
            stamp: self.stamp,
            facts,
        }
    }

    /// The claim of this ledger on the session, in the store.
    pub(super) fn claim(&self) -> Result<Claim, Broken> {
        let session = self.lock.session().id().to_owned();
        let name = LogNames::session(self.services.job.name.as_str(), &self.drive.id, &session);
        let path = BlobPath::new(self.services.job.diagnostics.clone(), &name).map_err(|error| Broken::internal(&error))?;
        let ledger = self.services.ledger.as_ref().map(|ledger| ledger.id().to_owned()).unwrap_or_default();
        Ok(Claim { store: Arc::clone(&self.store), path, session, ledger, take_over: self.services.take_over })
    }

    async fn open(&self) -> Result<Opened, Broken> {
        if let Some(opened) = &self.opened {
            return Ok(opened.clone());
        }
        let (drive, limits) = (self.drive.clone(), self.services.config.limits.clone());
        let opened = blocking(move || {
            let line = drive.line()?;
            let password = line.password.as_ref();
            let password = password
                .ok_or_else(|| Halt::new(DriveCode::BitLockerKeyInvalid, "the job has no bitLockerKey for this drive"))?;
            let source = Arc::clone(&drive.source);
            let sector_size = source.sector_size();
            locate(source, sector_size)?.unlock(password, limits.protectors())?.open(limits.ntfs())
        });
        Ok(opened.await??)
    }
}

/// The folder of what a session leaves.
fn kept(session: &Session) -> PathBuf {
    let mut folder = session.output(Output::Receipt);
    folder.pop();
    folder
}
