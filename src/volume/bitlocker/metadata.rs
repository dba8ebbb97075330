//! A metadata region: 64 KiB, three copies of it on the volume.
//!
//! | Offset | Size | Field |
//! |---|---|---|
//! | 0 | 8 | `-FVE-FS-` |
//! | 8 | 2 | size of the block in units of 16 bytes |
//! | 10 | 2 | version: 2 |
//! | 12, 14 | 2, 2 | state now, state next: 4 is encrypted |
//! | 16 | 8 | encrypted bytes |
//! | 28 | 4 | sectors in the header copy |
//! | 32 | 3 × 8 | offsets of the three regions |
//! | 56 | 8 | offset of the header copy |
//! | 64 | 48 | dataset header: size (0), volume GUID (16), method (36), creation time (40) |
//! | 112 | | entries |
//!
//! Behind the block: size (2), version (2), CRC-32 of the block (4), and a box with its SHA-256.

use super::BitLockerError;
use super::cipher::Method;
use super::entries::{Entry, list, role, value};
use crate::foreign::Foreign;
use crate::volume::fields::{array_at, slice_at, u16_at, u32_at, u64_at};

const SIGNATURE: [u8; 8] = *b"-FVE-FS-";
const BLOCK_HEADER: usize = 64;
const DATASET_HEADER: usize = 48;
const ENCRYPTED: u16 = 4;

/// One valid copy of the metadata.
#[derive(Clone)]
pub(super) struct Metadata {
    /// The block that the CRC-32 and the sealed SHA-256 cover.
    pub(super) block: Vec<u8>,
    /// The box with the SHA-256 of the block, if there is one.
    pub(super) seal: Option<Vec<u8>>,
    pub(super) encrypted: u64,
    /// Where the three regions lie: unlike the volume header's list, this one is sealed.
    pub(super) regions: [u64; 3],
    pub(super) copy_offset: u64,
    pub(super) copy_sectors: u32,
    pub(super) method: u16,
    pub(super) created: u64,
    entries: std::ops::Range<usize>,
    states: (u16, u16),
}

impl Metadata {
    /// Checks a region that was read at `at`; the reason if it is not a valid copy.
    pub(super) fn parse(region: &[u8], at: u64) -> Result<Self, &'static str> {
        if array_at(region, 0) != Some(SIGNATURE) {
            return Err("no signature");
        }
        if u16_at(region, 10) != Some(2) {
            return Err("unknown version");
        }
        let size = usize::from(u16_at(region, 8).unwrap_or_default()) * 16;
        let block = region.get(..size).filter(|block| block.len() >= BLOCK_HEADER + DATASET_HEADER).ok_or("impossible size")?;
        let stored = u32_at(region, size + 4).ok_or("impossible size")?;
        if crc32fast::hash(block) != stored {
            return Err("wrong checksum");
        }
        let regions = [32, 40, 48].map(|offset| u64_at(block, offset).unwrap_or_default());
        if !regions.contains(&at) {
            return Err("it does not list its own place");
        }
        let number = |offset| u64_at(block, offset).ok_or("impossible size");
        let entries = entries(block).ok_or("impossible dataset size")?;
        Ok(Self {
            seal: seal(region, size),
            encrypted: number(16)?,
            regions,
            copy_offset: number(56)?,
            copy_sectors: u32_at(block, 28).ok_or("impossible size")?,
            method: u16_at(block, 100).ok_or("impossible size")?,
            created: number(104)?,
            states: (u16_at(block, 12).ok_or("impossible size")?, u16_at(block, 14).ok_or("impossible size")?),
            entries,
            block: block.to_vec(),
        })
    }

    /// Refuses a volume that is not encrypted from end to end.
    pub(super) fn check_state(&self) -> Result<(), BitLockerError> {
        let state = match self.states {
            (ENCRYPTED, ENCRYPTED) => return Ok(()),
            (1, _) => "decrypted",
            (2, 4) => "encryption has not finished",
            (2, 1) => "decryption has not finished",
            (3, _) => "encrypting on write",
            (5, _) => "conversion is paused",
            _ => "conversion is under way",
        };
        Err(BitLockerError::Converting { state })
    }

    /// The entries of the dataset.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        list(self.block.get(self.entries.clone()).unwrap_or_default())
    }

    /// The method as one of the six.
    pub(super) fn cipher_method(&self) -> Result<Method, BitLockerError> {
        Method::from_code(self.method).ok_or(BitLockerError::Method { method: self.method })
    }

    /// The protectors' entries.
    pub(super) fn protectors(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries().filter(|entry| entry.role == role::PROTECTOR && entry.value == value::PROTECTOR)
    }

    /// Computer, label and date, as Windows wrote them.
    pub(super) fn description(&self) -> Option<Foreign> {
        let entry = self.entries().find(|entry| entry.role == role::DESCRIPTION && entry.value == value::TEXT)?;
        let units = entry.body.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        Some(Foreign::from(String::from_utf16_lossy(&units)))
    }

    /// Bytes of the header copy: from its entry, or from the sector count.
    pub(super) fn copy_size(&self, sector_size: u32) -> u64 {
        let place = self.entries().find(|entry| entry.role == role::HEADER_COPY && entry.value == value::PLACE);
        let said = place.and_then(|entry| Some((u64_at(entry.body, 0)?, u64_at(entry.body, 8)?)));
        match said {
            Some((offset, size)) if offset == self.copy_offset => size,
            _ => u64::from(self.copy_sectors) * u64::from(sector_size),
        }
    }
}

fn entries(block: &[u8]) -> Option<std::ops::Range<usize>> {
    let size = usize::try_from(u32_at(block, BLOCK_HEADER)?).ok()?;
    let end = BLOCK_HEADER.checked_add(size)?;
    let start = BLOCK_HEADER + DATASET_HEADER;
    (start <= end && end <= block.len()).then_some(start..end)
}

/// The box behind the block.
fn seal(region: &[u8], size: usize) -> Option<Vec<u8>> {
    let rest = slice_at(region, size + 8, region.len().checked_sub(size + 8)?)?;
    let entry = list(rest).next().filter(|entry| entry.value == value::SEALED)?;
    Some(entry.body.to_vec())
}
