//! Master boot record, and the chain of extended boot records behind it.
//!
//! In: the first sector of a drive. Out: primary partitions 1 to 4 and logical ones from 5 on, in the unit asked for. Refused: a sector
//! without the mark `55 AA` or with a boot flag other than 00 and 80, and the boot sector of a volume, which bears the same mark. The
//! chain is followed through at most [`MAX_LOGICAL`] records and never to the same record twice.

use super::probe::{self, read_if_there};
use super::{Partition, PartitionKind, SECTOR};
use crate::volume::fields::{slice_at, u8_at, u32_at};
use crate::volume::{ReadAt, ReadError};

/// Extended boot records read from one drive.
const MAX_LOGICAL: usize = 128;

const ENTRIES: usize = 446;
const ENTRY_SIZE: usize = 16;
const PROTECTIVE: u8 = 0xEE;

/// One slot of a boot record; positions in sectors.
#[derive(Clone, Copy, Debug)]
struct Slot {
    kind: u8,
    first: u32,
    length: u32,
}

impl Slot {
    fn is_extended(self) -> bool {
        matches!(self.kind, 0x05 | 0x0F | 0x85)
    }

    fn is_used(self) -> bool {
        self.kind != 0 && self.length != 0
    }
}

/// The four slots of a boot record.
#[derive(Debug)]
pub(super) struct Record([Slot; 4]);

impl Record {
    /// Takes a sector as boot record, if it can be one.
    pub(super) fn of(sector: &[u8; SECTOR]) -> Option<Self> {
        let flags_fit = (0..4).all(|slot| matches!(u8_at(sector, ENTRIES + slot * ENTRY_SIZE), Some(0 | 0x80)));
        (flags_fit && probe::boot_sector(sector).is_none()).then(|| slots(sector)).flatten().map(Self)
    }

    /// Whether it only guards a GPT from tools that know no GPT.
    pub(super) fn is_protective(&self) -> bool {
        self.0.iter().any(|slot| slot.kind == PROTECTIVE)
    }

    /// Whether no slot is in use.
    pub(super) fn is_empty(&self) -> bool {
        !self.0.iter().any(|slot| slot.is_used())
    }

    /// All partitions, with positions counted in units of `unit` bytes.
    pub(super) fn partitions(&self, device: &dyn ReadAt, unit: u32) -> Result<Vec<Partition>, ReadError> {
        let mut found = Vec::new();
        for (number, slot) in (1..).zip(self.0).filter(|(_, slot)| slot.is_used() && !slot.is_extended()) {
            found.push(partition(number, u64::from(slot.first), slot, unit));
        }
        let mut chain = Chain { device, unit, next_number: 5, seen: Vec::new(), found };
        for slot in self.0.iter().filter(|slot| slot.is_used() && slot.is_extended()) {
            chain.follow(u64::from(slot.first))?;
        }
        Ok(chain.found)
    }
}

/// The walk along extended boot records.
struct Chain<'a> {
    device: &'a dyn ReadAt,
    unit: u32,
    next_number: u32,
    /// Sectors of the records read so far.
    seen: Vec<u64>,
    found: Vec<Partition>,
}

impl Chain<'_> {
    /// Follows the chain of the extended partition that begins at sector `base`. Each record has a logical partition, counted from the
    /// record, and the next record, counted from `base`.
    fn follow(&mut self, base: u64) -> Result<(), ReadError> {
        let mut here = base;
        while self.seen.len() < MAX_LOGICAL && !self.seen.contains(&here) {
            self.seen.push(here);
            let mut sector = [0; SECTOR];
            // two numbers of 32 bits and a unit of at most 4096: far below 64 bits
            if !read_if_there(self.device, here * u64::from(self.unit), &mut sector)? {
                return Ok(());
            }
            let Some(slots) = slots(&sector) else { return Ok(()) };
            for slot in slots.into_iter().filter(|slot| slot.is_used() && !slot.is_extended()).take(1) {
                self.found.push(partition(self.next_number, here + u64::from(slot.first), slot, self.unit));
                self.next_number += 1;
            }
            match slots.into_iter().find(|slot| slot.is_used() && slot.is_extended()) {
                Some(next) => here = base + u64::from(next.first),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

fn slots(sector: &[u8; SECTOR]) -> Option<[Slot; 4]> {
    if slice_at(sector, 510, 2)? != [0x55, 0xAA] {
        return None;
    }
    let slot = |number: usize| {
        let entry = slice_at(sector, ENTRIES + number * ENTRY_SIZE, ENTRY_SIZE)?;
        Some(Slot { kind: u8_at(entry, 4)?, first: u32_at(entry, 8)?, length: u32_at(entry, 12)? })
    };
    Some([slot(0)?, slot(1)?, slot(2)?, slot(3)?])
}

fn partition(number: u32, first: u64, slot: Slot, unit: u32) -> Partition {
    Partition::of_sectors(number, first, u64::from(slot.length), unit, kind(slot.kind))
}

fn kind(code: u8) -> (PartitionKind, String) {
    let (kind, name) = match code {
        0xEF => (PartitionKind::EfiSystem, "EFI system"),
        0x27 => (PartitionKind::Recovery, "Windows recovery"),
        0x42 => (PartitionKind::Other, "dynamic disk"),
        0x07 => (PartitionKind::Data, "NTFS or exFAT"),
        0x01 | 0x04 | 0x06 | 0x0B | 0x0C | 0x0E => (PartitionKind::Data, "FAT"),
        0x83 => (PartitionKind::Data, "Linux"),
        _ => return (PartitionKind::Data, format!("0x{code:02x}")),
    };
    (kind, format!("{name} (0x{code:02x})"))
}
