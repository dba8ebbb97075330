//! Encrypts sectors with the six methods of BitLocker, block by block and as the formulas are written: slow and easy to check.
//!
//! In: plain sectors and the byte of the volume where they will lie. Out: ciphertext in place. Shares nothing with the reader.

use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes256};

/// How sectors are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Cbc128Diffuser,
    Cbc256Diffuser,
    Cbc128,
    Cbc256,
    Xts128,
    Xts256,
}

impl Method {
    /// All six.
    pub(crate) const ALL: [Self; 6] =
        [Self::Cbc128Diffuser, Self::Cbc256Diffuser, Self::Cbc128, Self::Cbc256, Self::Xts128, Self::Xts256];

    /// The number in the metadata.
    pub(crate) fn code(self) -> u16 {
        0x8000 + u16::try_from(Self::ALL.iter().position(|method| *method == self).unwrap()).unwrap()
    }

    /// Bytes of key material.
    pub(crate) fn key_length(self) -> usize {
        [64, 64, 16, 32, 32, 64][usize::from(self.code() - 0x8000)]
    }
}

/// One AES key.
enum Aes {
    Short(Box<Aes128>),
    Long(Box<Aes256>),
}

impl Aes {
    fn new(key: &[u8]) -> Self {
        match key.len() {
            16 => Self::Short(Box::new(Aes128::new_from_slice(key).unwrap())),
            _ => Self::Long(Box::new(Aes256::new_from_slice(key).unwrap())),
        }
    }

    fn encrypt(&self, block: &mut [u8; 16]) {
        let block = block.into();
        match self {
            Self::Short(aes) => aes.encrypt_block(block),
            Self::Long(aes) => aes.encrypt_block(block),
        }
    }

    fn encrypted(&self, number: u128) -> [u8; 16] {
        let mut block = number.to_le_bytes();
        self.encrypt(&mut block);
        block
    }
}

/// A method with its keys.
pub(crate) struct SectorCipher {
    method: Method,
    sector_size: usize,
    data: Aes,
    second: Option<Aes>,
}

impl SectorCipher {
    /// The keys lie in `key` as in the wrapped sector key of a volume.
    pub(crate) fn new(method: Method, key: &[u8], sector_size: usize) -> Self {
        let (data, second) = match method {
            Method::Cbc128 | Method::Cbc256 => (key, None),
            Method::Xts128 => (&key[..16], Some(&key[16..])),
            Method::Cbc128Diffuser => (&key[..16], Some(&key[32..48])),
            Method::Xts256 | Method::Cbc256Diffuser => (&key[..32], Some(&key[32..])),
        };
        Self { method, sector_size, data: Aes::new(data), second: second.map(Aes::new) }
    }

    /// Encrypts whole sectors, the first of which will lie at byte `position` of the volume.
    pub(crate) fn encrypt(&self, sectors: &mut [u8], position: u64) {
        assert_eq!(sectors.len() % self.sector_size, 0, "whole sectors");
        for (sector, position) in sectors.chunks_mut(self.sector_size).zip((position..).step_by(self.sector_size)) {
            match (self.method, &self.second) {
                (Method::Xts128 | Method::Xts256, Some(tweak)) => self.xts(sector, position, tweak),
                (_, second) => {
                    if let Some(key) = second {
                        diffuse(sector, key, position);
                    }
                    self.cbc(sector, position);
                }
            }
        }
    }

    /// IEEE 1619, the data unit being the sector's number.
    fn xts(&self, sector: &mut [u8], position: u64, tweak: &Aes) {
        let mut tweak = u128::from_le_bytes(tweak.encrypted(u128::from(position / self.sector_size as u64)));
        for block in sector.as_chunks_mut::<16>().0 {
            *block = (u128::from_le_bytes(*block) ^ tweak).to_le_bytes();
            self.data.encrypt(block);
            *block = (u128::from_le_bytes(*block) ^ tweak).to_le_bytes();
            tweak = if tweak >> 127 == 1 { (tweak << 1) ^ 0x87 } else { tweak << 1 };
        }
    }

    /// CBC, the IV being the encrypted position.
    fn cbc(&self, sector: &mut [u8], position: u64) {
        let mut previous = self.data.encrypted(u128::from(position));
        for block in sector.as_chunks_mut::<16>().0 {
            *block = (u128::from_le_bytes(*block) ^ u128::from_le_bytes(previous)).to_le_bytes();
            self.data.encrypt(block);
            previous = *block;
        }
    }
}

/// The Elephant diffuser of Windows 7: the sector key, pass A, pass B, each pass from the last word to the first.
fn diffuse(sector: &mut [u8], key: &Aes, position: u64) {
    let mut second = u128::from(position).to_le_bytes();
    second[15] = 0x80;
    key.encrypt(&mut second);
    let sector_key = [key.encrypted(u128::from(position)), second].concat();
    for (byte, key) in sector.iter_mut().zip(sector_key.iter().cycle()) {
        *byte ^= key;
    }
    let mut words: Vec<u32> = sector.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let n = words.len();
    for i in (0..n).rev().cycle().take(5 * n) {
        let other = words[(i + n - 2) % n] ^ words[(i + n - 5) % n].rotate_left([9, 0, 13, 0][i % 4]);
        words[i] = words[i].wrapping_sub(other);
    }
    for i in (0..n).rev().cycle().take(3 * n) {
        let other = words[(i + 2) % n] ^ words[(i + 5) % n].rotate_left([0, 10, 0, 25][i % 4]);
        words[i] = words[i].wrapping_sub(other);
    }
    for (bytes, word) in sector.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
}
