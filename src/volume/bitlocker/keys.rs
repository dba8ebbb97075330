//! Keys: stretching a recovery password, opening boxes.

use aes::Aes256;
use ccm::aead::AeadInOut as _;
use ccm::aead::array::Array;
use ccm::consts::{U12, U16};
use ccm::{Ccm, KeyInit as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::entries::{list, value};
use crate::secret::RecoveryPassword;
use crate::volume::fields::{array_at, slice_at, u16_at, u32_at};

/// Rounds of the stretch.
const ROUNDS: u64 = 1 << 20;

/// A key of 32 bytes, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// The key that a recovery password gives with a protector's salt. About 0.13 CPU-seconds with SHA instructions.
pub(super) fn stretch(password: &RecoveryPassword, salt: &[u8; 16]) -> Key {
    // last hash (32) | initial hash (32) | salt (16) | counter (8)
    let mut state = Zeroizing::new([0; 88]);
    state[32..64].copy_from_slice(&Sha256::digest(password.secret()));
    state[64..80].copy_from_slice(salt);
    for round in 0..ROUNDS {
        state[80..].copy_from_slice(&round.to_le_bytes());
        let hash = Sha256::digest(state.as_slice());
        state[..32].copy_from_slice(&hash);
    }
    let mut key = Key::default();
    key.copy_from_slice(&state[..32]);
    key
}

/// The salt of a protector that is stretched.
pub(super) fn salt(protector: &[u8]) -> Option<[u8; 16]> {
    list(protector).find(|entry| entry.value == value::STRETCH).and_then(|entry| array_at(entry.body, 4))
}

/// Opens the box that lies directly in a list of entries.
pub(super) fn open_in(entries: &[u8], key: &Key) -> Option<Opened> {
    list(entries).filter(|entry| entry.value == value::SEALED).find_map(|entry| open(entry.body, key))
}

/// What a box held: a key and what it is for.
pub(super) struct Opened {
    /// Its method field.
    pub(super) method: u32,
    /// The key.
    pub(super) key: Zeroizing<Vec<u8>>,
}

/// Opens an AES-256-CCM box: nonce (12), tag (16), ciphertext. `None` if the key is not the right one or the content is no key.
pub(super) fn open(sealed: &[u8], key: &Key) -> Option<Opened> {
    let nonce: [u8; 12] = array_at(sealed, 0)?;
    let tag: [u8; 16] = array_at(sealed, 12)?;
    let mut plain = Zeroizing::new(sealed.get(28..)?.to_vec());
    let cipher = Ccm::<Aes256, U16, U12>::new_from_slice(key.as_slice()).ok()?;
    cipher.decrypt_inout_detached(&Array(nonce), &[], plain.as_mut_slice().into(), &Array(tag)).ok()?;
    let size = usize::from(u16_at(&plain, 0)?);
    if u16_at(&plain, 4)? != value::KEY {
        return None;
    }
    let bytes = slice_at(&plain, 12, size.checked_sub(12)?)?;
    Some(Opened { method: u32_at(&plain, 8)?, key: Zeroizing::new(bytes.to_vec()) })
}
