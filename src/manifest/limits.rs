//! What a manifest may ask of this host. In: defaults, or the configuration. Everything above a limit is a finding, so that work, disk space
//! and memory are bounded before a hostile drive is believed.

/// Limits of one manifest. The defaults are the service's own limits where it has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestLimits {
    /// Bytes of the manifest (16 GiB).
    pub bytes: u64,
    /// `Blob` elements (50 million).
    pub entries: u64,
    /// Distinct metadata and properties files (10,000).
    pub side_files: u64,
    /// Bytes of one block or page range (4 MiB).
    pub block_bytes: u64,
    /// Blocks of one blob (50,000).
    pub blocks: u64,
    /// Bytes of a block blob (5,000,000 MiB, about 4.768 TiB; fifty thousand blocks of 4 MiB end far below it).
    pub block_blob_bytes: u64,
    /// Bytes of a page blob (8 TiB).
    pub page_blob_bytes: u64,
    /// How often the drive's size all listed ranges together may be (4).
    pub amplification: u64,
    /// Bytes of the drive, for `amplification` (no bound by default).
    pub drive_bytes: u64,
    /// Findings kept to be shown; the rest is counted (100).
    pub findings_shown: usize,
}

impl Default for ManifestLimits {
    fn default() -> Self {
        Self {
            bytes: 16 << 30,
            entries: 50_000_000,
            side_files: 10_000,
            block_bytes: 4 << 20,
            blocks: 50_000,
            block_blob_bytes: 5_000_000 << 20,
            page_blob_bytes: 8 << 40,
            amplification: 4,
            drive_bytes: u64::MAX,
            findings_shown: 100,
        }
    }
}

impl ManifestLimits {
    /// Bytes that all listed ranges together may have.
    pub fn content_bytes(&self) -> u64 {
        self.amplification.saturating_mul(self.drive_bytes)
    }
}
