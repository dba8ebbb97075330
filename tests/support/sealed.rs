//! Plain test drives, encrypted under the key of their job: each once for each build, left in the target folder.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use dockside::volume::ReadAt as _;

use super::bitlocker_writer::{Options, Protector, encrypt};
use super::drives::{drive, json};

/// The volume of a plain drive behind BitLocker (XTS-AES 128), as an image without a partition table.
pub(crate) fn sealed(name: &str) -> PathBuf {
    let plain = drive(name);
    let image = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.sealed.img"));
    let time = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    if time(&image).is_some_and(|made| Some(made) > time(&plain.image)) {
        return image;
    }
    let volume = plain.partition();
    let mut bytes = vec![0; usize::try_from(volume.size()).unwrap()];
    volume.read_at(0, &mut bytes).unwrap();
    let mut options = Options::new(vec![Protector::Recovery(password(name))]);
    options.sector_size = u16::try_from(plain.about["partition"]["sector_size"].as_u64().unwrap()).unwrap();
    // another process may make the same one: each under a name of its own
    let own = image.with_extension(format!("{}-{:?}", process::id(), std::thread::current().id()));
    fs::write(&own, encrypt(bytes, &options).bytes).unwrap();
    fs::rename(own, &image).unwrap();
    image
}

/// The recovery password that a drive's job gives.
pub(crate) fn password(name: &str) -> String {
    let job = json(&format!("{name}.img.job.json"));
    job["properties"]["driveList"][0]["bitLockerKey"].as_str().unwrap().to_owned()
}
