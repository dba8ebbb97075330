//! What is known of a whole manifest once it has been read. In: counts and hashes from the reader; out: the receipt's and `inspect`'s
//! figures. It holds no credential, only whether there was one.

use serde::{Deserialize, Serialize};

use crate::foreign::Foreign;

/// `DriveManifest/@Version`. One grammar serves both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// `2011-10-01`.
    V2011,
    /// `2014-11-01`.
    V2014,
}

impl Version {
    /// As the manifest writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2011 => "2011-10-01",
            Self::V2014 => "2014-11-01",
        }
    }
}

/// Figures of a manifest that breaks no rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its version.
    pub version: Version,
    /// `DriveId` to the letter; of a sealed catalogue it is the drive's, blanks aside.
    pub drive_id: Foreign,
    /// `Blob` elements.
    pub entries: u64,
    /// Blocks and page ranges of all entries.
    pub ranges: u64,
    /// Bytes of all ranges.
    pub content_bytes: u64,
    /// Distinct metadata and properties files.
    pub side_files: u32,
    /// Bytes of the manifest.
    pub manifest_bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// MD5 of its bytes; not computed if the job gave a SHA-256.
    pub md5: Option<[u8; 16]>,
    /// Whether it carried an account key or SAS; the credential itself was dropped.
    pub had_credential: bool,
}
