//! Tables built in memory, whole and damaged.

use super::PartitionKind::{Data, EfiSystem, MicrosoftReserved, Other, Recovery};
use super::*;
use proptest::prelude::*;
use std::io;

const BASIC: &str = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7";
const EFI: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const RESERVED: &str = "e3c9e316-0b5c-4db8-817d-f92df00215ae";
const RECOVERY: &str = "de94bba4-06d1-4d40-a16a-bfd50179d6ac";
const LDM: &str = "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3";

fn put(disk: &mut [u8], offset: usize, bytes: &[u8]) {
    disk[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn guid_bytes(text: &str) -> Vec<u8> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    let bytes: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
    [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(|i| bytes[i]).to_vec()
}

/// Writes a boot record with `(kind, first, length)` at `sector`.
fn put_record(disk: &mut [u8], at: usize, slots: &[(u8, u32, u32)]) {
    for (number, &(kind, first, length)) in slots.iter().enumerate() {
        let entry = at + 446 + 16 * number;
        disk[entry + 4] = kind;
        put(disk, entry + 8, &first.to_le_bytes());
        put(disk, entry + 12, &length.to_le_bytes());
    }
    put(disk, at + 510, &[0x55, 0xAA]);
}

/// Writes one copy of a GPT: header in sector `own`, entries from sector `place` on.
fn put_gpt_copy(disk: &mut [u8], unit: usize, own: u64, place: u64, entries: &[u8]) {
    let mut header = vec![0; 92];
    put(&mut header, 0, b"EFI PART\0\0\x01\0");
    put(&mut header, 12, &92_u32.to_le_bytes());
    put(&mut header, 24, &own.to_le_bytes());
    put(&mut header, 72, &place.to_le_bytes());
    put(&mut header, 80, &u32::try_from(entries.len() / 128).unwrap().to_le_bytes());
    put(&mut header, 84, &128_u32.to_le_bytes());
    put(&mut header, 88, &crc32fast::hash(entries).to_le_bytes());
    let checksum = crc32fast::hash(&header);
    put(&mut header, 16, &checksum.to_le_bytes());
    put(disk, usize::try_from(own).unwrap() * unit, &header);
    put(disk, usize::try_from(place).unwrap() * unit, entries);
}

/// A drive of `sectors` with `(type, first, last)`, 128 entries, both copies.
fn gpt_disk(unit: usize, sectors: u64, partitions: &[(&str, u64, u64)]) -> Vec<u8> {
    let mut disk = vec![0; unit * usize::try_from(sectors).unwrap()];
    let mut entries = vec![0; 128 * 128];
    for (number, (kind, first, last)) in partitions.iter().enumerate() {
        put(&mut entries, number * 128, &guid_bytes(kind));
        put(&mut entries, number * 128 + 32, &first.to_le_bytes());
        put(&mut entries, number * 128 + 40, &last.to_le_bytes());
    }
    put_record(&mut disk, 0, &[(0xEE, 1, u32::MAX)]);
    let entry_sectors = (entries.len() / unit) as u64;
    put_gpt_copy(&mut disk, unit, 1, 2, &entries);
    put_gpt_copy(&mut disk, unit, sectors - 1, sectors - 1 - entry_sectors, &entries);
    disk
}

fn usual(unit: usize) -> Vec<u8> {
    let parts = [(EFI, 40, 49), (RESERVED, 50, 59), (RECOVERY, 60, 69), (LDM, 70, 79), (BASIC, 80, 159), (BASIC, 160, 199)];
    gpt_disk(unit, 256, &parts)
}

fn first_of(table: &Table) -> (u32, u64, u64) {
    let data = table.first_data().unwrap();
    (data.number, data.start, data.size)
}

#[test]
fn a_gpt_is_read_in_either_sector_size_whatever_the_device_claims() {
    for unit in [512_u32, 4096] {
        let disk = usual(unit as usize);
        for claimed in [None, Some(512), Some(4096), Some(520), Some(0)] {
            let table = read(&disk, claimed).unwrap();
            assert_eq!((table.scheme, table.sector_size), (Scheme::Gpt { backup_used: false }, unit));
            assert_eq!(first_of(&table), (5, 80 * u64::from(unit), 80 * u64::from(unit)));
        }
    }
    let table = read(&usual(512), None).unwrap();
    let kinds: Vec<_> = table.partitions.iter().map(|p| p.kind).collect();
    assert_eq!(kinds, [EfiSystem, MicrosoftReserved, Recovery, Other, Data, Data]);
    assert_eq!(table.partitions[4].type_text, format!("basic data ({BASIC})"));
}

#[test]
fn the_copy_at_the_end_serves_when_the_first_table_is_damaged() {
    // magic, checksum, own place, place of the entries, an entry
    for damaged in [512, 512 + 16, 512 + 24, 512 + 72, 1024 + 4 * 128 + 32] {
        let mut disk = usual(512);
        disk[damaged] ^= 1;
        let table = read(&disk, None).unwrap();
        assert_eq!(table.scheme, Scheme::Gpt { backup_used: true }, "{damaged}");
        assert_eq!(first_of(&table), (5, 80 * 512, 80 * 512));
        let end = disk.len() - 512;
        disk[end] ^= 1;
        assert!(matches!(read(&disk, None), Err(PartitionError::GptDamaged)), "{damaged}");
    }
    let mut wiped = usual(4096);
    wiped[..8192].fill(0);
    assert_eq!(read(&wiped, None).unwrap().scheme, Scheme::Gpt { backup_used: true });
}

#[test]
fn the_first_is_the_first_on_the_drive() {
    let disk = gpt_disk(512, 256, &[(BASIC, 160, 199), (EFI, 120, 129), (BASIC, 80, 99), (BASIC, 50, 49), (BASIC, 51, 49)]);
    let table = read(&disk, None).unwrap();
    let numbers: Vec<_> = table.partitions.iter().map(|p| p.number).collect();
    // the fourth is empty, the fifth ends before it begins
    assert_eq!(first_of(&table), (3, 80 * 512, 20 * 512));
    assert_eq!(numbers, [3, 2, 1]);
}

#[test]
fn more_entries_than_are_read_at_a_time_keep_their_numbers() {
    let mut disk = vec![0; 512 * 600];
    put_record(&mut disk, 0, &[(0xEE, 1, u32::MAX)]);
    let mut entries = vec![0; 128 * 1024];
    for number in [511_usize, 512, 1023] {
        put(&mut entries, number * 128, &guid_bytes(BASIC));
        put(&mut entries, number * 128 + 32, &(number as u64 / 2).to_le_bytes());
        put(&mut entries, number * 128 + 40, &(number as u64 / 2 + 9).to_le_bytes());
    }
    put_gpt_copy(&mut disk, 512, 1, 2, &entries);
    let numbers: Vec<_> = read(&disk, None).unwrap().partitions.iter().map(|p| p.number).collect();
    assert_eq!(numbers, [512, 513, 1024]);
    put_gpt_copy(&mut disk, 512, 1, 2, &vec![0; 128 * 1025]);
    assert!(matches!(read(&disk, None), Err(PartitionError::GptDamaged)));
}

#[test]
fn a_truncated_image_is_told_by_its_first_data_partition() {
    let mut disk = usual(512);
    disk.truncate(512 * 159);
    let error = read(&disk, None).unwrap_err();
    assert!(matches!(error, PartitionError::BeyondEnd { number: 5, end: 81_920, size: 81_408 }), "{error}");
    let mut disk = usual(512);
    disk.truncate(512 * 160);
    let table = read(&disk, None).unwrap();
    assert_eq!(table.partitions.len(), 5, "the sixth is left out");
    let disk = gpt_disk(512, 256, &[(BASIC, u64::MAX - 1, u64::MAX)]);
    assert!(matches!(read(&disk, None), Err(PartitionError::BeyondEnd { end: u64::MAX, .. })));
    let disk = gpt_disk(512, 256, &[(BASIC, 0, u64::MAX)]);
    assert!(matches!(read(&disk, None), Err(PartitionError::BeyondEnd { end: u64::MAX, .. })));
}

#[test]
fn an_mbr_counts_in_the_unit_under_which_a_volume_begins() {
    for (unit, signature) in [(512_u32, b"-FVE-FS-"), (4096, b"NTFS    ")] {
        let mut disk = vec![0; 4096 * 64];
        put_record(&mut disk, 0, &[(0x27, 2, 2), (0xEF, 4, 2), (0x42, 6, 2), (0x07, 8, 40)]);
        put(&mut disk, 8 * unit as usize + 3, signature);
        let table = read(&disk, None).unwrap();
        assert_eq!((table.scheme, table.sector_size), (Scheme::Mbr, unit));
        assert_eq!(first_of(&table), (4, 8 * u64::from(unit), 40 * u64::from(unit)));
        let kinds: Vec<_> = table.partitions.iter().map(|p| p.kind).collect();
        assert_eq!(kinds, [Recovery, EfiSystem, Other, Data]);
    }
    let mut unknown = vec![0; 4096 * 64];
    put_record(&mut unknown, 0, &[(0x07, 8, 40)]);
    assert_eq!(read(&unknown, None).unwrap().sector_size, 512);
    assert_eq!(read(&unknown, Some(4096)).unwrap().sector_size, 4096);
    assert!(matches!(read(&unknown[..8192].to_vec(), None), Err(PartitionError::BeyondEnd { number: 1, .. })));
}

#[test]
fn remains_of_a_gpt_do_not_hide_a_newer_mbr() {
    let mut disk = usual(512);
    disk[446..510].fill(0);
    put_record(&mut disk, 0, &[(0x07, 100, 20)]);
    assert_eq!(read(&disk, None).unwrap().scheme, Scheme::Mbr);
}

#[test]
fn logical_partitions_follow_primary_ones() {
    let mut disk = vec![0; 512 * 256];
    put_record(&mut disk, 0, &[(0x0F, 100, 100), (0x27, 10, 10)]);
    put_record(&mut disk, 100 * 512, &[(0x07, 2, 8), (0x05, 20, 20)]);
    put_record(&mut disk, 120 * 512, &[(0x0B, 3, 7)]);
    let table = read(&disk, None).unwrap();
    let seen: Vec<_> = table.partitions.iter().map(|p| (p.number, p.start / 512, p.size / 512)).collect();
    assert_eq!(seen, [(2, 10, 10), (5, 102, 8), (6, 123, 7)]);
    assert_eq!(table.first_data().unwrap().number, 5);
}

#[test]
fn chains_end_though_they_run_in_circles_or_without_end() {
    let mut circle = vec![0; 512 * 256];
    put_record(&mut circle, 0, &[(0x05, 100, 100), (0x05, 100, 100), (0x0F, u32::MAX, 9)]);
    put_record(&mut circle, 100 * 512, &[(0x07, 1, 1), (0x05, 20, 20)]);
    put_record(&mut circle, 120 * 512, &[(0x07, 1, 1), (0x05, 0, 20)]);
    assert_eq!(read(&circle, None).unwrap().partitions.len(), 2);

    let mut endless = vec![0; 512 * 1024];
    put_record(&mut endless, 0, &[(0x05, 1, 1000)]);
    for sector in 1..1000_u32 {
        put_record(&mut endless, sector as usize * 512, &[(0x07, 1, 1), (0x05, sector, 1)]);
    }
    assert_eq!(read(&endless, None).unwrap().partitions.len(), 128);
}

#[test]
fn a_volume_without_a_table_covers_the_drive() {
    let mut fat = vec![0; 8192];
    put(&mut fat, 0, b"\xEB\x58\x90MSWIN4.1\x00\x02\x08\x20\x00\x02");
    fat[21] = 0xF8;
    put(&mut fat, 510, &[0x55, 0xAA]);
    let mut ext = vec![0; 8192];
    put(&mut ext, 1024, &100_u32.to_le_bytes());
    put(&mut ext, 1080, &[0x53, 0xEF]);
    let signed = |signature: &[u8]| {
        let mut disk = vec![0; 8192];
        put(&mut disk, 3, signature);
        // what would be slots of an MBR
        put_record(&mut disk, 0, &[(0x07, 1, 2), (0xEE, 1, 2)]);
        disk
    };
    let volumes = [("FAT", fat), ("ext2/3/4", ext), ("BitLocker", signed(b"-FVE-FS-")), ("NTFS", signed(b"NTFS    "))];
    for (name, disk) in volumes {
        let table = read(&disk, None).unwrap();
        assert_eq!(table.scheme, Scheme::None, "{name}");
        assert_eq!(first_of(&table), (1, 0, 8192));
        assert!(table.partitions[0].type_text.starts_with(name));
    }
}

#[test]
fn a_volume_made_over_a_gpt_wins_over_the_copy_left_at_the_end() {
    let mut disk = usual(512);
    disk[..8192].fill(0);
    put(&mut disk, 3, b"NTFS    ");
    assert_eq!(read(&disk, None).unwrap().scheme, Scheme::None);
}

#[test]
fn what_is_no_drive_is_named() {
    assert!(matches!(read(&Vec::new(), None), Err(PartitionError::Empty)));
    assert!(matches!(read(&vec![0; 511], None), Err(PartitionError::TooSmall { size: 511 })));
    for size in [512, 513, 1024, 1080, 1_000_000] {
        assert!(matches!(read(&vec![0; size], None), Err(PartitionError::NotADrive)), "{size}");
        assert!(matches!(read(&vec![b'a'; size], None), Err(PartitionError::NotADrive)), "{size}");
    }
    let mut initialised = vec![0; 4096];
    put(&mut initialised, 510, &[0x55, 0xAA]);
    let table = read(&initialised, None).unwrap();
    assert_eq!((table.scheme, table.first_data()), (Scheme::Mbr, None));
}

/// A drive with a range of bytes that cannot be read.
struct Failing(Vec<u8>, std::ops::Range<u64>);

impl ReadAt for Failing {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let length = buffer.len() as u64;
        if offset < self.1.end && self.1.start < offset + length {
            return Err(ReadError::Io { offset, length, source: io::Error::other("bad sector") });
        }
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn an_unreadable_table_gives_way_to_its_copy_or_is_reported() {
    let table = read(&Failing(usual(512), 512..1024), None).unwrap();
    assert_eq!(table.scheme, Scheme::Gpt { backup_used: true });
    assert!(matches!(read(&Failing(usual(512), 512..1 << 40), None), Err(PartitionError::Read(_))));
    assert!(matches!(read(&Failing(usual(512), 0..1), None), Err(PartitionError::Read(_))));
}

/// Whatever comes out lies on the drive.
fn check_hostile(disk: &Vec<u8>) {
    for claimed in [None, Some(512), Some(4096)] {
        if let Ok(table) = read(disk, claimed) {
            assert!(table.partitions.iter().all(|p| p.start.checked_add(p.size).is_some_and(|end| end <= disk.size())));
        }
    }
}

proptest! {
    #[test]
    fn noise_never_leads_beyond_the_drive(mut disk in prop::collection::vec(any::<u8>(), 512..6000), flags in any::<bool>()) {
        if flags {
            for slot in 0..4 {
                disk[446 + 16 * slot] = 0x80;
            }
            put(&mut disk, 510, &[0x55, 0xAA]);
        }
        check_hostile(&disk);
    }

    #[test]
    fn sealed_headers_with_any_fields_do_no_harm(fields in prop::collection::vec(any::<u8>(), 20), size in 0_u32..700) {
        let mut disk = usual(512);
        put(&mut disk, 512 + 12, &size.to_le_bytes());
        put(&mut disk, 512 + 72, &fields);
        put(&mut disk, 512 + 16, &[0; 4]);
        let checksum = crc32fast::hash(&disk[512..512 + size as usize]);
        put(&mut disk, 512 + 16, &checksum.to_le_bytes());
        check_hostile(&disk);
    }

    #[test]
    fn any_numbers_in_entries_do_no_harm(first in any::<u64>(), last in any::<u64>()) {
        check_hostile(&gpt_disk(512, 256, &[(EFI, first, last), (BASIC, last, first), (RESERVED, 40, last)]));
    }
}
