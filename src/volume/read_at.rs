//! Positioned reading: the one interface between the layers of a drive.
//!
//! An image file, a block device, a partition of it, the decrypted volume: each is a [`ReadAt`] over the one below. Requests are
//! best made large (1 to 8 MiB); a layer splits a request once, never per sector.

use std::io;
use std::sync::Arc;

/// Something that can be read at any position, by many threads at once. Read-only by construction.
pub trait ReadAt: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Fills `buffer` from byte `offset` on, whole or not at all.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError>;
}

/// Why bytes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The range lies beyond the end.
    #[error("bytes {offset}+{length} lie beyond the end at {size}")]
    BeyondEnd {
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        length: u64,
        /// Size of what was read.
        size: u64,
    },
    /// The device or file failed.
    #[error("reading {length} bytes at byte {offset} failed")]
    Io {
        /// First byte asked for, in the layer that failed.
        offset: u64,
        /// Bytes asked for.
        length: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl ReadError {
    /// Checks that `[offset, offset + length)` lies within `size`.
    pub fn check(offset: u64, length: usize, size: u64) -> Result<(), Self> {
        let length = length as u64;
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Self::BeyondEnd { offset, length, size }),
        }
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        (**self).read_at(offset, buffer)
    }
}

/// Memory as a drive: for small volumes in tests and fuzzing.
impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size())?;
        let start = super::fields::index(offset);
        buffer.copy_from_slice(&self[start..start + buffer.len()]);
        Ok(())
    }
}

/// A part of another [`ReadAt`], such as a partition.
pub struct Window<R> {
    below: R,
    start: u64,
    size: u64,
}

impl<R: ReadAt> Window<R> {
    /// The `size` bytes of `below` from `start` on; an error if they are not all there.
    pub fn new(below: R, start: u64, size: u64) -> Result<Self, ReadError> {
        match start.checked_add(size) {
            Some(end) if end <= below.size() => Ok(Self { below, start, size }),
            _ => Err(ReadError::BeyondEnd { offset: start, length: size, size: below.size() }),
        }
    }
}

impl<R: ReadAt> ReadAt for Window<R> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size)?;
        self.below.read_at(self.start + offset, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_its_part_and_nothing_beyond() {
        let whole: Vec<u8> = (0..100).collect();
        let window = Window::new(whole, 10, 20).unwrap();
        let mut buffer = [0; 3];
        window.read_at(17, &mut buffer).unwrap();
        assert_eq!(buffer, [27, 28, 29]);
        assert!(window.read_at(18, &mut buffer).is_err());
        assert!(window.read_at(u64::MAX, &mut buffer).is_err());
        assert!(Window::new(vec![0_u8; 100], 90, 11).is_err());
        assert!(Window::new(vec![0_u8; 100], u64::MAX, 2).is_err());
    }
}
