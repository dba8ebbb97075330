//! Reads a sealed catalogue. In: numbers of entries, ranges and side files; out: the records, each read by position, so that any number of
//! threads may read at once. Memory: one buffer for each iterator, whatever the catalogue's size.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{self, SidePair};
use super::writer::ScratchError;
use crate::manifest::{Entry, EntryNumber, ManifestHash, Range, SideFile, SideFileNumber, Summary};
use crate::volume::fields::{index, u64_at};

/// Bytes an iterator reads at once.
const CHUNK: u64 = 64 << 10;

/// Why a record of the catalogue cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The scratch file cannot be read.
    #[error("cannot read record {number} of the catalogue's {file}")]
    Read {
        /// The kind of record.
        file: &'static str,
        /// Its number.
        number: u64,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The scratch file changed since it was written.
    #[error("record {number} of the catalogue's {file} is damaged")]
    Damaged {
        /// The kind of record.
        file: &'static str,
        /// Its number.
        number: u64,
    },
    /// There is no such record.
    #[error("the catalogue has no record {number} in its {file}")]
    NoSuch {
        /// The kind of record.
        file: &'static str,
        /// Its number.
        number: u64,
    },
}

/// Why a catalogue that an earlier run left cannot be used again: it is made anew then.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// A file is not there or cannot be read.
    #[error("{action} {} failed", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is of another manifest.
    #[error("the catalogue is of another manifest")]
    OtherManifest,
}

/// The seal of a kept catalogue.
const SEAL: &str = "catalogue.json";

/// A checked manifest in scratch files; exists only if hash, rules and drive id fitted. Cheap to clone; clones share the files.
#[derive(Clone)]
pub struct Catalogue {
    files: Arc<Files>,
    summary: Arc<Summary>,
}

/// The scratch files.
pub(super) struct Files {
    pub(super) entries: File,
    pub(super) entry_index: File,
    pub(super) lists: File,
    pub(super) ranges: File,
    pub(super) sides: File,
    pub(super) side_index: File,
}

/// One record's place, for errors.
#[derive(Clone, Copy)]
struct At {
    file: &'static str,
    number: u64,
}

impl At {
    fn damaged(self) -> CatalogueError {
        CatalogueError::Damaged { file: self.file, number: self.number }
    }

    fn no_such(self) -> CatalogueError {
        CatalogueError::NoSuch { file: self.file, number: self.number }
    }

    /// A file that ends early is damaged, anything else is the system's.
    fn read(self, from: &File, into: &mut [u8], offset: u64) -> Result<(), CatalogueError> {
        from.read_exact_at(into, offset).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(),
            _ => CatalogueError::Read { file: self.file, number: self.number, source },
        })
    }
}

const ENTRIES: &str = "entries";
const LISTS: &str = "lists";
const RANGES: &str = "ranges";
const SIDES: &str = "side files";

impl Catalogue {
    pub(super) fn new(files: Files, summary: Summary) -> Self {
        Self { files: Arc::new(files), summary: Arc::new(summary) }
    }

    /// Makes the catalogue last in its folder, for a run that goes on. Its seal is written last.
    pub fn keep(&self, folder: &Path) -> Result<(), ScratchError> {
        let Files { entries, entry_index, lists, ranges, sides, side_index } = &*self.files;
        let path = folder.join(SEAL);
        let all = [entries, entry_index, lists, ranges, sides, side_index];
        let kept = all.into_iter().try_for_each(File::sync_data).and_then(|()| {
            let text = serde_json::to_vec(&*self.summary)?;
            let mut seal = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            seal.write_all(&text)?;
            seal.sync_all()?;
            File::open(folder)?.sync_all()
        });
        kept.map_err(|source| ScratchError { path, source })
    }

    /// Whether a catalogue was kept in a folder.
    pub fn is_kept(folder: &Path) -> bool {
        folder.join(SEAL).is_file()
    }

    /// Opens a catalogue that was kept in a folder, if it is of the manifest with this hash.
    pub fn reopen(folder: &Path, expected: &ManifestHash) -> Result<Self, ReopenError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| ReopenError::File { action, path, source }
        };
        let path = folder.join(SEAL);
        let text = std::fs::read(&path).map_err(failed("reading", &path))?;
        let summary: Summary = serde_json::from_slice(&text).map_err(|error| failed("reading", &path)(error.into()))?;
        let same = match expected {
            ManifestHash::Md5(md5) => summary.md5 == Some(*md5),
            ManifestHash::Sha256(sha256) => summary.sha256 == *sha256,
        };
        if !same {
            return Err(ReopenError::OtherManifest);
        }
        let open = |name: &str| {
            let path = folder.join(name);
            File::open(&path).map_err(failed("opening", &path))
        };
        let files = Files {
            entries: open("entries.dat")?,
            entry_index: open("entries.idx")?,
            lists: open("lists.dat")?,
            ranges: open("ranges.dat")?,
            sides: open("sides.dat")?,
            side_index: open("sides.idx")?,
        };
        Ok(Self::new(files, summary))
    }

    /// What is known of the whole manifest.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How many side files there are.
    pub fn side_files(&self) -> u32 {
        self.summary.side_files
    }

    /// The entry of this number.
    pub fn entry(&self, number: EntryNumber) -> Result<Entry, CatalogueError> {
        let at = At { file: ENTRIES, number };
        if number >= self.summary.entries {
            return Err(at.no_such());
        }
        let longest = format::ENTRY_HEAD as u64 + 2 * format::PATH;
        let record = indexed(at, &self.files.entry_index, &self.files.entries, longest)?;
        self.complete(at, &record, &mut None)
    }

    /// All entries, in the manifest's order. The iterator shares the files and may go to another thread; it ends after an error.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry, CatalogueError>> + Send + use<> {
        Entries { catalogue: self.clone(), next: 0, buffer: Vec::new(), taken: 0, offset: 0, list: None }
    }

    /// `count` ranges from number `first` on, counted through the whole manifest. As [`entries`](Self::entries) otherwise.
    pub fn ranges(&self, first: u64, count: u64) -> impl Iterator<Item = Result<Range, CatalogueError>> + Send + use<> {
        Ranges { catalogue: self.clone(), next: first, end: first.saturating_add(count), buffer: Vec::new(), taken: 0 }
    }

    /// The side file of this number.
    pub fn side_file(&self, number: SideFileNumber) -> Result<SideFile, CatalogueError> {
        let at = At { file: SIDES, number: u64::from(number) };
        if number >= self.summary.side_files {
            return Err(at.no_such());
        }
        let longest = format::SIDE_HEAD as u64 + format::PATH;
        let record = indexed(at, &self.files.side_index, &self.files.sides, longest)?;
        format::decode_side_file(number, &record).ok_or_else(|| at.damaged())
    }

    /// The entry in `record`, with the side files of its list, every number in it checked against what there is.
    fn complete(&self, at: At, record: &[u8], cached: &mut Option<(u64, SidePair)>) -> Result<Entry, CatalogueError> {
        let (mut entry, list) = format::decode_entry(at.number, record).ok_or_else(|| at.damaged())?;
        let pair = match *cached {
            Some((number, pair)) if number == list => pair,
            _ => cached.insert((list, self.files.list(list)?)).1,
        };
        (entry.list_metadata, entry.list_properties) = (pair.metadata, pair.properties);
        let files = [entry.list_metadata, entry.own_metadata, entry.list_properties, entry.own_properties];
        let files_fit = files.into_iter().flatten().all(|file| file < self.summary.side_files);
        let end = entry.first_range.checked_add(entry.range_count);
        if files_fit && end.is_some_and(|end| end <= self.summary.ranges) { Ok(entry) } else { Err(at.damaged()) }
    }
}

impl Files {
    fn list(&self, number: u64) -> Result<SidePair, CatalogueError> {
        let at = At { file: LISTS, number };
        let mut record = [0; format::LIST];
        let offset = number.checked_mul(format::LIST as u64).ok_or_else(|| at.damaged())?;
        at.read(&self.lists, &mut record, offset)?;
        format::decode_list(number, &record).ok_or_else(|| at.damaged())
    }
}

/// A record whose place stands in an index.
fn indexed(at: At, places: &File, records: &File, longest: u64) -> Result<Vec<u8>, CatalogueError> {
    let mut place = [0; 16];
    at.read(places, &mut place, at.number.checked_mul(8).ok_or_else(|| at.no_such())?)?;
    let bounds = u64_at(&place, 0).zip(u64_at(&place, 8));
    let (from, to) = bounds.ok_or_else(|| at.damaged())?;
    let size = to.checked_sub(from).filter(|size| *size <= longest).ok_or_else(|| at.damaged())?;
    let mut record = vec![0; index(size)];
    at.read(records, &mut record, from)?;
    Ok(record)
}

/// Reads `entries.dat` from front to back.
struct Entries {
    catalogue: Catalogue,
    next: EntryNumber,
    buffer: Vec<u8>,
    taken: usize,
    offset: u64,
    // entries of one list follow each other
    list: Option<(u64, SidePair)>,
}

impl Entries {
    fn one(&mut self) -> Result<Entry, CatalogueError> {
        let at = At { file: ENTRIES, number: self.next };
        self.need(at, format::ENTRY_HEAD)?;
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let size = format::entry_size(rest).ok_or_else(|| at.damaged())?;
        self.need(at, size)?;
        let record = self.buffer.get(self.taken..self.taken.saturating_add(size)).unwrap_or_default();
        let entry = self.catalogue.complete(at, record, &mut self.list)?;
        self.taken += size;
        Ok(entry)
    }

    /// Sees to it that the buffer has `count` bytes from `taken` on.
    fn need(&mut self, at: At, count: usize) -> Result<(), CatalogueError> {
        if self.buffer.len().saturating_sub(self.taken) >= count {
            return Ok(());
        }
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let had = self.buffer.len();
        self.buffer.resize(count.max(index(CHUNK)), 0);
        let mut filled = had;
        while let Some(free) = self.buffer.get_mut(filled..).filter(|free| !free.is_empty()) {
            match self.catalogue.files.entries.read_at(free, self.offset) {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    self.offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(CatalogueError::Read { file: at.file, number: at.number, source }),
            }
        }
        self.buffer.truncate(filled);
        if filled < count { Err(at.damaged()) } else { Ok(()) }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, CatalogueError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.catalogue.summary.entries {
            return None;
        }
        let entry = self.one();
        self.next = if entry.is_ok() { self.next + 1 } else { EntryNumber::MAX };
        Some(entry)
    }
}

/// Reads a part of `ranges.dat`.
struct Ranges {
    catalogue: Catalogue,
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    taken: usize,
}

impl Ranges {
    fn one(&mut self) -> Result<Range, CatalogueError> {
        let at = At { file: RANGES, number: self.next };
        if self.next >= self.catalogue.summary.ranges {
            return Err(at.no_such());
        }
        if self.taken >= self.buffer.len() {
            // no further than asked for: most lists are short
            let left = self.end.min(self.catalogue.summary.ranges) - self.next;
            let size = left.saturating_mul(format::RANGE as u64).min(CHUNK);
            self.buffer.resize(index(size), 0);
            let offset = self.next.checked_mul(format::RANGE as u64).ok_or_else(|| at.no_such())?;
            at.read(&self.catalogue.files.ranges, &mut self.buffer, offset)?;
            self.taken = 0;
        }
        let range = self.buffer.get(self.taken..).and_then(format::decode_range).ok_or_else(|| at.damaged())?;
        self.taken += format::RANGE;
        Ok(range)
    }
}

impl Iterator for Ranges {
    type Item = Result<Range, CatalogueError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let range = self.one();
        self.next = if range.is_ok() { self.next + 1 } else { self.end };
        Some(range)
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue").field("summary", &self.summary).finish_non_exhaustive()
    }
}
