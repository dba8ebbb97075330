//! Keys of a volume under construction: random numbers from a seed, stretched passwords, sealed boxes, entries.
//!
//! In: passwords and keys. Out: bytes of the metadata. Stretched keys are kept for the life of the program: each costs 2^20 hashes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aes::Aes256;
use ccm::aead::AeadInOut as _;
use ccm::aead::array::Array;
use ccm::consts::{U12, U16};
use ccm::{Ccm, KeyInit as _};
use sha2::{Digest as _, Sha256};

/// A key of 32 bytes.
pub(crate) type Key = [u8; 32];

/// `SplitMix64`: the same seed, the same bytes.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() % limit as u64).unwrap()
    }

    /// So many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// A key.
    pub(crate) fn key(&mut self) -> Key {
        self.bytes(32).try_into().unwrap()
    }

    /// A well-formed recovery password.
    pub(crate) fn recovery_password(&mut self) -> String {
        let groups: Vec<String> = (0..8).map(|_| format!("{:06}", self.below(1 << 16) * 11)).collect();
        groups.join("-")
    }
}

/// The 16-byte secret of a recovery password.
pub(crate) fn recovery_secret(password: &str) -> Vec<u8> {
    let groups = password.split('-').map(|group| u16::try_from(group.parse::<u32>().unwrap() / 11).unwrap());
    groups.flat_map(u16::to_le_bytes).collect()
}

/// What is stretched for a recovery password.
pub(crate) fn recovery_hash(password: &str) -> Key {
    Sha256::digest(recovery_secret(password)).into()
}

/// What is stretched for a passphrase.
pub(crate) fn passphrase_hash(passphrase: &str) -> Key {
    let utf16: Vec<u8> = passphrase.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Sha256::digest(Sha256::digest(utf16)).into()
}

/// The salt that goes with a password here: always the same one, so that volumes share stretched keys.
pub(crate) fn salt(initial: &Key) -> [u8; 16] {
    Sha256::digest([b"salt".as_slice(), initial].concat())[..16].try_into().unwrap()
}

/// The stretched key of `initial` with its [`salt`].
pub(crate) fn stretch(initial: &Key) -> Key {
    static KNOWN: Mutex<Option<HashMap<Key, Key>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known.get_or_insert_default().entry(*initial).or_insert_with(|| {
        let mut last = [0; 32];
        let salt = salt(initial);
        for round in 0..1_u64 << 20 {
            let hash = Sha256::new().chain_update(last).chain_update(initial).chain_update(salt);
            last = hash.chain_update(round.to_le_bytes()).finalize().into();
        }
        last
    })
}

/// An entry: header and body.
pub(crate) fn entry(role: u16, value: u16, version: u16, body: &[u8]) -> Vec<u8> {
    let size = u16::try_from(8 + body.len()).unwrap();
    let mut entry: Vec<u8> = [size, role, value, version].into_iter().flat_map(u16::to_le_bytes).collect();
    entry.extend_from_slice(body);
    entry
}

/// The entry of a key that lies open.
pub(crate) fn open_key(method: u32, key: &[u8]) -> Vec<u8> {
    entry(0, 1, 0, &[&method.to_le_bytes(), key].concat())
}

/// The body of a box: a key, sealed with AES-256-CCM.
pub(crate) fn sealed(with: &Key, nonce: [u8; 12], method: u32, key: &[u8]) -> Vec<u8> {
    let mut content = open_key(method, key);
    let cipher = Ccm::<Aes256, U16, U12>::new_from_slice(with).unwrap();
    let tag = cipher.encrypt_inout_detached(&Array(nonce), &[], content.as_mut_slice().into()).unwrap();
    [nonce.as_slice(), tag.as_slice(), &content].concat()
}
