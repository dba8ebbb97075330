//! What a blob carries: metadata and properties, read from their side files on the drive.
//!
//! A side file is read, compared with its hash and parsed when the first entry asks for it, and kept for the next ones, within a bound;
//! one that was let go is read and checked again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::open;
use crate::ledger::PartStatus;
use crate::manifest::{
    Attributes, Catalogue, CatalogueError, Digest, Entry, SIDE_FILE_BYTES, SideFileNumber, parse_metadata, parse_properties,
};
use crate::volume::fields::index;
use crate::volume::ntfs::Ntfs;

/// Parsed side files kept. One holds at most 8 KiB of metadata, or five header values of a file of 64 KiB.
const KEPT: usize = 64;

/// The side files of one drive.
pub struct SideFiles {
    files: Ntfs,
    catalogue: Arc<Catalogue>,
    metadata: HashMap<SideFileNumber, Result<Vec<(String, String)>, PartStatus>>,
    properties: HashMap<SideFileNumber, Result<Attributes, PartStatus>>,
    trouble: Trouble,
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
    /// The side files that a catalogue refers to.
    pub fn new(files: Ntfs, catalogue: Arc<Catalogue>) -> Self {
        Self { files, catalogue, metadata: HashMap::new(), properties: HashMap::new(), trouble: Trouble::default() }
    }

    /// What side files have cost.
    pub(super) fn trouble(&self) -> Trouble {
        self.trouble
    }

    /// What this entry's blob carries. A side file that fails leaves its part out; the content is stored all the same.
    pub(super) fn of(&mut self, entry: &Entry) -> Result<Carried, CatalogueError> {
        let (properties, mut attributes) = match entry.properties() {
            None => (None, Attributes::default()),
            Some(number) => split(self.properties(number)?),
        };
        let (metadata, pairs) = match entry.metadata() {
            None => (None, Vec::new()),
            Some(number) => split(self.metadata(number)?),
        };
        attributes.metadata = pairs;
        Ok(Carried { attributes, metadata, properties })
    }

    fn metadata(&mut self, number: SideFileNumber) -> Result<Result<Vec<(String, String)>, PartStatus>, CatalogueError> {
        if let Some(known) = self.metadata.get(&number) {
            return Ok(known.clone());
        }
        let parsed = self.read(number)?.and_then(|bytes| parse_metadata(&bytes).map_err(|_| PartStatus::XmlReadFailed));
        keep(&mut self.metadata, number, parsed.clone());
        Ok(parsed)
    }

    fn properties(&mut self, number: SideFileNumber) -> Result<Result<Attributes, PartStatus>, CatalogueError> {
        if let Some(known) = self.properties.get(&number) {
            return Ok(known.clone());
        }
        let parsed = self.read(number)?.and_then(|bytes| parse_properties(&bytes).map_err(|_| PartStatus::XmlReadFailed));
        keep(&mut self.properties, number, parsed.clone());
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

fn keep<T>(kept: &mut HashMap<SideFileNumber, T>, number: SideFileNumber, parsed: T) {
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(number, parsed);
}

fn split<T: Default>(parsed: Result<T, PartStatus>) -> (Option<PartStatus>, T) {
    match parsed {
        Ok(part) => (Some(PartStatus::Completed), part),
        Err(status) => (Some(status), T::default()),
    }
}
