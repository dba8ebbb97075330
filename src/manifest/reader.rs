//! Reads a manifest once. In: its bytes from the drive, the hash and the drive that the job names, limits; out: a sealed
//! [catalogue](super::catalogue). Refused: another hash, any broken rule, another drive.
//!
//! ```text
//! source ─▶ tap ─────▶ xml ─────────▶ grammar ──▶ catalogue
//!           hash,      well-formed?   rules,      records
//!           bounds     tokens         values
//! ```
//!
//! The hash beats the format: the bytes are read to their end even after the parser has given up, and if they are not what the job
//! promised, what the parser thought of them is of no interest. Memory does not depend on the manifest's length.

mod attributes;
mod chars;
mod draft;
mod element;
pub(in crate::manifest) mod flat;
mod grammar;
mod sides;
mod tap;
#[cfg(test)]
mod tests;
mod values;
mod xml;

use std::io::{self, Read};
use std::path::Path;

use super::catalogue::{Catalogue, Nowhere, ScratchError, Sink, Writer};
use super::findings::{Findings, Rule};
use super::{ManifestHash, ManifestLimits, Summary, Version};
use crate::drive::DriveId;
use crate::foreign::Foreign;
use grammar::{Grammar, Halt};
use tap::{Hashes, Stop, Tap};
use xml::{Broken, Token, Xml};

/// Why a drive's manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are not those that the job announced.
    #[error("the manifest's hash is {found}, the job says {expected}")]
    Corrupted {
        /// As the job gives it.
        expected: ManifestHash,
        /// Of the bytes on the drive.
        found: ManifestHash,
    },
    /// Rules of the format are broken.
    #[error("the manifest breaks the format: {0}")]
    FormatInvalid(Findings),
    /// It is the manifest of another drive.
    #[error("the manifest is for drive {manifest}, this is drive {drive}")]
    DriveIdMismatch {
        /// `DriveId` in the manifest.
        manifest: Foreign,
        /// The drive.
        drive: DriveId,
    },
    /// The drive failed while the manifest was read.
    #[error("cannot read the manifest")]
    Read(#[source] io::Error),
    /// The scratch folder failed while the catalogue was written.
    #[error("cannot keep the catalogue")]
    Scratch(#[source] ScratchError),
}

impl ManifestError {
    /// Whether the same drive may pass next time without anybody changing the job or the drive.
    pub fn retryable(&self) -> bool {
        match self {
            // a bad line, a full disk
            Self::Read(_) | Self::Scratch(_) => true,
            // the bytes on the drive, or the job, must change first
            Self::Corrupted { .. } | Self::FormatInvalid(_) | Self::DriveIdMismatch { .. } => false,
        }
    }
}

/// Reads a manifest from `source`, checks it and spools it into the existing folder `into`. The catalogue is at most as large as the
/// manifest. Hash, rules and drive id are judged in this order.
pub fn read(
    source: impl Read,
    expected: &ManifestHash,
    drive: &DriveId,
    limits: &ManifestLimits,
    into: &Path,
) -> Result<Catalogue, ManifestError> {
    let writer = Writer::create(into).map_err(ManifestError::Scratch)?;
    let (summary, writer) = check(source, Some(expected), limits, writer)?;
    if summary.drive_id.raw().parse().as_ref() != Ok(drive) {
        return Err(ManifestError::DriveIdMismatch { manifest: summary.drive_id, drive: drive.clone() });
    }
    writer.seal(summary).map_err(ManifestError::Scratch)
}

/// Reads and checks a manifest without keeping it; `expected` if its hash is known. The drive id is not compared.
pub fn summarise(source: impl Read, expected: Option<&ManifestHash>, limits: &ManifestLimits) -> Result<Summary, ManifestError> {
    check(source, expected, limits, Nowhere).map(|(summary, _)| summary)
}

/// Hash first, then rules.
fn check<S: Sink>(
    source: impl Read,
    expected: Option<&ManifestHash>,
    limits: &ManifestLimits,
    sink: S,
) -> Result<(Summary, S), ManifestError> {
    let with_md5 = !matches!(expected, Some(ManifestHash::Sha256(_)));
    let mut xml = Xml::new(Tap::new(source, limits.bytes, with_md5));
    let mut grammar = Grammar::new(limits, sink);
    let stopped = parse(&mut xml, &mut grammar)?;
    let line = xml.line();
    let mut tap = xml.into_tap();
    match stopped.map_or_else(|| tap.drain(), Err) {
        Ok(()) => {}
        Err(Stop::Source(error)) => return Err(ManifestError::Read(error)),
        Err(Stop::TooLong | Stop::Event) => {
            // the rest stays unread, so there is no hash to judge by
            grammar.findings.add(line, None, Rule::TooLong(limits.bytes));
            return Err(ManifestError::FormatInvalid(grammar.findings));
        }
    }
    let bytes = tap.total();
    let hashes = tap.hashes();
    if let Some((expected, found)) = expected.map(|hash| (*hash, hashes.like(hash))).filter(|(expected, found)| expected != found)
    {
        return Err(ManifestError::Corrupted { expected, found });
    }
    match grammar.head.version {
        Some(version) if grammar.findings.is_empty() => Ok(grammar.finish(version, bytes, hashes)),
        _ => Err(ManifestError::FormatInvalid(grammar.findings)),
    }
}

/// Feeds the grammar until the document ends or cannot be read on; then the reason, if bytes are the reason.
fn parse<R: Read, S: Sink>(xml: &mut Xml<R>, grammar: &mut Grammar<'_, S>) -> Result<Option<Stop>, ManifestError> {
    loop {
        let step = match xml.next() {
            Ok(token) => grammar.token(&token).map(|()| token == Token::End),
            Err(Broken::Bytes(Stop::Event)) => Err(Halt::Rule(Rule::EventTooLong)),
            Err(Broken::Bytes(stop)) => return Ok(Some(stop)),
            Err(Broken::Rule(rule)) => Err(Halt::Rule(rule)),
        };
        let ended = match step {
            Ok(ended) => ended,
            Err(Halt::Scratch(error)) => return Err(ManifestError::Scratch(error)),
            Err(Halt::Rule(rule)) => {
                // the bytes behind it are still there to be hashed
                grammar.broken(rule);
                true
            }
        };
        if grammar.wants_line() {
            grammar.settle(xml.line());
        }
        if ended {
            return Ok(None);
        }
    }
}

impl<S: Sink> Grammar<'_, S> {
    fn finish(self, version: Version, manifest_bytes: u64, hashes: Hashes) -> (Summary, S) {
        let summary = Summary {
            version,
            drive_id: Foreign::new(self.head.drive_id),
            entries: self.totals.entries,
            ranges: self.totals.ranges,
            content_bytes: self.totals.content_bytes,
            side_files: self.sides.count(),
            manifest_bytes,
            sha256: hashes.sha256,
            md5: hashes.md5,
            had_credential: self.head.had_credential,
        };
        (summary, self.sink)
    }
}

impl Hashes {
    /// The hash of the kind that `expected` has.
    fn like(&self, expected: &ManifestHash) -> ManifestHash {
        match (expected, self.md5) {
            (ManifestHash::Md5(_), Some(md5)) => ManifestHash::Md5(md5),
            _ => ManifestHash::Sha256(self.sha256),
        }
    }
}
