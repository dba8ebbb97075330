//! Why a job file is refused. No variant holds a value of the file.

use std::fmt;

use super::{JOB_FILE_BYTES, MAX_DRIVES};
use crate::drive::DriveId;
use crate::foreign::Foreign;
use crate::manifest::HexError;
use crate::secret::RecoveryPasswordError;

/// Where in the file: the path of keys, and the line if it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Keys and indexes from the top, as in `properties.driveList[0].driveId`.
    pub path: Foreign,
    /// Line, from 1; `None` where the key is written with escapes.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} (line {line})", self.path),
            None => write!(f, "{}", self.path),
        }
    }
}

/// Why a job file is refused.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The file cannot be read.
    #[error("cannot read the job file {path}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file can be read and is refused for the reason in the source.
    #[error("the job file {path} cannot be used")]
    InFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<JobError>,
    },
    /// Too long for a job.
    #[error("it is longer than {JOB_FILE_BYTES} bytes")]
    TooLong,
    /// Not JSON.
    #[error("it is not JSON: {reason}")]
    Syntax {
        /// What is wrong, with line and column.
        reason: String,
    },
    /// A key that no job has.
    #[error("no job has the key {0}")]
    UnknownKey(Place),
    /// The same key twice in one object.
    #[error("the key {0} is there twice")]
    RepeatedKey(Place),
    /// A key that must be there.
    #[error("the key {0} is missing")]
    MissingKey(Place),
    /// A value of another kind.
    #[error("{place} has to be {expected}")]
    WrongKind {
        /// The key.
        place: Place,
        /// What it has to be.
        expected: &'static str,
    },
    /// A value that breaks the rule of its key.
    #[error("{place} is refused: {rule}")]
    Value {
        /// The key.
        place: Place,
        /// What would be right.
        rule: String,
    },
    /// `jobType` is `Export`.
    #[error("{0} is Export: export jobs are not supported yet, only Import")]
    Export(Place),
    /// `containerSas` is given.
    #[error("{0} is not supported yet: remove it and give the store's credentials in the environment or a credentials_file")]
    ContainerSas(Place),
    /// No drive, or too many.
    #[error("{place} has {found} drives; an import job has 1 to {MAX_DRIVES}")]
    DriveCount {
        /// The key.
        place: Place,
        /// Drives found.
        found: usize,
    },
    /// Two drives of one id.
    #[error("{place}: drive {drive} is in the job twice")]
    SameDrive {
        /// The second one.
        place: Place,
        /// The id.
        drive: DriveId,
    },
    /// A recovery password with a wrong group.
    #[error("{place}: the recovery password of drive {drive} is malformed")]
    Password {
        /// The key.
        place: Place,
        /// Whose it is.
        drive: DriveId,
        /// The group that is wrong.
        #[source]
        source: RecoveryPasswordError,
    },
    /// A manifest hash of another length or with other characters.
    #[error("{place}: the manifest hash of drive {drive} is malformed")]
    ManifestHash {
        /// The key.
        place: Place,
        /// Whose it is.
        drive: DriveId,
        /// What would be right.
        #[source]
        source: HexError,
    },
}
