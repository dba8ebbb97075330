//! What a blob carries: metadata and properties, read from their side files on the drive.
//!
//! A side file is read, compared with its hash and parsed once, when the first entry asks for it. What came of it is kept in a file of
//! the scratch folder, since there may be thousands; the last ones used are at hand in memory.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{TransferError, open};
use crate::ledger::{LedgerError, PartStatus};
use crate::manifest::{
    Attributes, Catalogue, CatalogueError, Digest, Entry, SIDE_FILE_BYTES, SideFileNumber, parse_metadata, parse_properties,
};
use crate::volume::fields::index;
use crate::volume::ntfs::Ntfs;

/// Parsed side files at hand. One holds at most 8 KiB of metadata, or five header values of a file of 64 KiB.
const AT_HAND: usize = 64;

/// The side files of one drive.
pub(super) struct SideFiles {
    files: Ntfs,
    catalogue: Arc<Catalogue>,
    at_hand: HashMap<Key, Parsed>,
    kept: Kept,
    trouble: Trouble,
}

/// A side file as what: the same one may serve as both.
type Key = (SideFileNumber, Part);
/// What came of a side file.
type Parsed = Result<Attributes, PartStatus>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Metadata,
    Properties,
}

/// What came of every side file asked for, as JSON, one behind the other in a file that is made with the first.
struct Kept {
    path: PathBuf,
    file: Option<File>,
    end: u64,
    places: HashMap<Key, (u64, usize)>,
}

impl Kept {
    fn get(&self, key: Key) -> Result<Option<Parsed>, LedgerError> {
        let (Some(file), Some((at, length))) = (&self.file, self.places.get(&key)) else { return Ok(None) };
        let mut text = vec![0; *length];
        file.read_exact_at(&mut text, *at).map_err(|source| self.failed("reading", source))?;
        serde_json::from_slice(&text).map(Some).map_err(|error| self.failed("reading", error.into()))
    }

    fn put(&mut self, key: Key, parsed: &Parsed) -> Result<(), LedgerError> {
        let text = serde_json::to_vec(parsed).map_err(|error| self.failed("writing", error.into()))?;
        let file = if let Some(file) = self.file.take() {
            file
        } else {
            let made = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&self.path);
            made.map_err(|source| self.failed("creating", source))?
        };
        let written = file.write_all_at(&text, self.end);
        self.file = Some(file);
        written.map_err(|source| self.failed("writing", source))?;
        self.places.insert(key, (self.end, text.len()));
        self.end += text.len() as u64;
        Ok(())
    }

    fn failed(&self, action: &'static str, source: std::io::Error) -> LedgerError {
        LedgerError::Scratch { action, path: self.path.display().to_string(), source }
    }
}

/// What failing reads and the opening of files have cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trouble {
    /// How many failed.
    pub(super) count: u64,
    /// Time spent in them.
    pub(super) time: Duration,
    /// Bytes gone through to open files.
    pub(super) opening: u64,
}

impl Trouble {
    /// One more, begun at that time.
    pub(super) fn add(&mut self, began: Instant) {
        self.count += 1;
        self.time += began.elapsed();
    }
}

/// What an entry's blob carries, and how getting it ended.
pub(super) struct Carried {
    pub(super) attributes: Attributes,
    pub(super) metadata: Option<PartStatus>,
    pub(super) properties: Option<PartStatus>,
}

impl SideFiles {
    /// The side files that a catalogue refers to; `path` is a file of this run alone, which the caller removes.
    pub(super) fn new(files: Ntfs, catalogue: Arc<Catalogue>, path: PathBuf) -> Self {
        let kept = Kept { path, file: None, end: 0, places: HashMap::new() };
        Self { files, catalogue, at_hand: HashMap::new(), kept, trouble: Trouble::default() }
    }

    /// What side files have cost.
    pub(super) fn trouble(&self) -> Trouble {
        self.trouble
    }

    /// What this entry's blob carries. A side file that fails leaves its part out; the content is stored all the same.
    pub(super) fn of(&mut self, entry: &Entry) -> Result<Carried, TransferError> {
        let mut part = |number: Option<SideFileNumber>, part| match number {
            None => Ok((None, Attributes::default())),
            Some(number) => self.parsed((number, part)).map(split),
        };
        let (properties, attributes) = part(entry.properties(), Part::Properties)?;
        let (metadata, pairs) = part(entry.metadata(), Part::Metadata)?;
        Ok(Carried { attributes: Attributes { metadata: pairs.metadata, ..attributes }, metadata, properties })
    }

    fn parsed(&mut self, key: Key) -> Result<Parsed, TransferError> {
        if let Some(known) = self.at_hand.get(&key) {
            return Ok(known.clone());
        }
        let parsed = if let Some(parsed) = self.kept.get(key)? {
            parsed
        } else {
            let parsed = self.read(key.0)?.and_then(|bytes| parse(key.1, &bytes));
            self.kept.put(key, &parsed)?;
            parsed
        };
        if self.at_hand.len() >= AT_HAND {
            self.at_hand.clear();
        }
        self.at_hand.insert(key, parsed.clone());
        Ok(parsed)
    }

    /// The bytes of a side file that match their hash.
    fn read(&mut self, number: SideFileNumber) -> Result<Result<Vec<u8>, PartStatus>, CatalogueError> {
        let side = self.catalogue.side_file(number)?;
        let began = Instant::now();
        let mut file = match open::open(&self.files, &side.path) {
            Ok(file) => file,
            Err(failure) => {
                if failure.disk {
                    self.trouble.add(began);
                }
                return Ok(Err(failure.status.into()));
            }
        };
        self.trouble.opening = self.trouble.opening.saturating_add(file.cost());
        if file.len() > SIDE_FILE_BYTES {
            return Ok(Err(PartStatus::XmlReadFailed));
        }
        let mut bytes = vec![0; index(file.len())];
        if file.read_at(0, &mut bytes).is_err() {
            self.trouble.add(began);
            return Ok(Err(PartStatus::IOFailed));
        }
        Ok(if Digest::of(&bytes) == side.digest { Ok(bytes) } else { Err(PartStatus::Corrupted) })
    }
}

fn parse(part: Part, bytes: &[u8]) -> Parsed {
    let parsed = match part {
        Part::Properties => parse_properties(bytes),
        Part::Metadata => parse_metadata(bytes).map(|metadata| Attributes { metadata, ..Attributes::default() }),
    };
    parsed.map_err(|_| PartStatus::XmlReadFailed)
}

fn split(parsed: Parsed) -> (Option<PartStatus>, Attributes) {
    match parsed {
        Ok(part) => (Some(PartStatus::Completed), part),
        Err(status) => (Some(status), Attributes::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_a_side_file_is_kept_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept { path: folder.path().join("side-files"), file: None, end: 0, places: HashMap::new() };
        let of = |number: u32| match number % 3 {
            0 => Err(PartStatus::XmlReadFailed),
            _ => Ok(Attributes {
                content_md5: Some([7; 16]),
                metadata: vec![("n".into(), number.to_string())],
                ..Attributes::default()
            }),
        };
        for number in 0..1_000 {
            assert_eq!(kept.get((number, Part::Metadata)).unwrap(), None);
            kept.put((number, Part::Metadata), &of(number)).unwrap();
        }
        for number in 0..1_000 {
            assert_eq!(kept.get((number, Part::Metadata)).unwrap(), Some(of(number)));
            assert_eq!(kept.get((number, Part::Properties)).unwrap(), None);
        }
    }
}
