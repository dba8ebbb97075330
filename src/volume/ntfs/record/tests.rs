//! Records that are torn, stale or not in use.

use super::*;
use crate::volume::ntfs::attribute::kind;

/// Record 30 with an empty resident `$DATA`.
fn sample() -> Vec<u8> {
    let mut record = vec![0; 1024];
    record[..4].copy_from_slice(b"FILE");
    record[4] = 48;
    record[6] = 3;
    record[16] = 9;
    record[20] = 56;
    record[22] = 1;
    record[24] = 88;
    record[28..32].copy_from_slice(&1024_u32.to_le_bytes());
    record[44] = 30;
    record[56] = 0x80;
    record[60] = 24;
    record[76] = 24;
    record[80..84].fill(0xFF);
    record
}

fn fault(byte: usize, value: u8) -> u64 {
    let mut record = sample();
    record[byte] = value;
    Record::parse(30, record).unwrap_err().byte
}

#[test]
fn a_record_and_its_attributes() {
    let record = Record::parse(30, sample()).unwrap();
    assert_eq!(record.reference, Reference { record: 30, sequence: 9 });
    assert!(!record.is_directory() && !record.is_system() && record.base.is_none());
    assert_eq!(record.attributes().count(), 1);
    assert!(record.unnamed(kind::DATA).unwrap().is_some());
    assert!(record.unnamed(kind::FILE_NAME).unwrap().is_none());
}

#[test]
fn headers_that_lead_out_of_the_record_are_refused() {
    assert_eq!(fault(22, 0), 22, "not in use");
    assert_eq!(fault(28, 1), 28, "another record size");
    assert_eq!(fault(25, 0xFF), 24, "more used than there is");
    assert_eq!(fault(20, 88), 20);
    assert_eq!(fault(20, 57), 20);
    assert_eq!(fault(20, 8), 20);
    assert_eq!(fault(21, 0xFF), 20);
    assert_eq!(fault(44, 31), 44, "the record of another place");
    assert_eq!(fault(0, b'B'), 0);
    assert!(Record::parse(0, vec![0; 1024]).is_err(), "never used");
    assert!(Record::parse(0, Vec::new()).is_err());
}

#[test]
fn an_attribute_that_is_broken_ends_the_list_with_its_fault() {
    let mut bytes = sample();
    bytes[60] = 0;
    let record = Record::parse(30, bytes).unwrap();
    let found: Vec<_> = record.attributes().collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].as_ref().unwrap_err().byte, 60);
    assert!(record.unnamed(kind::FILE_NAME).is_err());
}

#[test]
fn references_are_split_and_compared() {
    let reference = Reference::new(0x0007_1234_5678_9ABC);
    assert_eq!(reference, Reference { record: 0x1234_5678_9ABC, sequence: 7 });
    assert!(reference.fits(Reference { sequence: 0, ..reference }));
    assert!(!reference.fits(Reference { sequence: 8, ..reference }));
    assert!(!reference.fits(Reference { record: 1, ..reference }));
}
