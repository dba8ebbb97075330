//! The drives of `tests/data/drives`, unpacked once for each build and left in the target folder.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dockside::volume::{ReadAt, ReadError, Window};
use serde_json::Value;

/// A drive image and what is known of it.
pub(crate) struct Drive {
    /// The unpacked image.
    pub(crate) image: PathBuf,
    /// What the maker says is on it: the files' names and hashes, the partition, the faults.
    pub(crate) about: Value,
}

/// One file of a drive as its maker hashed it.
pub(crate) struct Listed {
    /// Path from the root with `\`.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) length: u64,
    /// Lower-case hex.
    pub(crate) sha256: String,
}

/// The folder of the drives.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/drives")
}

/// The drive of that name, unpacked.
pub(crate) fn drive(name: &str) -> Drive {
    let packed = folder().join(format!("{name}.img.xz"));
    let image = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.img"));
    if !is_newer(&image, &packed) {
        unpack(&packed, &image);
    }
    Drive { image, about: json(&format!("{name}.img.json")) }
}

/// A JSON file of the drives' folder.
pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

fn is_newer(image: &Path, packed: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|m| m.modified());
    matches!((time(image), time(packed)), (Ok(image), Ok(packed)) if image > packed)
}

/// Unpacks under a name of its own, then renames: tests of several processes may want the same drive at once.
fn unpack(packed: &Path, image: &Path) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let own = image.with_extension(format!("{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let out = File::create(&own).unwrap();
    let done = Command::new("xz").args(["--decompress", "--stdout"]).arg(packed).stdout(Stdio::from(out)).status();
    assert!(done.expect("xz is needed to unpack test drives").success(), "{} is broken", packed.display());
    fs::rename(own, image).unwrap();
}

impl Drive {
    /// The partition with the files, encrypted or not.
    pub(crate) fn partition(&self) -> Window<Image> {
        let field = |name: &str| self.about["partition"][name].as_u64().unwrap();
        Window::new(Image::open(&self.image), field("offset"), field("length")).unwrap()
    }

    /// The files that the maker put on the drive, before any fault.
    pub(crate) fn files(&self) -> Vec<Listed> {
        let text = |file: &Value, name: &str| file[name].as_str().unwrap().to_owned();
        let listed = |file: &Value| Listed {
            path: text(file, "path").replace('/', "\\"),
            length: file["length"].as_u64().unwrap(),
            sha256: text(file, "sha256"),
        };
        self.about["files"].as_array().unwrap().iter().map(listed).collect()
    }
}

/// An image file as a device.
pub(crate) struct Image {
    file: Arc<File>,
    size: u64,
}

impl Image {
    pub(crate) fn open(path: &Path) -> Self {
        let file = File::open(path).unwrap();
        let size = file.metadata().unwrap().len();
        Self { file: Arc::new(file), size }
    }
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size)?;
        let length = buffer.len() as u64;
        let failed = |source| ReadError::Io { offset, length, source };
        self.file.read_exact_at(buffer, offset).map_err(failed)
    }
}
