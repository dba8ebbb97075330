//! Attributes: what a FILE record consists of.
//!
//! In: the bytes of a record with its fix-ups undone. Out: one attribute after the other, borrowed. Refused: lengths that leave the
//! record, names, values and runs that leave their attribute, sizes in the wrong order.
//!
//! | offset | size | field | | offset | size | resident | | offset | size | non-resident |
//! |---|---|---|---|---|---|---|---|---|---|---|
//! | 0 | 4 | type | | 16 | 4 | value length | | 16 | 8 | lowest VCN of this part |
//! | 4 | 4 | length | | 20 | 2 | value offset | | 24 | 8 | highest VCN |
//! | 8 | 1 | 1 = non-resident | | | | | | 32 | 2 | offset of the runs |
//! | 9 | 1 | name length, units | | | | | | 34 | 1 | compression unit, log2 of clusters |
//! | 10 | 2 | name offset | | | | | | 40 | 8 | allocated size, in the first part |
//! | 12 | 2 | flags | | | | | | 48 | 8 | size of the content |
//! | 14 | 2 | id | | | | | | 56 | 8 | initialized size |

use super::error::Fault;
use crate::volume::fields::{index, slice_at, u8_at, u16_at, u32_at, u64_at};

/// Attribute types.
pub(super) mod kind {
    pub(in super::super) const STANDARD_INFORMATION: u32 = 0x10;
    pub(in super::super) const ATTRIBUTE_LIST: u32 = 0x20;
    pub(in super::super) const FILE_NAME: u32 = 0x30;
    pub(in super::super) const VOLUME_NAME: u32 = 0x60;
    pub(in super::super) const VOLUME_INFORMATION: u32 = 0x70;
    pub(in super::super) const DATA: u32 = 0x80;
    pub(in super::super) const INDEX_ROOT: u32 = 0x90;
    pub(in super::super) const INDEX_ALLOCATION: u32 = 0xA0;
    pub(in super::super) const REPARSE_POINT: u32 = 0xC0;
    pub(in super::super) const END: u32 = 0xFFFF_FFFF;
}

/// Attribute flags: compressed, with the method in the low byte.
pub(super) const COMPRESSED: u16 = 0x00FF;
/// Attribute flags: encrypted by EFS.
pub(super) const ENCRYPTED: u16 = 0x4000;

/// Bytes of the header that all attributes share.
const HEADER: usize = 16;
/// Bytes of the headers with their own part.
const RESIDENT_HEADER: usize = 24;
const NON_RESIDENT_HEADER: usize = 64;

/// One attribute of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute<'a> {
    /// Byte of the record at which it begins.
    pub(super) at: usize,
    pub(super) kind: u32,
    pub(super) flags: u16,
    pub(super) id: u16,
    /// UTF-16LE, empty if it has no name.
    pub(super) name: &'a [u8],
    pub(super) body: Body<'a>,
}

/// Where the content is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body<'a> {
    /// Here.
    Resident(&'a [u8]),
    /// In clusters.
    NonResident(NonResident<'a>),
}

/// A part of a stream in clusters.
#[derive(Debug, Clone, Copy)]
pub(super) struct NonResident<'a> {
    /// First cluster of the stream that this part maps.
    pub(super) lowest: u64,
    /// Clusters of the stream that this part maps.
    pub(super) clusters: u64,
    /// log2 of the clusters of a compression unit, 0 if none.
    pub(super) unit: u8,
    /// The three sizes; present only in the part with lowest VCN 0.
    pub(super) sizes: Option<Sizes>,
    /// The packed runs.
    pub(super) runs: &'a [u8],
    /// Byte of the record at which the runs begin.
    pub(super) runs_at: usize,
}

/// Sizes of a stream, in bytes: initialized <= content <= allocated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) allocated: u64,
    pub(super) content: u64,
    pub(super) initialized: u64,
}

impl<'a> Attribute<'a> {
    /// The attribute at byte `at` of a record and the byte after it; `None` at the end mark.
    pub(super) fn parse(record: &'a [u8], at: usize) -> Result<Option<(Self, usize)>, Fault> {
        let cut = |offset: usize| Fault::cut(at + offset, record.len());
        let kind = u32_at(record, at).ok_or_else(|| cut(0))?;
        if kind == kind::END {
            return Ok(None);
        }
        let length = index(u64::from(u32_at(record, at + 4).ok_or_else(|| cut(4))?));
        if length < RESIDENT_HEADER || !length.is_multiple_of(8) {
            return Err(Fault::new(at + 4, "an attribute length of 24 or more, a multiple of 8", length as u64));
        }
        let Some(bytes) = slice_at(record, at, length) else {
            return Err(Fault::new(at + 4, "an attribute that ends inside its record", length as u64));
        };
        let field = |offset: usize| u16_at(bytes, offset).ok_or_else(|| cut(offset));
        let units = usize::from(u8_at(bytes, 9).ok_or_else(|| cut(9))?);
        let name = match units {
            0 => &[][..],
            _ => slice_at(bytes, usize::from(field(10)?), 2 * units)
                .filter(|_| usize::from(u16_at(bytes, 10).unwrap_or(0)) >= HEADER)
                .ok_or(Fault::new(at + 10, "a name inside its attribute", field(10)?))?,
        };
        let body = match u8_at(bytes, 8) {
            Some(0) => Body::Resident(resident(bytes, at)?),
            Some(1) => Body::NonResident(NonResident::parse(bytes, at)?),
            other => return Err(Fault::new(at + 8, "0 or 1 for resident or not", other.unwrap_or_default())),
        };
        Ok(Some((Self { at, kind, flags: field(12)?, id: field(14)?, name, body }, at + length)))
    }

    /// The value, if it is in the record.
    pub(super) fn resident(&self) -> Option<&'a [u8]> {
        match self.body {
            Body::Resident(value) => Some(value),
            Body::NonResident(_) => None,
        }
    }
}

fn resident(bytes: &[u8], at: usize) -> Result<&[u8], Fault> {
    let (length, offset) = (u32_at(bytes, 16), u16_at(bytes, 20));
    let length = index(u64::from(length.ok_or(Fault::cut(at + 16, bytes.len()))?));
    let offset = usize::from(offset.ok_or(Fault::cut(at + 20, bytes.len()))?);
    match slice_at(bytes, offset, length) {
        Some(value) if offset >= RESIDENT_HEADER || length == 0 => Ok(value),
        _ => Err(Fault::new(at + 16, "a value inside its attribute", length as u64)),
    }
}

impl<'a> NonResident<'a> {
    fn parse(bytes: &'a [u8], at: usize) -> Result<Self, Fault> {
        if bytes.len() < NON_RESIDENT_HEADER {
            return Err(Fault::new(at + 4, "a non-resident attribute of 64 bytes or more", bytes.len() as u64));
        }
        let field = |offset: usize| u64_at(bytes, offset).ok_or(Fault::cut(at + offset, bytes.len()));
        let (lowest, highest) = (field(16)?, field(24)?);
        // an empty stream has -1 as its highest cluster
        let end = highest.wrapping_add(1);
        if end < lowest || end > i64::MAX as u64 {
            return Err(Fault::new(at + 24, "a highest cluster not below the lowest", highest));
        }
        let runs_offset = usize::from(u16_at(bytes, 32).ok_or(Fault::cut(at + 32, bytes.len()))?);
        let runs = bytes.get(runs_offset..).filter(|_| runs_offset >= NON_RESIDENT_HEADER);
        let runs = runs.ok_or(Fault::new(at + 32, "runs inside their attribute", runs_offset as u64))?;
        let unit = u8_at(bytes, 34).ok_or(Fault::cut(at + 34, bytes.len()))?;
        let sizes = match lowest {
            0 => {
                let sizes = Sizes { allocated: field(40)?, content: field(48)?, initialized: field(56)? };
                if sizes.allocated > i64::MAX as u64 || sizes.content > sizes.allocated {
                    return Err(Fault::new(at + 48, "a size not above the allocated size", sizes.content));
                }
                if sizes.initialized > sizes.content {
                    return Err(Fault::new(at + 56, "an initialized size not above the size", sizes.initialized));
                }
                Some(sizes)
            }
            _ => None,
        };
        Ok(Self { lowest, clusters: end - lowest, unit, sizes, runs, runs_at: at + runs_offset })
    }
}

#[cfg(test)]
mod tests;
