//! The volume header: the first sector of a BitLocker volume.
//!
//! | Offset | Size | Field |
//! |---|---|---|
//! | 0 | 3 | jump: `EB 58 90` since Windows 7, `EB 52 90` Vista |
//! | 3 | 8 | `-FVE-FS-`; `MSWIN4.1` for To Go |
//! | 11 | 2 | bytes per sector, which is the cipher's unit; 0 means 512 |
//! | 160 | 16 | GUID of the format; To Go at 424 |
//! | 176 | 3 × 8 | offsets of the metadata regions; To Go at 440 |
//!
//! Source: the published descriptions of dislocker, libbde and cryptsetup.

use super::{BitLockerError, REGION};
use crate::volume::fields::{array_at, u16_at, u64_at};

/// Bytes that are enough to recognise a volume.
pub(super) const LENGTH: usize = 512;

const SIGNATURE: &[u8] = b"-FVE-FS-";
const TO_GO: &[u8] = b"MSWIN4.1";
/// 4967D63B-2E29-4AD8-8399-F6A339E3D001, as stored.
const NORMAL: [u8; 16] = [0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01];
/// 92A84D3B-DD80-4D0E-9E4E-B1E3284EAED8, as stored: encrypt on write.
const ENCRYPT_ON_WRITE: [u8; 16] =
    [0x3b, 0x4d, 0xa8, 0x92, 0x80, 0xdd, 0x0e, 0x4d, 0x9e, 0x4e, 0xb1, 0xe3, 0x28, 0x4e, 0xae, 0xd8];

/// What the first sector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Unit of the cipher, 512 or 4096 bytes.
    pub(super) sector_size: u32,
    /// Where the three copies of the metadata lie.
    pub(super) regions: [u64; 3],
    /// A removable drive's layout.
    pub(super) to_go: bool,
}

impl Header {
    /// Reads the first sector of a volume of `size` bytes; `None` if it is no BitLocker volume's.
    pub(super) fn parse(sector: &[u8], size: u64) -> Result<Option<Self>, BitLockerError> {
        let signature = sector.get(3..11).unwrap_or_default();
        let (guid_at, regions_at, to_go) = if signature == SIGNATURE {
            (160, 176, false)
        } else if signature == TO_GO && array_at(sector, 424).is_some_and(|guid| guid == NORMAL || guid == ENCRYPT_ON_WRITE) {
            (424, 440, true)
        } else {
            return Ok(None);
        };
        if !to_go && sector.starts_with(&[0xeb, 0x52, 0x90]) {
            return Err(BitLockerError::Vista);
        }
        match array_at::<16>(sector, guid_at) {
            Some(NORMAL) => {}
            Some(ENCRYPT_ON_WRITE) => return Err(BitLockerError::Converting { state: "encrypting on write" }),
            _ => return Err(no_metadata("the volume header has an unknown format GUID")),
        }
        let sector_size = match u16_at(sector, 11) {
            Some(0 | 512) => 512,
            Some(4096) => 4096,
            _ => return Err(no_metadata("the volume header has a sector size that is neither 512 nor 4096")),
        };
        let mut regions = [0; 3];
        for (index, region) in regions.iter_mut().enumerate() {
            *region = u64_at(sector, regions_at + 8 * index).unwrap_or_default();
        }
        if regions.iter().all(|region| !region_fits(*region, sector_size, size)) {
            return Err(no_metadata("no metadata region lies within the volume"));
        }
        Ok(Some(Self { sector_size, regions, to_go }))
    }
}

/// Whether a metadata region can lie there: behind the header, on a sector, within the volume.
pub(super) fn region_fits(offset: u64, sector_size: u32, size: u64) -> bool {
    let sector = u64::from(sector_size);
    offset >= sector && offset.is_multiple_of(sector) && offset.checked_add(REGION).is_some_and(|end| end <= size)
}

fn no_metadata(reason: &str) -> BitLockerError {
    BitLockerError::NoMetadata { reasons: vec![reason.to_owned()] }
}
