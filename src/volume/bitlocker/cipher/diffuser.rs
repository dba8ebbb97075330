//! The Elephant diffuser of Windows 7 (N. Ferguson, "AES-CBC + Elephant diffuser", 2006): two passes of additions and rotations over the
//! sector's 32-bit words, each word with two others of the same sector.

use super::{BLOCK, Block};

/// Words of the largest sector.
const WORDS: usize = 4096 / 4;
const ROTATE_A: [u32; 4] = [9, 0, 13, 0];
const ROTATE_B: [u32; 4] = [0, 10, 0, 25];
const ROUNDS_A: usize = 5;
const ROUNDS_B: usize = 3;

/// Undoes both passes on one sector: B first, then A.
pub(super) fn remove(sector: &mut [Block]) {
    let mut buffer = [0_u32; WORDS];
    let count = (sector.len() * BLOCK / 4).min(WORDS);
    let words = &mut buffer[..count];
    // sectors have 128 or 1024 words, so a mask wraps around; a division per word would take most of the time
    let wrap = count.wrapping_sub(1);
    for (word, bytes) in words.iter_mut().zip(sector.iter().flat_map(|block| block.0.as_chunks::<4>().0)) {
        *word = u32::from_le_bytes(*bytes);
    }
    for _ in 0..ROUNDS_B {
        for i in 0..count {
            let other = words[(i + 2) & wrap] ^ words[(i + 5) & wrap].rotate_left(ROTATE_B[i % 4]);
            words[i] = words[i].wrapping_add(other);
        }
    }
    for _ in 0..ROUNDS_A {
        for i in 0..count {
            let other = words[(i + count - 2) & wrap] ^ words[(i + count - 5) & wrap].rotate_left(ROTATE_A[i % 4]);
            words[i] = words[i].wrapping_add(other);
        }
    }
    for (word, bytes) in words.iter().zip(sector.iter_mut().flat_map(|block| block.0.as_chunks_mut::<4>().0)) {
        *bytes = word.to_le_bytes();
    }
}
