//! The bytes between the drive and the XML parser. In: a source that may be endless; out: a buffered reader that hashes every byte, counts
//! lines, and stops the parser when one event outgrows its budget. Refused: a manifest above the limit, a text that does not end.
//!
//! The parser copies one event at a time without a bound of its own, so the bound is kept here, below it.

use std::io::{self, BufRead, Read};

use sha2::Digest as _;
use zeroize::Zeroizing;

use super::chars;
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
    // where the event begins, if in this buffer; lines are counted up to it only when asked for
    event: Option<usize>,
    event_line: u64,
    line: u64,
    counted: usize,
    // whether this buffer and the one before it hold nothing but plain characters
    plain: [bool; 2],
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
            event: None,
            event_line: 1,
            line: 1,
            counted: 0,
            plain: [true; 2],
            budget: EVENT_BYTES + LOOKAHEAD,
            stop: None,
        }
    }

    /// An event begins.
    #[inline]
    pub(super) fn begin_event(&mut self) {
        self.budget = EVENT_BYTES + LOOKAHEAD;
        self.event = Some(self.taken);
    }

    /// Line where the event begins, from 1.
    pub(super) fn line(&mut self) -> u64 {
        if let Some(event) = self.event {
            self.count_lines(event);
            self.event_line = self.line;
        }
        self.event_line
    }

    /// Whether the event has no character that needs a closer look: it is in this buffer and, at most, the one before it.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.plain == [true; 2]
    }

    #[allow(clippy::naive_bytecount, reason = "not seen in a measurement, unlike one more crate")]
    fn count_lines(&mut self, to: usize) {
        let passed = self.buffer.get(self.counted..to).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.counted = self.counted.max(to);
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
        self.line();
        self.event = None;
        self.count_lines(self.filled);
        (self.taken, self.filled, self.counted) = (0, 0, 0);
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
        self.plain = [self.plain[1], chars::is_plain(new)];
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
    #[inline]
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

    #[inline]
    fn consume(&mut self, count: usize) {
        self.budget = self.budget.saturating_sub(count);
        self.taken = self.taken.saturating_add(count).min(self.filled);
    }
}
