//! From the job's manifest path to a sealed catalogue. Each failure is a code of the drive, or interrupts the run.

use std::io::{self, Read};
use std::path::Path;

use super::Halt;
use super::run::Broken;
use crate::drive::DriveId;
use crate::job::JobDrive;
use crate::manifest::{self, Catalogue, ManifestError, ManifestLimits, Summary};
use crate::report::DriveCode;
use crate::volume::DrivePathError;
use crate::volume::ntfs::{FileErrorClass, Ntfs, NtfsFile};

/// Bytes read from the drive at once.
const PIECE: usize = 1 << 20;

/// Reads the manifest that the job names, once, and spools it into `scratch`.
pub(super) fn read(
    files: &Ntfs,
    line: &JobDrive,
    drive: &DriveId,
    limits: &ManifestLimits,
    scratch: &Path,
) -> Result<Catalogue, Broken> {
    let file = open(files, line)?;
    let source = io::BufReader::with_capacity(PIECE, Sequential { file, at: 0 });
    manifest::read(source, &line.manifest_hash, drive, limits, scratch).map_err(|error| broken(&error))
}

/// Reads and checks the manifest that the job names, and keeps nothing of it.
pub fn summary(files: &Ntfs, line: &JobDrive, drive_bytes: u64) -> Result<Summary, Halt> {
    let limits = ManifestLimits { drive_bytes, ..ManifestLimits::default() };
    let source = io::BufReader::with_capacity(PIECE, Sequential { file: open(files, line)?, at: 0 });
    manifest::summarise(source, Some(&line.manifest_hash), &limits).map_err(|error| Halt::of(code(&error), &error))
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
}

impl Read for Sequential {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        self.file.read_at(self.at, &mut buffer[..length]).map_err(io::Error::other)?;
        self.at += length as u64;
        Ok(length)
    }
}
