//! `$MFT`, the table of all records.
//!
//! In: the volume and where the table begins. Out: records by reference. The table maps itself: record 0 holds the first of its runs,
//! and maybe a list of further records with the rest. They are read in order, and none is asked for that is not mapped by what was
//! read before, so that a table that maps itself in circles is refused instead of followed. The first four records have a copy,
//! `$MFTMirr`, which is taken where the original is broken.

use std::sync::atomic::{AtomicBool, Ordering};

use super::attribute::kind;
use super::attribute_list::{self, Entry};
use super::boot::Boot;
use super::disk::{Disk, Table};
use super::error::{Fault, FileError, Part};
use super::inode::Inode;
use super::record::{Record, Reference};
use super::runs::Runs;
use super::stream::{Assembly, Content, Stream};

/// Records that `$MFTMirr` repeats.
const MIRRORED: u64 = 4;

/// The table of records.
pub(super) struct Mft {
    disk: Disk,
    runs: Runs,
    /// Bytes that hold records.
    length: u64,
    record: usize,
    mirror: u64,
    mirror_used: AtomicBool,
}

impl Mft {
    /// Finds the table.
    pub(super) fn open(disk: Disk, boot: &Boot) -> Result<Self, FileError> {
        let mut mft = Self {
            disk,
            runs: Runs::default(),
            length: 0,
            record: boot.record,
            mirror: boot.mirror,
            mirror_used: AtomicBool::new(false),
        };
        let inode = match mft.first(boot.mft) {
            Ok(inode) => inode,
            Err(original) => {
                mft.mirror_used.store(true, Ordering::Relaxed);
                mft.first(boot.mirror).map_err(|_| original)?
            }
        };
        let stream = mft.map(&inode)?;
        mft.length = stream.initialized;
        if let Content::Runs(runs) = stream.content {
            mft.runs = runs;
        }
        Ok(mft)
    }

    /// Record 0, read from byte `place` of the volume, with a first part of the table in it.
    fn first(&self, place: u64) -> Result<Inode, FileError> {
        let mut bytes = vec![0; self.record];
        self.disk.read(0, place, &mut bytes)?;
        let record = Record::parse(0, bytes).map_err(|fault| fault.within(0, Part::Record))?;
        Inode::new(&self.disk, record)
    }

    /// Puts the table's own runs together, part by part.
    fn map(&mut self, inode: &Inode) -> Result<Stream, FileError> {
        let missing = |found: u64| Fault { byte: 0, expected: "$MFT with content in clusters", found }.within(0, Part::Record);
        let mut assembly = Assembly::default();
        let attribute = inode.record.unnamed(kind::DATA).map_err(|fault| fault.within(0, Part::Record))?;
        let attribute = attribute.filter(|attribute| attribute.resident().is_none()).ok_or_else(|| missing(0))?;
        assembly.add(&self.disk, 0, &inode.record, &attribute)?;
        for part in self.further_parts(inode)? {
            // what is mapped so far is what can be read for the next part
            assembly.swap_runs(&mut self.runs);
            self.length = self.runs.end() * self.disk.cluster;
            let record = inode.extension(self, part.reference);
            assembly.swap_runs(&mut self.runs);
            let record = record?;
            assembly.add(&self.disk, 0, &record, &inode.promised(&record, &part)?)?;
        }
        let stream = assembly.finish(&self.disk, 0)?.ok_or_else(|| missing(1))?;
        if stream.initialized < self.record as u64 {
            return Err(missing(stream.initialized));
        }
        Ok(stream)
    }

    fn further_parts<'a>(&self, inode: &'a Inode) -> Result<Vec<Entry<'a>>, FileError> {
        let Some(list) = inode.list() else { return Ok(Vec::new()) };
        let mut parts = attribute_list::parts(list, kind::DATA, &[]).map_err(|fault| fault.within(0, Part::AttributeList))?;
        parts.retain(|part| part.lowest != 0);
        // each part is in a record of its own: more parts than records fit the volume are a trick to keep us busy
        let most = self.disk.bounds.clusters.saturating_mul(self.disk.cluster) / self.record as u64;
        if parts.len() as u64 > most {
            return Err(FileError::TooMany { record: 0, what: "parts", limit: most });
        }
        Ok(parts)
    }

    /// The disk below.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Whether a record had to be taken from the mirror.
    pub(super) fn mirror_used(&self) -> bool {
        self.mirror_used.load(Ordering::Relaxed)
    }

    /// The base record `reference` and all that belongs to it.
    pub(super) fn open_file(&self, reference: Reference) -> Result<Inode, FileError> {
        Inode::new(&self.disk, self.record(reference)?)
    }

    /// The record `reference`, in use and not reused since.
    pub(super) fn record(&self, reference: Reference) -> Result<Record, FileError> {
        let number = reference.record;
        let record = self.original(number).or_else(|error| self.mirrored(number).ok_or(error))?;
        if !reference.fits(record.reference) {
            let (expected, found) = (reference.sequence, record.reference.sequence);
            return Err(FileError::Stale { record: number, expected, found });
        }
        Ok(record)
    }

    fn original(&self, number: u64) -> Result<Record, FileError> {
        // 48-bit numbers and records of 4096 bytes cannot overflow
        let offset = number * self.record as u64;
        let table = Table { record: 0, runs: &self.runs, length: self.length };
        if offset + self.record as u64 > self.length {
            let fault = Fault { byte: 0, expected: "a record number within $MFT", found: self.length / self.record as u64 };
            return Err(fault.within(number, Part::Record));
        }
        let bytes = self.disk.structure(table, offset, self.record)?;
        Record::parse(number, bytes).map_err(|fault| fault.within(number, Part::Record))
    }

    fn mirrored(&self, number: u64) -> Option<Record> {
        if number >= MIRRORED {
            return None;
        }
        let mut bytes = vec![0; self.record];
        self.disk.read(number, self.mirror + number * self.record as u64, &mut bytes).ok()?;
        let record = Record::parse(number, bytes).ok()?;
        self.mirror_used.store(true, Ordering::Relaxed);
        Some(record)
    }

    /// Records in the table, used or not.
    pub(super) fn records(&self) -> u64 {
        self.length / self.record as u64
    }
}
