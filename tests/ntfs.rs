//! The NTFS reader against volumes that mkfs.ntfs and ntfs-3g wrote: every file to the bit, and other readers' opinion where they are
//! installed. `tests/data/ntfs/make.sh` makes the volumes and the lists of what was written to them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::Arc;

use dockside::volume::DrivePath;
use dockside::volume::ntfs::{DirEntry, FileError, FileErrorClass, Node, Ntfs, NtfsFile, NtfsLimits};
use sha2::{Digest, Sha256};

const VOLUMES: [&str; 5] = ["mixed-512", "mixed-4096-sector", "large-cluster", "compressed", "fragmented"];

/// Size and SHA-256 by path.
type Listed = BTreeMap<String, (u64, String)>;

fn volume(name: &str) -> Ntfs {
    Ntfs::open(Arc::new(fixture::unpack(&format!("ntfs/{name}.img"))), NtfsLimits::default()).unwrap()
}

fn listed(name: &str) -> Listed {
    let text = std::fs::read_to_string(fixture::data().join(format!("ntfs/{name}.list"))).unwrap();
    let entry = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let (digest, size, path) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        (path.replace('/', "\\"), (size.parse().unwrap(), digest.to_owned()))
    };
    text.lines().map(entry).collect()
}

fn path(text: &str) -> DrivePath {
    text.parse().unwrap()
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Hashes a file in pieces of `step` bytes.
fn digest(file: &mut NtfsFile, step: usize) -> String {
    let mut hash = Sha256::new();
    let mut buffer = vec![0xEE; step];
    let mut at = 0;
    while at < file.len() {
        let length = buffer.len().min(usize::try_from(file.len() - at).unwrap());
        file.read_at(at, &mut buffer[..length]).unwrap();
        hash.update(&buffer[..length]);
        at += length as u64;
    }
    hex(&hash.finalize())
}

fn names(ntfs: &Ntfs, directory: &Node) -> Vec<DirEntry> {
    let mut found = Vec::new();
    let mut each = |entry| {
        found.push(entry);
        ControlFlow::Continue(())
    };
    ntfs.list(directory, &mut each).unwrap();
    found
}

/// All files below the root that are plain content, by walking the listings.
fn walk(ntfs: &Ntfs) -> BTreeMap<String, Node> {
    let mut files = BTreeMap::new();
    let mut open = vec![(String::new(), ntfs.root())];
    while let Some((prefix, directory)) = open.pop() {
        for entry in names(ntfs, &directory) {
            let full = format!("{prefix}{}", entry.node.name.raw());
            if entry.node.is_directory {
                open.push((full + "\\", entry.node));
            } else {
                files.insert(full, entry.node);
            }
        }
    }
    files
}

#[test]
fn every_file_reads_as_it_was_written_in_pieces_of_any_size() {
    for name in VOLUMES {
        let ntfs = volume(name);
        for (text, (size, expected)) in listed(name) {
            let node = ntfs.lookup(&path(&text)).unwrap_or_else(|error| panic!("{name}: {text}: {error}"));
            let mut file = ntfs.file(&node).unwrap_or_else(|error| panic!("{name}: {text}: {error}"));
            assert_eq!(file.len(), size, "{name}: {text}");
            let steps: &[usize] = if size < 10_000 { &[1 << 20, 97] } else { &[1 << 20, 65_536, 5000, 1021] };
            for &step in steps {
                assert_eq!(digest(&mut file, step), expected, "{name}: {text} in pieces of {step}");
            }
        }
    }
}

#[test]
fn listings_hold_what_was_written_and_nothing_else() {
    for name in VOLUMES {
        let ntfs = volume(name);
        let mut found = walk(&ntfs);
        for (text, _) in listed(name) {
            let node = found.remove(&text).unwrap_or_else(|| panic!("{name}: {text} is not listed"));
            assert_eq!(ntfs.lookup(&path(&text)).unwrap(), node, "{name}: {text}");
        }
        // what Windows keeps for itself is listed, but no path leads there
        for (text, node) in found.into_iter().filter(|(text, _)| !text.starts_with("System Volume Information")) {
            let error = ntfs.file(&node).map(|_| ()).unwrap_err();
            assert!(matches!(error, FileError::Reparse { .. }), "{name}: {text} was not written: {error}");
        }
    }
}

#[test]
fn a_file_can_be_read_from_any_place() {
    for name in VOLUMES {
        let ntfs = volume(name);
        for (text, (size, _)) in listed(name).into_iter().filter(|(_, (size, _))| *size > 10_000) {
            let mut file = ntfs.file(&ntfs.lookup(&path(&text)).unwrap()).unwrap();
            let mut whole = vec![0; usize::try_from(size).unwrap()];
            file.read_at(0, &mut whole).unwrap();
            let mut random = fastrand::Rng::with_seed(size);
            for _ in 0..100 {
                let start = random.usize(..whole.len());
                let length = random.usize(..=(whole.len() - start).min(100_000));
                let mut part = vec![0xEE; length];
                file.read_at(start as u64, &mut part).unwrap();
                assert!(part == whole[start..start + length], "{name}: {text} at {start}+{length}");
            }
            assert!(matches!(file.read_at(size, &mut [0]), Err(FileError::BeyondEnd { .. })));
            assert!(matches!(file.read_at(u64::MAX, &mut [0]), Err(FileError::BeyondEnd { .. })));
        }
    }
}

#[test]
fn extents_cover_a_file_once_and_lead_to_its_bytes() {
    for name in VOLUMES {
        let image = fixture::unpack(&format!("ntfs/{name}.img"));
        let ntfs = volume(name);
        for (text, node) in walk(&ntfs) {
            let Ok(mut file) = ntfs.file(&node) else { continue };
            let extents: Vec<_> = file.extents().collect();
            let mut at = 0;
            for extent in &extents {
                assert_eq!(extent.file_offset, at, "{name}: {text}");
                at += extent.length;
                if let (Some(place), false) = (extent.disk_offset, extent.compressed) {
                    let mut bytes = vec![0; usize::try_from(extent.length).unwrap()];
                    file.read_at(extent.file_offset, &mut bytes).unwrap();
                    let place = usize::try_from(place).unwrap();
                    // zeros beyond what was ever written are not on the disk
                    let equal = bytes == image[place..place + bytes.len()];
                    assert!(equal || bytes.iter().rev().take(512).all(|&byte| byte == 0), "{name}: {text} at {at}");
                }
            }
            assert_eq!(at, if file.is_resident() { 0 } else { file.len() }, "{name}: {text}");
        }
    }
}

#[test]
fn the_volumes_have_what_they_were_made_for() {
    let kinds = |name: &str| -> (usize, usize, usize) {
        let ntfs = volume(name);
        let files: Vec<_> = walk(&ntfs).into_values().filter_map(|node| ntfs.file(&node).ok()).collect();
        let resident = files.iter().filter(|file| file.is_resident()).count();
        let compressed = files.iter().filter(|file| file.is_compressed()).count();
        (resident, compressed, files.iter().map(|file| file.extents().count()).max().unwrap())
    };
    let (resident, compressed, _) = kinds("mixed-512");
    assert!(resident > 200 && compressed == 0);
    let (_, compressed, _) = kinds("compressed");
    assert!(compressed > 10);
    let (_, _, runs) = kinds("fragmented");
    assert!(runs > 100, "{runs} runs");
    let info = volume("mixed-4096-sector").info().clone();
    assert_eq!((info.sector_size, info.cluster_size, info.record_size), (4096, 4096, 4096));
    let info = volume("large-cluster").info().clone();
    assert_eq!((info.sector_size, info.cluster_size, info.record_size), (512, 65_536, 1024));
}

#[test]
fn a_volume_tells_about_itself() {
    for name in VOLUMES {
        let ntfs = volume(name);
        let info = ntfs.info();
        assert_eq!(info.label.raw(), format!("label {name}"));
        assert_eq!((info.version, info.log_clean), (Some((3, 1)), Some(true)));
        assert!(!info.not_dismounted() && !info.backup_boot_used && !info.mirror_used && !info.own_upcase_used, "{info:?}");
    }
}

#[test]
fn names_match_exactly_first_and_by_case_only_if_that_is_clear() {
    let ntfs = volume("mixed-512");
    let name = |text: &str| ntfs.lookup(&path(text)).map(|node| node.name.into_raw());
    assert_eq!(name("case\\Same.txt").unwrap(), "Same.txt");
    assert_eq!(name("case\\same.txt").unwrap(), "same.txt");
    assert_eq!(name("CASE\\ONLY.TXT").unwrap(), "Only.txt");
    assert_eq!(name("names\\αβγ ΛΌΓΟς.TXT").unwrap(), "ΑΒΓ λόγος.txt");
    assert_eq!(name("case\\SAME.txt").unwrap_err().class(), FileErrorClass::NameInvalid);
    assert_eq!(name("case\\none.txt").unwrap_err().class(), FileErrorClass::NotFound);
    assert_eq!(name("case\\Only.txt\\x").unwrap_err().class(), FileErrorClass::NotFound);
    assert_eq!(name("nowhere\\x").unwrap_err().class(), FileErrorClass::NotFound);
}

#[test]
fn names_of_ms_dos_lead_to_their_file_and_are_not_listed() {
    for name in ["mixed-512", "mixed-4096-sector"] {
        let ntfs = volume(name);
        let long = ntfs.lookup(&path("dos\\A LONG name.txt")).unwrap();
        let short = ntfs.lookup(&path("dos\\alongn~1.txt")).unwrap();
        assert_eq!((long.record(), long.name.raw()), (short.record(), "A long name.txt"));
        assert_eq!(ntfs.lookup(&path("dos\\ALONGN~2.TXT")).unwrap().name.raw(), "alongn~2.txt");
        let listed = names(&ntfs, &ntfs.lookup(&path("dos")).unwrap());
        assert_eq!(listed.iter().map(|entry| entry.node.name.raw()).collect::<Vec<_>>(), ["A long name.txt", "alongn~2.txt"]);
    }
}

#[test]
fn what_windows_keeps_for_itself_has_no_other_name() {
    let ntfs = volume("mixed-512");
    for text in ["SYSTEM~1", "system~1\\file"] {
        let error = ntfs.lookup(&path(text)).unwrap_err();
        assert!(matches!(error, FileError::SystemFile { .. }), "{text}: {error}");
        assert_eq!(error.class(), FileErrorClass::NameInvalid);
    }
}

#[test]
fn what_is_no_plain_file_is_refused_by_name() {
    let ntfs = volume("mixed-512");
    let open = |text: &str| ntfs.lookup(&path(text)).and_then(|node| ntfs.file(&node).map(|_| ()));
    for text in ["streams\\symlink", "linkdir\\1.bin", "linkdir"] {
        let error = open(text).unwrap_err();
        assert!(matches!(error, FileError::Reparse { tag: 0xA000_000C | 0xA000_001D, .. }), "{text}: {error}");
        assert_eq!(error.class(), FileErrorClass::AccessDenied);
    }
    assert!(matches!(open("sizes").unwrap_err(), FileError::IsADirectory { .. }));
    assert!(matches!(ntfs.file(&ntfs.root()), Err(FileError::IsADirectory { record: 5 })));
}

#[test]
fn streams_and_links_are_seen() {
    for name in ["mixed-512", "mixed-4096-sector"] {
        let ntfs = volume(name);
        let file = ntfs.file(&ntfs.lookup(&path("streams\\file.bin")).unwrap()).unwrap();
        assert_eq!(file.named_streams().len(), 40);
        assert!(file.named_streams().iter().any(|stream| stream.raw() == "stream07"));
        let record = |text: &str| ntfs.lookup(&path(text)).unwrap().record();
        assert_eq!(record("links\\original.txt"), record("links\\LINK number 059.txt"));
    }
}

#[test]
fn the_second_boot_sector_and_the_mirror_stand_in() {
    for name in VOLUMES {
        let mut image = fixture::unpack(&format!("ntfs/{name}.img"));
        let mft = u64::from_le_bytes(image[48..56].try_into().unwrap());
        let cluster = volume(name).info().cluster_size;
        image[..512].fill(0);
        let place = usize::try_from(mft * cluster).unwrap();
        image[place + 100] ^= 0xFF;
        image[place + 510] ^= 0xFF;
        let ntfs = Ntfs::open(Arc::new(image), NtfsLimits::default()).unwrap();
        assert!(ntfs.info().backup_boot_used && ntfs.info().mirror_used, "{name}");
        let (text, (_, expected)) = listed(name).into_iter().next_back().unwrap();
        let mut file = ntfs.file(&ntfs.lookup(&path(&text)).unwrap()).unwrap();
        assert_eq!(digest(&mut file, 4096), expected);
    }
}

/// Asks `ntfscat` for each larger file.
#[test]
fn ntfscat_reads_the_same() {
    if Command::new("ntfscat").arg("--help").output().is_err() {
        eprintln!("skipped: ntfscat (package ntfs-3g) is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in VOLUMES {
        let image = folder.path().join(name);
        std::fs::write(&image, fixture::unpack(&format!("ntfs/{name}.img"))).unwrap();
        let ntfs = volume(name);
        for (text, _) in listed(name).into_iter().filter(|(_, (size, _))| *size > 20_000) {
            let output = Command::new("ntfscat").arg("-f").arg(&image).arg(text.replace('\\', "/")).output().unwrap();
            let mut file = ntfs.file(&ntfs.lookup(&path(&text)).unwrap()).unwrap();
            let mut ours = vec![0; usize::try_from(file.len()).unwrap()];
            file.read_at(0, &mut ours).unwrap();
            assert!(ours == output.stdout, "{name}: {text}");
        }
    }
}

/// Reads each path of standard input from the volume that is named, and prints SHA-256 and length.
const DISSECT: &str = "
import hashlib, sys
from dissect.ntfs import NTFS
volume = NTFS(open(sys.argv[1], 'rb'))
for line in sys.stdin:
    content = volume.mft.get(line.rstrip('\\n')).open().read()
    print(hashlib.sha256(content).hexdigest(), len(content))
";

/// Asks dissect.ntfs for every file but those whose names differ from another only in case, of which it takes the first.
#[test]
fn dissect_reads_the_same() {
    if !Command::new("python3").args(["-c", "import dissect.ntfs"]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: dissect.ntfs (from PyPI, for python3) is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in VOLUMES {
        let image = folder.path().join(name);
        std::fs::write(&image, fixture::unpack(&format!("ntfs/{name}.img"))).unwrap();
        let files: Vec<_> = listed(name).into_iter().collect();
        let alone = |text: &str| files.iter().filter(|(other, _)| other.to_lowercase() == text.to_lowercase()).count() == 1;
        let files: Vec<_> = files.iter().filter(|(text, _)| alone(text)).collect();
        let paths: String = files.iter().map(|(text, _)| text.replace('\\', "/") + "\n").collect();
        let list = folder.path().join("paths");
        std::fs::write(&list, paths).unwrap();
        let input = std::fs::File::open(&list).unwrap();
        let output = Command::new("python3").args(["-c", DISSECT]).arg(&image).stdin(input).output().unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        let ntfs = volume(name);
        for ((text, _), theirs) in files.iter().zip(theirs.lines()) {
            let mut file = ntfs.file(&ntfs.lookup(&path(text)).unwrap()).unwrap();
            let mut ours = vec![0; usize::try_from(file.len()).unwrap()];
            file.read_at(0, &mut ours).unwrap();
            assert_eq!(format!("{} {}", hex(&Sha256::digest(&ours)), ours.len()), theirs, "{name}: {text}");
        }
        assert_eq!(theirs.lines().count(), files.len(), "{name}");
    }
}
