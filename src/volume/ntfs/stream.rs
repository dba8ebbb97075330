//! A stream put together from its parts: the content of a file, an index, a table of the file system.
//!
//! In: a file and which of its attributes. Out: the bytes if they are in the record, else one table of runs. Refused: parts that do
//! not follow each other, runs that end before the stream does.

use std::ops::ControlFlow;

use super::attribute::{Attribute, Body, NonResident, Sizes};
use super::disk::Disk;
use super::error::{Fault, FileError, Part};
use super::inode::Inode;
use super::mft::Mft;
use super::record::Record;
use super::runs::Runs;
use crate::volume::fields::index;

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// Bytes.
    pub(super) length: u64,
    /// Bytes that were ever written; the rest reads as zeros.
    pub(super) initialized: u64,
    /// Flags of the first part, which decides for all.
    pub(super) flags: u16,
    /// log2 of the clusters of a compression unit, 0 if none.
    pub(super) unit: u8,
    pub(super) content: Content,
}

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Content {
    /// Here.
    Resident(Vec<u8>),
    /// In clusters.
    Runs(Runs),
}

impl Stream {
    /// The stream `kind`, `name` (UTF-16LE) of a file; `None` if it has none.
    pub(super) fn load(mft: &Mft, inode: &Inode, kind: u32, name: &[u8]) -> Result<Option<Self>, FileError> {
        let mut assembly = Assembly::default();
        inode.each_part(mft, kind, name, &mut |record, attribute| {
            assembly.add(mft.disk(), inode.number(), record, &attribute)?;
            Ok(ControlFlow::Continue(()))
        })?;
        assembly.finish(mft.disk(), inode.number())
    }

    /// The whole stream, if it is not longer than `most`.
    pub(super) fn read_all(&self, disk: &Disk, record: u64, most: u64) -> Result<Vec<u8>, FileError> {
        if self.length > most {
            return Err(FileError::TooMany { record, what: "bytes in a structure of the file system", limit: most });
        }
        let mut bytes = vec![0; index(self.length)];
        self.read(disk, record, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `buffer` from byte `offset` on. Not for compressed streams.
    pub(super) fn read(&self, disk: &Disk, record: u64, offset: u64, buffer: &mut [u8]) -> Result<(), FileError> {
        let beyond = FileError::BeyondEnd { offset, length: buffer.len() as u64, size: self.length };
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.length) {
            return Err(beyond);
        }
        match &self.content {
            Content::Resident(bytes) => {
                let start = index(offset);
                let wanted = bytes.get(start..start + buffer.len()).ok_or(beyond)?;
                buffer.copy_from_slice(wanted);
                Ok(())
            }
            Content::Runs(runs) => {
                let written = self.written(offset, buffer);
                disk.read_stream(record, runs, &mut 0, offset, written)
            }
        }
    }

    /// Zeros what of `buffer`, read from `offset`, lies beyond the initialized size, and returns the rest.
    pub(super) fn written<'b>(&self, offset: u64, buffer: &'b mut [u8]) -> &'b mut [u8] {
        let written = self.initialized.saturating_sub(offset).min(buffer.len() as u64);
        let (written, zeros) = buffer.split_at_mut(index(written));
        zeros.fill(0);
        written
    }
}

/// A stream of which some parts are there.
#[derive(Default)]
pub(super) struct Assembly {
    resident: Option<Vec<u8>>,
    sizes: Option<Sizes>,
    flags: u16,
    unit: u8,
    runs: Runs,
}

impl Assembly {
    /// Adds the next part; `file` is the base record, for faults.
    pub(super) fn add(&mut self, disk: &Disk, file: u64, record: &Record, attribute: &Attribute<'_>) -> Result<(), FileError> {
        let number = record.reference.record;
        let twice = Fault::new(attribute.at, "one attribute of this type and name", attribute.kind);
        if self.resident.is_some() {
            return Err(twice.within(number, Part::Record));
        }
        match attribute.body {
            Body::Resident(_) if self.sizes.is_some() => Err(twice.within(number, Part::Record)),
            Body::Resident(value) => {
                self.flags = attribute.flags;
                self.resident = Some(value.to_vec());
                Ok(())
            }
            Body::NonResident(part) => {
                if let Some(sizes) = part.sizes {
                    (self.sizes, self.flags, self.unit) = (Some(sizes), attribute.flags, part.unit);
                }
                self.add_runs(disk, file, number, &part)
            }
        }
    }

    fn add_runs(&mut self, disk: &Disk, file: u64, record: u64, part: &NonResident<'_>) -> Result<(), FileError> {
        if self.runs.len() as u64 >= disk.bounds.runs {
            return Err(FileError::TooMany { record: file, what: "runs", limit: disk.bounds.runs });
        }
        self.runs.append(part, disk.bounds).map_err(|fault| fault.within(record, Part::Runs))
    }

    /// Lends the runs mapped so far, or takes them back: a table that maps itself is read by them before it is complete.
    pub(super) fn swap_runs(&mut self, runs: &mut Runs) {
        std::mem::swap(&mut self.runs, runs);
    }

    /// The stream; `None` if no part was added.
    pub(super) fn finish(mut self, disk: &Disk, file: u64) -> Result<Option<Stream>, FileError> {
        let Self { flags, unit, .. } = self;
        if let Some(bytes) = self.resident {
            let length = bytes.len() as u64;
            return Ok(Some(Stream { length, initialized: length, flags, unit: 0, content: Content::Resident(bytes) }));
        }
        let Some(sizes) = self.sizes else { return Ok(None) };
        let mapped = self.runs.end() * disk.cluster;
        if mapped < sizes.allocated {
            let fault = Fault { byte: mapped, expected: "runs up to the allocated size", found: sizes.allocated };
            return Err(fault.within(file, Part::Runs));
        }
        self.runs.shrink();
        let Sizes { content: length, initialized, .. } = sizes;
        Ok(Some(Stream { length, initialized, flags, unit, content: Content::Runs(self.runs) }))
    }
}
