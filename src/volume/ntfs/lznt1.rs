//! LZNT1, the compression of NTFS.
//!
//! In: the bytes of the clusters that a compression unit really has. Out: the unit, or its first bytes if the file ends in it. Refused:
//! references before the start of their chunk, chunks that leave the input or give more than 4096 bytes.
//!
//! The input is a sequence of chunks of up to 4096 bytes of content, each after a 16-bit header: bits 0 to 11 the bytes that follow
//! less one, bit 15 set if they are compressed. A header of zero ends the unit; what is missing is zeros. A compressed chunk is a flag
//! byte, then eight items, and so on; an item is a byte, or (flag bit set) a 16-bit reference whose split between distance (high bits)
//! and length (low bits) depends on how much of the chunk is already there.

use super::error::Fault;

/// Content of a chunk.
const CHUNK: usize = 4096;

/// Fills `output` from `input`.
pub(super) fn decompress(input: &[u8], output: &mut [u8]) -> Result<(), Fault> {
    let mut at = 0;
    for chunk in output.chunks_mut(CHUNK) {
        let body = match input.get(at..at + 2) {
            Some(&[low, high]) => u16::from_le_bytes([low, high]),
            _ => 0,
        };
        if body == 0 {
            at = input.len();
            chunk.fill(0);
            continue;
        }
        let length = usize::from(body & 0xFFF) + 1;
        let Some(bytes) = input.get(at + 2..at + 2 + length) else {
            return Err(Fault::new(at, "a chunk that ends inside its unit", length as u64));
        };
        let done = if body & 0x8000 == 0 { copy(bytes, chunk) } else { expand(bytes, chunk, at + 2)? };
        if let Some(rest) = chunk.get_mut(done..) {
            rest.fill(0);
        }
        at += 2 + length;
    }
    Ok(())
}

/// A chunk stored as it is.
fn copy(bytes: &[u8], chunk: &mut [u8]) -> usize {
    let length = bytes.len().min(chunk.len());
    for (place, &byte) in chunk.iter_mut().zip(bytes) {
        *place = byte;
    }
    length
}

/// Expands a compressed chunk and returns how much it gave. `base` is its place in the input, for faults. A `chunk` shorter than 4096
/// bytes is the end of a file: it is filled and the rest dropped.
fn expand(bytes: &[u8], chunk: &mut [u8], base: usize) -> Result<usize, Fault> {
    let (mut from, mut to) = (0, 0);
    while let Some(&flags) = bytes.get(from) {
        from += 1;
        if flags == 0
            && let (Some(literals), Some(place)) = (bytes.get(from..from + 8), chunk.get_mut(to..to + 8))
        {
            place.copy_from_slice(literals);
            from += 8;
            to += 8;
            continue;
        }
        for bit in 0..8 {
            let Some(&first) = bytes.get(from) else { return Ok(to) };
            if to == chunk.len() {
                return full(to, base + from);
            }
            if flags & (1 << bit) == 0 {
                if let Some(place) = chunk.get_mut(to) {
                    *place = first;
                }
                from += 1;
                to += 1;
                continue;
            }
            let second = bytes.get(from + 1).ok_or(Fault::new(base + from, "a reference of two bytes", first))?;
            let (distance, length) = split(u16::from_le_bytes([first, *second]), to);
            if distance > to {
                return Err(Fault::new(base + from, "a reference into its own chunk", distance as u64));
            }
            if to + length > CHUNK {
                return Err(Fault::new(base + from, "a chunk of 4096 bytes at most", (to + length) as u64));
            }
            let length = length.min(chunk.len() - to);
            repeat(chunk, to, distance, length);
            from += 2;
            to += length;
        }
    }
    Ok(to)
}

/// More input for a chunk that is full: an error, unless the file ends here.
fn full(to: usize, at: usize) -> Result<usize, Fault> {
    if to == CHUNK { Err(Fault::new(at, "a chunk of 4096 bytes at most", CHUNK as u64 + 1)) } else { Ok(to) }
}

/// Distance and length of a reference at byte `to` of a chunk: the distance has 4 bits up to byte 16, 5 up to 32, ... 12 up to 4096.
fn split(reference: u16, to: usize) -> (usize, usize) {
    let bits = (usize::BITS - to.saturating_sub(1).leading_zeros()).clamp(4, 12);
    let length_bits = 16 - bits;
    (usize::from(reference >> length_bits) + 1, usize::from(reference & ((1 << length_bits) - 1)) + 3)
}

/// Copies `length` bytes from `distance` before `to`; they may overlap, which repeats them. `distance <= to` and
/// `to + length <= chunk.len()` were checked.
fn repeat(chunk: &mut [u8], to: usize, distance: usize, length: usize) {
    let start = to - distance;
    if distance >= length {
        chunk.copy_within(start..start + length, to);
        return;
    }
    // what was copied may be copied again: the stretch doubles each time
    let mut done = 0;
    while done < length {
        let step = (distance + done).min(length - done);
        chunk.copy_within(start..start + step, to + done);
        done += step;
    }
}

#[cfg(test)]
mod tests;
