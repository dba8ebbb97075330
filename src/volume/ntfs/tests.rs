//! The reader as a whole on small volumes that were damaged on purpose.

use std::process::Command;

use super::*;
use crate::volume::ReadError;

/// A volume of `tests/data`, read once.
fn volume(name: &str) -> Arc<Vec<u8>> {
    let path = format!("{}/tests/data/ntfs/{name}.img.xz", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("xz").arg("-dc").arg(&path).output().unwrap();
    assert!(output.status.success(), "xz cannot unpack {path}");
    Arc::new(output.stdout)
}

/// A volume with some bytes changed.
struct Patched {
    base: Arc<Vec<u8>>,
    patches: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        self.base.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.base.read_at(offset, buffer)?;
        for (at, bytes) in &self.patches {
            for (place, &byte) in (*at..).zip(bytes) {
                if let Some(target) = place.checked_sub(offset).and_then(|n| buffer.get_mut(usize::try_from(n).unwrap())) {
                    *target = byte;
                }
            }
        }
        Ok(())
    }
}

fn open(base: &Arc<Vec<u8>>, patches: Vec<(u64, Vec<u8>)>) -> Result<Ntfs, NtfsError> {
    Ntfs::open(
        Arc::new(Patched { base: Arc::clone(base), patches }),
        NtfsLimits { cache_bytes: 1 << 20, ..NtfsLimits::default() },
    )
}

fn path(text: &str) -> DrivePath {
    text.parse().unwrap()
}

/// Lists everything, opens everything, reads up to 100 KB of each file. Returns how many files were read.
fn visit_all(ntfs: &Ntfs) -> u64 {
    let mut read = 0;
    let mut open = vec![ntfs.root()];
    let mut visited = std::collections::HashSet::new();
    let mut buffer = vec![0; 100_000];
    while let Some(directory) = open.pop() {
        if !visited.insert(directory.record()) || visited.len() > 1000 {
            continue;
        }
        let mut names = Vec::new();
        let _ = ntfs.list(&directory, &mut |entry| {
            names.push(entry);
            ControlFlow::Continue(())
        });
        for (number, DirEntry { node, .. }) in names.into_iter().enumerate() {
            if number % 16 == 0
                && let Ok(path) = node.name.raw().parse()
            {
                let _ = ntfs.volume.lookup(&directory, &path);
            }
            if node.is_directory {
                open.push(node);
            } else if let Ok(mut file) = ntfs.file(&node) {
                assert!(file.extents().take(10_000).count() <= 10_000);
                let length = usize::try_from(file.len().min(buffer.len() as u64)).unwrap();
                read += u64::from(file.read_at(0, &mut buffer[..length]).is_ok());
            }
        }
    }
    read
}

/// Where the metadata lies: the boot sector, and every sector that begins a record or an index block, or follows one.
fn metadata(base: &[u8]) -> Vec<u64> {
    let mut places = vec![0; 20];
    for (number, sector) in base.chunks(512).enumerate() {
        if sector.starts_with(b"FILE") || sector.starts_with(b"INDX") {
            places.extend([number as u64 * 512, number as u64 * 512, number as u64 * 512 + 512]);
        }
    }
    places
}

/// Changes that a random byte would rarely hit on: borders, and small steps from what is there.
fn mutate(random: &mut fastrand::Rng, base: &[u8], places: &[u64]) -> Vec<(u64, Vec<u8>)> {
    (0..random.usize(1..4))
        .map(|_| {
            let sector = *random.choice(places).unwrap();
            // headers are hit more often than what follows
            let within = if random.bool() { random.u64(..128) } else { random.u64(..510) };
            let at = (sector + within).min(base.len() as u64 - 8);
            let there = base[usize::try_from(at).unwrap()];
            let bytes = match random.u8(..6) {
                0 => vec![random.u8(..)],
                1 => vec![there ^ (1 << random.u8(..8))],
                2 => vec![there.wrapping_add(random.u8(..3)).wrapping_sub(1)],
                3 => vec![0xFF; random.usize(1..9)],
                4 => vec![0; random.usize(1..9)],
                _ => random.u64(..).to_le_bytes()[..random.usize(1..9)].to_vec(),
            };
            (at, bytes)
        })
        .collect()
}

#[test]
fn twenty_thousand_damaged_volumes_are_walked_without_harm() {
    let volumes = ["mixed-512", "fragmented", "compressed", "large-cluster"].map(volume);
    let places = volumes.each_ref().map(|volume| metadata(volume));
    let mut random = fastrand::Rng::with_seed(6);
    let (mut opened, mut longest) = (0, std::time::Duration::ZERO);
    for round in 0..20_000 {
        let which = random.usize(..volumes.len());
        let patches = mutate(&mut random, &volumes[which], &places[which]);
        let start = std::time::Instant::now();
        if let Ok(ntfs) = open(&volumes[which], patches) {
            opened += 1;
            // a whole walk each time would only repeat what was not changed
            if round % 20 == 0 {
                visit_all(&ntfs);
            } else {
                visit_patched(&ntfs, &mut random);
            }
        }
        longest = longest.max(start.elapsed());
    }
    assert!(opened > 10_000, "{opened} volumes could be opened");
    assert!(longest.as_secs() < 20, "one volume took {longest:?}");
}

/// Opens records by their number, past the index: the damaged one among them more often than not.
fn visit_patched(ntfs: &Ntfs, random: &mut fastrand::Rng) {
    let mut buffer = [0; 5000];
    for _ in 0..20 {
        let record = random.u64(FIRST_USER_RECORD..ntfs.info().records.clamp(25, 2000));
        let node = Node::new(Reference { record, sequence: 0 }, false, Foreign::default());
        match ntfs.file(&node) {
            Ok(mut file) => {
                let length = usize::try_from(file.len().min(5000)).unwrap();
                let _ = file.read_at(0, &mut buffer[..length]);
            }
            Err(FileError::IsADirectory { .. }) => {
                let _ = ntfs.list(&node, &mut |_| ControlFlow::Continue(()));
                let _ = ntfs.volume.lookup(&node, &path("some name.txt"));
            }
            Err(_) => {}
        }
    }
}

/// Byte of the volume at which a record begins; the table must be one run up to there.
fn place(base: &[u8], record: u64) -> u64 {
    let number = |at: usize| u64::from_le_bytes(base[at..at + 8].try_into().unwrap());
    let (sector, factor) = (u64::from(base[11]) | u64::from(base[12]) << 8, u64::from(base[13]));
    let start = number(48) * sector * factor;
    (start..base.len() as u64)
        .step_by(512)
        .find(|&at| {
            let at = usize::try_from(at).unwrap();
            base[at..].starts_with(b"FILE") && u64::from(base[at + 44]) | u64::from(base[at + 45]) << 8 == record
        })
        .unwrap()
}

/// The record of a file and where it lies.
fn located(base: &Arc<Vec<u8>>, text: &str) -> (u64, usize) {
    let record = open(base, Vec::new()).unwrap().lookup(&path(text)).unwrap().record();
    (record, usize::try_from(place(base, record)).unwrap())
}

/// Byte at which the first attribute of a type begins in the record at `at`.
fn attribute(base: &[u8], at: usize, kind: u32) -> usize {
    let word = |at: usize| u32::from_le_bytes(base[at..at + 4].try_into().unwrap());
    let mut next = at + usize::from(base[at + 20]);
    while word(next) != kind {
        assert_ne!(word(next), 0xFFFF_FFFF);
        next += usize::try_from(word(next + 4)).unwrap();
    }
    next
}

fn failure(base: &Arc<Vec<u8>>, text: &str, patch: (usize, &[u8])) -> FileError {
    let ntfs = open(base, vec![(patch.0 as u64, patch.1.to_vec())]).unwrap();
    ntfs.lookup(&path(text)).and_then(|node| ntfs.file(&node).map(|_| ())).unwrap_err()
}

#[test]
fn a_record_that_was_reused_or_freed_is_not_another_file() {
    let base = volume("mixed-512");
    let (record, at) = located(&base, "sizes\\700.bin");
    let error = failure(&base, "sizes\\700.bin", (at + 16, &[0x77, 0]));
    assert!(matches!(error, FileError::Stale { record: found, found: 0x77, .. } if found == record), "{error}");
    assert_eq!(error.class(), FileErrorClass::Io);
    let error = failure(&base, "sizes\\700.bin", (at + 22, &[0, 0]));
    assert!(error.to_string().contains("byte 22: expected a record in use"), "{error}");
    let error = failure(&base, "sizes\\700.bin", (at + 32, &[40]));
    assert!(error.to_string().contains("byte 32: expected a base record"), "{error}");
    let name = attribute(&base, at, kind::FILE_NAME);
    let error = failure(&base, "sizes\\700.bin", (name + 24 + 66, b"8"));
    assert!(matches!(error, FileError::StaleEntry { .. }), "{error}");
    let error = failure(&base, "sizes\\700.bin", (name + 24, &[99]));
    assert!(matches!(error, FileError::StaleEntry { .. }), "a name in another directory: {error}");
    let error = failure(&base, "sizes\\700.bin", (at + 510, &[0xEE, 0xEE]));
    assert!(error.to_string().contains("written only in part"), "{error}");
}

#[test]
fn content_that_is_not_plain_is_refused() {
    let base = volume("mixed-512");
    let (_, at) = located(&base, "sizes\\4096.bin");
    let standard = attribute(&base, at, kind::STANDARD_INFORMATION) + 24;
    let error = failure(&base, "sizes\\4096.bin", (standard + 33, &[0x04]));
    assert!(matches!(error, FileError::Reparse { tag: 0, .. }), "{error}");
    let error = failure(&base, "sizes\\4096.bin", (standard + 33, &[0x40]));
    assert!(matches!(error, FileError::Encrypted { .. }), "{error}");
    let data = attribute(&base, at, kind::DATA);
    let error = failure(&base, "sizes\\4096.bin", (data + 13, &[0x40]));
    assert!(matches!(error, FileError::Encrypted { .. }), "{error}");
    assert_eq!(error.class(), FileErrorClass::AccessDenied);
    let error = failure(&base, "sizes\\4096.bin", (data + 12, &[2]));
    assert!(error.to_string().contains("LZNT1"), "{error}");
    let error = failure(&base, "sizes\\4096.bin", (data + 12, &[1]));
    assert!(error.to_string().contains("compression unit of 16 clusters"), "{error}");
    let (_, link) = located_link(&base);
    let tag = attribute(&base, link, kind::REPARSE_POINT) + 24;
    let error = failure(&base, "streams\\symlink", (tag, &[0x17, 0, 0, 0x80]));
    assert!(matches!(error, FileError::Reparse { tag: 0x8000_0017, .. }), "{error}");
    assert!(error.to_string().contains("compressed by the Windows overlay filter"), "{error}");
}

fn located_link(base: &Arc<Vec<u8>>) -> (u64, usize) {
    let error = open(base, Vec::new()).unwrap().lookup(&path("streams\\symlink")).unwrap_err();
    let FileError::Reparse { record, .. } = error else { panic!("{error}") };
    (record, usize::try_from(place(base, record)).unwrap())
}

#[test]
fn the_initialized_size_hides_what_the_clusters_hold() {
    let base = volume("mixed-512");
    let (_, at) = located(&base, "sizes\\4096.bin");
    let data = attribute(&base, at, kind::DATA) as u64;
    let ntfs = open(&base, vec![(data + 56, vec![100, 0, 0, 0, 0, 0, 0, 0])]).unwrap();
    let mut file = ntfs.file(&ntfs.lookup(&path("sizes\\4096.bin")).unwrap()).unwrap();
    let mut content = [0xEE; 4096];
    file.read_at(0, &mut content).unwrap();
    assert!(content[..100].iter().all(|&byte| byte != 0) && content[100..].iter().all(|&byte| byte == 0));
}

#[test]
fn system_files_are_out_of_reach_under_any_name() {
    let base = volume("mixed-512");
    let ntfs = open(&base, Vec::new()).unwrap();
    for record in (0..FIRST_USER_RECORD).filter(|&record| record != ROOT) {
        let node = Node::new(Reference { record, sequence: 0 }, false, Foreign::default());
        assert!(matches!(ntfs.file(&node), Err(FileError::SystemFile { .. })));
    }
    // a folder's name changed on the volume into the one that paths may not name
    let (_, at) = located(&base, "sizes");
    let extend = open(&base, vec![(at as u64 + 22, vec![7])]).unwrap();
    assert!(matches!(extend.lookup(&path("sizes\\1.bin")), Err(FileError::SystemFile { .. })));
}

#[test]
fn a_child_that_leads_in_a_circle_ends() {
    let base = volume("mixed-512");
    let (record, _) = located(&base, "many");
    let ntfs = open(&base, Vec::new()).unwrap();
    let node = Node::new(Reference { record, sequence: 0 }, true, Foreign::default());
    let directory = ntfs.volume.directory(node.reference()).unwrap();
    // all children of the first node that has several are made its first one
    let children = |node: &directory::Node| {
        let (mut at, mut found) = (node.extent.start, Vec::new());
        while let Some((entry, after)) = index::entry(&node.bytes, node.extent, at).unwrap() {
            found.extend(entry.child.map(|child| (child, after - node.extent.start - 8)));
            at = after;
        }
        found
    };
    let mut parent = directory.root().clone();
    while let [(only, _)] = children(&parent)[..] {
        parent = directory.node(&ntfs.volume.mft, only).unwrap();
    }
    let (start, found) = (parent.extent.start, children(&parent));
    assert!(found.len() > 1, "the directory needs blocks");
    let start = base.windows(64).position(|window| window == &parent.bytes[start..start + 64]).unwrap();
    let low = found[0].0.to_le_bytes()[..2].to_vec();
    let patches = found.iter().map(|&(_, offset)| ((start + offset) as u64, low.clone())).collect();
    let ntfs = open(&base, patches).unwrap();
    let mut names = 0;
    let error = ntfs.list(&node, &mut |_| {
        names += 1;
        ControlFlow::Continue(())
    });
    assert!(error.unwrap_err().to_string().contains("a child that has one parent"));
    assert!(names > 10 && names < 250, "{names} names: those that could be reached");
}

#[test]
fn limits_hold() {
    let base = volume("fragmented");
    let ntfs =
        Ntfs::open(Arc::clone(&base) as Arc<dyn ReadAt>, NtfsLimits { runs_per_file: 100, ..NtfsLimits::default() }).unwrap();
    let node = ntfs.lookup(&path("scattered\\chequered.bin")).unwrap();
    assert_eq!(ntfs.file(&node).map(|_| ()).unwrap_err().class(), FileErrorClass::Io);
    let limits = NtfsLimits { names_per_directory: 10, cache_bytes: 0, ..NtfsLimits::default() };
    let ntfs = Ntfs::open(base, limits).unwrap();
    let mut names = 0;
    let result = ntfs.list(&ntfs.lookup(&path("fill")).unwrap(), &mut |_| {
        names += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(FileError::TooMany { .. })) && names <= 10);
}
