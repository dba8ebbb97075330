//! 4,096 numbers as 512 bytes: a bit for each.

/// Numbers of a chunk.
pub const CHUNK: u64 = 4_096;

/// Bytes of a chunk.
const BYTES: usize = 512;

/// The numbers from `chunk * 4,096` on that are in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    chunk: u64,
    bytes: Box<[u8; BYTES]>,
}

impl Bits {
    /// None of a chunk.
    pub(super) fn none(chunk: u64) -> Self {
        Self { chunk, bytes: Box::new([0; BYTES]) }
    }

    /// As recorded; `None` if it has another length.
    pub(super) fn from_bytes(chunk: u64, bytes: &[u8]) -> Option<Self> {
        Some(Self { chunk, bytes: Box::new(bytes.try_into().ok()?) })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// Puts a number of this chunk in or out. Whether that changed anything.
    pub(super) fn put(&mut self, number: u64, is_in: bool) -> bool {
        let (byte, mask) = place(number);
        let before = self.bytes[byte];
        self.bytes[byte] = if is_in { before | mask } else { before & !mask };
        self.bytes[byte] != before
    }

    /// Which chunk.
    pub fn chunk(&self) -> u64 {
        self.chunk
    }

    /// Whether a number is in.
    pub fn contains(&self, number: u64) -> bool {
        let (byte, mask) = place(number);
        number / CHUNK == self.chunk && self.bytes[byte] & mask != 0
    }

    /// How many are in.
    pub fn count(&self) -> u64 {
        self.bytes.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// Those that are in, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        let first = self.chunk.saturating_mul(CHUNK);
        (first..first.saturating_add(CHUNK)).filter(|number| self.contains(*number))
    }
}

/// Byte and bit of a number in its chunk.
fn place(number: u64) -> (usize, u8) {
    let within = number % CHUNK;
    // below 512, since the remainder is below 4,096
    (usize::try_from(within / 8).unwrap_or_default(), 1 << (within % 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_when_put_in_and_out_when_put_out() {
        let mut bits = Bits::none(3);
        for number in [12_288, 12_295, 16_383] {
            assert!(bits.put(number, true) && !bits.put(number, true));
        }
        assert_eq!(bits.numbers().collect::<Vec<_>>(), [12_288, 12_295, 16_383]);
        assert!(bits.put(12_295, false) && !bits.contains(12_295) && bits.count() == 2);
        assert!(!bits.contains(0), "another chunk's number");
        assert_eq!(Bits::from_bytes(3, &bits.to_bytes()), Some(bits));
        assert_eq!(Bits::from_bytes(3, &[0; 511]), None);
    }
}
