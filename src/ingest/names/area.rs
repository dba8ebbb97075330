//! Bytes by position: in memory while they are few, in a scratch file when they are many.
//!
//! What was never written reads as zeros. The file is made with mode 0600; it is not removed when the area goes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::volume::fields::index;

/// A scratch file of the name book cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{action} the name book in {} failed", path.display())]
pub struct ScratchError {
    /// What was tried.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl ScratchError {
    /// For `map_err`.
    pub(super) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// Makes an empty scratch file for reading and writing.
pub(super) fn create(path: &Path) -> Result<File, ScratchError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).mode(0o600);
    options.open(path).map_err(ScratchError::of("creating", path))
}

/// See the module.
pub(super) struct Area {
    place: Place,
    length: u64,
    limit: u64,
    path: PathBuf,
}

enum Place {
    Memory(Vec<u8>),
    File(File),
}

impl Area {
    /// An empty area that moves to the file `path` when it grows over `limit` bytes.
    pub(super) fn new(path: PathBuf, limit: u64) -> Self {
        Self { place: Place::Memory(Vec::new()), length: 0, limit, path }
    }

    /// Bytes from the start to the end.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Opens an area kept by [`Area::keep`].
    pub(super) fn open(path: PathBuf) -> Result<Self, ScratchError> {
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(ScratchError::of("opening", &path))?;
        let length = file.metadata().map_err(ScratchError::of("opening", &path))?.len();
        Ok(Self { place: Place::File(file), length, limit: 0, path })
    }

    /// Makes it at least `length` bytes long.
    pub(super) fn extend(&mut self, length: u64) -> Result<(), ScratchError> {
        if length <= self.length {
            return Ok(());
        }
        if length > self.limit {
            self.spill()?;
        }
        match &mut self.place {
            // fresh zeros cost nothing until they are touched
            Place::Memory(bytes) if bytes.is_empty() => *bytes = vec![0; index(length)],
            Place::Memory(bytes) => bytes.resize(index(length), 0),
            Place::File(file) => file.set_len(length).map_err(ScratchError::of("extending", &self.path))?,
        }
        self.length = length;
        Ok(())
    }

    /// Fills `buffer` from `position` on; an error if that is beyond the end.
    pub(super) fn read(&self, position: u64, buffer: &mut [u8]) -> Result<(), ScratchError> {
        let result = match &self.place {
            Place::Memory(bytes) => crate::volume::fields::slice_at(bytes, index(position), buffer.len())
                .map(|found| buffer.copy_from_slice(found))
                .ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
            Place::File(file) => file.read_exact_at(buffer, position),
        };
        result.map_err(ScratchError::of("reading", &self.path))
    }

    /// Writes at `position`, extending the area if needed.
    pub(super) fn write(&mut self, position: u64, bytes: &[u8]) -> Result<(), ScratchError> {
        self.extend(position.saturating_add(bytes.len() as u64))?;
        match &mut self.place {
            Place::Memory(memory) => {
                let end = index(position).saturating_add(bytes.len());
                if let Some(place) = memory.get_mut(index(position)..end) {
                    place.copy_from_slice(bytes);
                }
                Ok(())
            }
            Place::File(file) => file.write_all_at(bytes, position).map_err(ScratchError::of("writing", &self.path)),
        }
    }

    /// Puts it into its file, to be opened again.
    pub(super) fn keep(mut self) -> Result<PathBuf, ScratchError> {
        self.spill()?;
        Ok(self.path)
    }

    /// Ends it, with its file if it has one.
    pub(super) fn remove(self) -> Result<(), ScratchError> {
        match self.place {
            Place::Memory(_) => Ok(()),
            Place::File(_) => fs::remove_file(&self.path).map_err(ScratchError::of("removing", &self.path)),
        }
    }

    /// Takes the place of another area, and its path.
    pub(super) fn replace(&mut self, mut new: Self) -> Result<(), ScratchError> {
        if matches!(new.place, Place::File(_)) {
            fs::rename(&new.path, &self.path).map_err(ScratchError::of("replacing", &self.path))?;
        }
        new.path.clone_from(&self.path);
        *self = new;
        Ok(())
    }

    /// An empty area beside this one, to replace it.
    pub(super) fn sibling(&self) -> Self {
        Self::new(self.path.with_extension("new"), self.limit)
    }

    fn spill(&mut self) -> Result<(), ScratchError> {
        if let Place::Memory(bytes) = &self.place {
            let file = create(&self.path)?;
            file.write_all_at(bytes, 0).map_err(ScratchError::of("writing", &self.path))?;
            self.place = Place::File(file);
        }
        Ok(())
    }
}
