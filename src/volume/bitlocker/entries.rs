//! The entries of a metadata block: a flat list of headers with bodies, some of which nest another list.
//!
//! | Offset | Size | Field |
//! |---|---|---|
//! | 0 | 2 | size with this header, at least 8 |
//! | 2 | 2 | entry type: what it is for |
//! | 4 | 2 | value type: how the body is laid out |
//! | 6 | 2 | version |

use crate::volume::fields::{slice_at, u16_at};

/// Entry types used here.
pub(super) mod role {
    /// A volume master key wrapped by a protector.
    pub(in super::super) const PROTECTOR: u16 = 2;
    /// The wrapped sector key.
    pub(in super::super) const SECTOR_KEY: u16 = 3;
    /// The description.
    pub(in super::super) const DESCRIPTION: u16 = 7;
    /// Where the relocated first sectors lie.
    pub(in super::super) const HEADER_COPY: u16 = 0xf;
}

/// Value types used here.
pub(super) mod value {
    /// A key.
    pub(in super::super) const KEY: u16 = 1;
    /// A UTF-16 text.
    pub(in super::super) const TEXT: u16 = 2;
    /// A stretched key: salt and nested entries.
    pub(in super::super) const STRETCH: u16 = 3;
    /// An AES-CCM box.
    pub(in super::super) const SEALED: u16 = 5;
    /// A protector.
    pub(in super::super) const PROTECTOR: u16 = 8;
    /// An offset and a size.
    pub(in super::super) const PLACE: u16 = 0xf;
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) role: u16,
    pub(super) value: u16,
    pub(super) body: &'a [u8],
}

/// The entries of a list, until one does not fit.
pub(super) fn list(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let size = usize::from(u16_at(rest, 0)?);
        let body = slice_at(rest, 8, size.checked_sub(8)?)?;
        let entry = Entry { role: u16_at(rest, 2)?, value: u16_at(rest, 4)?, body };
        rest = rest.get(size..)?;
        Some(entry)
    })
}
