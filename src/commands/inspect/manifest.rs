//! The manifest's summary: read and checked by every rule, nothing kept.

use serde_json::{Value, json};

use crate::commands::exit::Failure;
use crate::commands::look::halted;
use crate::drive::DriveId;
use crate::ingest::manifest_summary;
use crate::job::Job;
use crate::manifest::ManifestLimits;
use crate::volume::ntfs::Ntfs;

/// What the job's manifest of this drive says.
pub(super) fn summary(files: &Ntfs, job: &Job, drive: &DriveId, limits: &ManifestLimits) -> Result<Value, Failure> {
    let Some(line) = job.drive(drive) else { return Ok(Value::Null) };
    let summary = manifest_summary(files, line, limits).map_err(|halt| halted(&halt))?;
    Ok(json!({
        "path": line.manifest_file.to_string(),
        "driveId": summary.drive_id.to_string(),
        "sha256": crate::report::lower_hex(&summary.sha256),
        "manifestBytes": summary.manifest_bytes,
        "entries": summary.entries,
        "ranges": summary.ranges,
        "contentBytes": summary.content_bytes,
        "holdsCredential": summary.had_credential,
    }))
}
