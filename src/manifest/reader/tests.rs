//! The reader as a whole: what it accepts, what it refuses by which rule, what it does with bytes that lie or do not end.

mod bounds;
mod grammar;
mod lists;
mod mutated;
mod round_trip;

use std::io::Read;

use super::*;

const MD5_A: &str = "0CC175B9C0F1B6A831C399E269772661";

fn md5(bytes: &[u8]) -> ManifestHash {
    ManifestHash::Md5(super::super::Digest::of(bytes).0)
}

fn drive() -> DriveId {
    "ZX10K7742".parse().unwrap()
}

/// Reads with the right hash.
fn read_text(text: impl AsRef<[u8]>, limits: &ManifestLimits) -> Result<Catalogue, ManifestError> {
    let folder = tempfile::tempdir().unwrap();
    let bytes = text.as_ref();
    read(bytes, &md5(bytes), &drive(), limits, folder.path())
}

/// The findings' rules; none if the manifest is taken.
fn rules_with(text: impl AsRef<[u8]>, limits: &ManifestLimits) -> Vec<Rule> {
    match read_text(text, limits) {
        Ok(_) => Vec::new(),
        Err(ManifestError::FormatInvalid(findings)) => {
            assert!(findings.total() > 0);
            findings.shown().iter().map(|finding| finding.rule.clone()).collect()
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn rules(text: impl AsRef<[u8]>) -> Vec<Rule> {
    rules_with(text, &ManifestLimits::default())
}

/// A manifest around the children of `Drive` that follow the id.
fn manifest(drive: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DriveManifest Version=\"2014-11-01\">\n<Drive><DriveId>ZX10K7742</DriveId>{drive}</Drive>\n</DriveManifest>\n"
    )
}

/// A manifest of one blob with these children behind the two paths.
fn blob(children: &str) -> String {
    manifest(&format!("<BlobList>\n<Blob><BlobPath>abc/x</BlobPath><FilePath>\\x</FilePath>{children}</Blob>\n</BlobList>"))
}

/// A block blob.
fn blocks(length: u64, blocks: &str) -> String {
    blob(&format!("<Length>{length}</Length><BlockList>{blocks}</BlockList>"))
}

/// A page blob.
fn pages(length: u64, ranges: &str) -> String {
    blob(&format!("<Length>{length}</Length><PageRangeList>{ranges}</PageRangeList>"))
}

/// One `Block` with an id or without (`""`).
fn block(offset: u64, length: u64, id: &str) -> String {
    let id = if id.is_empty() { String::new() } else { format!(" Id=\"{id}\"") };
    format!("<Block Offset=\"{offset}\" Length=\"{length}\"{id} Hash=\"{MD5_A}\"/>")
}

fn page(offset: u64, length: u64) -> String {
    format!("<PageRange Offset=\"{offset}\" Length=\"{length}\" Hash=\"{MD5_A}\"/>")
}

/// `text` again and again.
struct Repeat {
    text: Vec<u8>,
    at: usize,
    left: u64,
}

impl Repeat {
    fn new(text: impl Into<Vec<u8>>, bytes: u64) -> Self {
        Self { text: text.into(), at: 0, left: bytes }
    }
}

impl Read for Repeat {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = &self.text[self.at..];
        let count = rest.len().min(into.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        into[..count].copy_from_slice(&rest[..count]);
        self.at = (self.at + count) % self.text.len();
        self.left -= count as u64;
        Ok(count)
    }
}
