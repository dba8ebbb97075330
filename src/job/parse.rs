//! From the checked tree of a job file to a [`Job`].

use std::fmt::Display;
use std::str::FromStr;

use super::error::JobError;
use super::json::{self, Cursor, Node};
use super::{AccountName, Job, JobDrive, JobName, LogLevel, MAX_DRIVES, shape};
use crate::drive::DriveId;
use crate::foreign::Foreign;
use crate::manifest::{ContainerName, ManifestHash};

/// The place of logs if the job names none.
const DIAGNOSTICS: &str = "waimportexport";

/// Longest raw path kept; longer ones are cut, which leaves them too long for any drive.
const MANIFEST_FILE_BYTES: usize = 128 << 10;

pub(super) fn job(bytes: &[u8]) -> Result<Job, JobError> {
    // Windows editors put a byte order mark in front
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let tree = json::tree(bytes)?;
    let top = Cursor::top(&tree, bytes);
    shape::check(&top)?;
    let properties = top.member("properties").ok_or_else(|| JobError::MissingKey(top.place_of("properties")))?;
    refuse_unsupported(&properties)?;
    let diagnostics = match properties.member("diagnosticsPath") {
        Some(path) => value::<ContainerName>(&path)?,
        None => DIAGNOSTICS.parse().map_err(|error| broken(&properties, error))?,
    };
    Ok(Job {
        name: value::<JobName>(&required(&top, "name")?)?,
        account: account(&required(&properties, "storageAccountId")?)?,
        diagnostics,
        log_level: properties.member("logLevel").map_or(Ok(LogLevel::Error), |level| log_level(&level))?,
        backup_manifest: properties.member("backupDriveManifest").is_some_and(|flag| matches!(flag.node, Node::Flag(true))),
        drives: drives(&required(&properties, "driveList")?)?,
    })
}

fn refuse_unsupported(properties: &Cursor<'_, '_>) -> Result<(), JobError> {
    let kind = required(properties, "jobType")?;
    match text(&kind) {
        "Import" => {}
        "Export" => return Err(JobError::Export(kind.place())),
        _ => return Err(broken(&kind, "it has to be Import")),
    }
    if let Some(export) = properties.member("export") {
        return Err(broken(&export, "an import job has no such key"));
    }
    match properties.member("containerSas") {
        Some(sas) => Err(JobError::ContainerSas(sas.place())),
        None => Ok(()),
    }
}

fn account(id: &Cursor<'_, '_>) -> Result<AccountName, JobError> {
    let last = text(id).rsplit('/').next().unwrap_or_default();
    last.parse().map_err(|error| broken(id, format!("its last segment is the account, and {error}")))
}

fn log_level(level: &Cursor<'_, '_>) -> Result<LogLevel, JobError> {
    match text(level) {
        "Error" => Ok(LogLevel::Error),
        "Verbose" => Ok(LogLevel::Verbose),
        _ => Err(broken(level, "it has to be Error or Verbose")),
    }
}

fn drives(list: &Cursor<'_, '_>) -> Result<Vec<JobDrive>, JobError> {
    let found = list.elements().count();
    if !(1..=MAX_DRIVES).contains(&found) {
        return Err(JobError::DriveCount { place: list.place(), found });
    }
    let mut drives: Vec<JobDrive> = Vec::with_capacity(found);
    for element in list.elements() {
        let next = drive(&element)?;
        if drives.iter().any(|other| other.id == next.id) {
            return Err(JobError::SameDrive { place: element.place(), drive: next.id });
        }
        drives.push(next);
    }
    Ok(drives)
}

fn drive(element: &Cursor<'_, '_>) -> Result<JobDrive, JobError> {
    let id: DriveId = value(&required(element, "driveId")?)?;
    let password = element.member("bitLockerKey").map(|key| {
        let malformed = |source| JobError::Password { place: key.place(), drive: id.clone(), source };
        text(&key).parse().map_err(malformed)
    });
    let file = required(element, "manifestFile")?;
    let file = text(&file);
    let hash = required(element, "manifestHash")?;
    let malformed = |source| JobError::ManifestHash { place: hash.place(), drive: id.clone(), source };
    let manifest_hash: ManifestHash = text(&hash).parse().map_err(malformed)?;
    let manifest_file = Foreign::from(&file[..file.floor_char_boundary(MANIFEST_FILE_BYTES)]);
    Ok(JobDrive { password: password.transpose()?, manifest_file, manifest_hash, id })
}

fn required<'n, 'a>(object: &Cursor<'n, 'a>, key: &str) -> Result<Cursor<'n, 'a>, JobError> {
    object.member(key).ok_or_else(|| JobError::MissingKey(object.place_of(key)))
}

/// The text of a node that the shape has shown to be one.
fn text<'n>(cursor: &Cursor<'n, '_>) -> &'n str {
    if let Node::Text(text) = cursor.node { text.as_str() } else { "" }
}

fn value<T: FromStr<Err: Display>>(cursor: &Cursor<'_, '_>) -> Result<T, JobError> {
    text(cursor).parse().map_err(|error| broken(cursor, error))
}

fn broken(cursor: &Cursor<'_, '_>, rule: impl Display) -> JobError {
    JobError::Value { place: cursor.place(), rule: rule.to_string() }
}
