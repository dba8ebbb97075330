//! Records of the catalogue, in bytes and back. In: values or bytes; out: the other. Refused: a record whose checksum, lengths, codes or text
//! do not fit. The table stands in [the module above](super).

use crate::foreign::Foreign;
use crate::manifest::{BlobKind, ByteRange, Digest, Disposition, Entry, EntryNumber, Range, SideFile, SideFileNumber};
use crate::volume::fields::{array_at, index, slice_at, u32_at, u64_at};

/// Bytes of an entry before its paths.
pub(super) const ENTRY_HEAD: usize = 66;
/// Bytes of a range.
pub(super) const RANGE: usize = 32;
/// Bytes of a list.
pub(super) const LIST: usize = 12;
/// Bytes of a side file before its path.
pub(super) const SIDE_HEAD: usize = 20;
/// Bytes of a path: no text of a manifest is longer.
pub(super) const PATH: u64 = 64 << 10;
/// Stands for no side file.
const NONE: u32 = u32::MAX;

/// One entry as it is written: an [`Entry`] with the number of its list in place of the list's side files.
pub(in crate::manifest) struct EntryRecord<'a> {
    pub(in crate::manifest) number: EntryNumber,
    pub(in crate::manifest) line: u64,
    pub(in crate::manifest) blob_path: &'a str,
    pub(in crate::manifest) file_path: &'a str,
    pub(in crate::manifest) length: u64,
    pub(in crate::manifest) disposition: Disposition,
    pub(in crate::manifest) kind: BlobKind,
    pub(in crate::manifest) first_range: u64,
    pub(in crate::manifest) range_count: u64,
    pub(in crate::manifest) list: u64,
    pub(in crate::manifest) own: SidePair,
}

/// A metadata file and a properties file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::manifest) struct SidePair {
    pub(in crate::manifest) metadata: Option<SideFileNumber>,
    pub(in crate::manifest) properties: Option<SideFileNumber>,
}

/// CRC-32 that binds a record to its number.
fn checksum(number: u64, record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&number.to_le_bytes());
    crc.update(record);
    crc.finalize()
}

/// Puts the checksum of all behind it into the first four bytes.
fn seal(number: u64, record: &mut [u8]) {
    if let Some((crc, rest)) = record.split_first_chunk_mut() {
        *crc = checksum(number, rest).to_le_bytes();
    }
}

fn intact(number: u64, record: &[u8]) -> Option<()> {
    let (crc, rest) = record.split_first_chunk()?;
    (u32::from_le_bytes(*crc) == checksum(number, rest)).then_some(())
}

fn put_pair(pair: SidePair, to: &mut Vec<u8>) {
    to.extend_from_slice(&pair.metadata.unwrap_or(NONE).to_le_bytes());
    to.extend_from_slice(&pair.properties.unwrap_or(NONE).to_le_bytes());
}

fn pair_at(record: &[u8], offset: usize) -> Option<SidePair> {
    let some = |number: u32| (number != NONE).then_some(number);
    Some(SidePair { metadata: some(u32_at(record, offset)?), properties: some(u32_at(record, offset + 4)?) })
}

impl EntryRecord<'_> {
    /// Writes the record over `to`. Paths are at most [`PATH`] bytes.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        to.clear();
        to.extend_from_slice(&[0; 4]);
        for text in [self.blob_path, self.file_path] {
            to.extend_from_slice(&u32::try_from(text.len()).unwrap_or(NONE).to_le_bytes());
        }
        for number in [self.line, self.length, self.first_range, self.range_count, self.list] {
            to.extend_from_slice(&number.to_le_bytes());
        }
        put_pair(self.own, to);
        let disposition = match self.disposition {
            Disposition::Rename => 0,
            Disposition::NoOverwrite => 1,
            Disposition::Overwrite => 2,
        };
        to.extend_from_slice(&[disposition, u8::from(self.kind == BlobKind::Page), 0, 0, 0, 0]);
        to.extend_from_slice(self.blob_path.as_bytes());
        to.extend_from_slice(self.file_path.as_bytes());
        seal(self.number, to);
    }
}

/// Bytes of the whole entry that begins with `head`.
pub(super) fn entry_size(head: &[u8]) -> Option<usize> {
    let (blob, file) = (u64::from(u32_at(head, 4)?), u64::from(u32_at(head, 8)?));
    (blob <= PATH && file <= PATH).then(|| ENTRY_HEAD + index(blob + file))
}

/// The entry in `record`, and its list; the list's side files are left open.
pub(super) fn decode_entry(number: EntryNumber, record: &[u8]) -> Option<(Entry, u64)> {
    intact(number, record)?;
    let blob_bytes = index(u64::from(u32_at(record, 4)?));
    let text = |from: usize, length: usize| Some(Foreign::from(std::str::from_utf8(slice_at(record, from, length)?).ok()?));
    let file_from = ENTRY_HEAD.checked_add(blob_bytes)?;
    let own = pair_at(record, 52)?;
    let [disposition, kind, ..] = array_at::<6>(record, 60)?;
    let entry = Entry {
        number,
        line: u64_at(record, 12)?,
        blob_path: text(ENTRY_HEAD, blob_bytes)?,
        file_path: text(file_from, record.len().checked_sub(file_from)?)?,
        length: u64_at(record, 20)?,
        disposition: match disposition {
            0 => Disposition::Rename,
            1 => Disposition::NoOverwrite,
            2 => Disposition::Overwrite,
            _ => return None,
        },
        kind: if kind == 0 { BlobKind::Block } else { BlobKind::Page },
        first_range: u64_at(record, 28)?,
        range_count: u64_at(record, 36)?,
        list_metadata: None,
        own_metadata: own.metadata,
        list_properties: None,
        own_properties: own.properties,
    };
    Some((entry, u64_at(record, 44)?))
}

/// A list's record.
pub(super) fn encode_list(number: u64, pair: SidePair, to: &mut Vec<u8>) {
    to.clear();
    to.extend_from_slice(&[0; 4]);
    put_pair(pair, to);
    seal(number, to);
}

/// The side files of a list.
pub(super) fn decode_list(number: u64, record: &[u8; LIST]) -> Option<SidePair> {
    intact(number, record)?;
    pair_at(record, 4)
}

/// A range's record.
pub(super) fn encode_range(bytes: ByteRange, digest: &Digest) -> [u8; RANGE] {
    let mut record = [0; RANGE];
    let (offset, rest) = record.split_at_mut(8);
    let (length, md5) = rest.split_at_mut(8);
    offset.copy_from_slice(&bytes.offset().to_le_bytes());
    length.copy_from_slice(&bytes.length().to_le_bytes());
    md5.copy_from_slice(&digest.0);
    record
}

/// The range in `record`.
pub(super) fn decode_range(record: &[u8]) -> Option<Range> {
    let bytes = ByteRange::new(u64_at(record, 0)?, u64_at(record, 8)?)?;
    Some(Range { bytes, digest: Digest(array_at(record, 16)?) })
}

/// A side file's record.
pub(super) fn encode_side_file(number: SideFileNumber, path: &str, digest: &Digest, to: &mut Vec<u8>) {
    to.clear();
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(&digest.0);
    to.extend_from_slice(path.as_bytes());
    seal(u64::from(number), to);
}

/// The side file in `record`.
pub(super) fn decode_side_file(number: SideFileNumber, record: &[u8]) -> Option<SideFile> {
    intact(u64::from(number), record)?;
    let path = std::str::from_utf8(record.get(SIDE_HEAD..)?).ok()?;
    Some(SideFile { path: Foreign::from(path), digest: Digest(array_at(record, 4)?) })
}
