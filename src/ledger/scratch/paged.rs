//! A file of any length behind a few pages of memory: small writes next to each other cost no system call.
//!
//! A page is written back when another needs its place, so reads always see earlier writes. Unwritten parts read as zeros.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::LedgerError;
use crate::volume::fields::index;

/// Bytes of a page: entries come almost in order, so a page serves hundreds; small enough that one out of order is cheap.
const PAGE: usize = 16 << 10;
/// Pages in memory; a page's place is its number modulo this. 512 KiB a file.
const SLOTS: usize = 32;

/// The file and its pages.
#[derive(Debug)]
pub(super) struct PagedFile {
    file: File,
    path: PathBuf,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// Which page it holds; `None` before the first.
    page: Option<u64>,
    dirty: bool,
    bytes: Vec<u8>,
}

impl PagedFile {
    /// Makes the file, mode 0600; one that an earlier run left is removed.
    pub(super) fn create(path: &Path) -> Result<Self, LedgerError> {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(LedgerError::Scratch { action: "removing", path: path.display().to_string(), source })
            }
            _ => Self::opened(OpenOptions::new().read(true).write(true).create_new(true).mode(0o600), path),
        }
    }

    /// Takes a file that exists.
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::opened(OpenOptions::new().read(true).write(true), path)
    }

    fn opened(options: &OpenOptions, path: &Path) -> Result<Self, LedgerError> {
        let failure = |source| LedgerError::Scratch { action: "creating", path: path.display().to_string(), source };
        let file = options.open(path).map_err(failure)?;
        let slots = (0..SLOTS).map(|_| Slot { page: None, dirty: false, bytes: Vec::new() }).collect();
        Ok(Self { file, path: path.to_owned(), slots })
    }

    /// Fills `bytes` from `offset` on.
    pub(super) fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), LedgerError> {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let page = self.page(at)?;
            let (now, later) = rest.split_at_mut(room(at).min(rest.len()));
            let start = index(at % PAGE as u64);
            now.copy_from_slice(&page.bytes[start..start + now.len()]);
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    /// Puts `bytes` at `offset`.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), LedgerError> {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let page = self.page(at)?;
            let (now, later) = rest.split_at(room(at).min(rest.len()));
            let start = index(at % PAGE as u64);
            page.bytes[start..start + now.len()].copy_from_slice(now);
            page.dirty = true;
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    /// Bytes of the file; those that were written and not yet written back are not counted.
    pub(super) fn length(&self) -> Result<u64, LedgerError> {
        self.file.metadata().map(|found| found.len()).map_err(|source| self.failure("looking at", source))
    }

    /// Writes all pages back and makes them last.
    pub(super) fn sync(&mut self) -> Result<(), LedgerError> {
        let written = self.slots.iter_mut().try_for_each(|slot| slot.write_back(&self.file));
        written.and_then(|()| self.file.sync_data()).map_err(|source| self.failure("writing", source))
    }

    /// An error about this file.
    pub(super) fn failure(&self, action: &'static str, source: io::Error) -> LedgerError {
        LedgerError::Scratch { action, path: self.path.display().to_string(), source }
    }

    /// The page that holds a byte, brought into memory; the page it displaces is written back first, and stays if that fails.
    fn page(&mut self, offset: u64) -> Result<&mut Slot, LedgerError> {
        let number = offset / PAGE as u64;
        let place = index(number % SLOTS as u64);
        if self.slots[place].page != Some(number)
            && let Err((action, source)) = self.slots[place].turn_to(number, &self.file)
        {
            return Err(self.failure(action, source));
        }
        Ok(&mut self.slots[place])
    }
}

impl Slot {
    /// Writes a changed page to its place; it stays in memory.
    fn write_back(&mut self, file: &File) -> io::Result<()> {
        if let (true, Some(page)) = (self.dirty, self.page) {
            file.write_all_at(&self.bytes, page * PAGE as u64)?;
        }
        self.dirty = false;
        Ok(())
    }

    fn turn_to(&mut self, number: u64, file: &File) -> Result<(), (&'static str, io::Error)> {
        self.write_back(file).map_err(|error| ("writing", error))?;
        self.page = None;
        self.bytes.resize(PAGE, 0);
        let read = read_full(file, &mut self.bytes, number * PAGE as u64).map_err(|error| ("reading", error))?;
        self.bytes[read..].fill(0);
        self.page = Some(number);
        Ok(())
    }
}

/// Bytes from `offset` to the end of its page.
fn room(offset: u64) -> usize {
    PAGE - index(offset % PAGE as u64)
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
