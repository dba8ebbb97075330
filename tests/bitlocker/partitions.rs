//! A volume in a partition: its sectors are counted from the start of the partition. The tables are checked by partx where it is installed.

use std::process::Command;
use std::sync::Arc;

use dockside::volume::Window;
use dockside::volume::bitlocker::Sealed;

use super::bitlocker_writer::{Options, encrypt};
use super::partition_writer::{Damage, Other, Scheme, Table, wrap};
use super::{PASSWORD, all, expected, options, password, plain};

#[test]
fn a_volume_in_a_partition_counts_its_own_sectors() {
    for (scheme, sector_size) in [(Scheme::Gpt, 512), (Scheme::Gpt, 4096), (Scheme::Mbr, 512)] {
        let options = Options { sector_size, ..options() };
        let volume = encrypt(plain(), &options).bytes;
        let others = vec![Other::Efi, Other::Reserved, Other::Recovery];
        let (disk, start) = wrap(&volume, &Table { scheme, sector_size: sector_size.into(), others, damage: None });
        let window = Window::new(disk, start as u64, volume.len() as u64).unwrap();
        let view = Sealed::probe(Arc::new(window)).unwrap().unwrap().unlock(&password(PASSWORD)).unwrap();
        assert!(all(&view) == expected(), "{scheme:?} with sectors of {sector_size}");
    }
}

#[test]
fn the_tables_are_what_partx_takes_for_tables() {
    if Command::new("partx").arg("--version").output().is_err() {
        eprintln!("skipped: partx is not installed");
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    for (scheme, sector_size) in [(Scheme::Gpt, 512), (Scheme::Gpt, 4096), (Scheme::Mbr, 512)] {
        for damage in [None, Some(Damage::Header), Some(Damage::HeaderSum), Some(Damage::Entries)] {
            let table = Table { scheme, sector_size, others: vec![Other::Efi, Other::Reserved], damage };
            let (disk, start) = wrap(&plain(), &table);
            std::fs::write(file.path(), disk).unwrap();
            let mut partx = Command::new("partx");
            partx.args(["--raw", "--noheadings", "--output", "START,SECTORS"]);
            let told = partx.arg(format!("--sector-size={sector_size}")).arg(file.path()).output().unwrap();
            let text = String::from_utf8_lossy(&told.stdout);
            // partx counts in units of 512 bytes whatever the sectors are
            let expected = format!("{} {}", start / 512, plain().len() / 512);
            assert_eq!(text.lines().nth(2), Some(expected.as_str()), "{table:?}: {}", String::from_utf8_lossy(&told.stderr));
        }
    }
}
