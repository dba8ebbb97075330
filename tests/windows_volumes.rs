//! Volumes made by Windows, from the test data of the cryptsetup project (`tests/bitlk-images.tar.xz` there).
//!
//! They are not part of this repository. Unpack them into a folder and name it in `DOCKSIDE_WINDOWS_VOLUMES`; without it the test says that
//! it is skipped. Each volume's decrypted view must have the published SHA-256.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

use std::path::Path;
use std::sync::Arc;

use dockside::secret::RecoveryPassword;
use dockside::volume::ReadAt;
use dockside::volume::bitlocker::{BitLockerError, Sealed};
use sha2::{Digest as _, Sha256};

/// Name, recovery password and SHA-256 of the decrypted view.
const VOLUMES: &str = "
aes-cbc-128 042647-302313-590458-071500-554323-116567-412181-516978 04500a8120ba355ed206284e03e26e59b7e1f1832868e1d69bb47023ebd3460f
aes-cbc-256 616319-601744-502117-534017-367994-176748-607299-663201 35809d6db53c7ad8ff36195277b328370ea5df2c1f7003c20e07b64133d8800b
aes-xts-128 235818-357951-253979-013365-241120-245575-342914-591910 674e3a976927fd62f3fc26df2c695cac75b8d364e3b45393717efa971f16db0f
aes-xts-256 404558-436711-420860-678557-638220-018909-039941-695321 5bb6ff5acbded10be990c6fa208ab479934a08bc2e88740a1aa2642af2f42025
aes-cbc-elephant-128 529573-278784-259347-197835-171457-264044-610280-313269 b18e4f956295bc0f327e551322261fb9c74ac0d3ce58bf3b806e98474e1619ea
aes-cbc-elephant-256 618871-562507-462814-555324-264660-562727-105171-668195 0af06f010fe21522bdd77f8d2d3cb0ad5fceaf2729295ff0fd50e65adfa0b7b3
togo-aes-xts-128 243067-548680-059818-148852-287771-550088-628265-631653 5954795eb41764b59a10d86c26fd3b43fb6d89f433c8edc1e8fd48067d198591
aes-xts-128-4k 486552-140030-675719-163900-264671-413787-580239-152614 b4c0416ae643537207413ed78d4bcadae697bb86a6262864ac00afda01312277
aes-xts-128-crc 235818-357951-253979-013365-241120-245575-342914-591910 674e3a976927fd62f3fc26df2c695cac75b8d364e3b45393717efa971f16db0f
";

fn probe(folder: &Path, name: &str) -> Result<Option<Sealed>, BitLockerError> {
    Sealed::probe(Arc::new(std::fs::read(folder.join(format!("bitlk-{name}.img"))).unwrap()))
}

fn sha256(view: &dyn ReadAt) -> String {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 4 << 20];
    let mut offset = 0;
    while offset < view.size() {
        let length = buffer.len().min(usize::try_from(view.size() - offset).unwrap());
        view.read_at(offset, &mut buffer[..length]).unwrap();
        hash.update(&buffer[..length]);
        offset += length as u64;
    }
    hash.finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[test]
fn volumes_made_by_windows_decrypt_to_the_published_hashes() {
    let Some(folder) = std::env::var_os("DOCKSIDE_WINDOWS_VOLUMES") else {
        eprintln!("skipped: DOCKSIDE_WINDOWS_VOLUMES does not name a folder with volumes made by Windows");
        return;
    };
    let folder = Path::new(&folder);
    for line in VOLUMES.lines().filter(|line| !line.is_empty()) {
        let [name, password, expected] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let password: RecoveryPassword = password.parse().unwrap();
        let sealed = probe(folder, name).unwrap().unwrap();
        assert_eq!(sha256(&sealed.unlock(&password).unwrap()), expected, "{name}");
        let good = !name.ends_with("crc");
        assert_eq!(sealed.copies().map(|copy| copy.is_ok()), [good, good, true], "{name}");
        assert_eq!(sealed.to_go(), name.starts_with("togo"), "{name}");
    }
    let wrong = "042647-302313-590458-071500-554323-116567-412181-516978".parse().unwrap();
    let sealed = probe(folder, "aes-xts-128").unwrap().unwrap();
    assert!(matches!(sealed.unlock(&wrong), Err(BitLockerError::WrongKey { .. })));
    assert!(matches!(probe(folder, "aes-xts-128-eow"), Err(BitLockerError::Converting { .. })));
}
