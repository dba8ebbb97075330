//! The six sector ciphers, each over whole runs of sectors in place.

mod cbc;
mod diffuser;
mod xts;

use std::fmt;

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};

use cbc::Cbc;
use xts::Xts;

/// One AES block.
pub(super) type Block = aes::cipher::Block<Aes128>;

/// Bytes of an AES block.
pub(super) const BLOCK: usize = 16;
/// Blocks worked on at a time: 4 KiB, which stays in the first-level cache and holds whole sectors of either size.
const BATCH: usize = 256;

/// How sectors are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// AES-CBC with 128-bit key and diffuser (Windows 7).
    Cbc128Diffuser,
    /// AES-CBC with 256-bit key and diffuser (Windows 7).
    Cbc256Diffuser,
    /// AES-CBC with 128-bit key.
    Cbc128,
    /// AES-CBC with 256-bit key.
    Cbc256,
    /// AES-XTS with 128-bit keys.
    Xts128,
    /// AES-XTS with 256-bit keys.
    Xts256,
}

impl Method {
    /// All six.
    pub const ALL: [Self; 6] =
        [Self::Cbc128Diffuser, Self::Cbc256Diffuser, Self::Cbc128, Self::Cbc256, Self::Xts128, Self::Xts256];

    /// The method of a field in the metadata.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.code() == code)
    }

    /// The field in the metadata.
    pub fn code(self) -> u16 {
        match self {
            Self::Cbc128Diffuser => 0x8000,
            Self::Cbc256Diffuser => 0x8001,
            Self::Cbc128 => 0x8002,
            Self::Cbc256 => 0x8003,
            Self::Xts128 => 0x8004,
            Self::Xts256 => 0x8005,
        }
    }

    /// Bytes of key material in the wrapped sector key.
    fn key_length(self) -> usize {
        match self {
            Self::Cbc128 => 16,
            Self::Cbc256 | Self::Xts128 => 32,
            Self::Cbc128Diffuser | Self::Cbc256Diffuser | Self::Xts256 => 64,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cbc128Diffuser => "AES-CBC 128-bit with diffuser",
            Self::Cbc256Diffuser => "AES-CBC 256-bit with diffuser",
            Self::Cbc128 => "AES-CBC 128-bit",
            Self::Cbc256 => "AES-CBC 256-bit",
            Self::Xts128 => "AES-XTS 128-bit",
            Self::Xts256 => "AES-XTS 256-bit",
        })
    }
}

/// A cipher with its keys. The keys are wiped when it is dropped.
pub(super) enum SectorCipher {
    Xts128(Box<Xts<Aes128>>),
    Xts256(Box<Xts<Aes256>>),
    Cbc128(Box<Cbc<Aes128>>),
    Cbc256(Box<Cbc<Aes256>>),
}

impl SectorCipher {
    /// The cipher of a method; `None` if the key has another length.
    pub(super) fn new(method: Method, key: &[u8]) -> Option<Self> {
        if key.len() != method.key_length() {
            return None;
        }
        let (first, second) = key.split_at(key.len() / 2);
        Some(match method {
            Method::Xts128 => Self::Xts128(Box::new(Xts::new(first, second)?)),
            Method::Xts256 => Self::Xts256(Box::new(Xts::new(first, second)?)),
            Method::Cbc128 => Self::Cbc128(Box::new(Cbc::new(key, None)?)),
            Method::Cbc256 => Self::Cbc256(Box::new(Cbc::new(key, None)?)),
            // at 128 bits only the first half of each half is used
            Method::Cbc128Diffuser => Self::Cbc128(Box::new(Cbc::new(first.get(..16)?, second.get(..16))?)),
            Method::Cbc256Diffuser => Self::Cbc256(Box::new(Cbc::new(first, Some(second))?)),
        })
    }

    /// Decrypts whole sectors in place. `position` is the byte of the volume where the first one lies, a multiple of the sector size.
    pub(super) fn decrypt(&self, sectors: &mut [u8], position: u64, sector_size: u32) {
        match self {
            Self::Xts128(cipher) => cipher.decrypt(sectors, position, sector_size),
            Self::Xts256(cipher) => cipher.decrypt(sectors, position, sector_size),
            Self::Cbc128(cipher) => cipher.decrypt(sectors, position, sector_size),
            Self::Cbc256(cipher) => cipher.decrypt(sectors, position, sector_size),
        }
    }
}

/// What both modes need of AES.
pub(super) trait Aes: BlockCipherDecrypt + BlockCipherEncrypt + KeyInit + Sized
where
    Self: aes::cipher::BlockSizeUser<BlockSize = aes::cipher::consts::U16>,
{
}

impl Aes for Aes128 {}
impl Aes for Aes256 {}

/// The blocks of a buffer whose length is a multiple of 16.
fn blocks(bytes: &mut [u8]) -> &mut [Block] {
    Block::slice_as_chunks_mut(bytes).0
}

/// A number as a block, little-endian.
fn block_of(number: u128) -> Block {
    aes::cipher::array::Array(number.to_le_bytes())
}

#[cfg(test)]
mod tests;
