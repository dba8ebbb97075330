//! Who looks into a drive is written down before anything is shown.

use jiff::Timestamp;
use nix::unistd::{User, getuid};

use super::exit::Failure;
use super::look::Given;
use super::place::{Desk, Place, of_ledger};
use crate::config::Config;
use crate::drive::Source;
use crate::foreign::Foreign;
use crate::ledger::db::AuditRecord;

/// A look that is about to be taken.
pub(crate) struct Look<'a> {
    pub(crate) command: &'static str,
    pub(crate) source: &'a Source,
    pub(crate) key: &'a Given,
    /// A path on the drive, or the volume.
    pub(crate) what: String,
}

/// Keeps the look in the ledger; without that, nothing is shown.
pub(crate) fn record(look: &Look<'_>, place: &Place, config: &Config) -> Result<(), Failure> {
    let drive = look.source.serial().or(look.key.drive.as_ref());
    let record = AuditRecord {
        at: Timestamp::now().as_millisecond(),
        who: who(),
        command: look.command.to_owned(),
        source: look.source.name().clone(),
        drive: drive.map(|drive| drive.as_str().to_owned()),
        job: look.key.job().map(|job| job.name.as_str().to_owned()),
        what: Foreign::new(look.what.clone()),
    };
    place.with_ledger(config, |desk: Desk| async move { desk.ledger.audit(&record).await.map_err(|error| of_ledger(&error)) })
}

/// The user by name and number; for the administrator also who became it, as `sudo` says. Nobody else's word is taken for that.
pub(crate) fn who() -> Foreign {
    let id = getuid();
    let name = User::from_uid(id).ok().flatten().map_or_else(|| "?".to_owned(), |user| user.name);
    let became = std::env::var("SUDO_USER").ok().filter(|_| id.is_root());
    Foreign::new(became.map_or_else(|| format!("{name} (uid {id})"), |by| format!("{name} (uid {id}, sudo by {by})")))
}
