//! The distinct metadata and properties files of a manifest. In: path and hash of each mention; out: its number, the same for the same
//! pair. Memory: 36 bytes for each distinct pair, whatever the paths' lengths, up to the limit.

use std::collections::HashMap;

use sha2::Digest as _;

use super::super::{Digest, SideFileNumber};

/// See the module.
#[derive(Default)]
pub(super) struct Sides {
    // SHA-256 of MD5 and path: two pairs cannot be made to share it
    numbers: HashMap<[u8; 32], SideFileNumber>,
    full: bool,
}

/// Where a pair stands.
pub(super) enum Side {
    /// It was mentioned before.
    Known(SideFileNumber),
    /// It is mentioned for the first time.
    New(SideFileNumber),
    /// There are as many as are allowed.
    Full {
        /// Said only once.
        first: bool,
    },
}

impl Sides {
    /// The number of a pair.
    pub(super) fn number(&mut self, path: &str, digest: &Digest, limit: u64) -> Side {
        let key: [u8; 32] = sha2::Sha256::new().chain_update(digest.0).chain_update(path).finalize().into();
        if let Some(number) = self.numbers.get(&key) {
            return Side::Known(*number);
        }
        match self.count() {
            count if u64::from(count) >= limit || count == SideFileNumber::MAX => {
                Side::Full { first: !std::mem::replace(&mut self.full, true) }
            }
            count => {
                self.numbers.insert(key, count);
                Side::New(count)
            }
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> SideFileNumber {
        SideFileNumber::try_from(self.numbers.len()).unwrap_or(SideFileNumber::MAX)
    }
}
