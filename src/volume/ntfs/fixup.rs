//! Fix-ups: how NTFS notices that a record was only half written.
//!
//! The last two bytes of each 512-byte block of a record are replaced on disk by one number; the bytes themselves are kept in the
//! record's header. In: a record as read. Out: the record as meant. Refused: another signature, a list that lies outside the first
//! block, a block with another number (a torn write).
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | signature |
//! | 4 | 2 | offset of the list: the number, then the saved bytes of each block |
//! | 6 | 2 | entries of the list, one more than there are blocks |

use super::error::Fault;
use crate::volume::fields::{slice_at, u16_at};

/// The stride of the format, whatever the sector size: a 4096-byte record has eight blocks on a 4096-byte-sector volume, too.
const STRIDE: usize = 512;

/// Undoes the fix-ups of `record` in place. `header` is the length of the header that the list may not overlap.
pub(super) fn apply(record: &mut [u8], signature: [u8; 4], header: usize) -> Result<(), Fault> {
    let found = slice_at(record, 0, 4).ok_or(Fault::cut(0, record.len()))?;
    if found != signature {
        let found = found.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        return Err(Fault::new(0, "the signature of this kind of record", found));
    }
    let blocks = record.len() / STRIDE;
    let list = usize::from(u16_at(record, 4).ok_or(Fault::cut(4, record.len()))?);
    let count = usize::from(u16_at(record, 6).ok_or(Fault::cut(6, record.len()))?);
    if count <= blocks {
        return Err(Fault::new(6, "a fix-up for each 512-byte block", count as u64));
    }
    // the list must end before the first bytes it replaces; with that, no fix-up can change the list
    if list < header || list % 2 != 0 || list + 2 * (blocks + 1) > STRIDE - 2 {
        return Err(Fault::new(4, "a fix-up list between the header and the end of the first block", list as u64));
    }
    let number = u16_at(record, list).ok_or(Fault::cut(list, record.len()))?;
    for block in 0..blocks {
        let saved = u16_at(record, list + 2 * (block + 1)).ok_or(Fault::cut(list, record.len()))?;
        let end = (block + 1) * STRIDE - 2;
        let Some(place) = record.get_mut(end..end + 2) else { return Err(Fault::cut(end, 0)) };
        let found = u16::from_le_bytes([place[0], place[1]]);
        if found != number {
            return Err(Fault::new(end, "the fix-up number of the record (it was written only in part)", found));
        }
        place.copy_from_slice(&saved.to_le_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(blocks: usize) -> Vec<u8> {
        let mut record = vec![0_u8; blocks * STRIDE];
        record[..4].copy_from_slice(b"FILE");
        record[4] = 48;
        record[6] = u8::try_from(blocks + 1).unwrap();
        record[48] = 7;
        for block in 0..blocks {
            record[50 + 2 * block] = 0x20 + u8::try_from(block).unwrap();
            record[(block + 1) * STRIDE - 2] = 7;
        }
        record
    }

    #[test]
    fn saved_bytes_return_to_their_blocks() {
        for blocks in [1, 2, 8, 128] {
            let mut record = sample(blocks);
            apply(&mut record, *b"FILE", 42).unwrap();
            for block in 0..blocks {
                assert_eq!(usize::from(record[(block + 1) * STRIDE - 2]), 0x20 + block);
            }
        }
    }

    #[test]
    fn a_larger_count_is_accepted_and_a_smaller_one_refused() {
        let mut record = sample(2);
        record[6] = 9;
        assert!(apply(&mut record, *b"FILE", 42).is_ok());
        let mut record = sample(2);
        record[6] = 2;
        assert_eq!(apply(&mut record, *b"FILE", 42).unwrap_err().byte, 6);
    }

    #[test]
    fn torn_records_and_lists_out_of_place_are_refused() {
        let mut torn = sample(2);
        torn[1022] = 8;
        assert_eq!(apply(&mut torn, *b"FILE", 42).unwrap_err().byte, 1022);
        for offset in [0_u16, 40, 49, 506, 510, 1000, 0xFFFF] {
            let mut record = sample(2);
            record[4..6].copy_from_slice(&offset.to_le_bytes());
            assert_eq!(apply(&mut record, *b"FILE", 42).unwrap_err().byte, 4, "{offset}");
        }
        let mut bad = sample(2);
        bad[..4].copy_from_slice(b"BAAD");
        assert_eq!(apply(&mut bad, *b"FILE", 42).unwrap_err().byte, 0);
        assert!(apply(&mut [], *b"FILE", 42).is_err());
        assert!(apply(&mut b"FILE".to_vec(), *b"FILE", 42).is_err());
    }
}
