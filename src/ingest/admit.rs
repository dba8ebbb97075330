//! A drive that was announced: its source, its id, and its line in the job.

use std::sync::Arc;

use super::Halt;
use crate::drive::{DriveId, Source};
use crate::job::{Job, JobDrive};
use crate::report::DriveCode;
use crate::volume::ReadAt as _;

/// A source matched to its line in a job.
#[derive(Clone)]
pub struct Admitted {
    /// The drive or image.
    pub source: Arc<Source>,
    /// Its id.
    pub id: DriveId,
    /// The job that lists it.
    pub job: Arc<Job>,
}

impl Admitted {
    /// Its line in the job.
    pub(super) fn line(&self) -> Result<&JobDrive, Halt> {
        self.job
            .drive(&self.id)
            .ok_or_else(|| Halt::new(DriveCode::DriveNotInAnyJob, format!("job {} has no drive {}", self.job.name, self.id)))
    }

    /// Checks the size against the limit.
    pub(super) fn check_size(&self, limit: u64) -> Result<(), Halt> {
        let size = self.source.size();
        if size > limit {
            return Err(Halt::new(
                DriveCode::DriveTooLarge,
                format!("the drive has {size} bytes, the limit is {limit} (max_drive_bytes)"),
            ));
        }
        Ok(())
    }
}
