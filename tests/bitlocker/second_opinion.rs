//! The writer against an independent reader: where dislocker is installed, it must decrypt the tests' volumes to the same bytes.

use std::process::Command;

use super::bitlocker_writer::{Method, Options, Protector, RELOCATED, encrypt};
use super::{OTHER, PASSWORD, PLAIN, options, plain};

/// A plain volume that passes for NTFS: dislocker looks at the boot sector.
fn ntfs_like(sector_size: u16) -> Vec<u8> {
    let mut plain = plain();
    plain[..RELOCATED].fill(0x11);
    plain[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
    plain[11..13].copy_from_slice(&sector_size.to_le_bytes());
    plain[510..512].copy_from_slice(&[0x55, 0xaa]);
    plain
}

#[test]
fn dislocker_reads_the_same_from_these_volumes() {
    if Command::new("dislocker-file").arg("-h").output().is_err() {
        eprintln!("skipped: dislocker-file is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [sealed, open] = ["sealed", "open"].map(|name| folder.path().join(name));
    for method in Method::ALL {
        for sector_size in [512, 4096] {
            let protectors =
                vec![Protector::Tpm, Protector::Recovery(PASSWORD.to_owned()), Protector::Recovery(OTHER.to_owned())];
            let plain = ntfs_like(sector_size);
            let volume = encrypt(plain.clone(), &Options { method, sector_size, protectors, ..options() });
            std::fs::write(&sealed, &volume.bytes).unwrap();
            let mut dislocker = Command::new("dislocker-file");
            let told = dislocker.arg("-V").arg(&sealed).arg(format!("-p{PASSWORD}")).arg("--").arg(&open).output().unwrap();
            assert!(told.status.success(), "{method:?}, {sector_size}: {}", String::from_utf8_lossy(&told.stdout));
            let opened = std::fs::read(&open).unwrap();
            assert!(opened[..PLAIN] == plain, "{method:?} with sectors of {sector_size}: dislocker reads other bytes");
            std::fs::remove_file(&open).unwrap();
        }
    }
}
