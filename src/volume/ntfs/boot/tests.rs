//! Boot sectors of every geometry, and impossible ones.

use super::*;

fn sector(bytes: u16, factor: u8, record: u8, block: u8, sectors: u64) -> Vec<u8> {
    let mut boot = vec![0; 512];
    boot[3..11].copy_from_slice(b"NTFS    ");
    boot[11..13].copy_from_slice(&bytes.to_le_bytes());
    boot[13] = factor;
    boot[40..48].copy_from_slice(&sectors.to_le_bytes());
    boot[48] = 1;
    boot[56] = 2;
    boot[64] = record;
    boot[68] = block;
    boot
}

fn fault(boot: &[u8]) -> u64 {
    match Boot::parse(boot, u64::MAX) {
        Err(NtfsError::Boot { fault }) => fault.byte,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_sizes_of_real_volumes() {
    let cases = [
        (512, 0x01, 0x02, 0x08, 512, 1024, 4096),
        (512, 0x08, 0xF6, 0x01, 4096, 1024, 4096),
        (512, 0x80, 0xF6, 0xF4, 65_536, 1024, 4096),
        (512, 0xF8, 0xF6, 0xF4, 131_072, 1024, 4096),
        (512, 0xF4, 0xF6, 0xF4, 2 << 20, 1024, 4096),
        (4096, 0x01, 0x01, 0x01, 4096, 4096, 4096),
        (4096, 0xF7, 0xF4, 0xF4, 2 << 20, 4096, 4096),
    ];
    for (bytes, factor, record, block, cluster, record_size, block_size) in cases {
        let boot = Boot::parse(&sector(bytes, factor, record, block, 1 << 20), u64::MAX).unwrap();
        assert_eq!((boot.cluster, boot.record, boot.index_block), (cluster, record_size, block_size));
        assert_eq!(boot.clusters, (1 << 20) * u64::from(bytes) / cluster);
    }
}

#[test]
fn sizes_that_cannot_be_are_refused_at_their_byte() {
    for bytes in [0, 1, 256, 513, 8192] {
        assert_eq!(fault(&sector(bytes, 8, 0xF6, 1, 1 << 20)), 11);
    }
    for factor in [0, 3, 129, 0xEF, 0xF0, 0xF3] {
        assert_eq!(fault(&sector(512, factor, 0xF6, 0xF4, 1 << 20)), 13, "{factor:#x}");
    }
    for sectors in [0, 1, u64::MAX, 1 << 60] {
        assert_eq!(fault(&sector(512, 8, 0xF6, 1, sectors)), 40, "{sectors}");
    }
    for size in [0, 3, 0x7F, 0x80, 0x81, 0xC0, 0xF3, 0xF8, 0xFF] {
        assert_eq!(fault(&sector(512, 8, size, 1, 1 << 20)), 64, "{size:#x}");
        if size != 0xF3 && size != 3 {
            continue;
        }
        let block = Boot::parse(&sector(512, 8, 0xF6, size, 1 << 20), u64::MAX);
        assert_eq!(block.is_ok(), size == 0xF3, "index blocks may have 8192 bytes");
    }
    let mut boot = sector(512, 8, 0xF6, 1, 1 << 20);
    boot[48..56].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(fault(&boot), 48);
    boot[48..56].copy_from_slice(&2_u64.to_le_bytes());
    assert_eq!(fault(&boot), 56, "both tables in one place");
}

#[test]
fn other_file_systems_are_told_by_name() {
    let named = |at: usize, mark: &[u8]| {
        let mut volume = vec![0; 100_000];
        volume[at..at + mark.len()].copy_from_slice(mark);
        match Boot::read(&volume) {
            Err(NtfsError::NotNtfs { found }) => found,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(named(82, b"FAT32   "), "FAT32");
    assert_eq!(named(3, b"EXFAT   "), "exFAT");
    assert_eq!(named(3, b"-FVE-FS-"), "still encrypted by BitLocker");
    assert_eq!(named(1080, &[0x53, 0xEF]), "ext2, ext3 or ext4");
    assert_eq!(named(0, b""), "empty");
    assert_eq!(named(0, b"hello"), "something unknown");
    assert!(matches!(Boot::read(&vec![0; 100]), Err(NtfsError::NotNtfs { .. })));
}

#[test]
fn the_copy_in_the_last_sector_stands_in_unless_the_volume_was_reformatted() {
    for bytes in [512_u16, 4096] {
        let size = usize::from(bytes) * 1001;
        let mut volume = vec![0; size];
        let copy = sector(bytes, 1, 0xF6, 0xF4, 1000);
        let end = size - usize::from(bytes);
        volume[end..end + 512].copy_from_slice(&copy);
        assert!(Boot::read(&volume).unwrap().from_backup);
        volume[..512].copy_from_slice(&copy);
        assert!(!Boot::read(&volume).unwrap().from_backup);
        volume[11] = 1;
        assert!(Boot::read(&volume).unwrap().from_backup);
        volume[1080..1082].copy_from_slice(&[0x53, 0xEF]);
        volume[..512].fill(0);
        assert!(matches!(Boot::read(&volume), Err(NtfsError::NotNtfs { found: "ext2, ext3 or ext4" })));
    }
}

#[test]
fn a_volume_that_is_cut_off_says_so() {
    let mut volume = sector(512, 8, 0xF6, 1, 1 << 20);
    volume.resize(10_000, 0);
    assert!(matches!(Boot::read(&volume), Err(NtfsError::Cut { claimed: 0x2000_0000, size: 10_000 })));
}
