//! What a volume says about itself: label, version, and whether it was dismounted properly.
//!
//! In: `$Volume`, `$LogFile`, `hiberfil.sys`. Out: facts for reports; nothing is replayed and nothing here keeps files from being read.
//!
//! | restart page of the log | size | field | | restart area | size | field |
//! |---|---|---|---|---|---|---|
//! | 0 | 8 | `RSTR` (or `CHKD`) and the fix-ups | | 0 | 8 | current LSN |
//! | 16 | 4 | page size | | 12 | 2 | first client in use, FFFF if none |
//! | 24 | 2 | offset of the restart area | | 14 | 2 | flags: 2 = clean |

use std::ops::ControlFlow;

use super::attribute::kind;
use super::error::FileError;
use super::file::NtfsFile;
use super::fixup;
use super::inode::Inode;
use super::lookup::text;
use super::record::Reference;
use super::stream::Stream;
use super::volume::Volume;
use super::{Node, Ntfs};
use crate::foreign::Foreign;
use crate::volume::fields::{u8_at, u16_at, u32_at, u64_at};

/// Volume flag: changes were under way when the drive was taken away.
const DIRTY: u16 = 1;
/// Record of `$LogFile` and of `$Volume`.
const LOG_FILE: u64 = 2;
const VOLUME: u64 = 3;
/// Page size of a log, as far as its first page goes.
const PAGE: usize = 4096;

/// Facts about a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each shown by itself")]
pub struct VolumeInfo {
    /// Bytes per sector, of the volume's own making.
    pub sector_size: u64,
    /// Bytes per cluster.
    pub cluster_size: u64,
    /// Bytes per record.
    pub record_size: usize,
    /// Bytes per index block.
    pub index_block_size: usize,
    /// Bytes of the file system.
    pub size: u64,
    /// Records in the table of files, used or not.
    pub records: u64,
    /// Serial number.
    pub serial: u64,
    /// Label.
    pub label: Foreign,
    /// Version of NTFS, 3 and 1 since Windows XP; `None` if unreadable.
    pub version: Option<(u8, u8)>,
    /// Whether the volume is marked as not dismounted properly.
    pub dirty: bool,
    /// Whether the log holds nothing that was not carried out; `None` if that cannot be told.
    pub log_clean: Option<bool>,
    /// Whether Windows hibernated with the volume mounted.
    pub hibernated: bool,
    /// Whether the copy of the boot sector had to be taken.
    pub backup_boot_used: bool,
    /// Whether records had to be taken from `$MFTMirr`.
    pub mirror_used: bool,
    /// Whether our own table of capitals had to be taken.
    pub own_upcase_used: bool,
}

impl VolumeInfo {
    /// Whether files may be older than their last change: the remedy is to dismount the drive properly and ship it again.
    pub fn not_dismounted(&self) -> bool {
        self.dirty || self.hibernated || self.log_clean == Some(false)
    }
}

/// What `$Volume` says; what is unreadable stays empty.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) label: Foreign,
    pub(super) version: Option<(u8, u8)>,
    pub(super) dirty: bool,
}

/// Reads `$Volume`.
pub(super) fn marks(volume: &Volume) -> Result<Marks, FileError> {
    let inode = volume.mft.open_file(Reference { record: VOLUME, sequence: 0 })?;
    let label = value(volume, &inode, kind::VOLUME_NAME)?.unwrap_or_default();
    let information = value(volume, &inode, kind::VOLUME_INFORMATION)?.unwrap_or_default();
    Ok(Marks {
        label: Foreign::new(text(&label)),
        version: u8_at(&information, 8).zip(u8_at(&information, 9)),
        dirty: u16_at(&information, 10).is_some_and(|flags| flags & DIRTY != 0),
    })
}

fn value(volume: &Volume, inode: &Inode, kind: u32) -> Result<Option<Vec<u8>>, FileError> {
    let mut found = None;
    inode.each_part(&volume.mft, kind, &[], &mut |_, attribute| {
        found = attribute.resident().map(<[u8]>::to_vec);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// Reads the restart pages of `$LogFile`.
pub(super) fn log_clean(volume: &Volume) -> Result<Option<bool>, FileError> {
    let inode = volume.mft.open_file(Reference { record: LOG_FILE, sequence: 0 })?;
    let Some(log) = Stream::load(&volume.mft, &inode, kind::DATA, &[])? else { return Ok(None) };
    let mut newest: Option<(u64, bool)> = None;
    for offset in [0, PAGE as u64] {
        let mut page = vec![0; PAGE];
        if log.read(volume.mft.disk(), LOG_FILE, offset, &mut page).is_err() {
            continue;
        }
        if page.iter().all(|&byte| byte == 0xFF) {
            newest = newest.max(Some((0, true)));
        } else if let Some(found) = restart(&mut page) {
            newest = newest.max(Some(found));
        }
    }
    Ok(newest.map(|(_, clean)| clean))
}

/// The LSN of a restart page and whether it says clean.
fn restart(page: &mut [u8]) -> Option<(u64, bool)> {
    if page.starts_with(b"CHKD") {
        return Some((u64_at(page, 8)?, true));
    }
    let size = u32_at(page, 16)?;
    if size == u32::try_from(PAGE).ok()? {
        fixup::apply(page, *b"RSTR", 30).ok()?;
    } else if !page.starts_with(b"RSTR") {
        return None;
    }
    let area = usize::from(u16_at(page, 24)?);
    let (lsn, in_use, flags) = (u64_at(page, area)?, u16_at(page, area + 12)?, u16_at(page, area + 14)?);
    Some((lsn, in_use == 0xFFFF || flags & 2 != 0))
}

/// Whether the root holds the image of a hibernated Windows.
pub(super) fn hibernated(ntfs: &Ntfs, root: &Node) -> bool {
    let Ok(path) = "hiberfil.sys".parse() else { return false };
    let mut mark = [0; 4];
    let read = ntfs.volume.lookup(root, &path).and_then(|node| NtfsFile::open(&ntfs.volume, &node)?.read_at(0, &mut mark));
    read.is_ok() && matches!(&mark.map(|letter| letter.to_ascii_lowercase()), b"hibr" | b"wake")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(lsn: u64, in_use: u16, flags: u16) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        page[..4].copy_from_slice(b"RSTR");
        page[4] = 30;
        page[6] = 9;
        page[17] = 0x10;
        page[24] = 48;
        page[48..56].copy_from_slice(&lsn.to_le_bytes());
        page[60..62].copy_from_slice(&in_use.to_le_bytes());
        page[62..64].copy_from_slice(&flags.to_le_bytes());
        page
    }

    #[test]
    fn a_log_is_clean_without_clients_or_by_its_flag() {
        assert_eq!(restart(&mut page(5, 0xFFFF, 0)), Some((5, true)));
        assert_eq!(restart(&mut page(5, 0, 2)), Some((5, true)));
        assert_eq!(restart(&mut page(5, 0, 0)), Some((5, false)));
        let mut checked = page(5, 0, 0);
        checked[..4].copy_from_slice(b"CHKD");
        assert_eq!(restart(&mut checked).map(|(_, clean)| clean), Some(true));
    }

    #[test]
    fn a_torn_or_foreign_page_says_nothing() {
        let mut torn = page(5, 0, 2);
        torn[1023] = 1;
        assert_eq!(restart(&mut torn), None);
        assert_eq!(restart(&mut vec![0; PAGE]), None);
        let mut far = page(5, 0, 2);
        far[24..26].copy_from_slice(&[0xFF, 0xFF]);
        assert_eq!(restart(&mut far), None);
    }
}
