//! Writes a catalogue. In: entries, ranges, lists and side files in the manifest's order; out: the scratch files, complete when sealed.
//! Files that are not sealed are removed again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::format::{self, EntryRecord, SidePair};
use super::open::{Catalogue, Files};
use crate::manifest::{ByteRange, Digest, SideFileNumber, Summary};

/// Bytes gathered before a file is written.
const GATHERED: usize = 64 << 10;

/// The scratch folder refused a write: full, not writable, gone.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct ScratchError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// Where the reader's records go.
pub(in crate::manifest) trait Sink {
    /// The next range, counted through the manifest.
    fn range(&mut self, bytes: ByteRange, digest: &Digest) -> Result<(), ScratchError>;
    /// The next entry; its ranges were before it.
    fn entry(&mut self, entry: &EntryRecord<'_>) -> Result<(), ScratchError>;
    /// The next list; its entries were before it.
    fn list(&mut self, number: u64, pair: SidePair) -> Result<(), ScratchError>;
    /// The next distinct side file.
    fn side_file(&mut self, number: SideFileNumber, path: &str, digest: &Digest) -> Result<(), ScratchError>;
}

/// Keeps nothing: for a summary alone.
pub(in crate::manifest) struct Nowhere;

impl Sink for Nowhere {
    fn range(&mut self, _: ByteRange, _: &Digest) -> Result<(), ScratchError> {
        Ok(())
    }
    fn entry(&mut self, _: &EntryRecord<'_>) -> Result<(), ScratchError> {
        Ok(())
    }
    fn list(&mut self, _: u64, _: SidePair) -> Result<(), ScratchError> {
        Ok(())
    }
    fn side_file(&mut self, _: SideFileNumber, _: &str, _: &Digest) -> Result<(), ScratchError> {
        Ok(())
    }
}

/// One scratch file; removed on drop unless finished.
struct Scratch {
    path: PathBuf,
    // taken when the file is finished
    file: Option<BufWriter<File>>,
    at: u64,
}

impl Scratch {
    fn create(folder: &Path, name: &str) -> Result<Self, ScratchError> {
        let path = folder.join(name);
        let create = || {
            // a torn run may have left one; following a link in its place is out of the question
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)
        };
        match create() {
            Ok(file) => Ok(Self { file: Some(BufWriter::with_capacity(GATHERED, file)), path, at: 0 }),
            Err(source) => Err(ScratchError { path, source }),
        }
    }

    fn write(&mut self, record: &[u8]) -> Result<(), ScratchError> {
        self.at += record.len() as u64;
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(record).map_err(|source| ScratchError { path: self.path.clone(), source })
    }

    fn finish(&mut self) -> Result<File, ScratchError> {
        let gone = || io::Error::other("the file is finished already");
        let finished = match self.file.take() {
            Some(file) => file.into_inner().map_err(io::IntoInnerError::into_error),
            None => Err(gone()),
        };
        finished.map_err(|source| {
            // best effort, as on drop
            let _ = std::fs::remove_file(&self.path);
            ScratchError { path: self.path.clone(), source }
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // what is gathered is not worth writing
            let _ = file.into_parts();
            // best effort: the folder is removed at the end anyway
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// See the module.
pub(in crate::manifest) struct Writer {
    entries: Scratch,
    entry_index: Scratch,
    lists: Scratch,
    ranges: Scratch,
    sides: Scratch,
    side_index: Scratch,
    record: Vec<u8>,
}

impl Writer {
    /// Creates the files in `folder`, which exists.
    pub(in crate::manifest) fn create(folder: &Path) -> Result<Self, ScratchError> {
        Ok(Self {
            entries: Scratch::create(folder, "entries.dat")?,
            entry_index: Scratch::create(folder, "entries.idx")?,
            lists: Scratch::create(folder, "lists.dat")?,
            ranges: Scratch::create(folder, "ranges.dat")?,
            sides: Scratch::create(folder, "sides.dat")?,
            side_index: Scratch::create(folder, "sides.idx")?,
            record: Vec::new(),
        })
    }

    /// Completes the files. Only for a manifest that passed every check.
    pub(in crate::manifest) fn seal(mut self, summary: Summary) -> Result<Catalogue, ScratchError> {
        self.entry_index.write(&self.entries.at.to_le_bytes())?;
        self.side_index.write(&self.sides.at.to_le_bytes())?;
        let files = Files {
            entries: self.entries.finish()?,
            entry_index: self.entry_index.finish()?,
            lists: self.lists.finish()?,
            ranges: self.ranges.finish()?,
            sides: self.sides.finish()?,
            side_index: self.side_index.finish()?,
        };
        Ok(Catalogue::new(files, summary))
    }
}

impl Sink for Writer {
    fn range(&mut self, bytes: ByteRange, digest: &Digest) -> Result<(), ScratchError> {
        self.ranges.write(&format::encode_range(bytes, digest))
    }

    fn entry(&mut self, entry: &EntryRecord<'_>) -> Result<(), ScratchError> {
        self.entry_index.write(&self.entries.at.to_le_bytes())?;
        entry.encode(&mut self.record);
        self.entries.write(&self.record)
    }

    fn list(&mut self, number: u64, pair: SidePair) -> Result<(), ScratchError> {
        format::encode_list(number, pair, &mut self.record);
        self.lists.write(&self.record)
    }

    fn side_file(&mut self, number: SideFileNumber, path: &str, digest: &Digest) -> Result<(), ScratchError> {
        self.side_index.write(&self.sides.at.to_le_bytes())?;
        format::encode_side_file(number, path, digest, &mut self.record);
        self.sides.write(&self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::Foreign;
    use crate::manifest::Version;

    /// A writer whose ranges go to a device that takes nothing, as a disk without room does.
    fn without_room(folder: &Path, gathered: usize) -> Writer {
        let mut writer = Writer::create(folder).unwrap();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        writer.ranges.file = Some(BufWriter::with_capacity(gathered, full));
        writer
    }

    fn full(error: &ScratchError, folder: &Path) {
        assert_eq!(error.to_string(), format!("cannot write {}", folder.join("ranges.dat").display()));
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_full_disk_is_named_and_what_was_written_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = ByteRange::new(0, 1).unwrap();
        let mut writer = without_room(folder.path(), 1);
        full(&writer.range(bytes, &Digest::of(b"a")).unwrap_err(), folder.path());
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let mut writer = without_room(folder.path(), GATHERED);
        writer.range(bytes, &Digest::of(b"a")).unwrap();
        let summary = Summary {
            version: Version::V2014,
            drive_id: Foreign::from("D"),
            entries: 0,
            ranges: 1,
            content_bytes: 1,
            side_files: 0,
            manifest_bytes: 1,
            sha256: [0; 32],
            md5: None,
            had_credential: false,
        };
        full(&writer.seal(summary).unwrap_err(), folder.path());
        assert!(!folder.path().join("ranges.dat").exists());
    }
}
