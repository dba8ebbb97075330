//! Bytes of a stream: from a position in it to positions on the volume, and into the caller's buffer.
//!
//! One request below per run, with no copy. Small structures (records, index blocks) are read in chunks of 64 KiB, which are cached:
//! neighbours are mostly wanted together, and a drive that turns reads 64 KiB as fast as one sector.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cache::Cache;
use super::error::FileError;
use super::runs::{Bounds, Runs};
use crate::volume::fields::index;
use crate::volume::{ReadAt, ReadError};

/// Bytes read at a time for records and index blocks; a multiple of both.
const CHUNK: u64 = 64 << 10;

/// Bytes of a table.
type Chunk = Arc<[u8]>;

/// The volume below, its clusters, and the chunks lately read.
pub(super) struct Disk {
    device: Arc<dyn ReadAt>,
    /// Bytes per cluster.
    pub(super) cluster: u64,
    /// What runs are checked against.
    pub(super) bounds: Bounds,
    /// By record of the table and number of the chunk in it.
    chunks: Mutex<Cache<(u64, u64), Chunk>>,
}

/// A stream of small structures: `length` bytes in `runs`, belonging to `record`.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) record: u64,
    pub(super) runs: &'a Runs,
    pub(super) length: u64,
}

/// Locks, also after a panic elsewhere: caches hold only whole values.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    pub(super) fn new(device: Arc<dyn ReadAt>, cluster: u64, bounds: Bounds, cache: usize) -> Self {
        Self { device, cluster, bounds, chunks: Mutex::new(Cache::new(cache)) }
    }

    /// Fills `buffer` from byte `place` of the volume.
    pub(super) fn read(&self, record: u64, place: u64, buffer: &mut [u8]) -> Result<(), FileError> {
        self.device.read_at(place, buffer).map_err(|source| FileError::Read { record, source })
    }

    /// Fills `buffer` from byte `offset` of the stream in `runs`: holes are zeros. What is not mapped is an error.
    pub(super) fn read_stream(
        &self,
        record: u64,
        runs: &Runs,
        hint: &mut usize,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), FileError> {
        let (mut offset, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let Some(span) = runs.at(offset / self.cluster, hint) else {
                let size = runs.end() * self.cluster;
                return Err(FileError::BeyondEnd { offset, length: rest.len() as u64, size });
            };
            let within = offset % self.cluster;
            let length = (span.clusters * self.cluster - within).min(rest.len() as u64);
            let (now, later) = rest.split_at_mut(index(length));
            match span.lcn {
                Some(lcn) => self.read(record, lcn * self.cluster + within, now)?,
                None => now.fill(0),
            }
            rest = later;
            offset += length;
        }
        Ok(())
    }

    /// `length` bytes at `offset` of a table, which must not straddle chunks: a power of two up to 64 KiB, at a multiple of itself.
    pub(super) fn structure(&self, table: Table<'_>, offset: u64, length: usize) -> Result<Vec<u8>, FileError> {
        let beyond = FileError::BeyondEnd { offset, length: length as u64, size: table.length };
        if offset.checked_add(length as u64).is_none_or(|end| end > table.length) {
            return Err(beyond);
        }
        let within = index(offset % CHUNK);
        let chunk = match self.chunk(table, offset / CHUNK) {
            Ok(chunk) => chunk,
            // a bad sector nearby must not cost this one
            Err(FileError::Read { source: ReadError::Io { .. }, .. }) => {
                let mut alone = vec![0; length];
                self.read_stream(table.record, table.runs, &mut 0, offset, &mut alone)?;
                return Ok(alone);
            }
            Err(other) => return Err(other),
        };
        chunk.get(within..within + length).map(<[u8]>::to_vec).ok_or(beyond)
    }

    fn chunk(&self, table: Table<'_>, number: u64) -> Result<Chunk, FileError> {
        let key = (table.record, number);
        let offset = number * CHUNK;
        let length = index(table.length.saturating_sub(offset).min(CHUNK));
        // the last chunk of a table that meanwhile grew is shorter than it should be: `$MFT`, while it is being mapped
        if let Some(chunk) = lock(&self.chunks).get(&key).filter(|chunk| chunk.len() == length) {
            return Ok(chunk);
        }
        let mut bytes = vec![0; length];
        self.read_stream(table.record, table.runs, &mut 0, offset, &mut bytes)?;
        let chunk: Chunk = bytes.into();
        lock(&self.chunks).put(key, Arc::clone(&chunk), chunk.len());
        Ok(chunk)
    }
}
