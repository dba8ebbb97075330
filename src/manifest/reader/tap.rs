//! The bytes between the drive and the XML parser. In: a source that may be endless; out: a buffered reader that hashes every byte, counts
//! lines, and stops the parser when one event outgrows its budget. Refused: a manifest above the limit, a text that does not end.
//!
//! The parser copies one event at a time without a bound of its own, so the bound is kept here, below it.

use std::io::{self, BufRead, Read};

use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::volume::fields::index;

/// Bytes of one event: a tag with its attributes, a text, a comment.
pub(super) const EVENT_BYTES: usize = 64 << 10;
/// Bytes asked of the source at once: large for the disk, small enough to stay in the cache between hashing and parsing.
const CHUNK: usize = 128 << 10;
/// The parser looks at the byte behind an event before it ends it.
const LOOKAHEAD: usize = 2;

/// Why no more bytes come.
#[derive(Debug)]
pub(super) enum Stop {
    /// The source failed.
    Source(io::Error),
    /// There are more bytes than the limit.
    TooLong,
    /// One event has more than [`EVENT_BYTES`].
    Event,
}

/// Hashes of all bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hashes {
    /// Only if asked for: it costs three times as much as the other one.
    pub(super) md5: Option<[u8; 16]>,
    pub(super) sha256: [u8; 32],
}

/// See the module.
pub(super) struct Tap<R> {
    source: R,
    // wiped on drop: a manifest can hold an account key
    buffer: Zeroizing<Vec<u8>>,
    taken: usize,
    filled: usize,
    md5: Option<md5::Md5>,
    sha256: sha2::Sha256,
    total: u64,
    limit: u64,
    line: u64,
    budget: usize,
    stop: Option<Stop>,
}

impl<R: Read> Tap<R> {
    /// Reads at most `limit` bytes.
    pub(super) fn new(source: R, limit: u64, with_md5: bool) -> Self {
        Self {
            source,
            buffer: Zeroizing::new(vec![0; CHUNK]),
            taken: 0,
            filled: 0,
            md5: with_md5.then(md5::Md5::default),
            sha256: sha2::Sha256::default(),
            total: 0,
            limit,
            line: 1,
            budget: EVENT_BYTES + LOOKAHEAD,
            stop: None,
        }
    }

    /// An event begins.
    pub(super) fn begin_event(&mut self) {
        self.budget = EVENT_BYTES + LOOKAHEAD;
    }

    /// Line of the next byte, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes read so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Why reading stopped, once.
    pub(super) fn take_stop(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// Reads and hashes what the parser left.
    pub(super) fn drain(&mut self) -> Result<(), Stop> {
        while self.filled > 0 || self.total == 0 {
            self.refill()?;
            if self.filled == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The hashes of everything that was read.
    pub(super) fn hashes(self) -> Hashes {
        Hashes { md5: self.md5.map(|md5| md5.finalize().into()), sha256: self.sha256.finalize().into() }
    }

    /// Fills the whole buffer unless the source ends; hashes what came.
    fn refill(&mut self) -> Result<(), Stop> {
        (self.taken, self.filled) = (0, 0);
        // one byte above the limit is asked for, to see whether it is there
        let room = index(self.limit.saturating_add(1).saturating_sub(self.total)).min(self.buffer.len());
        while let Some(free) = self.buffer.get_mut(self.filled..room).filter(|free| !free.is_empty()) {
            let space = free.len();
            match self.source.read(free) {
                Ok(0) => break,
                Ok(count) => self.filled += count.min(space),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::Source(error)),
            }
        }
        let new = self.buffer.get(..self.filled).unwrap_or_default();
        if let Some(md5) = &mut self.md5 {
            md5.update(new);
        }
        self.sha256.update(new);
        self.total += new.len() as u64;
        if self.total > self.limit { Err(Stop::TooLong) } else { Ok(()) }
    }

    fn halt(&mut self, stop: Stop) -> io::Error {
        self.stop = Some(stop);
        io::Error::other("stopped below the parser")
    }
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Tap<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.filled {
            self.refill().map_err(|stop| self.halt(stop))?;
        }
        if self.budget == 0 && self.taken < self.filled {
            return Err(self.halt(Stop::Event));
        }
        let end = self.filled.min(self.taken.saturating_add(self.budget));
        Ok(self.buffer.get(self.taken..end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        let end = self.taken.saturating_add(count).min(self.filled);
        let consumed = self.buffer.get(self.taken..end).unwrap_or_default();
        self.line += consumed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.budget = self.budget.saturating_sub(consumed.len());
        self.taken = end;
    }
}
