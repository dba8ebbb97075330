//! What was verified, counted while it happens.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was compared with the manifest's hashes here, before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Verified {
    /// Ranges that matched.
    pub ranges: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Requests the store refused for their checksum and that succeeded when repeated.
    pub line_refusals: u64,
}

/// The counters of a running transfer.
#[derive(Debug, Default)]
pub(super) struct Counters {
    ranges: AtomicU64,
    bytes: AtomicU64,
    line_refusals: AtomicU64,
}

impl Counters {
    /// A range of so many bytes matched.
    pub(super) fn matched(&self, bytes: u64) {
        self.ranges.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The store refused so many requests for their checksum before it took one.
    pub(super) fn refused(&self, requests: u64) {
        self.line_refusals.fetch_add(requests, Ordering::Relaxed);
    }

    /// The figures so far.
    pub(super) fn figures(&self) -> Verified {
        Verified {
            ranges: self.ranges.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            line_refusals: self.line_refusals.load(Ordering::Relaxed),
        }
    }
}
