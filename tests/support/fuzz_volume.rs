//! Bodies of the file system: single structures against their parsers, compared with second opinions; and a sound volume with some
//! bytes changed, which is then read as anybody would: list folders, find files, read them, show their runs. The volume is
//! `tests/data/fuzz/volume.xz`; `make.py` beside it made it.

#[path = "fuzz_models.rs"]
mod models;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use dockside::volume::ntfs::{Ntfs, NtfsFile, NtfsLimits, fuzzing};
use dockside::volume::{ReadAt, ReadError};

/// Bytes of a file record.
const RECORD: usize = 1024;
/// Bytes of an index block.
const BLOCK: usize = 4096;
/// Records of the sound volume that are in use or were.
const RECORDS: usize = 136;
/// Changes of one input.
const MOST_CHANGES: usize = 16;
/// Bytes read from the start of each file.
const MOST_READ: u64 = 64 << 10;
/// Files and directories visited.
const MOST_NODES: usize = 200;
/// Bytes that a walk may ask of the device: far more than any does, far less than a loop would.
const MOST_DEVICE_READ: u64 = 512 << 20;

/// The sound volume, and where its structures lie.
struct Base {
    bytes: Vec<u8>,
    places: serde_json::Value,
}

impl Base {
    fn get() -> &'static Self {
        static BASE: OnceLock<Base> = OnceLock::new();
        BASE.get_or_init(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .ancestors()
                .map(|p| p.join("tests/data/fuzz"))
                .find(|p| p.exists())
                .unwrap();
            let unpacked = Command::new("xz").args(["--decompress", "--stdout"]).arg(folder.join("volume.xz")).output().unwrap();
            assert!(unpacked.status.success(), "xz is needed to unpack the volume");
            let places = serde_json::from_slice(&std::fs::read(folder.join("volume.json")).unwrap()).unwrap();
            Self { bytes: unpacked.stdout, places }
        })
    }

    fn place(&self, name: &str) -> usize {
        usize::try_from(self.places[name].as_u64().unwrap()).unwrap()
    }
}

/// The sound volume with other bytes at some places, and how much of it was read.
struct Patched {
    parts: Vec<(usize, Vec<u8>)>,
    read: AtomicU64,
}

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        Base::get().bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size())?;
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        let start = usize::try_from(offset).unwrap();
        let end = start + buffer.len();
        buffer.copy_from_slice(&Base::get().bytes[start..end]);
        for (at, bytes) in &self.parts {
            let (from, to) = (start.max(*at), end.min(at + bytes.len()));
            if from < to {
                buffer[from - start..to - start].copy_from_slice(&bytes[from - at..to - at]);
            }
        }
        Ok(())
    }
}

/// A file record: by its parsers alone.
pub(crate) fn ntfs_record(input: &[u8]) {
    for length in [RECORD, 4096] {
        fuzzing::record(&protected(input, length));
    }
    fuzzing::record(input);
}

/// Clusters of the part and of the volume (8 bytes each), then packed runs.
pub(crate) fn run_list(input: &[u8]) {
    let (sizes, packed) = input.split_at(input.len().min(16));
    let sizes = padded(sizes, 16);
    let size = |at: usize| u64::from_le_bytes(sizes[at..at + 8].try_into().unwrap()) & (u64::MAX >> 1);
    // as many clusters as there are, so that the runs decide; and as many as the input says
    let mapped = models::run_list_length(packed);
    for (clusters, volume) in [(mapped, 1 << 40), (mapped, size(8)), (size(0), size(8))] {
        let expected = models::run_list(packed, clusters, volume).filter(|_| clusters <= i64::MAX as u64 / 512);
        assert_eq!(fuzzing::run_list(packed, clusters, volume), expected, "{clusters} clusters on a volume of {volume}");
    }
}

/// A block of an index, and the root of one.
pub(crate) fn index(input: &[u8]) {
    for length in [BLOCK, 512] {
        fuzzing::index_block(&protected(input, length));
    }
    fuzzing::index_block(input);
    fuzzing::index_root(input);
}

/// The packed bytes of a compression unit.
pub(crate) fn lznt1(input: &[u8]) {
    const CHUNKS: usize = 4;
    let mut unit = vec![0xEE; CHUNKS * 4096];
    let accepted = fuzzing::decompress(input, &mut unit);
    let expected = models::lznt1(input, CHUNKS);
    assert_eq!(accepted, expected.is_some(), "whether it is valid");
    let Some(expected) = expected else { return };
    assert!(unit == expected, "another content");
    // the end of a file: the same bytes, and no more
    for length in [1, 700, 4096, 5000, 8191] {
        let mut part = vec![0xEE; length];
        assert!(fuzzing::decompress(input, &mut part) && part == unit[..length], "the first {length} bytes differ");
    }
}

/// A list of changes to the volume, which is then walked. A change: which structure (1 byte), its number (2), byte in it (2), length
/// (2), the bytes. Structures are records (0) and index blocks (1), whose fix-ups are put right again, sectors (2) and the packed
/// clusters (3).
pub(crate) fn ntfs_volume(input: &[u8]) {
    let mut parts: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut rest = input;
    while let Some((head, body)) = rest.split_first_chunk::<7>().filter(|_| parts.len() < MOST_CHANGES) {
        let word = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
        let bytes = &body[..body.len().min(word(5))];
        parts.push(change(&parts, head[0] % 4, word(1), word(3), bytes));
        rest = &body[bytes.len()..];
    }
    explore(parts);
}

/// The whole structure, with the change made to what earlier changes left of it.
fn change(before: &[(usize, Vec<u8>)], kind: u8, number: usize, within: usize, bytes: &[u8]) -> (usize, Vec<u8>) {
    let base = Base::get();
    let packed = base.place("packed_clusters") * 512;
    let (at, length) = match kind {
        0 => (base.place("mft") + number % RECORDS * RECORD, RECORD),
        1 => (base.place("index") + number % 2 * BLOCK, BLOCK),
        2 => (number % (base.bytes.len() / 512) * 512, 512),
        _ => (base.place("packed_data"), packed),
    };
    let mut structure = base.bytes[at..at + length].to_vec();
    for (_, changed) in before.iter().filter(|(place, changed)| *place == at && changed.len() == length) {
        structure.clone_from(changed);
    }
    if kind < 2 {
        unprotect(&mut structure);
    }
    let within = within % length;
    let end = (within + bytes.len()).min(length);
    structure[within..end].copy_from_slice(&bytes[..end - within]);
    (at, if kind < 2 { protected(&structure, length) } else { structure })
}

/// How many of the four files can be read: as the volume is, and with a record and an index block taken out and put back.
pub(crate) fn sound() -> [usize; 3] {
    let again = |kind: u8, number: usize| vec![change(&[], kind, number, 0, &[])];
    let plain = (Base::get().place("plain") - Base::get().place("mft")) / RECORD;
    [explore(Vec::new()), explore(again(0, plain)), explore(again(1, 0))]
}

/// Walks the whole volume with some parts replaced; returns how many of four files can be found by name and read.
fn explore(parts: Vec<(usize, Vec<u8>)>) -> usize {
    let device = Arc::new(Patched { parts, read: AtomicU64::new(0) });
    let found = walk(&device);
    let read = device.read.load(Ordering::Relaxed);
    assert!(read < MOST_DEVICE_READ, "{read} bytes of the device were read");
    found
}

fn walk(device: &Arc<Patched>) -> usize {
    let limits = NtfsLimits { names_per_directory: 1_000, runs_per_file: 10_000, ..NtfsLimits::default() };
    let files = match Ntfs::open(Arc::clone(device) as Arc<dyn ReadAt>, limits) {
        Ok(files) => files,
        Err(error) => return usize::from(error.to_string().is_empty()),
    };
    assert!(files.info().size <= device.size() && files.info().records <= device.size() / 512);
    let (mut open, mut seen) = (vec![files.root()], HashSet::new());
    while let Some(directory) = open.pop() {
        let mut names = 0_u64;
        let listed = files.list(&directory, &mut |entry| {
            names += 1;
            if seen.len() < MOST_NODES && seen.insert(entry.node.record()) {
                if entry.node.is_directory {
                    open.push(entry.node);
                } else {
                    drop(files.file(&entry.node).map(|mut file| read(&mut file, device.size())));
                }
            }
            ControlFlow::Continue(())
        });
        assert!(names <= limits.names_per_directory, "{names} names: {listed:?}");
    }
    let paths = ["plain.bin", "packed\\text", "many\\A NAME of middling length 31", "listed.bin"];
    let found = paths.iter().filter_map(|path| files.lookup(&path.parse().unwrap()).and_then(|node| files.file(&node)).ok());
    found.filter_map(|mut file| read(&mut file, device.size())).count()
}

/// Reads a file's start and end and looks where it lies; `None` if it cannot be read.
fn read(file: &mut NtfsFile, volume: u64) -> Option<()> {
    let mut next = 0;
    for extent in file.extents() {
        assert!(extent.file_offset == next && extent.length > 0, "extents with a gap");
        next += extent.length;
        let end = extent.disk_offset.map_or(Some(0), |at| at.checked_add(if extent.compressed { 0 } else { extent.length }));
        assert!(end.is_some_and(|end| end <= volume), "an extent beyond the volume");
    }
    assert!(file.is_resident() || next == file.len(), "extents end at {next} of {}", file.len());
    let length = usize::try_from(file.len().min(MOST_READ)).unwrap();
    let (mut whole, mut pieces) = (vec![0; length], vec![0xEE; length]);
    let at_once = file.read_at(0, &mut whole);
    let mut at = 0;
    let piecewise = pieces.chunks_mut(10_007).try_for_each(|piece| {
        at += piece.len() as u64;
        file.read_at(at - piece.len() as u64, piece)
    });
    let fits = at_once.is_ok() == piecewise.is_ok() && (at_once.is_err() || whole == pieces);
    assert!(fits, "what is read depends on the request: {at_once:?}, {piecewise:?}");
    at_once.ok()?;
    let mut buffer = [0; 13];
    let tail = file.len().saturating_sub(13);
    let length = usize::try_from(file.len() - tail).unwrap();
    let tail = file.read_at(tail, &mut buffer[..length]);
    assert!(file.read_at(file.len(), &mut buffer[..1]).is_err());
    tail.ok()
}

fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(length, 0);
    out
}

/// The structure as it would lie on a disk: cut or filled to its length, and with its fix-ups where the fields for them make sense,
/// so that most inputs get past that check.
fn protected(input: &[u8], length: usize) -> Vec<u8> {
    let mut record = padded(&input[..input.len().min(length)], length);
    let Some((at, count)) = fixups(&record) else { return record };
    let mark = [record[at], record[at + 1]];
    for sector in 1..count {
        let (slot, end) = (at + 2 * sector, sector * 512);
        let word = [record[end - 2], record[end - 1]];
        record[slot..slot + 2].copy_from_slice(&word);
        record[end - 2..end].copy_from_slice(&mark);
    }
    record
}

/// The other way round, for a record from the sound volume.
fn unprotect(record: &mut [u8]) {
    let Some((at, count)) = fixups(record) else { return };
    for sector in 1..count {
        let (slot, end) = (at + 2 * sector, sector * 512);
        let word = [record[slot], record[slot + 1]];
        record[end - 2..end].copy_from_slice(&word);
    }
}

fn fixups(record: &[u8]) -> Option<(usize, usize)> {
    let word = |at: usize| usize::from(u16::from_le_bytes([record[at], record[at + 1]]));
    let (at, count) = (word(4), word(6));
    let fits = count == record.len() / 512 + 1 && at >= 8 && at + 2 * count <= 510;
    fits.then_some((at, count))
}
