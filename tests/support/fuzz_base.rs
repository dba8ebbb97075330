//! Sound NTFS volumes for fuzzing, where their structures lie, and a device that shows one of them with some bytes changed.

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use dockside::volume::{ReadAt, ReadError};

/// The volumes, below `tests/data`. They differ in the sizes of sectors, clusters and records and in what the files are like.
const VOLUMES: [&str; 4] =
    ["fuzz/volume.xz", "ntfs/mixed-4096-sector.img.xz", "ntfs/large-cluster.img.xz", "ntfs/fragmented.img.xz"];
/// Records looked for.
const MOST_RECORDS: usize = 256;
/// Bytes of an index block on all of them.
pub(crate) const BLOCK: usize = 4096;

/// A sound volume.
pub(crate) struct Base {
    pub(crate) bytes: Vec<u8>,
    /// First byte of the table of records.
    pub(crate) mft: usize,
    /// Bytes of a record.
    pub(crate) record: usize,
    /// Records that are in use or were.
    pub(crate) records: usize,
    /// First bytes of index blocks.
    pub(crate) indexes: Vec<usize>,
    /// The packed clusters of a compressed file; on volumes without one, the boot sector.
    pub(crate) packed: Range<usize>,
}

impl Base {
    /// The volume of this number, counted in circles.
    pub(crate) fn get(number: usize) -> &'static Self {
        static BASES: [OnceLock<Base>; 4] = [const { OnceLock::new() }; 4];
        let number = number % VOLUMES.len();
        BASES[number].get_or_init(|| Self::load(number))
    }

    fn load(number: usize) -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|p| p.join("tests/data")).find(|p| p.exists()).unwrap();
        let unpacked = Command::new("xz").args(["--decompress", "--stdout"]).arg(data.join(VOLUMES[number])).output().unwrap();
        assert!(unpacked.status.success(), "xz is needed to unpack the volume");
        let bytes = unpacked.stdout;
        let cluster = usize::from(u16::from_le_bytes([bytes[11], bytes[12]])) * usize::from(bytes[13]);
        let mft = usize::try_from(u64::from_le_bytes(bytes[48..56].try_into().unwrap())).unwrap() * cluster;
        let record = if bytes[64] < 0x80 { usize::from(bytes[64]) * cluster } else { 1 << (256 - usize::from(bytes[64])) };
        let used = |n: &usize| bytes.get(mft + n * record..).is_some_and(|rest| rest.starts_with(b"FILE"));
        let records = (0..MOST_RECORDS).rfind(used).unwrap() + 1;
        let indexes: Vec<usize> = (0..bytes.len()).step_by(512).filter(|at| bytes[*at..].starts_with(b"INDX")).collect();
        let places = std::fs::read(data.join("fuzz/volume.json")).unwrap();
        let places: serde_json::Value = serde_json::from_slice(&places).unwrap();
        let place = |name: &str| usize::try_from(places[name].as_u64().unwrap()).unwrap();
        let start = place("packed_data");
        let packed = if number == 0 { start..start + 512 * place("packed_clusters") } else { 0..512 };
        Self { bytes, mft, record, records, indexes, packed }
    }
}

/// A sound volume with other bytes at some places, and how much of it was read.
pub(crate) struct Patched {
    pub(crate) base: &'static Base,
    pub(crate) parts: Vec<(usize, Vec<u8>)>,
    pub(crate) read: AtomicU64,
}

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        self.base.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size())?;
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        let start = usize::try_from(offset).unwrap();
        let end = start + buffer.len();
        buffer.copy_from_slice(&self.base.bytes[start..end]);
        for (at, bytes) in &self.parts {
            let (from, to) = (start.max(*at), end.min(at + bytes.len()));
            if from < to {
                buffer[from - start..to - start].copy_from_slice(&bytes[from - at..to - at]);
            }
        }
        Ok(())
    }
}

/// `bytes` and then zeros.
pub(crate) fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(length, 0);
    out
}

/// The structure as it would lie on a disk: cut or filled to its length, and with its fix-ups where the fields for them make sense,
/// so that most inputs get past that check.
pub(crate) fn protected(input: &[u8], length: usize) -> Vec<u8> {
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
pub(crate) fn unprotect(record: &mut [u8]) {
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
