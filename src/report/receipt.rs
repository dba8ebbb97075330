//! The receipt: one JSON document per drive, beside its log, for programs and for the customer's records.
//!
//! Keys stand in the order of the fields here; what is not known is left out. Times are UTC in RFC 3339, sizes in bytes, hashes
//! lower-case Base16 (except `session.manifestHash`, which is as in the job). It claims, per range: it matched the manifest's hash
//! here before it was sent, and the store accepted it; no more.

mod tally;
mod text;

pub use tally::Tally;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::drive::DriveId;
use crate::foreign::Foreign;
use crate::report::DriveCode;

/// The receipt of one drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Version of this format: 1.
    pub schema: u32,
    /// Whose work it is.
    pub session: SessionFacts,
    /// How the drive ended.
    #[serde(with = "text::words")]
    pub status: DriveCode,
    /// When the run began.
    #[serde(with = "text::time")]
    pub started: Timestamp,
    /// When it ended.
    #[serde(with = "text::time")]
    pub finished: Timestamp,
    /// How often it was continued in between.
    pub interruptions: u64,
    /// What was plugged in.
    pub drive: DriveFacts,
    /// The manifest, once it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestFacts>,
    /// The logs, where they were stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogFacts>,
    /// What was compared with the manifest's hashes.
    pub verified: Verified,
    /// Entries by how they ended.
    pub counts: PerOutcome,
    /// Their bytes: the sum of the ranges that the manifest lists for them.
    pub bytes: PerOutcome,
    /// Every entry that is not plainly created, in manifest order; at most [`Tally::EXCEPTIONS`].
    pub exceptions: Vec<Exception>,
    /// There were more exceptions than listed; the log has the rest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exceptions_truncated: bool,
    /// Ranges the disk could not give.
    pub read_errors: Vec<ReadError>,
    /// What wrote this.
    pub software: Software,
}

/// The session: one drive of one job, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionFacts {
    /// Storage account.
    pub account: String,
    /// Name of the job.
    pub job: String,
    /// The drive.
    #[serde(with = "text::words")]
    pub drive_id: DriveId,
    /// Hash of the manifest, as in the job.
    pub manifest_hash: String,
    /// Session id.
    pub id: String,
}

/// The drive as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveFacts {
    /// Model, as the drive reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Foreign>,
    /// Size of the whole drive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Bytes of a logical sector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_size: Option<u64>,
    /// Encryption method of the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// Whether the volume was pulled without being ejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_dirty: Option<bool>,
    /// Device, bay label or image file name.
    pub source: Foreign,
}

/// The manifest as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFacts {
    /// Path on the drive, as in the job.
    pub path: Foreign,
    /// SHA-256 of the file, 64 lower-case digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Blobs it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Sum of the ranges it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// The logs, where they were stored. Hashes are 64 lower-case digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogFacts {
    /// The error log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_uri: Option<String>,
    /// SHA-256 of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_sha256: Option<String>,
    /// The verbose log, if the job asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbose_uri: Option<String>,
    /// SHA-256 of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbose_sha256: Option<String>,
}

/// What was compared with the manifest's hashes here, before it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Ranges that matched.
    pub ranges: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Requests the store refused for their checksum and that succeeded when repeated.
    pub line_refusals: u64,
}

/// One number for each way an entry can end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerOutcome {
    /// Stored under the name asked for, where nothing was before.
    pub created: u64,
    /// Stored under another name.
    pub renamed: u64,
    /// Not stored, as asked.
    pub skipped: u64,
    /// Stored in place of an older blob, as asked.
    pub overwritten: u64,
    /// Not stored, or not completely.
    pub failed: u64,
}

/// How an entry ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryResult {
    /// Stored under the name asked for, where nothing was before.
    Created,
    /// Stored under another name.
    Renamed,
    /// Not stored, as asked.
    Skipped,
    /// Stored in place of an older blob, as asked.
    Overwritten,
    /// Not stored, or not completely.
    Failed,
}

/// An entry that is not plainly created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// Number in the manifest, from 0.
    pub entry: u64,
    /// The name asked for, container first.
    pub blob_path: Foreign,
    /// The name it is stored under, if another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<Foreign>,
    /// Path on the drive, to the letter.
    pub file_path: Foreign,
    /// How it ended.
    pub outcome: EntryResult,
    /// Its status in the log.
    pub status: String,
    /// What happened, in one sentence.
    pub detail: String,
}

/// A range the disk could not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadError {
    /// Path on the drive.
    pub file_path: Foreign,
    /// First byte in the file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// What wrote a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// `dockside`.
    pub name: String,
    /// Version of the package.
    pub version: String,
}

impl Software {
    /// This program.
    pub fn this() -> Self {
        Self { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// The element of `--json` for a drive that has no receipt: held, refused or interrupted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Device or image file, as given.
    pub source: Foreign,
    /// The code, or `Interrupted`.
    pub status: String,
    /// What happened.
    pub cause: String,
    /// What to do now.
    pub remedy: String,
}

impl Stopped {
    /// A drive held or refused with a code. `detail` says what exactly was found; without it the code's own sentence stands.
    pub fn with_code(source: Foreign, code: DriveCode, detail: Option<String>) -> Self {
        let cause = detail.unwrap_or_else(|| code.cause().to_owned());
        Self { source, status: code.as_str().to_owned(), cause, remedy: code.remedy().to_owned() }
    }

    /// A run that broke off.
    pub fn interrupted(source: Foreign, cause: String, remedy: String) -> Self {
        Self { source, status: "Interrupted".to_owned(), cause, remedy }
    }
}

impl DriveCode {
    /// The exit code of a run that ended with this code: 0 every entry stored, 4 some failed, 3 refused or held, 1 our error.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Completed | Self::CompletedWithWarnings => 0,
            Self::CompletedWithErrors => 4,
            Self::InternalError => 1,
            _ => 3,
        }
    }
}

impl Receipt {
    /// A receipt that says what is known before the manifest is read: complete for a drive refused after its job was found, a
    /// beginning otherwise.
    pub fn before_entries(
        session: SessionFacts,
        status: DriveCode,
        drive: DriveFacts,
        started: Timestamp,
        finished: Timestamp,
    ) -> Self {
        Self {
            schema: 1,
            session,
            status,
            started,
            finished,
            interruptions: 0,
            drive,
            manifest: None,
            log: None,
            verified: Verified::default(),
            counts: PerOutcome::default(),
            bytes: PerOutcome::default(),
            exceptions: Vec::new(),
            exceptions_truncated: false,
            read_errors: Vec::new(),
            software: Software::this(),
        }
    }

    /// The same with what the entries came to; the status stays.
    #[must_use]
    pub fn with(self, tally: Tally) -> Self {
        let Tally { counts, bytes, exceptions, exceptions_truncated, verified, read_errors, .. } = tally;
        Self { verified, counts, bytes, exceptions, exceptions_truncated, read_errors, ..self }
    }

    /// The exit code of the run that this receipt is of. A drive that was given up has all its entries accounted for, some as failed.
    pub fn exit_code(&self) -> u8 {
        match self.status {
            DriveCode::DiskOperationFailed if self.counts.total() > 0 => DriveCode::CompletedWithErrors.exit_code(),
            other => other.exit_code(),
        }
    }

    /// The document as it is stored: indented, ending with a line feed.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

#[cfg(test)]
pub(super) mod tests;
