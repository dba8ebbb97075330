//! An open file: its content, where that lies on the volume, and what else it has.
//!
//! In: a file. Out: any range of its content, read into the caller's buffer, each run in one request. Refused: directories, system
//! files, and whatever is not stored as plain content (reparse points, EFS).

use std::ops::ControlFlow;
use std::sync::Arc;

use super::attribute::{COMPRESSED, ENCRYPTED, kind};
use super::attribute_list;
use super::compressed::{Compressed, Range, UNIT_CLUSTERS};
use super::error::{Fault, FileError, Part};
use super::inode::Inode;
use super::lookup::text;
use super::runs::Runs;
use super::stream::{Content, Stream};
use super::volume::Volume;
use super::{FIRST_USER_RECORD, Node, ROOT};
use crate::foreign::Foreign;

/// Compression flags: LZNT1, the only method.
const LZNT1: u16 = 1;
/// Largest cluster of a volume that can compress.
const MAX_COMPRESSED_CLUSTER: u64 = 4096;

/// A file open for reading. Cheap reads in order; any order is allowed.
pub struct NtfsFile {
    volume: Arc<Volume>,
    record: u64,
    length: u64,
    initialized: u64,
    content: Open,
    streams: Vec<Foreign>,
    /// Bytes of its attribute list.
    listed: u64,
}

enum Open {
    Resident(Vec<u8>),
    Plain { runs: Runs, hint: usize },
    Compressed(Compressed),
}

/// A stretch of a file's content on the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte in the file.
    pub file_offset: u64,
    /// Bytes of the file, of the last one only those before its end.
    pub length: u64,
    /// First byte on the volume; `None` is a hole.
    pub disk_offset: Option<u64>,
    /// Whether the file is compressed, so that bytes on the volume are not bytes of the file.
    pub compressed: bool,
}

impl NtfsFile {
    pub(super) fn open(volume: &Arc<Volume>, node: &Node) -> Result<Self, FileError> {
        let record = node.record();
        if record < FIRST_USER_RECORD {
            return Err(if record == ROOT { FileError::IsADirectory { record } } else { FileError::SystemFile { record } });
        }
        let inode = volume.mft.open_file(node.reference())?;
        if inode.record.is_system() {
            return Err(FileError::SystemFile { record });
        }
        volume.refuse_reparse(&inode)?;
        if inode.record.is_directory() {
            return Err(FileError::IsADirectory { record });
        }
        volume.refuse_encrypted(&inode)?;
        let missing = Fault { byte: 0, expected: "unnamed data", found: 0 };
        let stream = Stream::load(&volume.mft, &inode, kind::DATA, &[])?.ok_or(missing.within(record, Part::Record))?;
        if stream.flags & ENCRYPTED != 0 {
            return Err(FileError::Encrypted { record });
        }
        let streams = named_streams(&inode)?;
        let Stream { length, initialized, flags, unit, content } = stream;
        let content = match content {
            // the flag on resident data only means "compress when it grows"
            Content::Resident(bytes) => Open::Resident(bytes),
            Content::Runs(runs) if flags & COMPRESSED == 0 => Open::Plain { runs, hint: 0 },
            Content::Runs(runs) => {
                check_compression(flags, unit, volume.mft.disk().cluster).map_err(|fault| fault.within(record, Part::Record))?;
                Open::Compressed(Compressed::new(runs))
            }
        };
        let listed = inode.list().map_or(0, |list| list.len() as u64);
        Ok(Self { volume: Arc::clone(volume), record, length, initialized, content, streams, listed })
    }

    /// Bytes of the content.
    #[allow(clippy::len_without_is_empty, reason = "a file is not a collection")]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Bytes gone through to open it, about: its runs and its attribute list. A small entry may belong to a file in millions of pieces.
    pub fn cost(&self) -> u64 {
        let runs = match &self.content {
            Open::Resident(_) => 0,
            Open::Plain { runs, .. } => runs.len(),
            Open::Compressed(stream) => stream.runs().len(),
        };
        (runs as u64).saturating_mul(16).saturating_add(self.listed)
    }

    /// Number of the file's record.
    pub fn record(&self) -> u64 {
        self.record
    }

    /// Whether the content is inside the record; then there are no extents.
    pub fn is_resident(&self) -> bool {
        matches!(self.content, Open::Resident(_))
    }

    /// Whether the content is compressed.
    pub fn is_compressed(&self) -> bool {
        matches!(self.content, Open::Compressed(_))
    }

    /// Names of further streams, which are not part of the content.
    pub fn named_streams(&self) -> &[Foreign] {
        &self.streams
    }

    /// Where the content lies, in its order, without what lies beyond its end.
    pub fn extents(&self) -> impl Iterator<Item = Extent> + '_ {
        let (runs, compressed) = match &self.content {
            Open::Resident(_) => (None, false),
            Open::Plain { runs, .. } => (Some(runs), false),
            Open::Compressed(stream) => (Some(stream.runs()), true),
        };
        let (cluster, end) = (self.volume.mft.disk().cluster, self.length);
        let spans = runs.into_iter().flat_map(Runs::iter);
        spans.take_while(move |span| span.vcn * cluster < end).map(move |span| {
            let file_offset = span.vcn * cluster;
            let length = (span.clusters * cluster).min(end - file_offset);
            Extent { file_offset, length, disk_offset: span.lcn.map(|lcn| lcn * cluster), compressed }
        })
    }

    /// Fills `buffer` from byte `offset` of the content. After an error its content is not defined.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), FileError> {
        let size = self.length;
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > size) {
            return Err(FileError::BeyondEnd { offset, length: buffer.len() as u64, size });
        }
        let written = self.initialized.saturating_sub(offset).min(buffer.len() as u64);
        let (written, zeros) = buffer.split_at_mut(crate::volume::fields::index(written));
        zeros.fill(0);
        let disk = self.volume.mft.disk();
        match &mut self.content {
            Open::Resident(bytes) => {
                for (place, &byte) in written.iter_mut().zip(bytes.iter().skip(crate::volume::fields::index(offset))) {
                    *place = byte;
                }
                Ok(())
            }
            Open::Plain { runs, hint } => disk.read_stream(self.record, runs, hint, offset, written),
            Open::Compressed(stream) => stream.read(disk, self.record, Range { offset, end: self.initialized }, written),
        }
    }
}

fn check_compression(flags: u16, unit: u8, cluster: u64) -> Result<(), Fault> {
    if flags & COMPRESSED != LZNT1 {
        return Err(Fault::new(12, "LZNT1, the only compression there is", flags));
    }
    if 1_u64.checked_shl(unit.into()) != Some(UNIT_CLUSTERS) {
        return Err(Fault::new(34, "a compression unit of 16 clusters", unit));
    }
    if cluster > MAX_COMPRESSED_CLUSTER {
        return Err(Fault::new(12, "no compression with clusters above 4096 bytes", cluster));
    }
    Ok(())
}

/// Names of the `$DATA` attributes that have one, each once.
fn named_streams(inode: &Inode) -> Result<Vec<Foreign>, FileError> {
    let mut names = Vec::new();
    let mut add = |name: &[u8]| {
        if !name.is_empty() {
            names.push(Foreign::new(text(name)));
        }
    };
    if let Some(list) = inode.list() {
        for entry in attribute_list::entries(list) {
            let entry = entry.map_err(|fault| fault.within(inode.number(), Part::AttributeList))?;
            if entry.kind == kind::DATA && entry.lowest == 0 {
                add(entry.name);
            }
        }
    } else {
        inode.each_in_base(kind::DATA, None, &mut |_, attribute| {
            add(attribute.name);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(names)
}
