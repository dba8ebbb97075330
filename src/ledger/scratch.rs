//! The records of one run in files: names and outcomes by entry number, ranges by range number, texts in a heap.
//!
//! In: [`Records`] calls from any thread, in any order. Out: what was recorded. Refuses: numbers beyond those the manifest has. Memory
//! is fixed (2.5 MiB for all files, whatever the manifest); the files are sparse, so that what was never recorded costs nothing.
//!
//! Names are made to last once they are settled ([`Scratch::keep_names`]), for a run that goes on. Nothing else is synced: how things
//! ended is kept by the ledger, and these files are filled from it.
//!
//! | File | Record | Bytes |
//! |---|---|---|
//! | `names` | see `record` | 32 an entry |
//! | `name-texts` | names, `ETag`s and reasons, one behind the other | as long as they are |
//! | `outcomes` | see `record` | 32 an entry |
//! | `ranges` | 0 or 1 + the place in [`RangeStatus::ALL`] | 1 a range |
//! | `texts` | names and details, one behind the other | as long as they are |

mod paged;
mod record;

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use paged::PagedFile;
use record::{RECORD, TextPlace};

use super::{EntryOutcome, LedgerError, NameDecision, RangeStatus, Records};
use crate::manifest::{Entry, EntryNumber};

/// Ranges that one call of [`Records::ranges`] may ask for: twice what a blob may have.
const MAX_RANGES_AT_ONCE: usize = 1 << 20;

/// The records of one run. The folder belongs to the session's lock, which removes it.
#[derive(Debug)]
pub struct Scratch {
    entries: u64,
    ranges: u64,
    names: Mutex<PagedFile>,
    name_texts: Mutex<Heap>,
    outcomes: Mutex<PagedFile>,
    statuses: Mutex<PagedFile>,
    texts: Mutex<Heap>,
}

/// Whether the names of an earlier run are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    New,
    Kept,
}

#[derive(Debug)]
struct Heap {
    file: PagedFile,
    end: u64,
}

impl Scratch {
    /// Makes the files, mode 0600, in a folder that exists; what an earlier run left is replaced.
    pub fn create(folder: &Path, entries: u64, ranges: u64) -> Result<Self, LedgerError> {
        Self::open(folder, entries, ranges, Names::New)
    }

    /// Takes the names that an earlier run kept in this folder; everything else is new.
    pub fn reopen(folder: &Path, entries: u64, ranges: u64) -> Result<Self, LedgerError> {
        Self::open(folder, entries, ranges, Names::Kept)
    }

    fn open(folder: &Path, entries: u64, ranges: u64, names: Names) -> Result<Self, LedgerError> {
        let new = |name: &str| PagedFile::create(&folder.join(name));
        let name = |name: &str| if names == Names::Kept { PagedFile::open(&folder.join(name)) } else { new(name) };
        let name_texts = name("name-texts")?;
        let end = name_texts.length()?;
        Ok(Self {
            entries,
            ranges,
            names: Mutex::new(name("names")?),
            name_texts: Mutex::new(Heap { file: name_texts, end }),
            outcomes: Mutex::new(new("outcomes")?),
            statuses: Mutex::new(new("ranges")?),
            texts: Mutex::new(Heap { file: new("texts")?, end: 0 }),
        })
    }

    /// Makes the names last, for a run that goes on.
    pub fn keep_names(&self) -> Result<(), LedgerError> {
        lock(&self.name_texts).file.sync()?;
        lock(&self.names).sync()
    }

    /// Keeps how the entry of this number ended.
    pub(super) fn put_outcome(&self, entry: EntryNumber, outcome: &EntryOutcome) -> Result<(), LedgerError> {
        let stored = outcome.stored_as.as_ref().map(|text| keep_text(&self.texts, text.raw())).transpose()?;
        let detail = outcome.detail.as_ref().map(|text| keep_text(&self.texts, text)).transpose()?;
        put(&self.outcomes, entry, self.entries, &record::outcome_to_bytes(outcome, stored, detail))
    }
}

fn keep_text(texts: &Mutex<Heap>, text: &str) -> Result<TextPlace, LedgerError> {
    let mut heap = lock(texts);
    let at = heap.end;
    let length = u32::try_from(text.len()).map_err(|_| heap.file.refusal("writing a text to", "it is over 4 GiB"))?;
    heap.file.write(at, text.as_bytes())?;
    heap.end = at.saturating_add(u64::from(length));
    Ok(TextPlace { at, length })
}

fn text(texts: &Mutex<Heap>, place: TextPlace) -> Result<String, LedgerError> {
    let mut heap = lock(texts);
    let end = place.at.checked_add(u64::from(place.length));
    if end.is_none_or(|end| end > heap.end) {
        return Err(heap.file.refusal("reading a text from", "it lies beyond the end"));
    }
    let mut bytes = vec![0; place.length as usize];
    heap.file.read(place.at, &mut bytes)?;
    String::from_utf8(bytes).map_err(|_| heap.file.refusal("reading a text from", "it is not UTF-8"))
}

/// The guard, also after a panic elsewhere: a page is either old or new, never half.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn put(file: &Mutex<PagedFile>, number: u64, limit: u64, record: &[u8]) -> Result<(), LedgerError> {
    let mut file = lock(file);
    let at = place(&file, number, limit, record.len())?;
    file.write(at, record)
}

fn get(file: &Mutex<PagedFile>, number: u64, limit: u64) -> Result<[u8; RECORD], LedgerError> {
    let mut record = [0; RECORD];
    let mut file = lock(file);
    let at = place(&file, number, limit, RECORD)?;
    file.read(at, &mut record)?;
    Ok(record)
}

fn place(file: &PagedFile, number: u64, limit: u64, width: usize) -> Result<u64, LedgerError> {
    let at = number.checked_mul(width as u64).filter(|_| number < limit);
    at.ok_or_else(|| file.refusal("finding a record in", "the manifest has no such number"))
}

fn unknown(file: &Mutex<PagedFile>) -> LedgerError {
    lock(file).refusal("reading a record from", "it holds an unknown code")
}

impl Records for Scratch {
    fn set_name(&self, entry: EntryNumber, name: &NameDecision) -> Result<(), LedgerError> {
        let place = record::name_text(name).map(|text| keep_text(&self.name_texts, text)).transpose()?;
        put(&self.names, entry, self.entries, &record::name_to_bytes(name, place))
    }

    fn name(&self, entry: EntryNumber) -> Result<Option<NameDecision>, LedgerError> {
        let bytes = get(&self.names, entry, self.entries)?;
        if bytes[0] == 0 {
            return Ok(None);
        }
        let text = text(&self.name_texts, record::name_text_place(&bytes))?;
        record::name_from_bytes(&bytes, text).map(Some).ok_or_else(|| unknown(&self.names))
    }

    fn set_range(&self, range: u64, status: RangeStatus) -> Result<(), LedgerError> {
        put(&self.statuses, range, self.ranges, &[record::code(RangeStatus::ALL, status)])
    }

    fn ranges(&self, first: u64, count: usize) -> Result<Vec<Option<RangeStatus>>, LedgerError> {
        let mut file = lock(&self.statuses);
        let end = first.checked_add(count as u64).filter(|end| *end <= self.ranges);
        if end.is_none() || count > MAX_RANGES_AT_ONCE {
            return Err(file.refusal("finding ranges in", "the manifest has no such numbers"));
        }
        let mut codes = vec![0; count];
        file.read(first, &mut codes)?;
        let status = |code: u8| match code {
            0 => Ok(None),
            code => match record::decode(RangeStatus::ALL, code) {
                Some(status) => Ok(Some(status)),
                None => Err(file.refusal("reading a range from", "it holds an unknown code")),
            },
        };
        codes.into_iter().map(status).collect()
    }

    fn set_outcome(&self, entry: &Entry, outcome: &EntryOutcome) -> Result<(), LedgerError> {
        self.put_outcome(entry.number, outcome)
    }

    fn outcome(&self, entry: EntryNumber) -> Result<Option<EntryOutcome>, LedgerError> {
        let bytes = get(&self.outcomes, entry, self.entries)?;
        if bytes[0] == 0 {
            return Ok(None);
        }
        let (stored, detail) = record::outcome_text_places(&bytes);
        let stored = stored.map(|place| text(&self.texts, place)).transpose()?;
        let detail = detail.map(|place| text(&self.texts, place)).transpose()?;
        record::outcome_from_bytes(&bytes, stored, detail).map(Some).ok_or_else(|| unknown(&self.outcomes))
    }
}

impl PagedFile {
    /// A failure that is not the system's.
    fn refusal(&self, action: &'static str, reason: &'static str) -> LedgerError {
        self.failure(action, io::Error::other(reason))
    }
}

#[cfg(test)]
mod tests;
