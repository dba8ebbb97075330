//! Does a known volume begin here?
//!
//! In: a boot sector, or a place on a drive. Out: the name of the file system (or of BitLocker) that its signature shows. Nothing is
//! opened; the signature only tells a volume from a partition table and from noise.

use super::SECTOR;
use crate::volume::fields::{array_at, slice_at, u8_at, u16_at, u32_at};
use crate::volume::{ReadAt, ReadError};

/// The superblock of ext2, ext3 and ext4 lies here, whatever the block size.
const EXT_SUPERBLOCK: u64 = 1024;

/// The volume that begins at byte `start`, if known. A place beyond the end holds none.
pub(super) fn volume(device: &dyn ReadAt, start: u64) -> Result<Option<&'static str>, ReadError> {
    let mut sector = [0; SECTOR];
    if !read_if_there(device, start, &mut sector)? {
        return Ok(None);
    }
    match boot_sector(&sector) {
        Some(name) => Ok(Some(name)),
        None => ext(device, start),
    }
}

/// The volume whose boot sector this is, if known.
pub(super) fn boot_sector(sector: &[u8]) -> Option<&'static str> {
    match &array_at::<8>(sector, 3)? {
        b"-FVE-FS-" => Some("BitLocker"),
        b"NTFS    " => Some("NTFS"),
        b"EXFAT   " => Some("exFAT"),
        b"ReFS\0\0\0\0" => Some("ReFS"),
        _ => is_fat(sector).then_some("FAT"),
    }
}

/// FAT has no signature of its own; the boot code of an MBR may bear the maker's name, but not these parameters (Microsoft's FAT
/// specification, "boot sector and BPB"). BitLocker To Go (`MSWIN4.1`) has them too.
fn is_fat(sector: &[u8]) -> bool {
    let jump = matches!(sector, [0xEB, _, 0x90, ..] | [0xE9, ..]);
    let bytes = u16_at(sector, 11).is_some_and(|n| n.is_power_of_two() && (512..=4096).contains(&n));
    let cluster = u8_at(sector, 13).is_some_and(u8::is_power_of_two);
    let reserved = u16_at(sector, 14).is_some_and(|n| n != 0);
    let tables = u8_at(sector, 16).is_some_and(|n| (1..=2).contains(&n));
    let media = u8_at(sector, 21).is_some_and(|n| n == 0xF0 || n >= 0xF8);
    let mark = slice_at(sector, 510, 2) == Some(&[0x55, 0xAA]);
    jump && bytes && cluster && reserved && tables && media && mark
}

/// ext2 to ext4 at byte `start`: its magic number of two bytes, and fields beside it that noise would hardly satisfy.
pub(super) fn ext(device: &dyn ReadAt, start: u64) -> Result<Option<&'static str>, ReadError> {
    let mut block = [0; SECTOR];
    let there = match start.checked_add(EXT_SUPERBLOCK) {
        Some(place) => read_if_there(device, place, &mut block)?,
        None => false,
    };
    let magic = u16_at(&block, 56) == Some(0xEF53);
    let inodes = u32_at(&block, 0).is_some_and(|n| n != 0);
    let block_size = u32_at(&block, 24).is_some_and(|n| n <= 6);
    let revision = u32_at(&block, 76).is_some_and(|n| n <= 1);
    Ok((there && magic && inodes && block_size && revision).then_some("ext2/3/4"))
}

/// Fills `buffer` if that much lies on the device.
pub(super) fn read_if_there(device: &dyn ReadAt, offset: u64, buffer: &mut [u8]) -> Result<bool, ReadError> {
    if ReadError::check(offset, buffer.len(), device.size()).is_err() {
        return Ok(false);
    }
    device.read_at(offset, buffer).map(|()| true)
}
