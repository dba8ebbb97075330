//! AES-CBC, one chain per sector, the IV being the encrypted position of the sector; optionally with the Elephant diffuser.

use super::{Aes, BATCH, BLOCK, Block, block_of, blocks, diffuser};
use crate::volume::fields::index;

/// A keyed cipher, and the one for the sector keys of the diffuser.
pub(in crate::volume::bitlocker) struct Cbc<C> {
    data: C,
    diffuser: Option<C>,
}

impl<C: Aes> Cbc<C> {
    pub(super) fn new(data: &[u8], diffuser: Option<&[u8]>) -> Option<Self> {
        let diffuser = diffuser.map(C::new_from_slice).transpose().ok()?;
        Some(Self { data: C::new_from_slice(data).ok()?, diffuser })
    }

    pub(super) fn decrypt(&self, sectors: &mut [u8], position: u64, sector_size: u32) {
        let per_sector = index(u64::from(sector_size)) / BLOCK;
        let mut position = position;
        for batch in blocks(sectors).chunks_mut(BATCH) {
            let mut before = [Block::default(); BATCH];
            let before = &mut before[..batch.len()];
            before.copy_from_slice(batch);
            self.data.decrypt_blocks(batch);
            for (plain, cipher) in batch.chunks_exact_mut(per_sector).zip(before.chunks_exact(per_sector)) {
                self.unchain(plain, cipher, position);
                position += u64::from(sector_size);
            }
        }
    }

    /// Takes the chain of one sector apart, and the diffuser off.
    fn unchain(&self, plain: &mut [Block], cipher: &[Block], position: u64) {
        let mut previous = block_of(u128::from(position));
        self.data.encrypt_block(&mut previous);
        for (block, cipher) in plain.iter_mut().zip(cipher) {
            xor(block, &previous);
            previous = *cipher;
        }
        if let Some(key) = &self.diffuser {
            diffuser::remove(plain);
            let mut pair = [block_of(u128::from(position)), block_of(u128::from(position) | 0x80 << 120)];
            key.encrypt_blocks(&mut pair);
            for (block, key) in plain.iter_mut().zip(pair.iter().cycle()) {
                xor(block, key);
            }
        }
    }
}

fn xor(block: &mut Block, other: &Block) {
    block.0 = (u128::from_le_bytes(block.0) ^ u128::from_le_bytes(other.0)).to_le_bytes();
}
