//! FILE records: one file or directory, or a part of one.
//!
//! In: the bytes of a record as read. Out: its header, and an iterator over its attributes. Refused: torn records, offsets that leave
//! the record, a record that claims another number than its place.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | `FILE` and the fix-ups |
//! | 16 | 2 | sequence number |
//! | 20 | 2 | offset of the first attribute |
//! | 22 | 2 | flags: 1 in use, 2 directory, 4 below `$Extend` |
//! | 24, 28 | 4, 4 | bytes in use, bytes allocated |
//! | 32 | 8 | reference of the base record, 0 in a base record |
//! | 44 | 4 | own number, since NTFS 3.1 |

use super::attribute::Attribute;
use super::error::Fault;
use super::fixup;
use crate::volume::fields::{index, u16_at, u32_at, u64_at};

/// End of the header before NTFS 3.1.
const OLD_HEADER: usize = 42;
/// Where the fix-up list begins if the record knows its own number.
const NEW_HEADER: usize = 48;
const IN_USE: u16 = 1;
const DIRECTORY: u16 = 2;
const BELOW_EXTEND: u16 = 4;

/// Which record, and which of the files that used it in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    /// Number of the record: 48 bits.
    pub(super) record: u64,
    /// Sequence number; 0 means any.
    pub(super) sequence: u16,
}

impl Reference {
    /// Splits a reference as it is on disk.
    pub(super) fn new(packed: u64) -> Self {
        let [.., low, high] = packed.to_le_bytes();
        Self { record: packed & 0xFFFF_FFFF_FFFF, sequence: u16::from_le_bytes([low, high]) }
    }

    /// Whether both mean the same file, 0 as a sequence number standing for any.
    pub(super) fn fits(self, other: Self) -> bool {
        self.record == other.record && (self.sequence == other.sequence || self.sequence == 0 || other.sequence == 0)
    }
}

/// A FILE record in use, fix-ups undone.
#[derive(Debug, Clone)]
pub(super) struct Record {
    bytes: Vec<u8>,
    first: usize,
    flags: u16,
    /// Its number, and the sequence number it holds.
    pub(super) reference: Reference,
    /// The base record, if this is only a part of a file.
    pub(super) base: Option<Reference>,
}

impl Record {
    /// Checks the record read from place `number`.
    pub(super) fn parse(number: u64, mut bytes: Vec<u8>) -> Result<Self, Fault> {
        fixup::apply(&mut bytes, *b"FILE", OLD_HEADER)?;
        let size = bytes.len();
        let half = |offset: usize| u16_at(&bytes, offset).ok_or(Fault::cut(offset, size));
        let word = |offset: usize| u32_at(&bytes, offset).ok_or(Fault::cut(offset, size));
        let (fixups, first, flags) = (half(4)?, usize::from(half(20)?), half(22)?);
        if flags & IN_USE == 0 {
            return Err(Fault::new(22, "a record in use", flags));
        }
        let (used, allocated) = (word(24)?, word(28)?);
        if index(u64::from(allocated)) != size {
            return Err(Fault::new(28, "the record size of the volume", allocated));
        }
        let used_length = index(u64::from(used));
        if used_length > size {
            return Err(Fault::new(24, "bytes in use within the record", used));
        }
        if first < OLD_HEADER || !first.is_multiple_of(8) || first >= used_length {
            return Err(Fault::new(20, "a first attribute within the bytes in use", first as u64));
        }
        let own = word(44)?;
        if usize::from(fixups) >= NEW_HEADER && u64::from(own) != number & 0xFFFF_FFFF {
            return Err(Fault::new(44, "the record's own number", own));
        }
        let reference = Reference { record: number, sequence: half(16)? };
        let base = u64_at(&bytes, 32).ok_or(Fault::cut(32, size))?;
        let base = (base != 0).then(|| Reference::new(base));
        bytes.truncate(used_length);
        Ok(Self { bytes, first, flags, reference, base })
    }

    /// Whether it is a directory.
    pub(super) fn is_directory(&self) -> bool {
        self.flags & DIRECTORY != 0
    }

    /// Whether it belongs to the file system itself, by its number or its mark.
    pub(super) fn is_system(&self) -> bool {
        self.reference.record < super::FIRST_USER_RECORD || self.flags & BELOW_EXTEND != 0
    }

    /// The attributes in their order; ends after the first fault. Attributes have 24 bytes or more, so this ends.
    pub(super) fn attributes(&self) -> impl Iterator<Item = Result<Attribute<'_>, Fault>> {
        let mut next = Some(self.first);
        std::iter::from_fn(move || match Attribute::parse(&self.bytes, next.take()?) {
            Ok(Some((attribute, after))) => {
                next = Some(after);
                Some(Ok(attribute))
            }
            Ok(None) => None,
            Err(fault) => Some(Err(fault)),
        })
    }

    /// The first attribute of this type without a name.
    pub(super) fn unnamed(&self, kind: u32) -> Result<Option<Attribute<'_>>, Fault> {
        let wanted = |found: &Result<Attribute<'_>, Fault>| found.as_ref().is_ok_and(|a| a.kind != kind || !a.name.is_empty());
        self.attributes().find(|found| !wanted(found)).transpose()
    }
}

#[cfg(test)]
mod tests;
