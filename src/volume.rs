//! From raw bytes to files: partition table, BitLocker, NTFS. Everything here reads, nothing writes, and nothing believes a field.

pub mod bitlocker;
pub mod fields;
pub mod ntfs;
pub mod partition;
mod path;
mod read_at;

pub use path::{DrivePath, DrivePathError};
pub use read_at::{ReadAt, ReadError, Window};
