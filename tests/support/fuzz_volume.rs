//! Bodies of the file system: single structures against their parsers, compared with second opinions; and a sound volume with some
//! bytes changed, which is then read as anybody would: list folders, find files, read them, show their runs. The volume is
//! `tests/data/fuzz/volume.xz`; `make.py` beside it made it.

#[path = "fuzz_base.rs"]
mod base;
#[path = "fuzz_models.rs"]
mod models;

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{BLOCK, Base, Patched, padded, protected, unprotect};
use dockside::volume::ReadAt;
use dockside::volume::ntfs::{Ntfs, NtfsFile, NtfsLimits, fuzzing};

/// Bytes of a file record.
const RECORD: usize = 1024;
/// Changes of one input.
const MOST_CHANGES: usize = 16;
/// Bytes read from the start of each file.
const MOST_READ: u64 = 64 << 10;
/// Files and directories visited.
const MOST_NODES: usize = 80;
/// Bytes that a walk may ask of the device: far more than any does, far less than a loop would.
const MOST_DEVICE_READ: u64 = 512 << 20;

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
        let expected = models::run_list(packed, clusters, volume)
            .filter(|spans| clusters <= i64::MAX as u64 / 512 && spans.len() as u64 <= fuzzing::MOST_RUNS);
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

/// A list of changes to a volume, which is then walked. A change: which structure (1 byte), its number (2), byte in it (2), length
/// (2), the bytes. Structures are records (0) and index blocks (1), whose fix-ups are put right again, sectors (2) and packed clusters
/// (3); the first change says in bits 2 and 3 which volume it is.
pub(crate) fn ntfs_volume(input: &[u8]) {
    let base = Base::get(usize::from(input.first().map_or(0, |kind| kind / 4 % 4)));
    let mut parts: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut rest = input;
    while let Some((head, body)) = rest.split_first_chunk::<7>().filter(|_| parts.len() < MOST_CHANGES) {
        let word = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
        let bytes = &body[..body.len().min(word(5))];
        let (at, length, guarded) = structure(base, head[0], word(1));
        parts.push((at, change(base, &parts, at..at + length, guarded, word(3), bytes)));
        rest = &body[bytes.len()..];
    }
    explore(base, parts);
}

/// First byte and length of a structure, and whether it has fix-ups.
fn structure(base: &Base, kind: u8, number: usize) -> (usize, usize, bool) {
    match kind % 4 {
        0 => (base.mft + number % base.records * base.record, base.record, true),
        1 => (base.indexes[number % base.indexes.len()], BLOCK, true),
        2 => (number % (base.bytes.len() / 512) * 512, 512, false),
        _ => (base.packed.start, base.packed.len(), false),
    }
}

/// The whole structure, with the change made to what earlier changes left of it.
fn change(base: &Base, before: &[(usize, Vec<u8>)], place: Range<usize>, guarded: bool, within: usize, bytes: &[u8]) -> Vec<u8> {
    let earlier = before.iter().rfind(|(at, changed)| *at == place.start && changed.len() == place.len());
    let mut structure = earlier.map_or_else(|| base.bytes[place].to_vec(), |(_, changed)| changed.clone());
    if guarded {
        unprotect(&mut structure);
    }
    let within = within % structure.len();
    let end = (within + bytes.len()).min(structure.len());
    structure[within..end].copy_from_slice(&bytes[..end - within]);
    if guarded { protected(&structure, structure.len()) } else { structure }
}

/// How many files of each volume can be read, as it is and with each record and index block taken out and put back.
pub(crate) fn sound() -> Vec<[usize; 2]> {
    let again = |base: &Base, (at, length, guarded)| (at, change(base, &[], at..at + length, guarded, 0, &[]));
    let both = |base: &'static Base| {
        let records = (0..base.records).map(|number| again(base, structure(base, 0, number)));
        let blocks = (0..base.indexes.len()).map(|number| again(base, structure(base, 1, number)));
        [explore(base, Vec::new()), explore(base, records.chain(blocks).collect())]
    };
    (0..4).map(|number| both(Base::get(number))).collect()
}

/// Walks a volume with some parts replaced; returns how many files could be read.
fn explore(base: &'static Base, parts: Vec<(usize, Vec<u8>)>) -> usize {
    let device = Arc::new(Patched { base, parts, read: AtomicU64::new(0) });
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
    let (mut open, mut seen, mut found) = (vec![files.root()], HashSet::new(), 0);
    while let Some(directory) = open.pop() {
        let mut names = 0_u64;
        let listed = files.list(&directory, &mut |entry| {
            names += 1;
            if seen.len() < MOST_NODES && seen.insert(entry.node.record()) {
                if entry.node.is_directory {
                    open.push(entry.node);
                } else {
                    let file = files.file(&entry.node).ok();
                    found += usize::from(file.and_then(|mut file| read(&mut file, device.size())).is_some());
                }
            }
            ControlFlow::Continue(())
        });
        assert!(names <= limits.names_per_directory, "{names} names: {listed:?}");
    }
    for path in ["plain.bin", "packed\\text", "many\\A NAME of middling length 31", "listed.bin", "none\\at all"] {
        let file = files.lookup(&path.parse().unwrap()).and_then(|node| files.file(&node)).ok();
        found += usize::from(file.and_then(|mut file| read(&mut file, device.size())).is_some());
    }
    found
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
