//! The configuration's limits, as each station wants them.

use crate::config::Limits;
use crate::manifest::ManifestLimits;
use crate::volume::ntfs::NtfsLimits;

impl Limits {
    /// What a manifest may ask for, on a drive of so many bytes.
    pub(crate) fn manifest(&self, drive_bytes: u64) -> ManifestLimits {
        ManifestLimits {
            bytes: self.max_manifest_bytes,
            entries: self.max_manifest_entries,
            side_files: self.max_side_files,
            amplification: self.max_amplification,
            drive_bytes,
            ..ManifestLimits::default()
        }
    }

    /// What a file system may ask for.
    pub(crate) fn ntfs(&self) -> NtfsLimits {
        NtfsLimits { names_per_directory: self.max_directory_names, runs_per_file: self.max_file_runs, ..NtfsLimits::default() }
    }

    /// How many recovery protectors a password is tried on.
    pub(crate) fn protectors(&self) -> usize {
        usize::try_from(self.max_recovery_protectors).unwrap_or(usize::MAX)
    }
}
