//! Where a drive stands, kept in the ledger before it is acted on.

use std::sync::PoisonError;

use jiff::Timestamp;

use super::broken::Broken;
use super::run::Line;
use super::stage::{Event, Stage};
use super::{Admitted, Ending};
use crate::ledger::DbError;
use crate::ledger::db::{Ledger, Note, SessionLedger, Summary};
use crate::ledger::state::SessionKey;
use crate::manifest::Catalogue;
use crate::report::{DriveCode, Stamp};

/// Begins a run of a session: new, or gone on with.
pub(super) async fn begin(ledger: &Ledger, key: &SessionKey, drive: &Admitted) -> Result<SessionLedger, Broken> {
    let begun = ledger.begin(key, drive.source.name()).await.map_err(|error| Broken::interrupted(&error))?;
    if begun.record().interruptions > 0 {
        tracing::info!(interruptions = begun.record().interruptions, "going on with a run that was broken off");
    }
    Ok(begun)
}

/// A session has its receipt, but the run that wrote it ended before the ledger heard of it: makes up for that.
pub(super) async fn make_up(ledger: &Ledger, key: &SessionKey, drive: &Admitted, status: DriveCode) -> Result<(), Broken> {
    let failed = |error: DbError| Broken::interrupted(&error);
    let known = ledger.session_of_id(&key.id()).await.map_err(failed)?;
    if known.is_none_or(|session| session.finished.is_some()) {
        return Ok(());
    }
    let session = ledger.begin(key, drive.source.name()).await.map_err(failed)?;
    session.finish(&Summary { status: status.as_str().to_owned(), receipt: None }).await.map_err(failed)
}

/// The moment in the names of the reports, if an earlier run has fixed it.
pub(super) fn stamp(session: &SessionLedger) -> Option<Stamp> {
    let moment = Timestamp::from_millisecond(session.record().stamp?).ok()?;
    Some(Stamp::from(moment))
}

impl Line<'_> {
    /// Something happened to the drive: its new stage is kept before anything of it is done.
    pub(super) async fn advance(&self, event: Event) -> Result<(), Broken> {
        self.move_on(event, None).await
    }

    async fn move_on(&self, event: Event, why: Option<&str>) -> Result<(), Broken> {
        let stage = self.step(event)?;
        let Some(session) = &self.session else { return Ok(()) };
        let kept = session.set_stage(stage.name(), stage.code(), why).await;
        kept.map_err(|error| Broken::interrupted(&error))
    }

    fn step(&self, event: Event) -> Result<Stage, Broken> {
        // a stage is copied in and out, never half
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        *stage = stage.on(event).map_err(|refused| Broken::internal(&refused))?;
        Ok(*stage)
    }

    async fn note(&self, note: Note) -> Result<(), Broken> {
        let Some(session) = &self.session else { return Ok(()) };
        session.note(note).await.map_err(|error| Broken::interrupted(&error))
    }

    /// All entries have ended: fixes the moment in the names of the reports, and whether the drive was given up.
    pub(super) async fn reporting(&self, given_up: bool) -> Result<(), Broken> {
        self.note(Note::Stamp(self.stamp.timestamp().as_millisecond())).await?;
        self.move_on(Event::TransferEnded, given_up.then_some(DriveCode::DiskOperationFailed.as_str())).await
    }

    /// Whether an earlier run gave the drive up, when all its entries had ended.
    pub(super) async fn was_given_up(&self) -> Result<bool, Broken> {
        let Some(session) = self.session.as_ref().filter(|session| session.record().interruptions > 0) else { return Ok(false) };
        let events = session.ledger().events(&session.record().id).await.map_err(|error| Broken::interrupted(&error))?;
        let reporting = events.iter().rfind(|event| event.stage == Stage::Reporting.name());
        let why = reporting.and_then(|event| event.cause.as_ref());
        Ok(why.is_some_and(|why| why.raw() == DriveCode::DiskOperationFailed.as_str()))
    }

    /// Keeps how this run ended. What cannot be kept is told: the next run finds out by itself.
    pub(super) async fn ended(&self, ending: &Result<Ending, Broken>) {
        // of a run that was stopped before its names were settled nothing is needed again
        self.lock.keep_scratch(ending.is_err() && Catalogue::is_kept(self.scratch()));
        let kept = match ending {
            Ok(Ending::Finished { receipt, .. }) => self.finish(receipt.status).await,
            Err(Broken::Halted(halt)) => {
                let kept = self.move_on(Event::Halted(halt.code), Some(&halt.in_short())).await;
                // the disk's own failure has been reported by now
                let told = halt.code == DriveCode::DiskOperationFailed && kept.is_ok();
                if told { self.advance(Event::Reported(halt.code)).await } else { kept }
            }
            Err(Broken::Interrupted(cause, why)) => match self.move_on(Event::Broke(*cause), Some(why)).await {
                // before it is unlocked nothing is begun that could be broken off
                Err(Broken::Internal(_)) => Ok(()),
                kept => kept,
            },
            Err(Broken::Internal(why)) => self.move_on(Event::Halted(DriveCode::InternalError), Some(why)).await,
            Ok(_) => Ok(()),
        };
        if let Err(error) = kept {
            tracing::warn!(?error, "how the run ended could not be kept");
        }
    }

    async fn finish(&self, status: DriveCode) -> Result<(), Broken> {
        self.step(Event::Reported(status))?;
        let Some(session) = &self.session else { return Ok(()) };
        let summary = Summary { status: status.as_str().to_owned(), receipt: None };
        session.finish(&summary).await.map_err(|error| Broken::interrupted(&error))
    }
}
