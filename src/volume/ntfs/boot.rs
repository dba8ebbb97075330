//! The boot sector: the sizes of everything, and where `$MFT` begins.
//!
//! In: the volume. Out: checked sizes, all powers of two, with every product known to fit. Refused: other file systems (by name, where
//! they can be told), sizes that NTFS does not know, a file system larger than its volume. If the first sector is unreadable as
//! NTFS, its copy in the last sector is tried, unless another file system is recognised: a copy survives reformatting.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 3 | 8 | `NTFS` and four spaces |
//! | 11 | 2 | bytes per sector |
//! | 13 | 1 | sectors per cluster: 1 to 128, or 240 and above for 2^(256 - n) |
//! | 40 | 8 | sectors of the volume, without the copy of this sector |
//! | 48, 56 | 8, 8 | first cluster of `$MFT` and of `$MFTMirr` |
//! | 64, 68 | 1, 1 | record and index block size: clusters, or 128 and above for 2^(256 - n) bytes |
//! | 72 | 8 | serial number |

use super::error::{Fault, NtfsError};
use crate::volume::ReadAt;
use crate::volume::fields::{slice_at, u8_at, u16_at, u64_at};

/// Bytes of the boot sector that mean something.
const SECTOR: usize = 512;
/// Largest cluster of Windows 10 and later.
const MAX_CLUSTER: u64 = 2 << 20;

/// What the boot sector says, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boot {
    /// Bytes per sector: 512 to 4096.
    pub(super) sector: u64,
    /// Bytes per cluster: a sector to 2 MiB.
    pub(super) cluster: u64,
    /// Bytes of the file system.
    pub(super) size: u64,
    /// Whole clusters in it.
    pub(super) clusters: u64,
    /// First byte of `$MFT`.
    pub(super) mft: u64,
    /// First byte of `$MFTMirr`.
    pub(super) mirror: u64,
    /// Bytes per FILE record: 512 to 4096.
    pub(super) record: usize,
    /// Bytes per index block, unless an index says otherwise.
    pub(super) index_block: usize,
    /// Serial number.
    pub(super) serial: u64,
    /// Whether the copy in the last sector was taken.
    pub(super) from_backup: bool,
}

impl Boot {
    /// Reads the boot sector of `device`, or its copy.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self, NtfsError> {
        let size = device.size();
        if size < SECTOR as u64 {
            return Err(NtfsError::NotNtfs { found: "too small for a file system" });
        }
        let first = match read_sector(device, 0) {
            Ok(sector) => match Self::parse(&sector, size) {
                Ok(boot) => return Ok(boot),
                Err(NtfsError::NotNtfs { .. }) => NtfsError::NotNtfs { found: recognise(device, &sector)? },
                Err(other) => other,
            },
            Err(error) => error,
        };
        for place in [512, 1024, 2048, 4096] {
            let Some(offset) = size.checked_sub(place).filter(|&offset| offset > 0) else { continue };
            let copy = read_sector(device, offset).and_then(|sector| Self::parse(&sector, size));
            // the copy of a volume that fills its partition; one that ends elsewhere belongs to an older, smaller volume
            if let Ok(boot) = copy
                && boot.size == offset
            {
                return Ok(Self { from_backup: true, ..boot });
            }
        }
        Err(first)
    }

    fn parse(sector: &[u8], volume: u64) -> Result<Self, NtfsError> {
        if slice_at(sector, 3, 8) != Some(b"NTFS    ") {
            return Err(NtfsError::NotNtfs { found: "something unknown" });
        }
        let boot = Self::fields(sector).map_err(|fault| NtfsError::Boot { fault })?;
        let claimed = u128::from(u64_at(sector, 40).unwrap_or_default()) * u128::from(boot.sector);
        if claimed > u128::from(volume) {
            return Err(NtfsError::Cut { claimed, size: volume });
        }
        Ok(boot)
    }

    fn fields(sector: &[u8]) -> Result<Self, Fault> {
        let cut = || Fault::cut(0, sector.len());
        let sector_size = u64::from(u16_at(sector, 11).ok_or_else(cut)?);
        if !matches!(sector_size, 512 | 1024 | 2048 | 4096) {
            return Err(Fault::new(11, "512, 1024, 2048 or 4096 bytes per sector", sector_size));
        }
        let factor = u8_at(sector, 13).ok_or_else(cut)?;
        let cluster = match factor {
            1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 => sector_size * u64::from(factor),
            0xF0.. => sector_size << (256 - u32::from(factor)),
            _ => 0,
        };
        if cluster == 0 || cluster > MAX_CLUSTER {
            return Err(Fault::new(13, "a power of two of sectors per cluster, 2 MiB at most", factor));
        }
        let sectors = u64_at(sector, 40).ok_or_else(cut)?;
        // positions are compared with signed numbers in places, so the last bit stays free
        let size = sectors.checked_mul(sector_size).filter(|&size| size >= cluster && i64::try_from(size).is_ok());
        let size = size.ok_or(Fault::new(40, "a number of sectors", sectors))?;
        let clusters = size / cluster;
        let place = |offset: usize| {
            let lcn = u64_at(sector, offset).ok_or_else(cut)?;
            if lcn == 0 || lcn >= clusters {
                return Err(Fault::new(offset, "a cluster inside the volume", lcn));
            }
            Ok(lcn * cluster)
        };
        let (mft, mirror) = (place(48)?, place(56)?);
        if mft == mirror {
            return Err(Fault::new(56, "a mirror elsewhere than the table", mirror / cluster));
        }
        let record = structure(sector, 64, cluster, 512..=4096)?;
        let index_block = structure(sector, 68, cluster, 512..=65_536)?;
        let serial = u64_at(sector, 72).ok_or_else(cut)?;
        Ok(Self { sector: sector_size, cluster, size, clusters, mft, mirror, record, index_block, serial, from_backup: false })
    }
}

/// The size of a record or index block at `offset`: clusters, or 2^(256 - n) bytes.
fn structure(sector: &[u8], offset: usize, cluster: u64, allowed: std::ops::RangeInclusive<usize>) -> Result<usize, Fault> {
    let field = u8_at(sector, offset).ok_or(Fault::cut(offset, sector.len()))?;
    let size = if field < 0x80 { u64::from(field) * cluster } else { 1_u64.checked_shl(256 - u32::from(field)).unwrap_or(0) };
    match usize::try_from(size) {
        Ok(size) if size.is_power_of_two() && allowed.contains(&size) => Ok(size),
        _ => Err(Fault::new(offset, "a power of two of bytes per record or index block", field)),
    }
}

fn read_sector(device: &dyn ReadAt, offset: u64) -> Result<[u8; SECTOR], NtfsError> {
    let mut sector = [0; SECTOR];
    device.read_at(offset, &mut sector).map_err(|source| NtfsError::Read { source })?;
    Ok(sector)
}

/// What a first sector without the mark of NTFS belongs to. An error if another file system is certain, else a description.
fn recognise(device: &dyn ReadAt, sector: &[u8]) -> Result<&'static str, NtfsError> {
    const MARKS: [(usize, &[u8], &str); 10] = [
        (3, b"-FVE-FS-", "still encrypted by BitLocker"),
        (3, b"EXFAT   ", "exFAT"),
        (3, b"ReFS", "ReFS"),
        (82, b"FAT32   ", "FAT32"),
        (54, b"FAT16   ", "FAT16"),
        (54, b"FAT12   ", "FAT12"),
        (0, b"XFSB", "XFS"),
        (0, b"LUKS", "LUKS"),
        (32, b"NXSB", "APFS"),
        (0, b"hsqs", "SquashFS"),
    ];
    const FAR_MARKS: [(u64, &[u8], &str); 4] = [
        (1080, &[0x53, 0xEF], "ext2, ext3 or ext4"),
        (1024, b"H+", "HFS+"),
        (65_600, b"_BHRfS_M", "Btrfs"),
        (32_769, b"CD001", "an optical disc image"),
    ];
    if let Some((_, _, found)) = MARKS.iter().find(|(at, mark, _)| slice_at(sector, *at, mark.len()) == Some(mark)) {
        return Err(NtfsError::NotNtfs { found });
    }
    for (at, mark, found) in FAR_MARKS {
        let mut there = [0; 8];
        let Some(place) = there.get_mut(..mark.len()) else { continue };
        if device.read_at(at, place).is_ok() && place == mark {
            return Err(NtfsError::NotNtfs { found });
        }
    }
    Ok(if sector.iter().all(|&byte| byte == 0) { "empty" } else { "something unknown" })
}

#[cfg(test)]
mod tests;
