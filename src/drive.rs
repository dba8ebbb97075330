//! What was plugged in: an image file or a block device, and its identity.

mod id;
mod source;

pub use id::{DriveId, DriveIdError};
pub use source::{DriveError, Source};
