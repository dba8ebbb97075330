//! The catalogue on its own: any number of readers, and scratch files that are not what they were.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::manifest::{Digest, ManifestHash, ManifestLimits, read};

/// Three entries in two lists, side files at both levels.
fn sample() -> String {
    let md5 = Digest::of(b"a");
    let block = |offset: u64| format!("<Block Offset=\"{offset}\" Length=\"5\" Hash=\"{md5}\"/>");
    let blob = |name: &str, blocks: &str, length: u64, side: &str| {
        format!(
            "<Blob><BlobPath>abc/{name}</BlobPath><FilePath>\\{name}</FilePath><Length>{length}</Length><BlockList>{blocks}</BlockList>{side}</Blob>"
        )
    };
    let side = |element: &str, path: &str| format!("<{element} Hash=\"{md5}\">{path}</{element}>");
    let (meta, props) = (side("MetadataPath", "\\m"), side("PropertiesPath", "\\p"));
    let first = format!("{meta}{}{}", blob("x", &block(0), 5, ""), blob("y", "", 0, &props));
    let second = blob("z", &(block(0) + &block(5) + &block(10)), 15, &meta);
    format!(
        "<DriveManifest Version='2014-11-01'><Drive><DriveId>D</DriveId><BlobList>{first}</BlobList><BlobList/><BlobList>{second}</BlobList></Drive></DriveManifest>"
    )
}

fn spool(folder: &Path) -> Catalogue {
    let text = sample();
    let hash = ManifestHash::Md5(Digest::of(text.as_bytes()).0);
    read(text.as_bytes(), &hash, &"D".parse().unwrap(), &ManifestLimits::default(), folder).unwrap()
}

/// Everything a catalogue can give.
fn everything(catalogue: &Catalogue) -> Result<Vec<String>, CatalogueError> {
    let mut all = Vec::new();
    for number in 0..catalogue.summary().entries {
        all.push(format!("{:?}", catalogue.entry(number)?));
    }
    for entry in catalogue.entries() {
        all.push(format!("{:?}", entry?));
    }
    for range in catalogue.ranges(0, catalogue.summary().ranges) {
        all.push(format!("{:?}", range?));
    }
    for number in 0..catalogue.side_files() {
        all.push(format!("{:?}", catalogue.side_file(number)?));
    }
    Ok(all)
}

#[test]
fn numbers_beyond_the_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = spool(folder.path());
    let no_such = |file, number| format!("the catalogue has no record {number} in its {file}");
    assert_eq!(catalogue.entry(3).unwrap_err().to_string(), no_such("entries", 3));
    assert_eq!(catalogue.entry(u64::MAX).unwrap_err().to_string(), no_such("entries", u64::MAX));
    assert_eq!(catalogue.side_file(2).unwrap_err().to_string(), no_such("side files", 2));
    let beyond: Vec<_> = catalogue.ranges(3, u64::MAX).collect();
    assert_eq!((beyond.len(), beyond[0].is_ok(), beyond[1].is_ok()), (2, true, false));
    assert_eq!(catalogue.ranges(2, 0).count(), 0);
    let summary = catalogue.summary();
    assert_eq!((summary.entries, summary.ranges, summary.content_bytes, summary.side_files), (3, 4, 20, 2));
}

#[test]
fn the_files_are_private_and_a_torn_run_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ranges.dat"), "left over").unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.path().join("sides.dat")).unwrap();
    everything(&spool(folder.path())).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap().metadata().unwrap();
        assert!(file.is_file());
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn many_threads_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = spool(folder.path());
    let expected = everything(&catalogue).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (catalogue, expected) = (catalogue.clone(), &expected);
            scope.spawn(move || assert_eq!(&everything(&catalogue).unwrap(), expected));
        }
    });
}

#[test]
fn a_changed_scratch_file_is_an_error_or_the_same_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = spool(folder.path());
    let expected = everything(&catalogue).unwrap();
    for name in ["entries.dat", "entries.idx", "lists.dat", "sides.dat", "sides.idx", "ranges.dat"] {
        let path = folder.path().join(name);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            for bit in [0x01, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= bit;
                std::fs::write(&path, &bad).unwrap();
                match everything(&catalogue) {
                    // ranges are checked by their MD5 when their bytes are read
                    Ok(all) => assert!(name == "ranges.dat" || all == expected, "{name} byte {at} lies"),
                    Err(error) => assert!(matches!(error, CatalogueError::Damaged { .. }), "{name} byte {at}: {error:?}"),
                }
            }
        }
        for length in 0..good.len() {
            std::fs::write(&path, &good[..length]).unwrap();
            let error = everything(&catalogue).unwrap_err();
            assert!(matches!(error, CatalogueError::Damaged { .. }), "{name} cut to {length}: {error:?}");
        }
        std::fs::write(&path, &good).unwrap();
        assert_eq!(everything(&catalogue).unwrap(), expected);
    }
}
