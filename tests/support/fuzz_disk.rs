//! Bodies below the file system: partition tables and BitLocker's metadata, on a drive that is zeros but for a few places. Checksums
//! and seals are made to fit, since hardly an input would get past them otherwise.

use std::sync::Arc;

use aes::Aes256;
use ccm::aead::AeadInOut as _;
use ccm::aead::array::Array;
use ccm::consts::{U12, U16};
use ccm::{Ccm, KeyInit as _};
use dockside::volume::bitlocker::{Decrypted, Sealed, fuzzing};
use dockside::volume::{ReadAt, ReadError, partition as table};
use sha2::{Digest as _, Sha256};

/// Bytes of the drive.
const SIZE: u64 = 32 << 20;
/// Bytes of a metadata region.
const REGION: usize = 64 << 10;
/// What each recovery password is stretched to, and the volume master key of the seeds.
const KEY: [u8; 32] = [7; 32];

/// A drive of zeros with something at some places; what comes later in the list lies on top.
struct Drive {
    size: u64,
    parts: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Drive {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size)?;
        buffer.fill(0);
        let end = offset + buffer.len() as u64;
        for (at, bytes) in &self.parts {
            let (from, to) = (offset.max(*at), end.min(at.saturating_add(bytes.len() as u64)));
            if from < to {
                let place = |base: u64| usize::try_from(from - base).unwrap()..usize::try_from(to - base).unwrap();
                buffer[place(offset)].copy_from_slice(&bytes[place(*at)]);
            }
        }
        Ok(())
    }
}

/// The start of a drive, with or without a copy of its GPT at the end, intact or wiped at the start, or the whole of a tiny one.
pub(crate) fn partition(input: &[u8]) {
    tables(input);
}

/// How many of the drives made of an input of [`partition`] have a partition.
pub(crate) fn tables(input: &[u8]) -> usize {
    let whole = Drive { size: input.len() as u64, parts: vec![(0, input.to_vec())] };
    let mut found = usize::from(check_table(&whole, Some(512)));
    for unit in [512, 4096] {
        let mut start = input[..input.len().min(64 << 10)].to_vec();
        let header = unit..(unit + 92).min(start.len());
        if start.get(unit..unit + 8) != Some(b"EFI PART") || header.len() < 92 {
            let drive = Drive { size: SIZE, parts: vec![(0, start)] };
            found += usize::from(check_table(&drive, Some(u32::try_from(unit).unwrap())));
            continue;
        }
        seal_table(&mut start, unit, 1);
        let mut copy = start.clone();
        seal_table(&mut copy, unit, SIZE / unit as u64 - 1);
        let backup = (SIZE - unit as u64, copy[header.clone()].to_vec());
        found += usize::from(check_table(&Drive { size: SIZE, parts: vec![(0, start.clone()), backup.clone()] }, None));
        start[header].fill(0xEE);
        found += usize::from(check_table(&Drive { size: SIZE, parts: vec![(0, start), backup] }, Some(4096)));
    }
    found
}

/// Makes the checksums of a GPT fit, for a header of 92 bytes that lies in sector `sector`.
fn seal_table(drive: &mut [u8], unit: usize, sector: u64) {
    let long = |at: usize| u64::from_le_bytes(drive[at..at + 8].try_into().unwrap());
    let word = |at: usize| u64::from(u32::from_le_bytes(drive[at..at + 4].try_into().unwrap()));
    let entries = long(unit + 72).checked_mul(unit as u64).filter(|at| *at < SIZE);
    let length = word(unit + 80) * word(unit + 84);
    if let Some(at) = entries.filter(|at| at + length <= SIZE && length <= 1 << 20) {
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        Drive { size: SIZE, parts: vec![(0, drive.to_vec())] }.read_at(at, &mut bytes).unwrap();
        drive[unit + 88..unit + 92].copy_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    }
    drive[unit + 24..unit + 32].copy_from_slice(&sector.to_le_bytes());
    drive[unit + 16..unit + 20].fill(0);
    let sum = crc32fast::hash(&drive[unit..unit + 92]);
    drive[unit + 16..unit + 20].copy_from_slice(&sum.to_le_bytes());
}

/// Whether there is a partition.
fn check_table(drive: &Drive, claimed: Option<u32>) -> bool {
    let found = match table::read(drive, claimed) {
        Ok(found) => found,
        Err(error) => return error.to_string().is_empty(),
    };
    let any = !found.partitions.is_empty();
    assert!(found.sector_size.is_power_of_two() && (512..=4096).contains(&found.sector_size));
    assert!(found.partitions.len() <= 1024 + 132, "{} partitions", found.partitions.len());
    assert!(found.partitions.is_sorted_by_key(|p| p.start), "partitions out of order");
    for part in &found.partitions {
        assert!(part.number >= 1 && part.start.checked_add(part.size).is_some_and(|end| end <= drive.size), "{part:?}");
    }
    assert_eq!(found.first_data(), found.partitions.iter().find(|p| p.kind == table::PartitionKind::Data));
    assert_eq!(table::read(drive, claimed).ok(), Some(found), "read again, the table is another");
    any
}

/// A volume's first sector, then its metadata: the entries' boxes hold what the input has in their place, and seal and checksum fit
/// (in inputs of odd length, the seal is that of something else).
pub(crate) fn bitlocker(input: &[u8]) {
    unlocks(input);
}

/// Whether the volume of an input of [`bitlocker`] opens.
pub(crate) fn unlocks(input: &[u8]) -> bool {
    let (sector, metadata) = input.split_at(input.len().min(512));
    let mut region = metadata[..metadata.len().min(REGION)].to_vec();
    region.resize(REGION, 0);
    seal_metadata(&mut region, input.len().is_multiple_of(2));
    let to_go = sector.get(3..11) == Some(b"MSWIN4.1");
    let places = if to_go { [440, 448, 456] } else { [176, 184, 192] };
    let place = |at: usize| sector.get(at..at + 8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    let mut parts: Vec<(u64, Vec<u8>)> = places.into_iter().filter_map(|at| Some((place(at)?, region.clone()))).collect();
    parts.push((0, sector.to_vec()));
    let drive: Arc<dyn ReadAt> = Arc::new(Drive { size: SIZE, parts });
    let sealed = match Sealed::probe(Arc::clone(&drive)) {
        Ok(Some(sealed)) => sealed,
        Ok(None) => return false,
        Err(error) => return error.to_string().is_empty(),
    };
    assert!(matches!(sealed.sector_size(), 512 | 4096) && sealed.copies().iter().any(Result::is_ok));
    assert!(sealed.protectors().len() <= REGION / 8);
    drop((format!("{sealed:?} {:?}", sealed.description()), sealed.created(), sealed.to_go(), sealed.method()));
    let view = fuzzing::unlock(&sealed, &KEY);
    if let Ok(view) = &view {
        let listed = region[32..56].as_chunks().0.iter().map(|place| u64::from_le_bytes(*place));
        check_view(view, sealed.sector_size().into(), listed);
    }
    view.is_ok()
}

/// What is read does not depend on how it is read; metadata regions are zeros.
fn check_view(view: &Decrypted, sector: u64, regions: impl Iterator<Item = u64>) {
    let size = view.size();
    assert!(size <= SIZE);
    let read = |at: u64, length: usize| {
        let mut bytes = vec![0xEE; length];
        view.read_at(at, &mut bytes).map(|()| bytes)
    };
    let fits =
        |at: &u64| at.is_multiple_of(sector) && *at >= sector && at.checked_add(REGION as u64).is_some_and(|end| end <= size);
    for region in regions.filter(fits) {
        let around = read(region - 512, 2048).unwrap();
        assert!(around[512..].iter().all(|&byte| byte == 0), "the metadata region at byte {region} shows");
        let split = [read(region - 512, 700).unwrap(), read(region + 188, 1348).unwrap()].concat();
        assert_eq!(around, split, "the view around byte {region} depends on the request");
    }
    assert!(read(0, 700).is_ok() && read(size - 1, 1).is_ok() && read(size, 1).is_err());
}

/// Seals the boxes of a region's entries, its block's hash behind it if `honest`, and makes its checksum fit.
fn seal_metadata(region: &mut [u8], honest: bool) {
    let size = usize::from(u16::from_le_bytes([region[8], region[9]])) * 16;
    if !(112..=REGION - 128).contains(&size) {
        return;
    }
    seal_entries(&mut region[112..size], true);
    let digest = Sha256::digest(&region[..size]);
    if let Some(text) = region.get_mut(size + 8 + 36..size + 8 + 80).filter(|_| honest) {
        text[..12].copy_from_slice(&[44, 0, 0, 0, 1, 0, 0, 0, 5, 0x20, 0, 0]);
        text[12..].copy_from_slice(&digest);
    }
    seal_entries(&mut region[size + 8..], false);
    let sum = crc32fast::hash(&region[..size]);
    region[size + 4..size + 8].copy_from_slice(&sum.to_le_bytes());
}

/// Encrypts the text of each box in a list of entries, and in the protectors' lists below it.
fn seal_entries(list: &mut [u8], nested: bool) {
    let mut at = 0;
    while at + 8 <= list.len() {
        let word = |place: usize| u16::from_le_bytes([list[at + place], list[at + place + 1]]);
        let (size, value) = (usize::from(word(0)), word(4));
        if size < 8 || at + size > list.len() {
            return;
        }
        let body = &mut list[at + 8..at + size];
        if value == 5 && body.len() >= 28 {
            let nonce: [u8; 12] = body[..12].try_into().unwrap();
            let cipher = Ccm::<Aes256, U16, U12>::new_from_slice(&KEY).unwrap();
            let tag = cipher.encrypt_inout_detached(&Array(nonce), &[], (&mut body[28..]).into()).unwrap();
            body[12..28].copy_from_slice(&tag);
        } else if value == 8 && nested && body.len() >= 28 {
            seal_entries(&mut body[28..], false);
        }
        at += size;
    }
}
