//! `$UpCase`: which names are equal but for case.
//!
//! In: the table of the volume, or nothing. Out: a mapping of UTF-16 units and the order of names that follows from it. A table of
//! another length than 131,072 bytes, or one that does not know the Latin capitals, is refused; then our own is used.

mod table;

use std::cmp::Ordering;

use table::{ALTERNATING, SHIFTED, SINGLE};

/// Units of UTF-16.
const UNITS: usize = 65_536;
/// Bytes of the table on disk.
pub(super) const BYTES: u64 = 131_072;

/// A mapping of UTF-16 units to their capitals.
pub(super) struct UpCase {
    table: Box<[u16]>,
}

impl UpCase {
    /// The table as it is on the volume, if it is one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() as u64 != BYTES {
            return None;
        }
        let table: Box<[u16]> = bytes.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
        let found = Self { table };
        let latin = (b'a'..=b'z').all(|letter| found.of(letter.into()) == u16::from(letter.to_ascii_uppercase()));
        let capitals = (b' '..b'a').all(|sign| found.of(sign.into()) == u16::from(sign));
        (latin && capitals).then_some(found)
    }

    /// The table of Windows 8 to 10.
    pub(super) fn builtin() -> Self {
        let mut table: Box<[u16]> = (0..=u16::MAX).collect();
        let mut set = |unit: u16, capital: u16| {
            if let Some(place) = table.get_mut(usize::from(unit)) {
                *place = capital;
            }
        };
        let shifted = SHIFTED.iter().map(|&(first, last, distance)| (first, last, 1, distance));
        let alternating = ALTERNATING.iter().map(|&(first, last, distance)| (first, last, 2, distance));
        for (first, last, step, distance) in shifted.chain(alternating) {
            for unit in (first..=last).step_by(step) {
                set(unit, u16::try_from(i32::from(unit) + distance).unwrap_or(unit));
            }
        }
        for (unit, capital) in SINGLE {
            set(unit, capital);
        }
        debug_assert_eq!(table.len(), UNITS);
        Self { table }
    }

    /// The capital of a unit.
    pub(super) fn of(&self, unit: u16) -> u16 {
        self.table.get(usize::from(unit)).copied().unwrap_or(unit)
    }

    /// A name in capitals.
    pub(super) fn map(&self, name: &[u16]) -> Vec<u16> {
        name.iter().map(|&unit| self.of(unit)).collect()
    }

    /// Order of a name from an index (UTF-16LE) relative to one that is already in capitals: unit by unit, then the shorter first.
    pub(super) fn compare(&self, name: &[u8], capitals: &[u16]) -> Ordering {
        let units = name.as_chunks::<2>().0;
        for (&unit, &capital) in units.iter().zip(capitals) {
            let order = self.of(u16::from_le_bytes(unit)).cmp(&capital);
            if order.is_ne() {
                return order;
            }
        }
        units.len().cmp(&capitals.len())
    }
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};

    use super::*;

    fn bytes(table: &UpCase) -> Vec<u8> {
        table.table.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn stored(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// A sum as `{:x?}` shows bytes.
    fn spaced(hex: &str) -> String {
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        format!("{bytes:x?}")
    }

    #[test]
    fn the_builtin_table_is_that_of_windows_to_the_byte() {
        let table = bytes(&UpCase::builtin());
        assert_eq!(format!("{:x?}", Md5::digest(&table).as_slice()), spaced("7ff498a44e45e77374cc7c962b1b92f2"));
        let sha256 = "41c26bc7a12bdaeb26025c93118697c7e3ef81ee048b00fe5cce2a472e0e0742";
        assert_eq!(format!("{:x?}", sha2::Sha256::digest(&table).as_slice()), spaced(sha256));
    }

    #[test]
    fn a_table_is_taken_whole_or_not_at_all() {
        let good = bytes(&UpCase::builtin());
        assert!(UpCase::parse(&good).is_some());
        assert!(UpCase::parse(&good[..good.len() - 2]).is_none());
        assert!(UpCase::parse(&[]).is_none());
        let mut bad = good;
        bad[2 * usize::from(b'a')] = b'B';
        assert!(UpCase::parse(&bad).is_none());
        assert!(UpCase::parse(&vec![0; 131_072]).is_none());
    }

    #[test]
    fn names_compare_by_capital_units_and_the_shorter_comes_first() {
        let table = UpCase::builtin();
        let order = |left: &str, right: &str| table.compare(&stored(left), &table.map(&units(right)));
        assert_eq!(order("straße", "STRAßE"), Ordering::Equal);
        assert_eq!(order("ÄÖÜ.txt", "äöü.TXT"), Ordering::Equal);
        assert_eq!(order("λόγος", "ΛΌΓΟΣ"), Ordering::Greater, "a final sigma has no capital of its own");
        assert_eq!(order("abc", "abcd"), Ordering::Less);
        assert_eq!(order("abd", "abcd"), Ordering::Greater);
        // code units, not characters: the pairs of U+1F600 sort below U+FF5E
        assert_eq!(order("\u{1F600}", "\u{FF5E}"), Ordering::Less);
    }
}
