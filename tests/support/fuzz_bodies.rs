//! What fuzzing calls: one function for each thing that reads foreign bytes. In: any bytes. A body must come back, whatever they
//! are: an error of the library is an answer, a panic or an endless loop is a fault. `tests/fuzz.rs` and the targets of `fuzz/`
//! include this file.
//!
//! A new body: its function here, its line in [`BODIES`], its test in `tests/fuzz.rs`, `fuzz/fuzz_targets/NAME.rs`,
//! `fuzz/NAME.dict` and seeds in `tests/data/fuzz/NAME/`.

use std::str::FromStr;

use dockside::drive::DriveId;
use dockside::manifest::{BlobPath, ContainerName, Digest, ManifestHash};
use dockside::secret::RecoveryPassword;
use dockside::volume::DrivePath;

/// A body.
pub(crate) type Body = fn(&[u8]);

/// Every body by its name.
pub(crate) const BODIES: &[(&str, Body)] = &[("names", names)];

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
