//! `Transferring`: what a drive's transfer is given, and what becomes of what earlier runs left.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::account::Account;
use super::broken::Broken;
use super::names::Before;
use super::plan;
use super::prepared::Prepared;
use super::rename::{EarlierNames, LateNames};
use super::run::Line;
use super::stage::Cause;
use super::unlock::Opened;
use crate::ledger::{Intent, Kept};
use crate::manifest::EntryNumber;
use crate::report::Progress;
use crate::transfer::{Meter, Transfer};
use crate::volume::ReadAt as _;

/// Windows of the budget that one drive can have in flight: one being read, two on their way.
const WINDOWS: u64 = 3;
/// The same where the budget is small: one being read, one on its way.
const WINDOWS_OF_SMALL: u64 = 2;
/// The most bytes reserved at once: sixteen of the largest ranges, which are hashed together. More would only make other drives wait.
const LARGEST_WINDOW: u64 = 64 << 20;
/// Eight of the largest ranges: hashing fewer together costs more than a third window gains.
const SMALL_WINDOW: u64 = 32 << 20;

impl Line<'_> {
    /// Stores every entry that has no outcome yet; says whether the drive was given up.
    pub(super) async fn transfer(
        &self,
        opened: &Opened,
        prepared: Prepared,
        progress: &Progress,
    ) -> Result<(Account, bool), Broken> {
        let Prepared { account, index, in_doubt, doubt, kept, tenure } = prepared;
        let names = LateNames { index, store: Arc::clone(&self.store), records: Arc::clone(&account.records) };
        let transfer = Transfer { meter: Arc::new(Shown(progress.clone())), ..self.transfer_of(opened, &account, names) };
        progress.total(account.catalogue.summary().content_bytes, account.catalogue.summary().entries);
        let finished = self.all_entries(transfer, in_doubt, doubt.as_deref(), kept.as_deref()).await;
        // whatever happened, what was recorded lasts, and nobody has to wait for the session: reports replace themselves
        let flushed = match &kept {
            Some(kept) => kept.flush().await,
            None => Ok(()),
        };
        if let Some(tenure) = tenure {
            tenure.end().await;
        }
        if let Some(cause) = kept.and_then(|kept| kept.lost()) {
            return Err(Broken::Interrupted(Cause::StoreDown, cause));
        }
        let given_up = finished?;
        flushed.map_err(|error| Broken::interrupted(&error))?;
        Ok((account, given_up || self.was_given_up().await?))
    }

    async fn all_entries(
        &self,
        transfer: Transfer,
        in_doubt: Vec<(EntryNumber, Intent)>,
        doubt: Option<&Path>,
        kept: Option<&Kept>,
    ) -> Result<bool, Broken> {
        let broken = |error| Broken::during_the_transfer(&*self.store, &error);
        let done = transfer.settle(in_doubt).await.map_err(broken)?;
        if done > 0 {
            tracing::info!(entries = done, "stored by the run before, as the store says");
        }
        if let Some(doubt) = doubt {
            self.recognise(&transfer, doubt, kept).await?;
        }
        let plan = plan::in_manifest_order(&transfer.catalogue);
        transfer.run(plan).await.map(|finished| finished.given_up).map_err(broken)
    }

    /// What the store has of this session although no record here says so has ended.
    async fn recognise(&self, transfer: &Transfer, doubt: &Path, kept: Option<&Kept>) -> Result<(), Broken> {
        let before = Before::new(self.scratch(), &self.services.job.diagnostics).map_err(|e| Broken::interrupted(&e))?;
        let done = transfer.recognise(&EarlierNames(before)).await;
        let done = done.map_err(|error| Broken::during_the_transfer(&*self.store, &error))?;
        tracing::info!(entries = done, "stored before, as the store shows");
        if let Some(kept) = kept {
            kept.flush().await.map_err(|e| Broken::interrupted(&e))?;
        }
        std::fs::remove_file(doubt).map_err(|e| Broken::interrupted(&e))
    }

    fn transfer_of(&self, opened: &Opened, account: &Account, names: LateNames) -> Transfer {
        let services = self.services;
        Transfer {
            files: opened.files.clone(),
            catalogue: Arc::clone(&account.catalogue),
            records: Arc::clone(&account.records),
            store: Arc::clone(&self.store),
            names: Arc::new(names),
            session: self.lock.session().id().to_owned(),
            scratch: self.scratch().to_owned(),
            host: services.host.clone(),
            window: window(services.host.budget.bytes() / services.drives.max(1)),
            max_read_errors: services.config.limits.max_read_errors,
            max_read_error_time: Duration::from_secs(services.config.limits.max_read_error_seconds),
            max_open_work: services.config.limits.max_amplification.saturating_mul(self.drive.source.size()),
            set_content_md5: services.config.transfer.set_content_md5,
            volume_dirty: opened.files.info().not_dismounted(),
            resumed: self.session.as_ref().is_some_and(|session| session.record().interruptions > 0) || services.take_over,
            stop: self.stop.clone(),
            meter: Arc::new(crate::transfer::Silent),
        }
    }
}

/// The bytes that a drive reserves at once, of its part of the budget.
fn window(part: u64) -> u64 {
    (part / WINDOWS_OF_SMALL).min(SMALL_WINDOW).max(part / WINDOWS).min(LARGEST_WINDOW)
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

#[cfg(test)]
mod tests {
    use super::window;

    #[test]
    fn a_window_has_the_ranges_that_are_hashed_together_if_the_budget_allows() {
        const MIB: u64 = 1 << 20;
        let windows = [1024, 192, 120, 96, 64, 16].map(|part| window(part * MIB) / MIB);
        assert_eq!(windows, [64, 64, 40, 32, 32, 8]);
    }
}
