//! From an opened drive to what a transfer needs: what is listed, how it is recorded, who has which name. Made anew, or taken up as the run
//! before this one left it.
//!
//! ```text
//!  catalogue ─▶ records ─▶ names ─▶ containers ─▶ kept: from here on a run can be gone on with ─▶ whose session is it?
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::Account;
use super::broken::{Broken, blocking};
use super::finish::Facts;
use super::identity::Tenure;
use super::names::{NameIndex, NameOptions, NamesError, Survey};
use super::run::Line;
use super::unlock::Opened;
use super::{Halt, catalogue, containers, settling, token};
use crate::ledger::db::{Note, SessionLedger};
use crate::ledger::{Intent, Kept, Records, Scratch};
use crate::manifest::{Catalogue, EntryNumber};
use crate::report::{DriveCode, Progress};

/// The file that stands for blobs that may be this session's.
const DOUBT: &str = "names-in-doubt";

/// See the module.
pub(super) struct Prepared {
    pub(super) account: Account,
    pub(super) index: NameIndex,
    /// Writes of earlier runs whose results are not known.
    pub(super) in_doubt: Vec<(EntryNumber, Intent)>,
    /// Set while blobs that are there may be this session's, and no record here says so: a file that stands for that.
    pub(super) doubt: Option<PathBuf>,
    /// Set for a run that can be gone on with.
    pub(super) kept: Option<Arc<Kept>>,
    /// The session is this run's as long as this lives.
    pub(super) tenure: Option<Tenure>,
}

impl Line<'_> {
    /// Everything up to the first write of a blob.
    pub(super) async fn prepare(&self, opened: &Opened, progress: &Progress, facts: &mut Facts) -> Result<Prepared, Broken> {
        progress.stage("reading the manifest");
        let (catalogue, resumed) = match self.left_behind() {
            Some(catalogue) => (catalogue, true),
            None => (self.catalogue(opened).await?, false),
        };
        let catalogue = Arc::new(catalogue);
        facts.catalogue(&self.drive.line()?.manifest_file, &catalogue);
        self.unless_stopped()?;
        token::warn_if_short(&*self.store, self.services.job.account.as_str(), catalogue.summary().content_bytes);
        match &self.session {
            None => self.prepare_once(catalogue, progress).await,
            Some(session) => self.prepare_kept(catalogue, resumed, session, progress).await,
        }
    }

    /// A dry run: nothing is kept.
    async fn prepare_once(&self, catalogue: Arc<Catalogue>, progress: &Progress) -> Result<Prepared, Broken> {
        let summary = catalogue.summary();
        let records = Scratch::create(self.scratch(), summary.entries, summary.ranges);
        let records: Arc<dyn Records> = Arc::new(records.map_err(|e| Broken::interrupted(&e))?);
        let account = Account { catalogue, records };
        progress.stage("settling names");
        let index = self.names(&account).await?;
        Ok(Prepared { account, index, in_doubt: Vec::new(), doubt: None, kept: None, tenure: None })
    }

    async fn prepare_kept(
        &self,
        catalogue: Arc<Catalogue>,
        resumed: bool,
        session: &SessionLedger,
        progress: &Progress,
    ) -> Result<Prepared, Broken> {
        let (entries, ranges) = (catalogue.summary().entries, catalogue.summary().ranges);
        let scratch = self.scratch();
        let records = if resumed { Scratch::reopen(scratch, entries, ranges) } else { Scratch::create(scratch, entries, ranges) };
        let (least, watch) = (self.services.config.ledger.pause_below, self.services.watch.clone());
        let kept = Arc::new(Kept::new(records.map_err(|e| Broken::interrupted(&e))?, session.clone(), least, watch));
        let account = Account { catalogue, records: Arc::clone(&kept) as Arc<dyn Records> };
        // the names of what this session has stored are lost, or only another ledger had them: it is told from what is there. Until that
        // is done a run that is broken off begins it again
        let doubt = scratch.join(DOUBT);
        if self.services.take_over || (!resumed && session.record().names_settled) {
            File::create(&doubt).and_then(|file| file.sync_all()).map_err(|e| Broken::interrupted(&e))?;
        }
        let index = if resumed {
            NameIndex::reopen(scratch).map_err(|e| Broken::interrupted(&e))?
        } else {
            progress.stage("settling names");
            let index = self.names(&account).await?;
            self.keep(&account.catalogue, &kept, &index)?;
            session.note(Note::NamesSettled(true)).await.map_err(|e| Broken::interrupted(&e))?;
            index
        };
        if self.services.take_over {
            // what was begun may have been begun anew by whoever had the session meanwhile
            kept.forget_acknowledged(ranges).map_err(|e| Broken::interrupted(&e))?;
        }
        let in_doubt = kept.restore(&account.catalogue).await.map_err(|e| Broken::interrupted(&e))?;
        for (entry, path) in kept.claimed() {
            index.given(entry, &path).map_err(|e| Broken::interrupted(&e))?;
        }
        self.unless_stopped()?;
        self.ensure_diagnostics().await?;
        let claim = self.claim()?;
        claim.take().await?;
        let tenure = claim.hold(Arc::clone(&kept), self.stop.clone()).await?;
        let doubt = doubt.is_file().then_some(doubt);
        Ok(Prepared { account, index, in_doubt, doubt, kept: Some(kept), tenure: Some(tenure) })
    }

    /// The catalogue that an earlier run left, if it can be used.
    fn left_behind(&self) -> Option<Catalogue> {
        let settled = self.session.as_ref().is_some_and(|session| session.record().names_settled);
        let expected = self.drive.line().ok()?.manifest_hash;
        // whoever had the session meanwhile has stored blobs that these names know nothing of
        if !settled || self.services.take_over {
            return None;
        }
        match Catalogue::reopen(self.scratch(), &expected) {
            Ok(catalogue) => Some(catalogue),
            Err(error) => {
                tracing::warn!(%error, "what the run before this one left cannot be used: names are settled anew");
                None
            }
        }
    }

    /// Reads the manifest and spools it.
    async fn catalogue(&self, opened: &Opened) -> Result<Catalogue, Broken> {
        self.lock.renew_scratch().map_err(|error| Broken::interrupted(&error))?;
        let limits = self.services.config.limits.manifest(self.drive.source.size());
        let (drive, files) = (self.drive.clone(), opened.files.clone());
        let spool = catalogue::Spool {
            scratch: self.scratch().to_owned(),
            state: Arc::clone(&self.services.state),
            stop: self.stop.clone(),
        };
        blocking(move || catalogue::read(&files, drive.line()?, &drive.id, &limits, &spool)).await?
    }

    /// From here on a run can be gone on with.
    fn keep(&self, catalogue: &Catalogue, kept: &Kept, index: &NameIndex) -> Result<(), Broken> {
        let scratch: &Path = self.scratch();
        index.keep(scratch).map_err(|error| Broken::interrupted(&error))?;
        kept.keep_names().map_err(|error| Broken::interrupted(&error))?;
        catalogue.keep(scratch).map_err(|error| Broken::interrupted(&error))
    }

    /// Settles every name, and sees to it that the containers are there before the first write.
    async fn names(&self, account: &Account) -> Result<NameIndex, Broken> {
        let options = NameOptions {
            diagnostics: self.services.job.diagnostics.clone(),
            scratch: self.scratch().to_owned(),
            rules: self.store.name_rules(),
            heads: self.services.config.transfer.upload_slots(),
        };
        let settled = settling::settle(account.clone(), Arc::clone(&self.store), options, self.stop.clone()).await?;
        let (survey, index) = settled.map_err(|error| match error {
            NamesError::Store { source, .. } => Broken::before_the_first_write(&*self.store, &source),
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
            let created = self.store.create_container(container).await;
            created.map_err(|error| Broken::before_the_first_write(&*self.store, &error))?;
        }
        self.ensure_diagnostics().await
    }

    async fn ensure_diagnostics(&self) -> Result<(), Broken> {
        let there = containers::ensure(&self.store, &self.services.job.diagnostics).await;
        there.map_err(|error| Broken::before_the_first_write(&*self.store, &error))
    }
}
