//! The end of a drive's line: logs and receipt, for a drive that finished and for one that was refused.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::account::Account;
use super::broken::{Broken, blocking};
use super::report::{Desk, ReportError, write_log};
use super::stage::Cause;
use super::{Admitted, DryRun, Halt, Opened, Services, containers};
use crate::foreign::Foreign;
use crate::job::{JobDrive, LogLevel};
use crate::ledger::db::SessionLedger;
use crate::ledger::state::{Output, Session, SessionKey, SessionLock};
use crate::manifest::Catalogue;
use crate::report::{
    Detail, DriveCode, DriveFacts, DriveLogError, LogFacts, LogNames, ManifestFacts, Receipt, SessionFacts, Stamp, Tally,
    lower_hex, tally,
};
use crate::store::Store;
use crate::volume::ReadAt as _;

/// What was learned of a drive on its way, for the receipt.
#[derive(Clone)]
pub(super) struct Facts {
    started: Timestamp,
    interruptions: u64,
    drive: DriveFacts,
    manifest: Option<ManifestFacts>,
}

/// The end of a line: who, where to, and what was learned.
pub(super) struct Closing<'a> {
    pub(super) drive: &'a Admitted,
    pub(super) services: &'a Services,
    pub(super) store: Arc<dyn Store>,
    pub(super) lock: &'a SessionLock,
    pub(super) stamp: Stamp,
    pub(super) facts: Facts,
}

/// The session of this drive, job and store.
pub(super) fn session_key(drive: &Admitted, services: &Services, store: &Arc<dyn Store>, line: &JobDrive) -> SessionKey {
    SessionKey {
        store_url: store.url(),
        account: services.job.account.clone(),
        job: services.job.name.clone(),
        drive: drive.id.clone(),
        manifest_hash: line.manifest_hash,
    }
}

/// The receipt of an earlier run that went through all entries.
pub(super) fn earlier(session: &Session) -> Result<Option<Box<Receipt>>, Broken> {
    let Some(path) = session.finished() else { return Ok(None) };
    let unreadable = |error: &dyn std::error::Error| {
        let path = path.display();
        Broken::Interrupted(
            Cause::StateFolder,
            format!("the receipt {path} of an earlier run is damaged ({error}): remove it to run the session anew"),
        )
    };
    let text = std::fs::read(&path).map_err(|e| unreadable(&e))?;
    let receipt: Receipt = serde_json::from_slice(&text).map_err(|e| unreadable(&e))?;
    let ran = matches!(
        receipt.status,
        DriveCode::Completed | DriveCode::CompletedWithWarnings | DriveCode::CompletedWithErrors | DriveCode::DiskOperationFailed
    );
    Ok((ran && receipt.manifest.is_some()).then(|| Box::new(receipt)))
}

impl Facts {
    /// What can be seen from outside, and since when it is worked on.
    pub(super) fn of(drive: &Admitted, session: Option<&SessionLedger>) -> Self {
        let source = &drive.source;
        let facts = DriveFacts {
            model: source.model().cloned(),
            size_bytes: Some(source.size()),
            source: source.name().clone(),
            ..DriveFacts::default()
        };
        let record = session.map(SessionLedger::record);
        Self {
            started: record.and_then(|record| Timestamp::from_millisecond(record.started).ok()).unwrap_or_else(Timestamp::now),
            interruptions: record.map_or(0, |record| record.interruptions),
            drive: facts,
            manifest: None,
        }
    }

    /// What the opened volume says.
    pub(super) fn opened(&mut self, opened: &Opened) {
        self.drive.sector_size = Some(u64::from(opened.located.table.sector_size));
        self.drive.encryption = Some(opened.located.sealed.method().to_string());
        self.drive.volume_dirty = Some(opened.files.info().not_dismounted());
    }

    /// What the manifest says.
    pub(super) fn catalogue(&mut self, path: &Foreign, catalogue: &Catalogue) {
        let summary = catalogue.summary();
        self.manifest = Some(ManifestFacts {
            path: path.clone(),
            sha256: Some(lower_hex(&summary.sha256)),
            entries: Some(summary.entries),
            bytes: Some(summary.content_bytes),
        });
    }
}

impl Closing<'_> {
    /// Every entry has an outcome: composes and delivers the logs, then the receipt.
    pub(super) async fn finished(self, account: Account, given_up: bool, scratch: &Path) -> Result<Receipt, Broken> {
        let counted = account.clone();
        let tally = blocking(move || tally(counted.entries(), &counted)).await?.map_err(|e| Broken::internal(&e))?;
        let status = if given_up { DriveCode::DiskOperationFailed } else { tally.status() };
        let mut log = LogFacts::default();
        if let Some(dry) = &self.services.dry_run {
            self.predict(dry, &account, status, scratch).await?;
            return Ok(self.compose(status, log, tally));
        }
        for &detail in self.details() {
            let pending = self.lock.begin(output(detail)).map_err(|error| Broken::interrupted(&error))?;
            let (pending, sha256) = self.write(pending, &account, detail, status).await?;
            let file = pending.commit().map_err(|error| Broken::interrupted(&error))?;
            let name = self.log_name(detail);
            self.desk().log(&name, &file, sha256, detail, &mut log).await.map_err(|error| broken(&error))?;
        }
        let receipt = self.compose(status, log, tally);
        self.deliver(&receipt).await.map_err(|error| broken(&error))?;
        Ok(receipt)
    }

    /// The log that a run would write, to its file or to standard output.
    async fn predict(&self, dry: &DryRun, account: &Account, status: DriveCode, scratch: &Path) -> Result<(), Broken> {
        let detail = self.details().last().copied().unwrap_or(Detail::Error);
        let path = dry.log.clone().unwrap_or_else(|| scratch.join("log.xml"));
        let failed = |source| broken(&ReportError::File { action: "writing", path: path.clone(), source });
        let file = BufWriter::new(File::create(&path).map_err(failed)?);
        let (mut file, _) = self.write(file, account, detail, status).await?;
        file.flush().map_err(failed)?;
        if dry.log.is_none() { print(&path) } else { Ok(()) }
    }

    /// A drive that was refused gets an error log with its status and a receipt, delivered if the store answers.
    pub(super) async fn refused(self, code: DriveCode) {
        if let Err(error) = self.try_refused(code).await {
            let cause = Halt::of(code, &error).detail;
            tracing::warn!(cause, "the refusal could not be reported");
        }
    }

    async fn try_refused(&self, code: DriveCode) -> Result<(), ReportError> {
        if self.services.dry_run.is_some() {
            return Ok(());
        }
        let mut file = None;
        if code.in_log() {
            let (pending, sha256) = write_log(self.lock.begin(Output::ErrorLog)?, None, &self.drive.id, Detail::Error, code)?;
            file = Some((pending.commit()?, sha256));
        }
        let mut log = LogFacts::default();
        let reported = self.report_refusal(code, file, &mut log).await;
        if reported.is_err() {
            // what the store does not take is kept here all the same
            let text = self.compose(code, log, Tally::default()).to_json().map_err(ReportError::Json)?;
            self.lock.write(Output::Receipt, text.as_bytes())?;
        }
        reported
    }

    async fn report_refusal(
        &self,
        code: DriveCode,
        file: Option<(PathBuf, String)>,
        log: &mut LogFacts,
    ) -> Result<(), ReportError> {
        let place = &self.services.job.diagnostics;
        let there = containers::ensure(&self.store, place).await;
        there.map_err(|source| ReportError::Upload { what: place.to_string(), source })?;
        if let Some((file, sha256)) = file {
            self.desk().log(&self.log_name(Detail::Error), &file, sha256, Detail::Error, log).await?;
        }
        self.deliver(&self.compose(code, log.clone(), Tally::default())).await
    }

    /// Composes one log; a thread of its own does it, for it reads the whole catalogue.
    async fn write<W: Write + Send + 'static>(
        &self,
        out: W,
        account: &Account,
        detail: Detail,
        status: DriveCode,
    ) -> Result<(W, String), Broken> {
        let (account, drive) = (account.clone(), self.drive.id.clone());
        let written = blocking(move || write_log(out, Some(&account), &drive, detail, status)).await?;
        written.map_err(|error| broken(&error))
    }

    /// The logs of this job: the error log always, the verbose one if the job asks for it.
    fn details(&self) -> &'static [Detail] {
        match self.services.job.log_level {
            LogLevel::Error => &[Detail::Error],
            LogLevel::Verbose => &[Detail::Error, Detail::Verbose],
        }
    }

    /// As in the job: its line was found when the drive was admitted.
    fn manifest_hash(&self) -> String {
        self.drive.line().map(|line| line.manifest_hash.to_string()).unwrap_or_default()
    }

    fn names(&self) -> LogNames {
        LogNames::new(self.services.job.name.as_str(), &self.drive.id, self.stamp)
    }

    fn log_name(&self, detail: Detail) -> String {
        match detail {
            Detail::Error => self.names().error(),
            Detail::Verbose => self.names().verbose(),
        }
    }

    fn desk(&self) -> Desk {
        Desk {
            store: Arc::clone(&self.store),
            container: self.services.job.diagnostics.clone(),
            session: self.lock.session().id().to_owned(),
        }
    }

    /// The receipt in the store, then the one in the state folder: with it, the session has run to its end.
    async fn deliver(&self, receipt: &Receipt) -> Result<(), ReportError> {
        let text = receipt.to_json().map_err(ReportError::Json)?;
        self.desk().receipt(&self.names().receipt(), text.clone()).await?;
        self.lock.write(Output::Receipt, text.as_bytes())?;
        Ok(())
    }

    fn compose(&self, status: DriveCode, log: LogFacts, tally: Tally) -> Receipt {
        let session = SessionFacts {
            account: self.services.job.account.to_string(),
            job: self.services.job.name.as_str().to_owned(),
            drive_id: self.drive.id.clone(),
            manifest_hash: self.manifest_hash(),
            id: self.lock.session().id().to_owned(),
        };
        let base = Receipt::before_entries(session, status, self.facts.drive.clone(), self.facts.started, Timestamp::now());
        Receipt {
            interruptions: self.facts.interruptions,
            manifest: self.facts.manifest.clone(),
            log: (log != LogFacts::default()).then_some(log),
            ..base.with(tally)
        }
    }
}

fn output(detail: Detail) -> Output {
    match detail {
        Detail::Error => Output::ErrorLog,
        Detail::Verbose => Output::VerboseLog,
    }
}

/// What stops the reports stops the run: its outcomes are the same again when it is repeated.
fn broken(error: &ReportError) -> Broken {
    match error {
        ReportError::Log(DriveLogError::Write(_) | DriveLogError::Record(_)) => Broken::interrupted(error),
        ReportError::Log(_) | ReportError::Json(_) => Broken::internal(error),
        ReportError::File { .. } | ReportError::State(_) | ReportError::Upload { .. } | ReportError::Name { .. } => {
            Broken::interrupted(error)
        }
    }
}

/// The predicted log of a dry run, on standard output. A reader that has gone is no error.
fn print(file: &Path) -> Result<(), Broken> {
    let copied = std::fs::File::open(file).and_then(|mut log| std::io::copy(&mut log, &mut std::io::stdout().lock()));
    match copied {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Broken::interrupted(&error)),
        _ => Ok(()),
    }
}
