//! What `inspect`, `ls` and `cat` have in common: a source, and a way to unlock it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::config::{Config, Limits};
use crate::drive::{DriveId, Source};
use crate::ingest::{Halt, Located, Opened, Unlocked, locate};
use crate::job::Job;
use crate::secret::{RecoveryPassword, read_key_file};

/// Where the recovery password comes from. Never an argument: process lists are read by everybody.
#[derive(Args, Debug)]
pub(crate) struct Key {
    /// File that holds the recovery password; `-` for standard input
    #[arg(long = "key-file", value_name = "FILE", conflicts_with = "job")]
    pub(crate) file: Option<PathBuf>,
    /// Job file (JSON) that lists the drive with its recovery password
    #[arg(long, value_name = "FILE")]
    pub(crate) job: Option<PathBuf>,
    /// Which drive of the job; may be left out if it has one
    #[arg(long, value_name = "ID", requires = "job")]
    pub(crate) drive_id: Option<DriveId>,
}

impl Key {
    /// The password, if any was given.
    pub(crate) fn password(&self, config: &Config) -> Result<Option<Given>, Failure> {
        let limits = config.limits.clone();
        if let Some(file) = &self.file {
            let password = read_key_file(file).map_err(|e| Failure::usage_of(&e))?;
            return Ok(Some(Given { password: Password::Own(password), drive: None, limits }));
        }
        let Some(file) = &self.job else { return Ok(None) };
        let job = Arc::new(Job::read(file).map_err(|e| Failure::usage_of(&e))?);
        let drive = one_drive(&job, self.drive_id.as_ref())?;
        Ok(Some(Given { password: Password::Job(Arc::clone(&job)), drive: Some(drive), limits }))
    }
}

/// A recovery password, the drive of the job that it belongs to, and what may be asked of a drive.
pub(crate) struct Given {
    password: Password,
    pub(crate) drive: Option<DriveId>,
    pub(crate) limits: Limits,
}

enum Password {
    Own(RecoveryPassword),
    Job(Arc<Job>),
}

impl Given {
    /// The job, if the password came from one.
    pub(crate) fn job(&self) -> Option<&Job> {
        match &self.password {
            Password::Own(_) => None,
            Password::Job(job) => Some(job),
        }
    }

    fn password(&self) -> Result<&RecoveryPassword, Failure> {
        match &self.password {
            Password::Own(password) => Ok(password),
            Password::Job(job) => self
                .drive
                .as_ref()
                .and_then(|id| job.drive(id))
                .and_then(|drive| drive.password.as_ref())
                .ok_or_else(|| Failure::usage("the job has no bitLockerKey for this drive")),
        }
    }
}

/// The drive that is meant: the one given, or the job's only one.
pub(crate) fn one_drive(job: &Job, given: Option<&DriveId>) -> Result<DriveId, Failure> {
    let ids: Vec<&DriveId> = job.drive_ids().collect();
    let list = list(job);
    match (given, ids.as_slice()) {
        (Some(id), _) if job.drive(id).is_some() => Ok(id.clone()),
        (Some(id), _) => Err(Failure::usage(format!("job {} has no drive {id}; it has: {list}", job.name))),
        (None, [only]) => Ok((*only).clone()),
        (None, _) => Err(Failure::usage(format!("job {} has {} drives: say which with --drive-id: {list}", job.name, ids.len()))),
    }
}

/// The ids of a job's drives, for messages.
pub(crate) fn list(job: &Job) -> String {
    job.drive_ids().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The id of a source: what the drive itself says, if it says anything, else the one given, else the job's only one.
pub(crate) fn identify(source: &Source, job: &Job, given: Option<&DriveId>) -> Result<DriveId, Failure> {
    match (source.serial(), given) {
        (Some(serial), Some(given)) if serial != given => {
            Err(Failure::usage(format!("{} says it is drive {serial}, not {given}", source.name())))
        }
        (Some(serial), _) => one_drive(job, Some(serial)),
        (None, given) => one_drive(job, given),
    }
}

/// Opens a source for looking.
pub(crate) fn open_source(path: &Path) -> Result<Arc<Source>, Failure> {
    Source::open(path).map(Arc::new).map_err(|error| Failure::usage_of(&error))
}

/// Finds the data volume of a source.
pub(crate) fn locate_in(source: &Arc<Source>) -> Result<Located, Failure> {
    locate(Arc::clone(source) as _, source.sector_size()).map_err(|halt| halted(&halt))
}

/// Unlocks a located drive.
pub(crate) fn unlock(located: Located, key: &Given) -> Result<Unlocked, Failure> {
    located.unlock(key.password()?, key.limits.protectors()).map_err(|halt| halted(&halt))
}

/// Unlocks and opens a located drive.
pub(crate) fn open(located: Located, key: &Given) -> Result<Opened, Failure> {
    unlock(located, key)?.open(key.limits.ntfs()).map_err(|halt| halted(&halt))
}

/// A drive's code as a failure with its remedy.
pub(crate) fn halted(halt: &Halt) -> Failure {
    Failure::with(Exit::NotTaken, format!("{}: {}", halt.code.as_str(), halt.detail)).remedy(halt.code.remedy())
}
