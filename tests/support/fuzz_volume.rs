//! Bodies that put bytes in the place of one structure of a sound NTFS volume and then read it as anybody would: list folders, find
//! files, read them, show their runs. The volume is `tests/data/fuzz/volume.xz`; `make.py` beside it made it.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use dockside::volume::ntfs::{Ntfs, NtfsLimits};
use dockside::volume::{ReadAt, ReadError};

/// Bytes of a file record.
const RECORD: usize = 1024;
/// Bytes of an index block.
const BLOCK: usize = 4096;
/// Bytes of one file that a body reads.
const MOST_READ: u64 = 1 << 20;

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

/// The sound volume with other bytes at one place.
struct Patched {
    at: usize,
    patch: Vec<u8>,
}

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        Base::get().bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size())?;
        let start = usize::try_from(offset).unwrap();
        let end = start + buffer.len();
        buffer.copy_from_slice(&Base::get().bytes[start..end]);
        let (from, to) = (start.max(self.at), end.min(self.at + self.patch.len()));
        if from < to {
            buffer[from - start..to - start].copy_from_slice(&self.patch[from - self.at..to - self.at]);
        }
        Ok(())
    }
}

/// A file record in the place of a plain file's and, when it says it is a directory, of a directory's.
pub(crate) fn ntfs_record(input: &[u8]) {
    let record = protected(input, RECORD);
    let is_directory = record[22] & 2 != 0;
    explore(Base::get().place(if is_directory { "many" } else { "plain" }), record);
}

/// Sizes (allocated, data, initialized, highest cluster; 8 bytes each), then mapping pairs: the runs of a file.
pub(crate) fn run_list(input: &[u8]) {
    let base = Base::get();
    let at = base.place("plain");
    let mut record = base.bytes[at..at + RECORD].to_vec();
    unprotect(&mut record);
    if let Some(attribute) = data_attribute(&record) {
        let (sizes, pairs) = input.split_at(input.len().min(32));
        let length = (64 + pairs.len()).next_multiple_of(8).min(RECORD - attribute - 8);
        let body = &mut record[attribute..attribute + length];
        body[4..8].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        body[24..32].copy_from_slice(&padded(sizes.get(24..).unwrap_or_default(), 8));
        body[40..64].copy_from_slice(&padded(&sizes[..sizes.len().min(24)], 24));
        let room = length - 64;
        body[64..].copy_from_slice(&padded(&pairs[..pairs.len().min(room)], room));
        record[attribute + length..attribute + length + 4].copy_from_slice(&[0xFF; 4]);
        let used = u32::try_from(attribute + length + 8).unwrap();
        record[24..28].copy_from_slice(&used.to_le_bytes());
    }
    explore(at, protected(&record, RECORD));
}

/// A block of a directory's index.
pub(crate) fn index(input: &[u8]) {
    explore(Base::get().place("index"), protected(input, BLOCK));
}

/// The packed bytes of a compression unit.
pub(crate) fn lznt1(input: &[u8]) {
    let base = Base::get();
    let room = base.place("packed_clusters") * 512;
    explore(base.place("packed_data"), padded(&input[..input.len().min(room)], room));
}

/// How many files of the volume can be read: as it is, and with each structure put back in its own place by its body's own means.
pub(crate) fn sound() -> [usize; 3] {
    let base = Base::get();
    let again = |name: &str, length: usize| {
        let at = base.place(name);
        let mut bytes = base.bytes[at..at + length].to_vec();
        unprotect(&mut bytes);
        explore(at, protected(&bytes, length))
    };
    [explore(0, Vec::new()), again("plain", RECORD), again("index", BLOCK)]
}

/// Reads the whole volume with `patch` at byte `at`; returns how many files could be read.
fn explore(at: usize, patch: Vec<u8>) -> usize {
    let limits = NtfsLimits { names_per_directory: 1_000, runs_per_file: 10_000, ..NtfsLimits::default() };
    let Ok(files) = Ntfs::open(Arc::new(Patched { at, patch }), limits) else { return 0 };
    for folder in ["many", "packed"] {
        if let Ok(node) = files.lookup(&folder.parse().unwrap()) {
            let mut names = 0_u64;
            let listed = files.list(&node, &mut |_| {
                names += 1;
                ControlFlow::Continue(())
            });
            assert!(names <= limits.names_per_directory, "{names} names: {listed:?}");
        }
    }
    let paths = ["plain.bin", "packed\\text", "many\\A NAME of middling length 31", "listed.bin"];
    paths.iter().filter(|path| read(&files, path).is_some()).count()
}

/// `None` if the file cannot be found or read.
fn read(files: &Ntfs, path: &str) -> Option<()> {
    let mut file = files.lookup(&path.parse().unwrap()).and_then(|node| files.file(&node)).ok()?;
    assert!(file.extents().take(20_000).count() <= 20_000);
    let mut buffer = vec![0; 10_007];
    let mut at = 0;
    while at < file.len().min(MOST_READ) {
        let length = usize::try_from((file.len() - at).min(10_007)).unwrap();
        file.read_at(at, &mut buffer[..length]).ok()?;
        at += length as u64;
    }
    let tail = file.len().saturating_sub(13);
    let length = usize::try_from(file.len() - tail).unwrap();
    let tail = file.read_at(tail, &mut buffer[..length]);
    assert!(file.read_at(file.len(), &mut buffer[..1]).is_err());
    tail.ok()
}

/// The first attribute of type `$DATA`.
fn data_attribute(record: &[u8]) -> Option<usize> {
    let word = |at: usize| Some(u32::from_le_bytes(record.get(at..at + 4)?.try_into().ok()?));
    let mut at = usize::from(u16::from_le_bytes([record[20], record[21]]));
    loop {
        match word(at)? {
            0x80 => return Some(at),
            u32::MAX => return None,
            _ => at += usize::try_from(word(at + 4)?).ok().filter(|&n| n > 0)?,
        }
    }
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
