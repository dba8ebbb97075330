//! Reading compressed streams.
//!
//! In: the runs and a range. Out: the content, straight into the caller's buffer where a whole unit is wanted. A unit is 16 clusters of
//! the stream; how many of them are real clusters decides: none, zeros; all, plain content; some, LZNT1 in the real ones. One unit is
//! kept per open file, for readers that take less at a time.

use super::disk::Disk;
use super::error::{FileError, Part};
use super::lznt1;
use super::runs::{Runs, Span};
use crate::volume::fields::index;

/// Clusters of a unit: the only number that is written.
pub(super) const UNIT_CLUSTERS: u64 = 16;

/// The compressed stream of an open file.
pub(super) struct Compressed {
    runs: Runs,
    hint: usize,
    /// Number and content of the unit that was read last.
    kept: Option<u64>,
    unit: Vec<u8>,
    /// Clusters as read, before they are expanded.
    packed: Vec<u8>,
}

impl Compressed {
    pub(super) fn new(runs: Runs) -> Self {
        Self { runs, hint: 0, kept: None, unit: Vec::new(), packed: Vec::new() }
    }

    /// The runs.
    pub(super) fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Fills `buffer` from byte `range.offset` on; the read must not go beyond `range.end`.
    pub(super) fn read(&mut self, disk: &Disk, record: u64, range: Range, buffer: &mut [u8]) -> Result<(), FileError> {
        let size = UNIT_CLUSTERS * disk.cluster;
        let (mut offset, mut rest) = (range.offset, buffer);
        while !rest.is_empty() {
            let (unit, within) = (offset / size, offset % size);
            let uniform = self.uniform(unit);
            let there = uniform.map_or(size, |span| span.clusters / UNIT_CLUSTERS * size) - within;
            let length = there.min(rest.len() as u64);
            let place = rest.split_at_mut(index(length)).0;
            match uniform.map(|span| span.lcn) {
                // whole units of one run, plain or holes, in one request
                Some(Some(lcn)) => disk.read(record, lcn * disk.cluster + within, place)?,
                Some(None) => place.fill(0),
                None => {
                    let whole = within == 0 && (length == size || offset + length == range.end);
                    if whole && self.kept != Some(unit) {
                        self.expand(disk, record, unit, place)?;
                    } else {
                        self.copy(disk, record, unit, index(within), place)?;
                    }
                }
            }
            rest = rest.split_at_mut(index(length)).1;
            offset += length;
        }
        Ok(())
    }

    /// The run that holds the whole of `unit`, if one does.
    fn uniform(&mut self, unit: u64) -> Option<Span> {
        self.runs.at(unit * UNIT_CLUSTERS, &mut self.hint).filter(|span| span.clusters >= UNIT_CLUSTERS)
    }

    /// A part of a unit, by way of the unit that is kept.
    fn copy(&mut self, disk: &Disk, record: u64, unit: u64, from: usize, place: &mut [u8]) -> Result<(), FileError> {
        if self.kept != Some(unit) {
            self.kept = None;
            let mut bytes = std::mem::take(&mut self.unit);
            bytes.resize(index(UNIT_CLUSTERS * disk.cluster), 0);
            let done = self.expand(disk, record, unit, &mut bytes);
            self.unit = bytes;
            done?;
            self.kept = Some(unit);
        }
        // `from + place.len()` is within the unit: the caller cuts its range there
        if let Some(wanted) = self.unit.get(from..from + place.len()) {
            place.copy_from_slice(wanted);
        }
        Ok(())
    }

    /// The first bytes of a unit that is made of several runs.
    fn expand(&mut self, disk: &Disk, record: u64, unit: u64, place: &mut [u8]) -> Result<(), FileError> {
        let first = unit * UNIT_CLUSTERS;
        let end = self.runs.end().min(first + UNIT_CLUSTERS);
        self.packed.resize(index(UNIT_CLUSTERS * disk.cluster), 0);
        let (mut vcn, mut real) = (first, 0);
        while let Some(span) = self.runs.at(vcn, &mut self.hint).filter(|_| vcn < end) {
            let clusters = span.clusters.min(end - vcn);
            if let Some(lcn) = span.lcn {
                let (from, length) = (index(real * disk.cluster), index(clusters * disk.cluster));
                if let Some(packed) = self.packed.get_mut(from..from + length) {
                    disk.read(record, lcn * disk.cluster, packed)?;
                }
                real += clusters;
            }
            vcn += clusters;
        }
        let packed = self.packed.get(..index(real * disk.cluster)).unwrap_or_default();
        if real == 0 || first >= end {
            place.fill(0);
        } else if real == end - first {
            for (place, &byte) in place.iter_mut().zip(packed) {
                *place = byte;
            }
        } else {
            lznt1::decompress(packed, place).map_err(|fault| fault.within(record, Part::CompressionUnit(unit)))?;
        }
        Ok(())
    }
}

/// Where a read begins, and where the written part of the stream ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) offset: u64,
    pub(super) end: u64,
}
