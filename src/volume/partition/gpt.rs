//! GUID partition table (UEFI specification 2.10, section 5.3).
//!
//! In: a drive and the sector sizes to try. Out: the entries of the first table whose header and entry checksums (CRC-32) hold.
//! Refused, as if not there: a header that is not where it says, more than [`MAX_ENTRIES`] entries, entries of odd sizes.

use super::probe::read_if_there;
use super::{Partition, PartitionKind};
use crate::volume::fields::{array_at, index, slice_at, u16_at, u32_at, u64_at};
use crate::volume::{ReadAt, ReadError};
use std::fmt::Write as _;

/// Entries accepted in a table; 128 are usual.
const MAX_ENTRIES: u32 = 1024;
/// Bytes of entries in memory at a time: a multiple of every entry size accepted.
const PIECE: u64 = 64 * 1024;
const HEADER_SIZE: usize = 92;
const LARGEST_SECTOR: usize = 4096;

/// A sector size and the partitions found under it.
pub(super) type Found = (u32, Vec<Partition>);

/// The table at the start of the drive: its header is in sector 1.
pub(super) fn primary(device: &dyn ReadAt, units: &[u32]) -> Result<Option<Found>, ReadError> {
    first_whole(device, units, |_| Some(1))
}

/// The copy at the end of the drive: its header is in the last sector.
pub(super) fn backup(device: &dyn ReadAt, units: &[u32]) -> Result<Option<Found>, ReadError> {
    first_whole(device, units, |unit| (device.size() / u64::from(unit)).checked_sub(1).filter(|&last| last > 1))
}

/// The first table that is whole. An error of the drive counts only if no unit gives one.
fn first_whole(device: &dyn ReadAt, units: &[u32], place: impl Fn(u32) -> Option<u64>) -> Result<Option<Found>, ReadError> {
    let mut failure = None;
    for &unit in units {
        let Some(sector) = place(unit) else { continue };
        match table(device, unit, sector) {
            Ok(Some(partitions)) => return Ok(Some((unit, partitions))),
            Ok(None) => {}
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(None), Err)
}

/// What a header says of its entries.
struct Header {
    first_byte: u64,
    count: u32,
    entry_size: u32,
    checksum: u32,
}

fn table(device: &dyn ReadAt, unit: u32, sector: u64) -> Result<Option<Vec<Partition>>, ReadError> {
    let mut buffer = [0; LARGEST_SECTOR];
    let Some(header) = buffer.get_mut(..index(u64::from(unit))) else { return Ok(None) };
    let Some(place) = sector.checked_mul(u64::from(unit)) else { return Ok(None) };
    if !read_if_there(device, place, header)? {
        return Ok(None);
    }
    match parse_header(header, unit, sector) {
        Some(header) => entries(device, unit, &header),
        None => Ok(None),
    }
}

fn parse_header(bytes: &[u8], unit: u32, sector: u64) -> Option<Header> {
    let size = usize::try_from(u32_at(bytes, 12)?).ok()?;
    let checked = slice_at(bytes, 0, size).filter(|_| size >= HEADER_SIZE && bytes.starts_with(b"EFI PART"))?;
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(slice_at(checked, 0, 16)?);
    checksum.update(&[0; 4]); // the checksum itself counts as zero
    checksum.update(slice_at(checked, 20, size - 20)?);
    if checksum.finalize() != u32_at(bytes, 16)? || u64_at(bytes, 24)? != sector {
        return None;
    }
    let header = Header {
        first_byte: u64_at(bytes, 72)?.checked_mul(u64::from(unit))?,
        count: u32_at(bytes, 80)?,
        entry_size: u32_at(bytes, 84)?,
        checksum: u32_at(bytes, 88)?,
    };
    let fits = header.count <= MAX_ENTRIES && header.entry_size.is_power_of_two() && (128..=4096).contains(&header.entry_size);
    fits.then_some(header)
}

/// Reads the entries piece by piece; none of them counts unless the checksum over all of them holds.
fn entries(device: &dyn ReadAt, unit: u32, header: &Header) -> Result<Option<Vec<Partition>>, ReadError> {
    let mut left = u64::from(header.count) * u64::from(header.entry_size);
    let mut place = header.first_byte;
    let mut buffer = vec![0; index(left.min(PIECE))];
    let mut checksum = crc32fast::Hasher::new();
    let mut found = Vec::new();
    let mut numbers = 1..;
    while left > 0 {
        let length = left.min(PIECE);
        buffer.truncate(index(length));
        if !read_if_there(device, place, &mut buffer)? {
            return Ok(None);
        }
        checksum.update(&buffer);
        let entries = buffer.chunks_exact(index(u64::from(header.entry_size)));
        // the entries come first: zip asks its left side first, so that no number is lost at a piece's end
        found.extend(entries.zip(&mut numbers).filter_map(|(entry, number)| partition(entry, number, unit)));
        left -= length;
        place = place.saturating_add(length);
    }
    Ok((checksum.finalize() == header.checksum).then_some(found))
}

/// The partition of an entry; none if it is unused or ends before it begins.
fn partition(entry: &[u8], number: u32, unit: u32) -> Option<Partition> {
    let kind = array_at::<16>(entry, 0).filter(|kind| *kind != [0; 16])?;
    let first = u64_at(entry, 32)?;
    let length = u64_at(entry, 40)?.checked_sub(first)?.saturating_add(1); // the last sector belongs to it
    Some(Partition::of_sectors(number, first, length, unit, describe(&kind)))
}

fn describe(kind: &[u8; 16]) -> (PartitionKind, String) {
    let guid = guid(kind);
    let (kind, name) = match guid.as_str() {
        "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" => (PartitionKind::Data, "basic data"),
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" => (PartitionKind::EfiSystem, "EFI system"),
        "e3c9e316-0b5c-4db8-817d-f92df00215ae" => (PartitionKind::MicrosoftReserved, "Microsoft reserved"),
        "de94bba4-06d1-4d40-a16a-bfd50179d6ac" => (PartitionKind::Recovery, "Windows recovery"),
        "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3" => (PartitionKind::Other, "dynamic disk metadata"),
        "21686148-6449-6e6f-744e-656564454649" => (PartitionKind::Other, "BIOS boot"),
        "0fc63daf-8483-4772-8e79-3d69d8477de4" => (PartitionKind::Data, "Linux"),
        _ => return (PartitionKind::Data, guid),
    };
    (kind, format!("{name} ({guid})"))
}

/// A GUID as people write it: the first three fields are stored little-endian, the rest byte by byte.
fn guid(bytes: &[u8; 16]) -> String {
    let number = |at| u16_at(bytes, at).unwrap_or_default();
    let mut text = format!("{:08x}-{:04x}-{:04x}-", u32_at(bytes, 0).unwrap_or_default(), number(4), number(6));
    for (position, byte) in bytes.iter().enumerate().skip(8) {
        let hyphen = if position == 10 { "-" } else { "" };
        // writing to a String cannot fail
        let _ = write!(text, "{hyphen}{byte:02x}");
    }
    text
}
