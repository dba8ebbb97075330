//! A drive or an image of one, opened for reading only.
//!
//! In: a path to a regular file or a block device. Out: a [`ReadAt`] over its bytes, and what the system knows of the device: name,
//! model, serial number, sector size, write protection. Refused: whatever is neither (folders, pipes, sockets, terminals), and what is
//! missing or may not be read.

mod sysfs;
#[cfg(test)]
mod tests;

use super::DriveId;
use crate::foreign::Foreign;
use crate::volume::{ReadAt, ReadError};
use std::fmt;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use sysfs::Facts;

/// A drive or an image of one. Reading it from several threads at once is fine: no position is shared.
pub struct Source {
    medium: Medium,
    size: u64,
    name: Foreign,
    is_device: bool,
    facts: Facts,
}

/// Where the bytes are.
enum Medium {
    File(File),
    /// Something else that can be read: in tests, memory or a drive that fails.
    Reader(Arc<dyn ReadAt>),
}

/// Why a path could not be opened as a drive.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Nothing there.
    #[error("there is no {path}: check the path, and that the drive is plugged in")]
    Missing {
        /// What was asked for.
        path: Foreign,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not allowed.
    #[error("{path} may not be read: run as a user who may (for block devices usually root or a member of the group disk)")]
    NoPermission {
        /// What was asked for.
        path: Foreign,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Neither a file nor a block device.
    #[error("{path} is {what}: give an image file or a block device")]
    WrongKind {
        /// What was asked for.
        path: Foreign,
        /// What it is.
        what: &'static str,
    },
    /// Something else went wrong.
    #[error("{path} could not be opened: check the drive and its cable, or the file system that holds the image")]
    Open {
        /// What was asked for.
        path: Foreign,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl DriveError {
    fn of(path: &Path, source: io::Error) -> Self {
        let path = shown(path);
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing { path, source },
            io::ErrorKind::PermissionDenied => Self::NoPermission { path, source },
            _ => Self::Open { path, source },
        }
    }
}

impl Source {
    /// Opens an image file or a block device, for reading only; links are followed.
    pub fn open(path: &Path) -> Result<Self, DriveError> {
        let failed = |error| DriveError::of(path, error);
        // looked at before it is opened, for opening a pipe waits and opening a terminal may act on it
        check_kind(path, fs::metadata(path).map_err(failed)?.file_type())?;
        // should a pipe have taken its place since, it is opened without waiting and refused below
        let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        check_kind(path, metadata.file_type())?;
        if metadata.is_file() {
            let name = path.file_name().map_or_else(|| shown(path), |name| shown(Path::new(name)));
            return Ok(Self {
                medium: Medium::File(file),
                size: metadata.len(),
                name,
                is_device: false,
                facts: Facts::default(),
            });
        }
        let facts = Facts::of(Path::new("/sys"), metadata.rdev());
        let size = match facts.size {
            Some(size) => size,
            None => (&file).seek(SeekFrom::End(0)).map_err(failed)?,
        };
        let name = facts.name.clone().unwrap_or_else(|| shown(path));
        Ok(Self { medium: Medium::File(file), size, name, is_device: true, facts })
    }

    /// Anything that can be read, as if it were an image of that name.
    #[doc(hidden)]
    pub fn over(reader: Arc<dyn ReadAt>, name: &str) -> Self {
        let (size, name) = (reader.size(), Foreign::new(name));
        Self { medium: Medium::Reader(reader), size, name, is_device: false, facts: Facts::default() }
    }

    /// Size in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file's name, or the device's (`sdb`), without folders.
    pub fn name(&self) -> &Foreign {
        &self.name
    }

    /// Whether it is a block device.
    pub fn is_device(&self) -> bool {
        self.is_device
    }

    /// The model, as the drive gives it. Only block devices have one.
    pub fn model(&self) -> Option<&Foreign> {
        self.facts.model.as_ref()
    }

    /// The serial number, as the drive gives it. Only block devices have one, and only if it can serve as a drive id.
    pub fn serial(&self) -> Option<&DriveId> {
        self.facts.serial.as_ref()
    }

    /// The logical sector size in bytes that the device claims. An image file claims none.
    pub fn sector_size(&self) -> Option<u32> {
        self.facts.sector_size
    }

    /// Whether the system refuses writes to the device. Unknown for an image file.
    pub fn read_only(&self) -> Option<bool> {
        self.facts.read_only
    }
}

impl ReadAt for Source {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size)?;
        let length = buffer.len() as u64;
        match &self.medium {
            Medium::Reader(reader) => reader.read_at(offset, buffer),
            Medium::File(file) => {
                twice(|| file.read_exact_at(buffer, offset)).map_err(|source| ReadError::Io { offset, length, source })
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({}, {} bytes)", self.name, self.size)
    }
}

/// A failed read is repeated once: a drive on a poor cable often gives at the second try what it refused at the first, and the system
/// has repeated often enough already for more to be of use.
fn twice(mut read: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    read().or_else(|_| read())
}

fn check_kind(path: &Path, kind: FileType) -> Result<(), DriveError> {
    let what = match () {
        () if kind.is_file() || kind.is_block_device() => return Ok(()),
        () if kind.is_dir() => "a folder",
        () if kind.is_socket() => "a socket",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_char_device() => "a character device",
        () => "neither a file nor a block device",
    };
    Err(DriveError::WrongKind { path: shown(path), what })
}

fn shown(path: &Path) -> Foreign {
    Foreign::new(path.to_string_lossy())
}
