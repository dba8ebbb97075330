//! Entries and listed blobs, spread over scratch files by the root of their names, so that each file can be settled alone.
//!
//! | file | record |
//! |---|---|
//! | `names-entries-N` | entry number (64 bits), disposition (8), length of the path (16), path |
//! | `names-listed-N` | hash of the name (128 bits), kind (8), length of the `ETag` (16), `ETag` |
//!
//! Numbers are little-endian. Records lie in the order in which they came: manifest order for entries.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::area::{self, ScratchError};
use super::settle::{self, Version};
use crate::manifest::{Disposition, EntryNumber};
use crate::store::{ETag, ListedBlob};

/// Entries a bucket should have.
const ENTRIES: u64 = 100_000;
/// The most buckets: as many files are open while entries are spread.
const MOST: u64 = 256;
/// Bytes of a write buffer; all buckets together 8 MiB.
const BUFFER: usize = 32 * 1024;

/// How many buckets serve so many entries.
pub(super) fn buckets(entries: u64) -> usize {
    usize::try_from(entries.div_ceil(ENTRIES).clamp(1, MOST)).unwrap_or(1)
}

/// The bucket of a root.
pub(super) fn bucket_of(root: u128, buckets: usize) -> usize {
    usize::try_from(root % buckets.max(1) as u128).unwrap_or(0)
}

/// An entry as the bucket gives it back.
pub(super) struct Wanted {
    pub(super) entry: EntryNumber,
    pub(super) disposition: Disposition,
    /// Container and name; checked before it was written.
    pub(super) path: String,
}

/// The files of one kind, while they are written.
pub(super) struct Spread {
    files: Vec<(PathBuf, BufWriter<File>, u64)>,
}

impl Spread {
    /// Empty files `names-<kind>-N` in the scratch folder.
    pub(super) fn new(scratch: &Path, kind: &str, buckets: usize) -> Result<Self, ScratchError> {
        let file = |number| {
            let path = scratch.join(format!("names-{kind}-{number}"));
            let file = area::create(&path)?;
            Ok((path, BufWriter::with_capacity(BUFFER, file), 0))
        };
        Ok(Self { files: (0..buckets).map(file).collect::<Result<_, _>>()? })
    }

    /// How many files.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Adds an entry. A path over 64 KiB is no legal one, so it never comes here.
    pub(super) fn entry(&mut self, bucket: usize, wanted: &Wanted) -> Result<(), ScratchError> {
        let disposition = match wanted.disposition {
            Disposition::Rename => 0,
            Disposition::NoOverwrite => 1,
            Disposition::Overwrite => 2,
        };
        let length = u16::try_from(wanted.path.len()).unwrap_or(u16::MAX);
        let mut head = [0; 11];
        head[..8].copy_from_slice(&wanted.entry.to_le_bytes());
        head[8] = disposition;
        head[9..].copy_from_slice(&length.to_le_bytes());
        self.add(bucket, &head, wanted.path.as_bytes())
    }

    /// Adds a blob that exists.
    pub(super) fn listed(&mut self, bucket: usize, key: u128, blob: &ListedBlob) -> Result<(), ScratchError> {
        self.add(bucket, &key.to_le_bytes(), &settle::encode(&blob.etag, blob.kind))
    }

    fn add(&mut self, bucket: usize, head: &[u8], tail: &[u8]) -> Result<(), ScratchError> {
        let Some((path, writer, count)) = self.files.get_mut(bucket) else { return Ok(()) };
        *count += 1;
        writer.write_all(head).and_then(|()| writer.write_all(tail)).map_err(ScratchError::of("writing", path))
    }

    /// Ends writing.
    pub(super) fn finish(self) -> Result<Vec<Bucket>, ScratchError> {
        let bucket = |(path, mut writer, count): (PathBuf, BufWriter<File>, u64)| {
            writer.flush().map_err(ScratchError::of("writing", &path))?;
            Ok(Bucket { path, count })
        };
        self.files.into_iter().map(bucket).collect()
    }
}

/// One written file.
pub(super) struct Bucket {
    path: PathBuf,
    /// Its records.
    pub(super) count: u64,
}

impl Bucket {
    /// Gives each entry, in order.
    pub(super) fn entries(&self) -> Result<impl Iterator<Item = Result<Wanted, ScratchError>> + use<>, ScratchError> {
        let mut reader = self.open()?;
        let path = self.path.clone();
        let next = move |_| read_entry(&mut reader).map_err(ScratchError::of("reading", &path));
        Ok((0..self.count).map(next))
    }

    /// Gives each listed blob: hash of the name and version.
    pub(super) fn listed(&self) -> Result<impl Iterator<Item = Result<(u128, Version), ScratchError>> + use<>, ScratchError> {
        let mut reader = self.open()?;
        let path = self.path.clone();
        let next = move |_| read_listed(&mut reader).map_err(ScratchError::of("reading", &path));
        Ok((0..self.count).map(next))
    }

    /// Removes the file.
    pub(super) fn remove(self) -> Result<(), ScratchError> {
        fs::remove_file(&self.path).map_err(ScratchError::of("removing", &self.path))
    }

    fn open(&self) -> Result<BufReader<File>, ScratchError> {
        let file = File::open(&self.path).map_err(ScratchError::of("opening", &self.path))?;
        Ok(BufReader::with_capacity(BUFFER, file))
    }
}

fn read_entry(reader: &mut impl Read) -> io::Result<Wanted> {
    let entry = u64::from_le_bytes(array(reader)?);
    let [disposition] = array(reader)?;
    let disposition = match disposition {
        0 => Disposition::Rename,
        1 => Disposition::NoOverwrite,
        _ => Disposition::Overwrite,
    };
    Ok(Wanted { entry, disposition, path: text(reader)? })
}

fn read_listed(reader: &mut impl Read) -> io::Result<(u128, Version)> {
    let key = u128::from_le_bytes(array(reader)?);
    let [kind] = array(reader)?;
    Ok((key, (ETag(text(reader)?), settle::kind_of(kind))))
}

/// A length of 16 bits and the text.
fn text(reader: &mut impl Read) -> io::Result<String> {
    let mut bytes = vec![0; usize::from(u16::from_le_bytes(array(reader)?))];
    reader.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
