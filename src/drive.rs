//! What was plugged in: an image file or a block device, and its identity.

mod id;

pub use id::{DriveId, DriveIdError};
