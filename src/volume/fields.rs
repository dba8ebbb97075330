//! Little-endian fields of on-disk structures, read without trusting that they are there.

const _: () = assert!(size_of::<usize>() >= size_of::<u64>(), "positions on a drive must fit memory indexes");

/// The byte at `offset`, if there.
pub fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// The 16-bit number at `offset`, if there.
pub fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

/// The 32-bit number at `offset`, if there.
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

/// The 64-bit number at `offset`, if there.
pub fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

/// The `N` bytes at `offset`, if there.
pub fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

/// The `length` bytes at `offset`, if there.
pub fn slice_at(bytes: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    bytes.get(offset..offset.checked_add(length)?)
}

/// A 64-bit position as a memory index. Lossless: the assertion above makes smaller machines a compile error.
#[allow(clippy::cast_possible_truncation, reason = "asserted above: usize has 64 bits")]
pub const fn index(position: u64) -> usize {
    position as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_beyond_the_end_is_none() {
        let bytes = [1, 2, 3, 4];
        assert_eq!(u32_at(&bytes, 0), Some(0x0403_0201));
        assert_eq!(u32_at(&bytes, 1), None);
        assert_eq!(u16_at(&bytes, usize::MAX), None);
        assert_eq!(slice_at(&bytes, 2, usize::MAX), None);
    }
}
