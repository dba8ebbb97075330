//! The attribute list of a file that needs more than one record.
//!
//! In: the bytes of the list. Out: the parts of one attribute, in the order of their clusters. Refused: entries that leave the list.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | attribute type |
//! | 4 | 2 | length of the entry |
//! | 6, 7 | 1, 1 | name length in units, name offset |
//! | 8 | 8 | lowest VCN of the part |
//! | 16 | 8 | reference of the record that holds it |
//! | 24 | 2 | id of the attribute in that record |

use super::error::Fault;
use super::record::Reference;
use crate::volume::fields::{slice_at, u8_at, u16_at, u32_at, u64_at};

/// Largest list that is read: four times what ntfs-3g writes at most, enough for over 30,000 parts.
pub(super) const MAX_LIST: u64 = 1 << 20;
/// Shortest entry.
const MIN_ENTRY: usize = 26;

/// Where a part of an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Byte of the list.
    pub(super) at: usize,
    pub(super) kind: u32,
    /// UTF-16LE.
    pub(super) name: &'a [u8],
    pub(super) lowest: u64,
    pub(super) reference: Reference,
    pub(super) id: u16,
}

/// The entries of a list in their order; ends after the first fault. Entries have 26 bytes or more, so this ends.
pub(super) fn entries(list: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Fault>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let at = next.take().filter(|&at| at < list.len())?;
        Some(parse(list, at).map(|(entry, after)| {
            next = Some(after);
            entry
        }))
    })
}

fn parse(list: &[u8], at: usize) -> Result<(Entry<'_>, usize), Fault> {
    let cut = || Fault::cut(at, list.len());
    let length = usize::from(u16_at(list, at + 4).ok_or_else(cut)?);
    let bytes = slice_at(list, at, length).filter(|_| length >= MIN_ENTRY);
    let bytes = bytes.ok_or(Fault::new(at + 4, "an entry of 26 bytes or more inside the list", length as u64))?;
    let (units, offset) = (u8_at(bytes, 6).ok_or_else(cut)?, u8_at(bytes, 7).ok_or_else(cut)?);
    let name = match units {
        0 => &[][..],
        _ => slice_at(bytes, usize::from(offset), 2 * usize::from(units))
            .filter(|_| usize::from(offset) >= MIN_ENTRY)
            .ok_or(Fault::new(at + 7, "a name inside its entry", offset))?,
    };
    let entry = Entry {
        at,
        kind: u32_at(bytes, 0).ok_or_else(cut)?,
        name,
        lowest: u64_at(bytes, 8).ok_or_else(cut)?,
        reference: Reference::new(u64_at(bytes, 16).ok_or_else(cut)?),
        id: u16_at(bytes, 24).ok_or_else(cut)?,
    };
    Ok((entry, at + length))
}

/// The parts of one attribute, in the order of their clusters.
pub(super) fn parts<'a>(list: &'a [u8], kind: u32, name: &[u8]) -> Result<Vec<Entry<'a>>, Fault> {
    let mut parts = Vec::new();
    for entry in entries(list) {
        let entry = entry?;
        if entry.kind == kind && entry.name == name {
            parts.push(entry);
        }
    }
    parts.sort_by_key(|part| part.lowest);
    Ok(parts)
}

#[cfg(test)]
mod tests;
