//! Partition tables: from a whole drive to the places of its volumes.
//!
//! In: a [`ReadAt`] over the drive and the sector size it claims, if any. Out: a [`Table`] of the partitions that lie on the drive
//! whole. GPT (UEFI specification, chapter 5: the table at the start, else its copy at the end, both by checksum), MBR with logical
//! partitions, or a volume that begins at byte 0 without any table. Refused: a drive with neither table nor known file system, a GPT
//! damaged in both copies, and a drive that ends before its first data partition does.

mod gpt;
mod mbr;
mod probe;
#[cfg(test)]
mod tests;

use super::{ReadAt, ReadError};

/// Smallest unit in which tables count: also the size of a boot sector.
const SECTOR: usize = 512;

/// Where the volumes of a drive lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The kind of table.
    pub scheme: Scheme,
    /// Unit of the table's positions in bytes.
    pub sector_size: u32,
    /// The partitions that lie on the drive whole, in the order of their places on it.
    pub partitions: Vec<Partition>,
}

/// The kind of a partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// GUID partition table.
    Gpt {
        /// Whether the table came from the copy at the drive's end, because that at its start is damaged.
        backup_used: bool,
    },
    /// Master boot record, with logical partitions.
    Mbr,
    /// No table: a volume begins at byte 0.
    None,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Number from 1: the slot in the table; logical partitions of an MBR count from 5.
    pub number: u32,
    /// First byte on the drive.
    pub start: u64,
    /// Size in bytes.
    pub size: u64,
    /// What it is for.
    pub kind: PartitionKind,
    /// Its type in words where known, with the code of the table.
    pub type_text: String,
}

/// What a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionKind {
    /// May hold the files of whoever sent the drive.
    Data,
    /// EFI system partition.
    EfiSystem,
    /// Microsoft reserved partition.
    MicrosoftReserved,
    /// Windows recovery environment.
    Recovery,
    /// Something else that is no volume, such as the metadata of dynamic disks.
    Other,
}

/// Why no volumes could be found.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// No byte at all.
    #[error("the drive or image is empty (0 bytes)")]
    Empty,
    /// Less than one sector.
    #[error("{size} bytes are too few for a drive: not even one sector of 512 bytes")]
    TooSmall {
        /// Bytes there.
        size: u64,
    },
    /// Neither table nor volume.
    #[error("neither a partition table nor a known file system was found: not a drive or an image of one, or overwritten")]
    NotADrive,
    /// Marked as GPT, but no copy is whole.
    #[error("the drive is marked as GPT, but neither the table at its start nor the copy at its end is whole")]
    GptDamaged,
    /// The drive ends before the partition does.
    #[error(
        "data partition {number} ends at byte {end}, but the drive or image at byte {size}: truncated, or copied incompletely"
    )]
    BeyondEnd {
        /// The partition.
        number: u32,
        /// Its end; `u64::MAX` if the table's numbers exceed 64 bits.
        end: u64,
        /// Size of the drive.
        size: u64,
    },
    /// The drive failed.
    #[error("the partition table could not be read")]
    Read(#[from] ReadError),
}

impl Table {
    /// The partition to take files from: the first on the drive that is not for a system's own use.
    pub fn first_data(&self) -> Option<&Partition> {
        first_data(&self.partitions)
    }
}

impl Partition {
    /// A partition of `length` sectors from sector `first` on. Numbers beyond 64 bits saturate, and so end beyond any drive.
    fn of_sectors(number: u32, first: u64, length: u64, unit: u32, (kind, type_text): (PartitionKind, String)) -> Self {
        let unit = u64::from(unit);
        Self { number, start: first.saturating_mul(unit), size: length.saturating_mul(unit), kind, type_text }
    }

    fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }

    /// `u64::MAX` may stand for more than 64 bits hold, so it is never within.
    fn is_within(&self, size: u64) -> bool {
        self.end() <= size && self.end() != u64::MAX
    }
}

/// Finds the partitions of `device`.
///
/// `sector_size` is what the device claims (a power of two from 512 to 4096; anything else counts as unknown). It is tried first, then
/// 512 and 4096: adapters between USB and SATA present sectors of a size other than that under which the drive was partitioned.
pub fn read(device: &dyn ReadAt, sector_size: Option<u32>) -> Result<Table, PartitionError> {
    let size = device.size();
    if size == 0 {
        return Err(PartitionError::Empty);
    }
    if size < SECTOR as u64 {
        return Err(PartitionError::TooSmall { size });
    }
    let units = units(sector_size);
    let mut first = [0; SECTOR];
    device.read_at(0, &mut first)?;
    let record = mbr::Record::of(&first);
    // a record with partitions of its own and no protective one was written after any GPT whose remains may still lie about
    let maybe_gpt = record.as_ref().is_none_or(|record| record.is_protective() || record.is_empty());

    let primary = if maybe_gpt { gpt::primary(device, &units) } else { Ok(None) };
    if let Ok(Some((unit, found))) = primary {
        return finish(Scheme::Gpt { backup_used: false }, unit, found, size);
    }
    if let Some(name) = probe::boot_sector(&first) {
        return Ok(whole(name, units[0], size));
    }
    if maybe_gpt && let Some((unit, found)) = gpt::backup(device, &units)? {
        return finish(Scheme::Gpt { backup_used: true }, unit, found, size);
    }
    primary?; // both copies failed: the drive's own error says more than "not found"
    match record {
        Some(record) if record.is_protective() => Err(PartitionError::GptDamaged),
        Some(record) if !record.is_empty() => from_record(device, &record, &units),
        _ => match probe::ext(device, 0)? {
            Some(name) => Ok(whole(name, units[0], size)),
            // initialised, but never partitioned
            None if record.is_some() => finish(Scheme::Mbr, units[0], Vec::new(), size),
            None => Err(PartitionError::NotADrive),
        },
    }
}

/// Sector sizes to try, the likeliest first.
fn units(claimed: Option<u32>) -> Vec<u32> {
    let claimed = claimed.filter(|size| size.is_power_of_two() && (512..=4096).contains(size));
    let mut units: Vec<u32> = claimed.into_iter().collect();
    units.extend([512, 4096].into_iter().filter(|&size| Some(size) != claimed));
    units
}

/// An MBR does not say its unit: that is right under which a known volume begins where the first data partition does. If under none
/// (new encryption, unknown file system), the likeliest is taken.
fn from_record(device: &dyn ReadAt, record: &mbr::Record, units: &[u32]) -> Result<Table, PartitionError> {
    let mut likeliest = None;
    for &unit in units {
        let found = ordered(record.partitions(device, unit)?);
        if let Some(data) = first_data(&found)
            && probe::volume(device, data.start)?.is_some()
        {
            return finish(Scheme::Mbr, unit, found, device.size());
        }
        likeliest.get_or_insert((unit, found));
    }
    let (unit, found) = likeliest.ok_or(PartitionError::NotADrive)?;
    finish(Scheme::Mbr, unit, found, device.size())
}

/// Leaves out what does not lie on the drive whole; an error if that is the partition that matters.
fn finish(scheme: Scheme, sector_size: u32, found: Vec<Partition>, size: u64) -> Result<Table, PartitionError> {
    let mut partitions = ordered(found);
    if let Some(data) = first_data(&partitions)
        && !data.is_within(size)
    {
        return Err(PartitionError::BeyondEnd { number: data.number, end: data.end(), size });
    }
    partitions.retain(|partition| partition.is_within(size));
    Ok(Table { scheme, sector_size, partitions })
}

fn ordered(mut partitions: Vec<Partition>) -> Vec<Partition> {
    partitions.sort_by_key(|partition| (partition.start, partition.number));
    partitions
}

fn first_data(ordered: &[Partition]) -> Option<&Partition> {
    ordered.iter().find(|partition| partition.kind == PartitionKind::Data)
}

fn whole(name: &str, sector_size: u32, size: u64) -> Table {
    let volume =
        Partition { number: 1, start: 0, size, kind: PartitionKind::Data, type_text: format!("{name}, without a table") };
    Table { scheme: Scheme::None, sector_size, partitions: vec![volume] }
}
