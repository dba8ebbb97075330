//! What the kernel knows of a block device, from its files below `/sys`.
//!
//! In: the device's number. Out: [`Facts`], each one only if the kernel has it and it makes sense. Every file is cut at [`LONGEST`]
//! bytes; the texts come from the drive's firmware and are foreign.

use crate::drive::DriveId;
use crate::foreign::Foreign;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Bytes read from one file; a page of vital product data has at most 64 KiB by its format, and serial numbers a few dozen bytes.
const LONGEST: u64 = 4096;
/// The kernel counts sizes in these, whatever the device's sectors.
const KERNEL_SECTOR: u64 = 512;

/// What the kernel knows of a device.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Kernel name, such as `sdb` or `sdb1`.
    pub(super) name: Option<Foreign>,
    /// Size in bytes.
    pub(super) size: Option<u64>,
    /// Model of the drive.
    pub(super) model: Option<Foreign>,
    /// Serial number of the drive.
    pub(super) serial: Option<DriveId>,
    /// Logical sector size in bytes.
    pub(super) sector_size: Option<u32>,
    /// Whether writes are refused.
    pub(super) read_only: Option<bool>,
}

impl Facts {
    /// Reads them for the device number `device`, below `root` (usually `/sys`). A partition has name, size and write protection of
    /// its own; the rest is its drive's.
    pub(super) fn of(root: &Path, device: u64) -> Self {
        let number = format!("{}:{}", nix::sys::stat::major(device), nix::sys::stat::minor(device));
        let Ok(own) = fs::canonicalize(root.join("dev/block").join(number)) else { return Self::default() };
        let drive = match own.parent() {
            Some(parent) if own.join("partition").exists() => parent,
            _ => &own,
        };
        Self {
            name: own.file_name().map(|name| Foreign::new(name.to_string_lossy())),
            size: text(&own.join("size")).and_then(|n| n.parse::<u64>().ok()?.checked_mul(KERNEL_SECTOR)),
            model: text(&drive.join("device/model")).filter(|model| !model.is_empty()).map(Foreign::new),
            serial: serial(drive),
            sector_size: text(&drive.join("queue/logical_block_size")).and_then(|n| n.parse().ok()),
            read_only: text(&own.join("ro")).and_then(|flag| match flag.as_str() {
                "0" => Some(false),
                "1" => Some(true),
                _ => None,
            }),
        }
    }
}

/// SCSI and SATA drives have vital product data, `NVMe` drives a file of their own.
fn serial(drive: &Path) -> Option<DriveId> {
    let page = bytes(&drive.join("device/vpd_pg80")).and_then(|page| from_page_80(&page));
    page.or_else(|| text(&drive.join("device/serial"))?.parse().ok())
}

/// The serial number in page 80h (SCSI Primary Commands, "unit serial number"): device type, page code, a length of two bytes, high one
/// first, then ASCII padded with blanks; some adapters pad with zero bytes.
fn from_page_80(page: &[u8]) -> Option<DriveId> {
    let [_, 0x80, high, low, rest @ ..] = page else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let padded = std::str::from_utf8(rest.get(..length)?).ok()?;
    padded.trim_matches('\0').parse().ok()
}

fn text(path: &Path) -> Option<String> {
    bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
