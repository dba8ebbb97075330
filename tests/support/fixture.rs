//! Volumes under `tests/data`, kept compressed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the test data.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The content of `tests/data/NAME.xz`.
pub(crate) fn unpack(name: &str) -> Vec<u8> {
    let packed = data().join(format!("{name}.xz"));
    let output = Command::new("xz").arg("-dc").arg(&packed).output().expect("xz (package xz-utils) unpacks test volumes");
    assert!(output.status.success(), "xz cannot unpack {}", packed.display());
    output.stdout
}
