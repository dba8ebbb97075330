//! The decrypted view of a volume.
//!
//! | Part of the view | Comes from |
//! |---|---|
//! | the first bytes, as many as the header copy has | the header copy, decrypted by the position where it lies |
//! | three metadata regions, the header copy | zeros |
//! | past the encrypted size | the drive, as it is |
//! | everything else | the drive, decrypted |

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::cipher::SectorCipher;
use crate::volume::fields::index;
use crate::volume::{ReadAt, ReadError};

/// The largest sector.
const SECTOR: usize = 4096;

/// A volume whose sectors decrypt. Reads are split at the borders of its parts, once per request, and whole runs are decrypted in the
/// caller's buffer.
pub struct Decrypted {
    pub(super) below: Arc<dyn ReadAt>,
    pub(super) cipher: SectorCipher,
    pub(super) layout: Layout,
}

/// Where the parts of a volume lie. All borders are multiples of the sector size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) sector_size: u32,
    pub(super) size: u64,
    pub(super) encrypted: u64,
    pub(super) copy: Range<u64>,
    pub(super) hidden: [Range<u64>; 4],
}

/// Where a part of the view comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Decrypted, from this position.
    Cipher(u64),
    /// As it is.
    Raw,
    Zeros,
}

impl Layout {
    /// The part that `offset` lies in: where it comes from, and where it ends.
    fn part(&self, offset: u64) -> (Origin, u64) {
        let copied = self.copy.end - self.copy.start;
        if offset < copied {
            return (Origin::Cipher(self.copy.start + offset), copied);
        }
        if let Some(hidden) = self.hidden.iter().find(|hidden| hidden.contains(&offset)) {
            return (Origin::Zeros, hidden.end);
        }
        let (origin, limit) =
            if offset < self.encrypted { (Origin::Cipher(offset), self.encrypted) } else { (Origin::Raw, self.size) };
        let next_hidden = self.hidden.iter().map(|hidden| hidden.start).filter(|start| *start > offset).min();
        (origin, next_hidden.map_or(limit, |start| start.min(limit)))
    }

    /// Where the part that `offset` lies in ends.
    pub(super) fn part_end(&self, offset: u64) -> u64 {
        self.part(offset).1
    }
}

impl ReadAt for Decrypted {
    fn size(&self) -> u64 {
        self.layout.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.layout.size)?;
        let (mut offset, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let (origin, end) = self.layout.part(offset);
            let length = rest.len().min(index(end - offset));
            let (part, behind) = rest.split_at_mut(length);
            match origin {
                Origin::Zeros => part.fill(0),
                Origin::Raw => self.below.read_at(offset, part)?,
                Origin::Cipher(position) => self.decrypt(position, part)?,
            }
            offset += length as u64;
            rest = behind;
        }
        Ok(())
    }
}

impl Decrypted {
    /// Reads and decrypts bytes that lie at `position`: whole sectors in place, ends that are none through a sector of their own.
    fn decrypt(&self, position: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let sector = u64::from(self.layout.sector_size);
        let head = index(position.next_multiple_of(sector) - position).min(buffer.len());
        let (head, rest) = buffer.split_at_mut(head);
        let middle = rest.len() - rest.len() % index(sector);
        self.partial(position, head)?;
        let position = position + head.len() as u64;
        let (middle, tail) = rest.split_at_mut(middle);
        if !middle.is_empty() {
            self.below.read_at(position, middle)?;
            self.cipher.decrypt(middle, position, self.layout.sector_size);
        }
        self.partial(position + middle.len() as u64, tail)
    }

    /// A part of one sector.
    fn partial(&self, position: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        if buffer.is_empty() {
            return Ok(());
        }
        let sector = u64::from(self.layout.sector_size);
        let within = index(position % sector);
        let start = position - position % sector;
        let mut whole = [0; SECTOR];
        let whole = &mut whole[..index(sector)];
        self.below.read_at(start, whole)?;
        self.cipher.decrypt(whole, start, self.layout.sector_size);
        buffer.copy_from_slice(&whole[within..within + buffer.len()]);
        Ok(())
    }
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decrypted").field("layout", &self.layout).finish_non_exhaustive()
    }
}
