//! The test drives that lie unencrypted: every file comes back to the byte, and every manifest gets the answer that its case states.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/drives.rs"]
mod drives;

use std::io::{self, Read};
use std::sync::Arc;

use dockside::manifest::{ManifestError, ManifestHash, ManifestLimits, summarise};
use dockside::volume::ntfs::{Ntfs, NtfsFile, NtfsLimits};
use sha2::{Digest, Sha256};

use drives::{Drive, drive, json};

fn open(drive: &Drive) -> Ntfs {
    Ntfs::open(Arc::new(drive.partition()), NtfsLimits::default()).unwrap()
}

fn file(files: &Ntfs, path: &str) -> NtfsFile {
    let node = files.lookup(&path.parse().unwrap()).unwrap_or_else(|e| panic!("{path}: {e}"));
    files.file(&node).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A file as a stream, in pieces of a size that fits no structure.
struct Stream {
    file: NtfsFile,
    at: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.len() - self.at).unwrap();
        let piece = buffer.len().min(left).min(50_021);
        self.file.read_at(self.at, &mut buffer[..piece]).map_err(io::Error::other)?;
        self.at += piece as u64;
        Ok(piece)
    }
}

fn content(files: &Ntfs, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    Stream { file: file(files, path), at: 0 }.read_to_end(&mut bytes).unwrap();
    bytes
}

fn every_file_is_right(name: &str) {
    let drive = drive(name);
    let files = open(&drive);
    for listed in drive.files() {
        let mut stream = Stream { file: file(&files, &listed.path), at: 0 };
        assert_eq!(stream.file.len(), listed.length, "{}", listed.path);
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        while let n @ 1.. = stream.read(&mut buffer).unwrap() {
            hash.update(&buffer[..n]);
        }
        let expected: Vec<u8> =
            (0..64).step_by(2).map(|at| u8::from_str_radix(&listed.sha256[at..at + 2], 16).unwrap()).collect();
        assert_eq!(hash.finalize()[..], expected, "{name}: {}", listed.path);
    }
}

#[test]
fn plain_files_come_back_to_the_byte() {
    every_file_is_right("plain-rich");
    every_file_is_right("plain-4k");
}

#[test]
fn fragmented_files_come_back_to_the_byte() {
    every_file_is_right("plain-fragmented");
}

#[test]
fn compressed_files_come_back_to_the_byte() {
    every_file_is_right("plain-compressed");
}

#[test]
fn files_with_holes_come_back_to_the_byte() {
    every_file_is_right("plain-sparse");
}

#[test]
fn a_file_of_a_large_directory_is_found() {
    every_file_is_right("plain-many");
}

/// What the manifest alone decides; what the files add is the work of whole runs.
#[test]
fn every_rule_of_the_manifest_holds() {
    let drive = drive("plain-rich");
    let files = open(&drive);
    let cases = json("plain-rich.cases.json");
    let limits = ManifestLimits { drive_bytes: drive.about["partition"]["length"].as_u64().unwrap(), ..Default::default() };
    let id = cases["driveId"].as_str().unwrap();
    let mut wrong = Vec::new();
    for case in cases["cases"].as_array().unwrap() {
        let text = |key: &str| case[key].as_str().unwrap();
        let bytes = content(&files, &format!("manifests\\{}.xml", text("name")));
        let found = ["md5", "sha256"].map(|kind| {
            let hash: ManifestHash = text(kind).parse().unwrap();
            match summarise(&bytes[..], Some(&hash), &limits) {
                Ok(summary) if summary.drive_id.raw().replace(' ', "") != id => "ManifestDriveIdMismatch".to_owned(),
                Ok(summary) => format!("{} entries", summary.entries),
                Err(ManifestError::FormatInvalid(_)) => "ManifestFormatInvalid".to_owned(),
                Err(other) => other.to_string(),
            }
        });
        let expected = case["blobs"].as_array().map_or(text("expect").to_owned(), |b| format!("{} entries", b.len()));
        if found != [expected.clone(), expected.clone()] {
            wrong.push(format!("{} ({}): expected {expected}, found {found:?}", text("name"), text("why")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
