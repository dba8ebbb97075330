//! AES-XTS (IEEE 1619), one data unit per sector, the tweak being the sector's number.
//!
//! A batch of sectors at a time: their first tweaks in one call of the block cipher, then all their blocks in one call, so that the
//! machine's AES units stay full.

use super::{Aes, BATCH, BLOCK, Block, block_of, blocks};
use crate::volume::fields::index;

/// Two keyed ciphers: for the data, and for the tweaks.
pub(in crate::volume::bitlocker) struct Xts<C> {
    data: C,
    tweak: C,
}

impl<C: Aes> Xts<C> {
    pub(super) fn new(data: &[u8], tweak: &[u8]) -> Option<Self> {
        Some(Self { data: C::new_from_slice(data).ok()?, tweak: C::new_from_slice(tweak).ok()? })
    }

    pub(super) fn decrypt(&self, sectors: &mut [u8], position: u64, sector_size: u32) {
        let sector_size = u64::from(sector_size);
        let per_sector = index(sector_size) / BLOCK;
        let per_batch = BATCH / per_sector;
        let mut number = position / sector_size;
        for batch in blocks(sectors).chunks_mut(BATCH) {
            let mut tweaks = [0_u128; BATCH];
            self.tweaks(&mut tweaks, number, per_sector);
            mask(batch, &tweaks);
            self.data.decrypt_blocks(batch);
            mask(batch, &tweaks);
            number += per_batch as u64;
        }
    }

    /// The tweaks of a batch of sectors from `number` on: the encrypted number, then doubled from block to block.
    fn tweaks(&self, tweaks: &mut [u128; BATCH], number: u64, per_sector: usize) {
        let mut first = [Block::default(); BATCH / 32];
        let sectors = BATCH / per_sector;
        for (block, number) in first[..sectors].iter_mut().zip(number..) {
            *block = block_of(u128::from(number));
        }
        self.tweak.encrypt_blocks(&mut first[..sectors]);
        for (sector, block) in tweaks.chunks_exact_mut(per_sector).zip(&first) {
            let mut tweak = u128::from_le_bytes(block.0);
            for slot in sector {
                *slot = tweak;
                tweak = double(tweak);
            }
        }
    }
}

/// Multiplies by x in the field of the tweaks.
fn double(tweak: u128) -> u128 {
    (tweak << 1) ^ ((tweak >> 127) * 0x87)
}

fn mask(blocks: &mut [Block], tweaks: &[u128; BATCH]) {
    for (block, tweak) in blocks.iter_mut().zip(tweaks) {
        block.0 = (u128::from_le_bytes(block.0) ^ tweak).to_le_bytes();
    }
}
