//! Opens a file that the manifest names, or says in the log's words why not.

use crate::foreign::Foreign;
use crate::ledger::{BlobStatus, PartStatus};
use crate::volume::ntfs::{FileError, FileErrorClass, Ntfs, NtfsFile};
use crate::volume::{DrivePath, DrivePathError};

/// Why a file cannot be opened.
#[derive(Debug)]
pub(super) struct Failure {
    /// In the log's words.
    pub(super) status: BlobStatus,
    /// In one sentence.
    pub(super) why: String,
    /// Whether the disk failed, rather than what is on it.
    pub(super) disk: bool,
}

/// Opens a file by its path as the manifest has it.
pub(super) fn open(files: &Ntfs, path: &Foreign) -> Result<NtfsFile, Failure> {
    let path: DrivePath = path.raw().parse().map_err(|error: DrivePathError| Failure {
        status: match error {
            DrivePathError::TooLong { .. } => BlobStatus::FileNameTooLong,
            _ => BlobStatus::FileNameInvalid,
        },
        why: error.to_string(),
        disk: false,
    })?;
    files.lookup(&path).and_then(|node| files.file(&node)).map_err(Failure::from)
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let status = match error.class() {
            FileErrorClass::NotFound => BlobStatus::FileNotFound,
            FileErrorClass::AccessDenied => BlobStatus::FileAccessDenied,
            FileErrorClass::NameInvalid => BlobStatus::FileNameInvalid,
            FileErrorClass::Io => BlobStatus::IOFailed,
        };
        Self { status, why: error.to_string(), disk: matches!(error, FileError::Read { .. }) }
    }
}

impl From<BlobStatus> for PartStatus {
    fn from(status: BlobStatus) -> Self {
        match status {
            BlobStatus::FileNameInvalid => Self::FileNameInvalid,
            BlobStatus::FileNameTooLong => Self::FileNameTooLong,
            BlobStatus::FileNotFound => Self::FileNotFound,
            BlobStatus::FileAccessDenied => Self::FileAccessDenied,
            BlobStatus::IOFailed => Self::IOFailed,
            _ => Self::Failed,
        }
    }
}
