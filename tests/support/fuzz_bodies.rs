//! What fuzzing calls: one function for each thing that reads foreign bytes. In: any bytes. A body must come back, whatever they
//! are: an error of the library is an answer, a panic or an endless loop is a fault. `tests/fuzz.rs` and the targets of `fuzz/`
//! include this file.
//!
//! A new body: its function here, its line in [`BODIES`], its test in `tests/fuzz.rs`, `fuzz/fuzz_targets/NAME.rs` with its lines in
//! `fuzz/Cargo.toml`, `fuzz/NAME.dict`, and seeds in `tests/data/fuzz/NAME/`.

#[path = "fuzz_disk.rs"]
mod fuzz_disk;
#[path = "fuzz_volume.rs"]
mod fuzz_volume;

use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use dockside::drive::DriveId;
use dockside::job::Job;
use dockside::manifest::{
    BlobPath, ContainerName, Digest, Entry, ManifestHash, ManifestLimits, Range, Summary, parse_metadata, parse_properties, read,
    summarise,
};
use dockside::secret::RecoveryPassword;
use dockside::volume::DrivePath;

pub(crate) use fuzz_disk::{bitlocker, partition, tables, unlocks};
pub(crate) use fuzz_volume::{index, lznt1, ntfs_record, ntfs_volume, run_list, sound};

/// A body.
pub(crate) type Body = fn(&[u8]);

/// Every body by its name, in alphabetical order.
pub(crate) const BODIES: &[(&str, Body)] = &[
    ("bitlocker", bitlocker),
    ("index", index),
    ("job", job),
    ("lznt1", lznt1),
    ("manifest", manifest),
    ("names", names),
    ("ntfs_record", ntfs_record),
    ("ntfs_volume", ntfs_volume),
    ("partition", partition),
    ("run_list", run_list),
    ("side_files", side_files),
];

/// A manifest, without a hash that it must have. What is accepted keeps within the limits, and a catalogue of it holds the same.
pub(crate) fn manifest(input: &[u8]) {
    let limits =
        ManifestLimits { entries: 40, side_files: 5, blocks: 20, drive_bytes: 1 << 30, findings_shown: 3, ..Default::default() };
    let found = summarise(input, None, &limits);
    // however few bytes come at a time, and wherever they are cut
    let dribble = summarise(Dribble { rest: input, most: 1 + input.len() % 61 }, None, &limits);
    assert_eq!(format!("{found:?}"), format!("{dribble:?}"), "what is found depends on how the bytes come");
    match found {
        Ok(summary) => {
            assert!(summary.entries <= limits.entries && u64::from(summary.side_files) <= limits.side_files);
            assert!(summary.content_bytes <= limits.content_bytes());
            if let Ok(drive) = summary.drive_id.raw().parse() {
                catalogue(input, &drive, &limits, &summary);
            }
        }
        Err(error) => {
            let (shown, secret) = (format!("{error} {error:?}"), between(input, "<StorageAccountKey>", "<"));
            let secret = secret.filter(|secret| secret.ends_with('=') && secret.bytes().filter(u8::is_ascii_digit).count() > 2);
            assert!(secret.is_none_or(|secret| !shown.contains(secret)), "an account key is shown: {shown}");
        }
    }
}

/// A source that gives at most so many bytes at a time.
struct Dribble<'a> {
    rest: &'a [u8],
    most: usize,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.most);
        self.rest.read(&mut buffer[..length])
    }
}

/// Spools an accepted manifest and reads the catalogue by every way that there is.
fn catalogue(input: &[u8], drive: &DriveId, limits: &ManifestLimits, summary: &Summary) {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let catalogue = read(input, &ManifestHash::Sha256(summary.sha256), drive, limits, folder.path()).unwrap();
    assert_eq!(catalogue.summary(), &Summary { md5: None, ..summary.clone() });
    let entries: Vec<Entry> = catalogue.entries().map(Result::unwrap).collect();
    let ranges: Vec<Range> = catalogue.ranges(0, summary.ranges).map(Result::unwrap).collect();
    assert!(entries.len() as u64 == summary.entries && ranges.len() as u64 == summary.ranges);
    assert_eq!(ranges.iter().map(|range| range.bytes.length()).sum::<u64>(), summary.content_bytes);
    let (mut number, mut first) = (0, 0);
    for entry in &entries {
        assert!(entry.number == number && entry.first_range == first && entry.range_count <= limits.blocks.max(summary.ranges));
        assert_eq!(catalogue.entry(number).as_ref().ok(), Some(entry));
        let own: Vec<Range> = catalogue.ranges(first, entry.range_count).map(Result::unwrap).collect();
        assert!(own.iter().all(|range| range.bytes.end() <= entry.length), "a range beyond its file");
        assert!(own.is_sorted_by(|a, b| a.bytes.end() <= b.bytes.offset()), "ranges lie over each other");
        (number, first) = (number + 1, first + entry.range_count);
    }
    assert_eq!(first, summary.ranges);
    assert!((0..catalogue.side_files()).all(|side| catalogue.side_file(side).is_ok()));
}

/// A metadata and a properties file. What is accepted fits a request's headers.
pub(crate) fn side_files(input: &[u8]) {
    if let Ok(metadata) = parse_metadata(input) {
        let name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !text.is_empty();
        assert!(metadata.iter().all(|(n, value)| name(n) && header(value)));
        assert!(metadata.iter().map(|(n, value)| n.len() + value.len()).sum::<usize>() <= 8 << 10);
    }
    if let Ok(found) = parse_properties(input) {
        let texts = [found.content_type, found.content_encoding, found.content_language, found.cache_control];
        assert!(texts.iter().flatten().all(|text| header(text)));
    }
}

/// Whether a text can stand in a header.
fn header(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7F).contains(&byte))
}

/// A job file. Nothing that is printed shows a password of it.
pub(crate) fn job(input: &[u8]) {
    let shown = match Job::parse(input) {
        Ok(job) => {
            assert!((1..=10).contains(&job.drives().len()));
            assert!(job.drive_ids().all(|id| job.drive(id).is_some()));
            format!("{job:?}")
        }
        Err(error) => format!("{error} {error:?}"),
    };
    // digits only: other texts may be those that the message itself is made of
    let secret = between(input, "\"bitLockerKey\": \"", "\"").filter(|s| s.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
    assert!(secret.is_none_or(|secret| !shown.contains(secret)), "a recovery password is shown: {shown}");
}

/// What stands between two marks, if it is long enough to be a secret and stands there only.
fn between<'a>(input: &'a [u8], before: &str, after: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(input).ok()?;
    let (_, rest) = text.split_once(before)?;
    let (secret, _) = rest.split_once(after)?;
    (secret.len() >= 12 && text.matches(secret).count() == 1).then_some(secret)
}

/// Names, paths, hashes and passwords of manifests and jobs. What is accepted must survive being written and read again.
pub(crate) fn names(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for line in text.lines() {
        if let Ok(path) = BlobPath::from_str(line) {
            assert_eq!(BlobPath::new(path.container().clone(), path.name()).as_ref(), Ok(&path));
        }
        if let Ok(path) = DrivePath::from_str(line) {
            assert_eq!(DrivePath::from_str(path.as_str()).as_ref(), Ok(&path));
            assert!(path.segments().all(|s| !matches!(s, "" | "." | "..")));
        }
        if let Ok(digest) = Digest::from_str(line) {
            assert_eq!(Digest::from_str(&digest.to_string()), Ok(digest));
        }
        if let Ok(id) = DriveId::from_str(line) {
            assert_eq!(DriveId::from_str(id.as_str()).as_ref(), Ok(&id));
        }
        let _ = ContainerName::from_str(line);
        let _ = ManifestHash::from_str(line);
        let _ = RecoveryPassword::from_str(line);
    }
}
