//! What was announced: an import job, its drives and its rules.
//!
//! In: the service's JSON body of a job (names of the ARM resource `Microsoft.ImportExport/jobs`) as a file. Out: a [`Job`] in which
//! every name, hash and recovery password is proven. Refuses: unknown and repeated keys, export jobs, `containerSas`, more than ten
//! drives, and every value that breaks its rule, by key and line. No message ever holds a value of the file, since any of them may
//! be a password put in the wrong place.

mod error;
mod json;
mod names;
mod parse;
mod shape;

pub use error::{JobError, Place};
pub use names::{AccountName, AccountNameError, JobName, JobNameError};

use std::fs::File;
use std::path::Path;

use crate::drive::DriveId;
use crate::foreign::Foreign;
use crate::manifest::{ContainerName, ManifestHash};
use crate::secret::{RecoveryPassword, read_wiped};
use crate::volume::{DrivePath, DrivePathError};

/// Bytes of a job file. Ten drives and all addresses take less than 10,000.
pub const JOB_FILE_BYTES: usize = 1 << 20;

/// Drives of an import job.
pub const MAX_DRIVES: usize = 10;

/// An import job.
#[derive(Debug)]
pub struct Job {
    /// Its name, unique within a subscription.
    pub name: JobName,
    /// The storage account: the last segment of `storageAccountId`.
    pub account: AccountName,
    /// The container of logs and receipts; no blob of a drive goes there.
    pub diagnostics: ContainerName,
    /// Whether a verbose log is wanted beside the error log.
    pub log_level: LogLevel,
    /// Whether the manifest is to be stored beside the logs.
    pub backup_manifest: bool,
    drives: Vec<JobDrive>,
}

/// `logLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Only what went wrong.
    #[default]
    Error,
    /// Every entry.
    Verbose,
}

/// One drive of a job. `Debug` hides the password.
#[derive(Debug)]
pub struct JobDrive {
    /// Its serial number.
    pub id: DriveId,
    /// Its recovery password, if the job gives one.
    pub password: Option<RecoveryPassword>,
    /// Where its manifest lies, to the letter. See [`JobDrive::manifest_path`].
    pub manifest_file: Foreign,
    /// The hash of its manifest.
    pub manifest_hash: ManifestHash,
}

impl JobDrive {
    /// The place of the manifest on the drive. An error is a fault of the drive's entry, not of the job file: it ends this drive with
    /// `ManifestNameTooLong` or `ManifestNameInvalid` and leaves the others alone.
    pub fn manifest_path(&self) -> Result<DrivePath, DrivePathError> {
        self.manifest_file.raw().parse()
    }
}

impl Job {
    /// Reads a job file of at most [`JOB_FILE_BYTES`]. The memory it was read into is wiped.
    pub fn read(path: &Path) -> Result<Self, JobError> {
        let shown = || path.display().to_string();
        let read = File::open(path).and_then(|file| read_wiped(file, JOB_FILE_BYTES));
        let bytes = read.map_err(|source| JobError::Read { path: shown(), source })?;
        let parsed = bytes.ok_or(JobError::TooLong).and_then(|bytes| Self::parse(&bytes));
        parsed.map_err(|source| JobError::InFile { path: shown(), source: Box::new(source) })
    }

    /// Reads a job from memory, which the caller wipes.
    pub fn parse(bytes: &[u8]) -> Result<Self, JobError> {
        parse::job(bytes)
    }

    /// The drive of this id.
    pub fn drive(&self, id: &DriveId) -> Option<&JobDrive> {
        self.drives.iter().find(|drive| drive.id == *id)
    }

    /// All drives, in the order of the file: 1 to [`MAX_DRIVES`], each id once.
    pub fn drives(&self) -> &[JobDrive] {
        &self.drives
    }

    /// The ids of all drives, in the order of the file.
    pub fn drive_ids(&self) -> impl ExactSizeIterator<Item = &DriveId> {
        self.drives.iter().map(|drive| &drive.id)
    }
}

#[cfg(test)]
mod tests;
