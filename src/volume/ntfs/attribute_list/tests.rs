//! Lists with gaps, doubles and loops.

use super::*;

fn packed(kind: u32, lowest: u64, record: u64, name: &str) -> Vec<u8> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = (MIN_ENTRY + name.len()).next_multiple_of(8);
    let mut entry = vec![0; length];
    entry[..4].copy_from_slice(&kind.to_le_bytes());
    entry[4] = u8::try_from(length).unwrap();
    entry[6] = u8::try_from(name.len() / 2).unwrap();
    entry[7] = 26;
    entry[8..16].copy_from_slice(&lowest.to_le_bytes());
    entry[16..24].copy_from_slice(&record.to_le_bytes());
    entry[26..26 + name.len()].copy_from_slice(&name);
    entry
}

#[test]
fn parts_of_one_attribute_come_in_the_order_of_their_clusters() {
    let list = [
        packed(0x80, 50, 3, ""),
        packed(0x80, 0, 1, ""),
        packed(0x80, 0, 9, "x"),
        packed(0x30, 0, 4, ""),
        packed(0x80, 20, 2, ""),
    ]
    .concat();
    let records: Vec<u64> = parts(&list, 0x80, &[]).unwrap().iter().map(|part| part.reference.record).collect();
    assert_eq!(records, [1, 2, 3]);
    assert_eq!(parts(&list, 0x80, b"x\0").unwrap().len(), 1);
    assert_eq!(parts(&[], 0x80, &[]).unwrap(), []);
}

#[test]
fn entries_that_leave_the_list_are_refused() {
    for (byte, value) in [(4, 0_u8), (4, 25), (4, 41), (5, 0xFF), (6, 255), (7, 255), (7, 3)] {
        let mut list = packed(0x80, 0, 1, "stream");
        list[byte] = value;
        assert!(parts(&list, 0x80, &[]).is_err(), "byte {byte} = {value}");
    }
    let mut torn = [packed(0x80, 0, 1, ""), packed(0x80, 1, 1, "")].concat();
    torn.truncate(40);
    assert!(parts(&torn, 0x80, &[]).is_err());
    assert_eq!(entries(&[0; 1000]).count(), 1, "ends after the first fault");
}
