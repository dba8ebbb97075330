//! One range on its way from the disk to the store, and the check it must pass.

use bytes::Bytes;

use super::Transfer;
use super::budget::Share;
use super::hashing::{Body, Coming};
use crate::ledger::RangeStatus;
use crate::manifest::{Digest, Range};

/// Bodies up to this many bytes are hashed where they are: handing them to another thread costs more.
const HASHED_IN_PLACE: u64 = 8 * 1024;

/// A range as it was read, with its share of the budget.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its number, counted through the whole manifest.
    pub(super) number: u64,
    /// What the manifest says of it.
    pub(super) range: Range,
    /// Its bytes, or why there are none.
    pub(super) body: Result<Bytes, RangeStatus>,
    /// Its share of the budget. A range without bytes has one too, so that what waits for an entry's task is bounded.
    pub(super) share: Share,
    /// Lets the hasher wait for it, if it is one for the hasher.
    pub(super) coming: Option<Coming>,
}

/// A range whose bytes matched the manifest's hash. Only such a one is ever given to a store.
#[derive(Debug)]
pub(super) struct Checked {
    /// What the manifest says of it.
    pub(super) range: Range,
    /// Its bytes.
    pub(super) body: Bytes,
}

impl Piece {
    /// Compares the bytes with the manifest's hash. The share is for the caller to hold as long as the bytes may be needed again.
    pub(super) async fn check(self, transfer: &Transfer, counted: bool) -> Result<(Checked, Share), RangeStatus> {
        let body = Body { bytes: self.body?, share: self.share };
        let (body, found) = if hashed_in_place(body.bytes.len() as u64) {
            let found = Digest::of(&body.bytes);
            (body, found)
        } else {
            transfer.host.hasher.digest(body, self.coming).await.map_err(|_| RangeStatus::Failed)?
        };
        if found != self.range.digest {
            return Err(RangeStatus::Corrupted);
        }
        if counted {
            transfer.meter.bytes_verified(self.range.bytes.length());
        }
        Ok((Checked { range: self.range, body: body.bytes }, body.share))
    }
}

/// Whether a body of this length does not go to the hasher.
pub(super) fn hashed_in_place(length: u64) -> bool {
    length <= HASHED_IN_PLACE
}
