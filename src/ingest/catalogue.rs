//! From the job's manifest path to a sealed catalogue. Each failure is a code of the drive, or interrupts the run.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::Halt;
use super::broken::Broken;
use crate::drive::DriveId;
use crate::job::JobDrive;
use crate::ledger::state::StateDir;
use crate::manifest::{self, Catalogue, ManifestError, ManifestLimits, Summary};
use crate::report::DriveCode;
use crate::transfer::{Stop, TransferError};
use crate::volume::DrivePathError;
use crate::volume::ntfs::{FileErrorClass, Ntfs, NtfsFile};

/// Bytes read from the drive at once.
const PIECE: usize = 1 << 20;

/// Bytes of the state folder that the log and other drives may need meanwhile.
const RESERVE: u64 = 64 << 20;

/// Where a manifest is spooled to, and until when.
pub(super) struct Spool {
    /// Folder of this run.
    pub(super) scratch: PathBuf,
    /// The state folder, where it lies.
    pub(super) state: Arc<StateDir>,
    /// Asked to stop.
    pub(super) stop: Stop,
}

/// Reads the manifest that the job names, once, and spools it into the scratch folder, if that has room for it.
pub(super) fn read(
    files: &Ntfs,
    line: &JobDrive,
    drive: &DriveId,
    limits: &ManifestLimits,
    spool: &Spool,
) -> Result<Catalogue, Broken> {
    let file = open(files, line)?;
    spool.state.ensure_free(room(file.len(), limits)).map_err(|error| Broken::interrupted(&error))?;
    let source = io::BufReader::with_capacity(PIECE, Sequential { file, at: 0, stop: spool.stop.clone() });
    manifest::read(source, &line.manifest_hash, drive, limits, &spool.scratch).map_err(|error| match error {
        ManifestError::Read(_) if spool.stop.asked() => Broken::stopped(),
        error => broken(&error),
    })
}

/// Bytes of scratch files for a manifest of this length. The catalogue is never larger than the manifest; records and names take about
/// as much again. What is longer than allowed is refused for that when it is read.
fn room(length: u64, limits: &ManifestLimits) -> u64 {
    length.min(limits.bytes).saturating_mul(2).saturating_add(RESERVE)
}

/// Reads and checks the manifest that the job names, and keeps nothing of it.
pub fn summary(files: &Ntfs, line: &JobDrive, limits: &ManifestLimits) -> Result<Summary, Halt> {
    let source = io::BufReader::with_capacity(PIECE, Sequential { file: open(files, line)?, at: 0, stop: Stop::default() });
    manifest::summarise(source, Some(&line.manifest_hash), limits).map_err(|error| Halt::of(code(&error), &error))
}

fn open(files: &Ntfs, line: &JobDrive) -> Result<NtfsFile, Halt> {
    let path = line.manifest_path().map_err(|error| {
        let code = match error {
            DrivePathError::TooLong { .. } => DriveCode::ManifestNameTooLong,
            _ => DriveCode::ManifestNameInvalid,
        };
        let mut halt = Halt::of(code, &error);
        halt.detail = format!("{}: {}", line.manifest_file, halt.detail);
        halt
    })?;
    files.lookup(&path).and_then(|node| files.file(&node)).map_err(|error| {
        let code = match error.class() {
            FileErrorClass::NotFound => DriveCode::ManifestNotFound,
            FileErrorClass::AccessDenied => DriveCode::ManifestAccessDenied,
            FileErrorClass::NameInvalid => DriveCode::ManifestNameInvalid,
            FileErrorClass::Io => DriveCode::ReadManifestFailed,
        };
        let mut halt = Halt::of(code, &error);
        halt.detail = format!("{path}: {}", halt.detail);
        halt
    })
}

fn broken(error: &ManifestError) -> Broken {
    match error {
        ManifestError::Scratch(_) => Broken::interrupted(error),
        _ => Halt::of(code(error), error).into(),
    }
}

fn code(error: &ManifestError) -> DriveCode {
    match error {
        ManifestError::Corrupted { .. } => DriveCode::ManifestCorrupted,
        ManifestError::FormatInvalid(_) => DriveCode::ManifestFormatInvalid,
        ManifestError::DriveIdMismatch { .. } => DriveCode::ManifestDriveIdMismatch,
        ManifestError::Read(_) => DriveCode::ReadManifestFailed,
        ManifestError::Scratch(_) => DriveCode::InternalError,
    }
}

/// A file of the drive, read from front to end.
struct Sequential {
    file: NtfsFile,
    at: u64,
    stop: Stop,
}

impl Read for Sequential {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.asked() {
            // not of the kind `Interrupted`: readers take that for a reason to try again
            return Err(io::Error::other(TransferError::Stopped));
        }
        let left = usize::try_from(self.file.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        self.file.read_at(self.at, &mut buffer[..length]).map_err(io::Error::other)?;
        self.at += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_asked_for_by_the_length_that_is_allowed() {
        let limits = ManifestLimits { bytes: 1_000, ..ManifestLimits::default() };
        assert_eq!(room(10, &limits), RESERVE + 20);
        assert_eq!(room(u64::MAX, &limits), RESERVE + 2_000);
        assert_eq!(room(u64::MAX, &ManifestLimits { bytes: u64::MAX, ..limits }), u64::MAX);
    }
}
