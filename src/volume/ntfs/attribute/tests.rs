//! Attributes whose lengths and offsets lie.

use super::*;

fn put(bytes: &mut [u8], at: usize, value: u64, length: usize) {
    bytes[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
}

/// A resident attribute of 40 bytes with an 8-byte value and the name `ab`, at byte 8, and the end mark.
fn resident_sample() -> Vec<u8> {
    let mut record = vec![0; 52];
    put(&mut record, 8, 0x80, 4);
    put(&mut record, 12, 40, 4);
    record[17] = 2;
    put(&mut record, 18, 24, 2);
    put(&mut record, 22, 7, 2);
    put(&mut record, 24, 8, 4);
    put(&mut record, 28, 32, 2);
    record[32..36].copy_from_slice(b"a\0b\0");
    record[40..48].copy_from_slice(b"contents");
    put(&mut record, 48, 0xFFFF_FFFF, 4);
    record
}

/// A non-resident attribute of 72 bytes with 3 clusters, and the end mark.
fn non_resident_sample() -> Vec<u8> {
    let mut record = vec![0; 76];
    put(&mut record, 0, 0x80, 4);
    put(&mut record, 4, 72, 4);
    record[8] = 1;
    put(&mut record, 24, 2, 8);
    put(&mut record, 32, 64, 2);
    put(&mut record, 40, 12_288, 8);
    put(&mut record, 48, 10_000, 8);
    put(&mut record, 56, 9000, 8);
    record[64..67].copy_from_slice(&[0x11, 3, 5]);
    put(&mut record, 72, 0xFFFF_FFFF, 4);
    record
}

fn fault(record: &[u8], at: usize) -> u64 {
    Attribute::parse(record, at).unwrap_err().byte
}

fn changed(mut record: Vec<u8>, at: usize, value: u64, length: usize) -> Vec<u8> {
    put(&mut record, at, value, length);
    record
}

#[test]
fn a_resident_attribute() {
    let record = resident_sample();
    let (attribute, after) = Attribute::parse(&record, 8).unwrap().unwrap();
    assert_eq!((attribute.kind, attribute.id, attribute.name), (0x80, 7, &b"a\0b\0"[..]));
    assert_eq!(attribute.resident(), Some(&b"contents"[..]));
    assert!(Attribute::parse(&record, after).unwrap().is_none());
}

#[test]
fn a_non_resident_attribute() {
    let record = non_resident_sample();
    let (attribute, _) = Attribute::parse(&record, 0).unwrap().unwrap();
    let Body::NonResident(part) = attribute.body else { panic!("{attribute:?}") };
    assert_eq!((part.lowest, part.clusters, part.runs_at), (0, 3, 64));
    assert_eq!(part.sizes.map(|sizes| sizes.content), Some(10_000));
    let empty = changed(record, 24, u64::MAX, 8);
    let (attribute, _) = Attribute::parse(&empty, 0).unwrap().unwrap();
    assert!(matches!(attribute.body, Body::NonResident(NonResident { clusters: 0, .. })));
}

#[test]
fn lengths_that_leave_the_record_are_refused() {
    for length in [0, 8, 16, 23, 25, 41, 48, 0x1000, 0xFFFF_FFF8] {
        assert_eq!(fault(&changed(resident_sample(), 12, length, 4), 8), 12, "{length}");
    }
    assert_eq!(fault(&changed(resident_sample(), 16, 2, 1), 8), 16, "neither resident nor not");
    assert!(Attribute::parse(&resident_sample()[..50], 48).is_err(), "no end mark");
    assert!(Attribute::parse(&[], 0).is_err());
    assert!(Attribute::parse(&[0; 64], usize::MAX - 64).is_err());
}

#[test]
fn names_and_values_that_leave_their_attribute_are_refused() {
    assert_eq!(fault(&changed(resident_sample(), 17, 255, 1), 8), 18);
    assert_eq!(fault(&changed(resident_sample(), 18, 38, 2), 8), 18);
    assert_eq!(fault(&changed(resident_sample(), 18, 2, 2), 8), 18);
    for length in [9, 0xFFFF_FFFF] {
        assert_eq!(fault(&changed(resident_sample(), 24, length, 4), 8), 24);
    }
    assert_eq!(fault(&changed(resident_sample(), 28, 33, 2), 8), 24);
    assert_eq!(fault(&changed(resident_sample(), 28, 0, 2), 8), 24);
}

#[test]
fn runs_and_sizes_that_contradict_each_other_are_refused() {
    assert_eq!(fault(&changed(non_resident_sample(), 4, 56, 4), 0), 4, "no room for the sizes");
    assert_eq!(fault(&changed(non_resident_sample(), 32, 73, 2), 0), 32);
    assert_eq!(fault(&changed(non_resident_sample(), 32, 32, 2), 0), 32);
    assert_eq!(fault(&changed(non_resident_sample(), 16, 4, 8), 0), 24, "lowest above highest");
    assert_eq!(fault(&changed(non_resident_sample(), 24, u64::MAX / 2, 8), 0), 24);
    assert_eq!(fault(&changed(non_resident_sample(), 48, 12_289, 8), 0), 48);
    assert_eq!(fault(&changed(non_resident_sample(), 40, u64::MAX, 8), 0), 48);
    assert_eq!(fault(&changed(non_resident_sample(), 56, 10_001, 8), 0), 56);
}
