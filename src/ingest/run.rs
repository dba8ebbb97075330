//! The line of one drive: each step consumes what the one before it proved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::account::Account;
use super::finish::{Closing, Facts};
use super::names::{NameIndex, NameOptions, NamesError, Survey};
use super::rename::LateNames;
use super::unlock::{Opened, locate};
use super::{Access, Admitted, Ending, Halt, Services, catalogue, containers, plan, settling};
use crate::ledger::state::{Output, Session, SessionLock};
use crate::ledger::{Records, Scratch};
use crate::manifest::Catalogue;
use crate::report::{DriveCode, Leaves, Progress, Receipt, Stamp};
use crate::store::{ErrorClass, Store, StoreError};
use crate::transfer::{Finished, Interruption, Meter, Transfer, TransferError};
use crate::volume::ReadAt as _;

/// Windows of the budget that one drive can have in flight: one being read, two on their way.
const WINDOWS: u64 = 3;
/// The most bytes reserved at once: more would only make other drives wait.
const LARGEST_WINDOW: u64 = 32 << 20;

/// Why a drive's line broke.
#[derive(Debug)]
pub(super) enum Broken {
    /// Held or refused.
    Halted(Halt),
    /// Can be repeated when the cause is gone.
    Interrupted(String),
    /// A defect.
    Internal(String),
}

impl From<Halt> for Broken {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt)
    }
}

impl Broken {
    /// The wish to stop was seen.
    pub(super) fn stopped() -> Self {
        Self::interrupted(&TransferError::Stopped)
    }

    /// A run that can be repeated.
    pub(super) fn interrupted(error: &dyn std::error::Error) -> Self {
        Self::Interrupted(Halt::of(DriveCode::InternalError, error).detail)
    }

    /// A defect of this program.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        Self::Internal(Halt::of(DriveCode::InternalError, error).detail)
    }
}

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
        Err(Broken::Interrupted(cause)) => {
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
struct Line<'a> {
    drive: &'a Admitted,
    services: &'a Services,
    store: Arc<dyn Store>,
    lock: SessionLock,
    stamp: Stamp,
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
        let (session, dry) = (services.state.session(&key), services.dry_run.is_some());
        // on a thread of its own: what a broken run left here is removed now, and can be large
        let locked = blocking(move || {
            let lock = session.lock().map_err(|error| Broken::interrupted(&error))?;
            let earlier = if dry { None } else { super::finish::earlier(&session)? };
            Ok::<_, Broken>((lock, earlier))
        });
        let (lock, earlier) = locked.await??;
        if let Some(receipt) = earlier {
            return Ok(Begun::Done(receipt, kept(lock.session())));
        }
        Ok(Begun::Line(Box::new(Self { drive, services, store, lock, stamp: Stamp::now(), opened })))
    }

    async fn run(self, progress: &Progress) -> Result<Ending, Broken> {
        let ending = self.end(progress).await;
        let Self { lock, .. } = self;
        // removes the scratch files, which can be large; what goes wrong there is for the session's next run
        let _ = blocking(move || drop(lock)).await;
        ending
    }

    async fn end(&self, progress: &Progress) -> Result<Ending, Broken> {
        let mut facts = Facts::of(self.drive);
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
        self.drive.check_size(self.services.config.limits.max_drive_bytes)?;
        progress.stage("unlocking");
        let opened = self.open().await?;
        facts.opened(&opened);
        self.unless_stopped()?;
        progress.stage("reading the manifest");
        let scratch = self.lock.scratch();
        let catalogue = Arc::new(self.catalogue(&opened, scratch).await?);
        facts.catalogue(&self.drive.line()?.manifest_file, &catalogue);
        let records = Scratch::create(scratch, catalogue.summary().entries, catalogue.summary().ranges);
        let records: Arc<dyn Records> = Arc::new(records.map_err(|e| Broken::interrupted(&e))?);
        let account = Account { catalogue, records };
        self.unless_stopped()?;
        progress.stage("settling names");
        let index = self.names(&account, scratch).await?;
        self.unless_stopped()?;
        progress.stage("transferring");
        progress.total(account.catalogue.summary().content_bytes, account.catalogue.summary().entries);
        let finished = self.transfer(&opened, &account, index, progress).await?;
        progress.stage("reporting");
        self.closing(facts.clone()).finished(account, finished, scratch).await
    }

    /// Between two steps. Behind the transfer nothing is asked any more: what is stored gets its log and receipt.
    fn unless_stopped(&self) -> Result<(), Broken> {
        if self.services.stop.asked() { Err(Broken::stopped()) } else { Ok(()) }
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

    async fn catalogue(&self, opened: &Opened, scratch: &Path) -> Result<Catalogue, Broken> {
        let limits = self.services.config.limits.manifest(self.drive.source.size());
        let (drive, files) = (self.drive.clone(), opened.files.clone());
        let spool = catalogue::Spool {
            scratch: scratch.to_owned(),
            state: Arc::clone(&self.services.state),
            stop: self.services.stop.clone(),
        };
        blocking(move || catalogue::read(&files, drive.line()?, &drive.id, &limits, &spool)).await?
    }

    /// Settles every name, and sees to it that the containers are there before the first write.
    async fn names(&self, account: &Account, scratch: &Path) -> Result<NameIndex, Broken> {
        let options = NameOptions {
            diagnostics: self.services.job.diagnostics.clone(),
            scratch: scratch.to_owned(),
            rules: self.store.name_rules(),
            heads: self.services.config.transfer.upload_slots(),
        };
        let settled = settling::settle(account.clone(), Arc::clone(&self.store), options, self.services.stop.clone()).await?;
        let (survey, index) = settled.map_err(|error| match error {
            NamesError::Store { source, .. } => self.before_the_first_write(&source),
            NamesError::TooManyContainers | NamesError::TooManyFolders => {
                Halt::of(DriveCode::ManifestFormatInvalid, &error).into()
            }
            other => Broken::interrupted(&other),
        })?;
        self.containers(&survey).await?;
        Ok(index)
    }

    async fn containers(&self, survey: &Survey) -> Result<(), Broken> {
        for container in survey.missing_containers() {
            self.store.create_container(container).await.map_err(|error| self.before_the_first_write(&error))?;
        }
        let diagnostics = &self.services.job.diagnostics;
        containers::ensure(&self.store, diagnostics).await.map_err(|error| self.before_the_first_write(&error))
    }

    /// Nothing has been written yet: a refused access holds the drive instead of interrupting it.
    fn before_the_first_write(&self, error: &StoreError) -> Broken {
        let code = match error {
            StoreError::ContainerMissing { .. } | StoreError::Rejected { .. } | StoreError::NameConflict { .. } => {
                DriveCode::ContainerMissing
            }
            StoreError::Forbidden { .. } => DriveCode::BlobRequestForbidden,
            other if other.class() == ErrorClass::Internal => return Broken::internal(other),
            other => return self.at_the_store(Broken::interrupted(other)),
        };
        self.at_the_store(Halt::of(code, error).into())
    }

    /// What broke the line, with the store's place in front.
    fn at_the_store(&self, broken: Broken) -> Broken {
        let here = |text: String| format!("{}: {text}", self.store.url());
        match broken {
            Broken::Halted(halt) => Broken::Halted(Halt { detail: here(halt.detail), ..halt }),
            Broken::Interrupted(cause) => Broken::Interrupted(here(cause)),
            Broken::Internal(cause) => Broken::Internal(cause),
        }
    }

    async fn transfer(
        &self,
        opened: &Opened,
        account: &Account,
        index: NameIndex,
        progress: &Progress,
    ) -> Result<Finished, Broken> {
        let services = self.services;
        let names = LateNames { index, store: Arc::clone(&self.store), records: Arc::clone(&account.records) };
        let share = services.host.budget.bytes() / services.drives.max(1) / WINDOWS;
        let transfer = Transfer {
            files: opened.files.clone(),
            catalogue: Arc::clone(&account.catalogue),
            records: Arc::clone(&account.records),
            store: Arc::clone(&self.store),
            names: Arc::new(names),
            session: self.lock.session().id().to_owned(),
            scratch: self.lock.scratch().to_owned(),
            host: services.host.clone(),
            window: share.min(LARGEST_WINDOW),
            max_read_errors: services.config.limits.max_read_errors,
            max_read_error_time: Duration::from_secs(services.config.limits.max_read_error_seconds),
            max_open_work: services.config.limits.max_amplification.saturating_mul(self.drive.source.size()),
            volume_dirty: opened.files.info().not_dismounted(),
            stop: services.stop.clone(),
            meter: Arc::new(Shown(progress.clone())),
        };
        transfer.run(plan::in_manifest_order(&account.catalogue)).await.map_err(|error| match &error {
            TransferError::Store(source) => self.at_the_store(during(&error, source)),
            _ => broken(&error),
        })
    }
}

/// The store ended the run: its answer says why, without a sentence around it.
fn during(error: &TransferError, source: &StoreError) -> Broken {
    match error.interruption() {
        Interruption::RunAgain => Broken::interrupted(source),
        Interruption::Defect => Broken::internal(source),
    }
}

/// The folder of what a session leaves.
fn kept(session: &Session) -> PathBuf {
    let mut folder = session.output(Output::Receipt);
    folder.pop();
    folder
}

fn broken(error: &TransferError) -> Broken {
    match error.interruption() {
        Interruption::RunAgain => Broken::interrupted(error),
        Interruption::Defect => Broken::internal(error),
    }
}

/// Work that blocks, on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Broken> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await.map_err(|panicked| Broken::internal(&panicked))
}

/// The transfer's meter shown to a person.
struct Shown(Progress);

impl Meter for Shown {
    fn bytes_verified(&self, bytes: u64) {
        self.0.add_bytes(bytes);
    }

    fn entry_ended(&self, completed: bool) {
        self.0.entry_done(completed);
    }
}
