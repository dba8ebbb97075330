//! Puts a volume on a disk: a GPT or an MBR around it, with or without other partitions before it.
//!
//! In: the volume and [`Table`]. Out: the disk's bytes and where the volume begins. Shares nothing with the reader.

#![allow(dead_code, reason = "each test uses the part that it needs")]

const MIB: usize = 1 << 20;
/// Entries of a GPT, and bytes of each.
const ENTRIES: usize = 128;
const ENTRY: usize = 128;
const BASIC_DATA: u128 = 0xebd0_a0a2_b9e5_4433_87c0_68b6_b726_99c7;

/// How the disk is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Gpt,
    Mbr,
}

/// A partition of 1 MiB of zeros before the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    Reserved,
    Efi,
    Recovery,
}

/// What is wrong with the primary GPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Its header is overwritten.
    Header,
    /// Its header's checksum is wrong.
    HeaderSum,
    /// Its entries do not have the checksum that the header says.
    Entries,
}

/// A partition table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) scheme: Scheme,
    /// 512 or 4096.
    pub(crate) sector_size: usize,
    /// Partitions before the volume.
    pub(crate) others: Vec<Other>,
    pub(crate) damage: Option<Damage>,
}

/// One partition: type, first sector, sectors.
type Partition = (u128, u64, u64);

impl Other {
    fn guid(self) -> u128 {
        match self {
            Self::Reserved => 0xe3c9_e316_0b5c_4db8_817d_f92d_f002_15ae,
            Self::Efi => 0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b,
            Self::Recovery => 0xde94_bba4_06d1_4d40_a16a_bfd5_0179_d6ac,
        }
    }

    fn mbr_type(self) -> u8 {
        match self {
            Self::Reserved => 0x0c,
            Self::Efi => 0xef,
            Self::Recovery => 0x27,
        }
    }
}

/// The disk with the volume on it, and the byte where the volume begins.
pub(crate) fn wrap(volume: &[u8], table: &Table) -> (Vec<u8>, usize) {
    let sector = table.sector_size;
    assert_eq!(volume.len() % sector, 0, "whole sectors");
    let start = MIB * (1 + table.others.len());
    let mut disk = vec![0; start + volume.len() + MIB];
    disk[start..start + volume.len()].copy_from_slice(volume);
    let sectors = |bytes: usize| (bytes / sector) as u64;
    let others = table.others.iter().zip(1..).map(|(other, number)| (other.guid(), sectors(MIB * number), sectors(MIB)));
    let partitions: Vec<Partition> = others.chain([(BASIC_DATA, sectors(start), sectors(volume.len()))]).collect();
    match table.scheme {
        Scheme::Mbr => {
            let types = table.others.iter().map(|other| other.mbr_type()).chain([7]);
            let parts: Vec<_> = types.zip(partitions).map(|(kind, (_, start, count))| (kind, start, count)).collect();
            write_mbr(&mut disk, &parts);
        }
        Scheme::Gpt => {
            let all = (disk.len() / sector) as u64 - 1;
            write_mbr(&mut disk, &[(0xee, 1, all)]);
            write_gpt(&mut disk, sector, &partitions);
            damage(&mut disk, table);
        }
    }
    (disk, start)
}

/// Up to four partitions: type, first sector, sectors.
fn write_mbr(disk: &mut [u8], partitions: &[(u8, u64, u64)]) {
    assert!(partitions.len() <= 4, "an MBR has four entries");
    for (number, (kind, start, count)) in partitions.iter().enumerate() {
        let entry = &mut disk[446 + 16 * number..][..16];
        entry[1..8].copy_from_slice(&[0xfe, 0xff, 0xff, *kind, 0xfe, 0xff, 0xff]);
        entry[8..12].copy_from_slice(&u32::try_from(*start).unwrap().to_le_bytes());
        entry[12..].copy_from_slice(&u32::try_from(*count).unwrap().to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
}

/// A GUID as stored: its first three fields are little-endian.
fn stored(guid: u128) -> [u8; 16] {
    let mut bytes = guid.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

fn write_gpt(disk: &mut [u8], sector: usize, partitions: &[Partition]) {
    let mut entries = vec![0; ENTRIES * ENTRY];
    for (number, ((kind, start, count), entry)) in (1..).zip(partitions.iter().zip(entries.chunks_mut(ENTRY))) {
        entry[..16].copy_from_slice(&stored(*kind));
        entry[16..32].copy_from_slice(&stored(0xd0c5_1de0_0000_4000_8000_0000_0000_0000 + number));
        entry[32..40].copy_from_slice(&start.to_le_bytes());
        entry[40..48].copy_from_slice(&(start + count - 1).to_le_bytes());
    }
    let last = disk.len() / sector - 1;
    let backup = last - entries.len() / sector;
    for (own, other, table) in [(1, last, 2), (last, 1, backup)] {
        let header = gpt_header([own, other, table], sector, &entries);
        disk[own * sector..][..header.len()].copy_from_slice(&header);
        disk[table * sector..][..entries.len()].copy_from_slice(&entries);
    }
}

/// The header at the first of three sectors; the others are those of the other header and of the entries.
fn gpt_header([own, other, table]: [usize; 3], sector: usize, entries: &[u8]) -> Vec<u8> {
    let table_sectors = entries.len() / sector;
    let (first, last) = (2 + table_sectors, own.max(other) - table_sectors - 1);
    let mut header = b"EFI PART\0\0\x01\0\x5c\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for position in [own, other, first, last] {
        header.extend_from_slice(&(position as u64).to_le_bytes());
    }
    header.extend_from_slice(&stored(0xd0c5_1de0_0000_4000_8000_0000_0000_0000));
    header.extend_from_slice(&(table as u64).to_le_bytes());
    for number in [ENTRIES, ENTRY] {
        header.extend_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
    }
    header.extend_from_slice(&crc32fast::hash(entries).to_le_bytes());
    let sum = crc32fast::hash(&header).to_le_bytes();
    header[16..20].copy_from_slice(&sum);
    header
}

fn damage(disk: &mut [u8], table: &Table) {
    let header = table.sector_size;
    match table.damage {
        Some(Damage::Header) => disk[header..2 * header].fill(0xa5),
        Some(Damage::HeaderSum) => disk[header + 16] ^= 1,
        Some(Damage::Entries) => disk[2 * header + 56] ^= 1,
        None => {}
    }
}
