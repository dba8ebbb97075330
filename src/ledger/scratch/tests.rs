//! What was recorded comes back, in any order and from any thread; memory and time stay small.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::foreign::Foreign;
use crate::ledger::{BlobStatus, DispositionStatus, NameFate, PartStatus};
use crate::store::{ETag, StoredKind};

fn scratch(entries: u64, ranges: u64) -> (tempfile::TempDir, Scratch) {
    let folder = tempfile::tempdir().unwrap();
    let scratch = Scratch::create(folder.path(), entries, ranges).unwrap();
    (folder, scratch)
}

fn outcome(entry: u64) -> EntryOutcome {
    EntryOutcome {
        status: BlobStatus::ALL[index(entry, BlobStatus::ALL.len())],
        disposition: DispositionStatus::ALL[index(entry, DispositionStatus::ALL.len())],
        stored_as: entry.is_multiple_of(3).then(|| Foreign::new(format!("photos/ü {entry}"))),
        metadata: (entry % 2 == 1).then(|| PartStatus::ALL[index(entry, PartStatus::ALL.len())]),
        properties: entry.is_multiple_of(4).then(|| PartStatus::ALL[index(entry, PartStatus::ALL.len())]),
        detail: entry.is_multiple_of(5).then(|| if entry.is_multiple_of(2) { String::new() } else { "x".repeat(40_000) }),
        exists_after: entry.is_multiple_of(7),
        line_refusals: entry * 1_000,
    }
}

fn index(entry: u64, length: usize) -> usize {
    usize::try_from(entry).unwrap() % length
}

#[test]
fn names_that_were_kept_are_there_for_the_next_run_and_nothing_else_is() {
    let (folder, scratch) = scratch(3, 3);
    let name = |text: &str| NameDecision { fate: NameFate::Renamed { name: Foreign::new(text) }, after: Some(1) };
    scratch.set_name(0, &name("a (2)")).unwrap();
    scratch.set_name(2, &name(&"b".repeat(70_000))).unwrap();
    scratch.put_outcome(0, &outcome(3)).unwrap();
    scratch.keep_names().unwrap();
    drop(scratch);
    let again = Scratch::reopen(folder.path(), 3, 3).unwrap();
    assert_eq!(again.name(0).unwrap(), Some(name("a (2)")));
    assert_eq!(again.name(1).unwrap(), None);
    assert_eq!(again.name(2).unwrap(), Some(name(&"b".repeat(70_000))));
    assert_eq!(again.outcome(0).unwrap(), None);
    again.set_name(1, &name("c")).unwrap();
    assert_eq!(again.name(1).unwrap(), Some(name("c")));
}

#[test]
fn every_kind_of_name_comes_back() {
    let (_folder, scratch) = scratch(9, 0);
    let etag = || ETag("\"0x8D\"".to_owned());
    let fates = [
        NameFate::AsAsked { existing: None },
        NameFate::AsAsked { existing: Some((etag(), StoredKind::Block)) },
        NameFate::AsAsked { existing: Some((etag(), StoredKind::Append)) },
        NameFate::AsAsked { existing: Some((ETag(String::new()), StoredKind::Page)) },
        NameFate::Renamed { name: Foreign::from("a (2)") },
        NameFate::Skip,
        NameFate::Illegal { reason: "why".to_owned() },
        NameFate::NoFreeName,
    ];
    for (entry, fate) in (0..).zip(&fates) {
        for after in [None, Some(0), Some(u64::MAX - 1)] {
            let name = NameDecision { fate: fate.clone(), after };
            scratch.set_name(entry, &name).unwrap();
            assert_eq!(scratch.name(entry).unwrap(), Some(name));
        }
    }
    assert_eq!(scratch.name(8).unwrap(), None);
}

#[test]
fn outcomes_come_back_in_any_order() {
    const ENTRIES: u64 = 3_000;
    let (folder, scratch) = scratch(ENTRIES, 0);
    for step in 0..ENTRIES {
        let entry = step * 1_117 % ENTRIES;
        scratch.put_outcome(entry, &outcome(entry)).unwrap();
    }
    for entry in 0..ENTRIES {
        assert_eq!(scratch.outcome(entry).unwrap(), Some(outcome(entry)), "{entry}");
    }
    scratch.put_outcome(5, &outcome(6)).unwrap();
    assert_eq!(scratch.outcome(5).unwrap(), Some(outcome(6)));
    for file in std::fs::read_dir(folder.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn ranges_come_back_across_pages_and_unrecorded_ones_are_none() {
    let (_folder, scratch) = scratch(0, 10_000_000);
    for (range, status) in (16_380..).zip(RangeStatus::ALL) {
        scratch.set_range(range, *status).unwrap();
    }
    scratch.set_range(9_999_999, RangeStatus::Corrupted).unwrap();
    let mut expected = vec![None];
    expected.extend(RangeStatus::ALL.iter().copied().map(Some));
    expected.push(None);
    assert_eq!(scratch.ranges(16_379, expected.len()).unwrap(), expected);
    assert_eq!(scratch.ranges(9_999_998, 2).unwrap(), [None, Some(RangeStatus::Corrupted)]);
    assert_eq!(scratch.ranges(10_000_000, 0).unwrap(), []);
}

#[test]
fn numbers_the_manifest_does_not_have_are_refused() {
    let (_folder, scratch) = scratch(3, 3);
    assert!(scratch.name(3).is_err());
    assert!(scratch.outcome(u64::MAX).is_err());
    assert!(scratch.set_range(3, RangeStatus::Completed).is_err());
    assert!(scratch.ranges(2, 2).is_err());
    assert!(scratch.ranges(u64::MAX, 1).is_err());
    let error = scratch.put_outcome(3, &outcome(3)).unwrap_err();
    assert!(error.to_string().contains("outcomes"), "{error}");
}

#[test]
fn a_folder_that_takes_no_files_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = Scratch::create(&folder.path().join("absent"), 1, 1).unwrap_err();
    assert!(error.to_string().contains("absent/"), "{error}");
    // records of another run are never taken over
    // what a broken run left is replaced
    let first = Scratch::create(folder.path(), 1, 1).unwrap();
    first.put_outcome(0, &outcome(3)).unwrap();
    drop(first);
    assert_eq!(Scratch::create(folder.path(), 1, 1).unwrap().outcome(0).unwrap(), None);
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing_read_before() {
    // every write to this device fails with "no space left"
    let mut file = PagedFile::open(Path::new("/dev/full")).unwrap();
    let far = 16 * 1024 * 32;
    file.write(0, b"kept").unwrap();
    for _ in 0..3 {
        let error = file.write(far, b"x").unwrap_err();
        assert!(matches!(error, LedgerError::Scratch { source, .. } if source.kind() == io::ErrorKind::StorageFull));
    }
    let mut bytes = [0; 4];
    file.read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"kept");
}

#[test]
fn many_threads_share_the_records() {
    const EACH: u64 = 500;
    let (_folder, scratch) = scratch(4 * EACH, 4 * EACH);
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let scratch = &scratch;
            threads.spawn(move || {
                for entry in (0..EACH).map(|n| n * 4 + thread) {
                    scratch.put_outcome(entry, &outcome(entry)).unwrap();
                    scratch.set_range(entry, RangeStatus::Completed).unwrap();
                    assert_eq!(scratch.outcome(entry).unwrap(), Some(outcome(entry)));
                }
            });
        }
    });
    assert!((0..4 * EACH).all(|entry| scratch.outcome(entry).unwrap() == Some(outcome(entry))));
    let all = scratch.ranges(0, 2_000).unwrap();
    assert!(all.iter().all(|status| *status == Some(RangeStatus::Completed)));
}

#[test]
fn a_million_entries_take_little_time() {
    const ENTRIES: u64 = 1_000_000;
    let (_folder, scratch) = scratch(ENTRIES, ENTRIES);
    let plain = NameDecision { fate: NameFate::Renamed { name: Foreign::from("photos/2013/a (2).jpg") }, after: None };
    let done = EntryOutcome { metadata: None, detail: None, ..outcome(3) };
    let begin = cpu();
    for entry in 0..ENTRIES {
        scratch.set_name(entry, &plain).unwrap();
        scratch.set_range(entry, RangeStatus::Completed).unwrap();
        scratch.put_outcome(entry, &done).unwrap();
    }
    for entry in 0..ENTRIES {
        assert!(scratch.name(entry).unwrap().is_some() && scratch.outcome(entry).unwrap().is_some());
    }
    let spent = cpu() - begin;
    println!("1,000,000 entries written and read: {spent} ms of this thread");
    assert!(spent < 3_000, "{spent} ms");
}

/// Milliseconds of processor time of this thread.
fn cpu() -> i64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD).unwrap();
    [usage.user_time(), usage.system_time()].iter().map(|time| time.tv_sec() * 1_000 + time.tv_usec() / 1_000).sum()
}
