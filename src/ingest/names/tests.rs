//! The name book against the examples of the specification, a naive reference, and a store that counts its requests.

pub(super) mod fake;
mod model;
mod settled;

use super::area::{Area, ScratchError};
use super::rule::Keys;
use super::settle::NameBook;
use super::table::{Existing, Slot, Table};
use crate::ledger::{NameDecision, NameFate};
use crate::manifest::{BlobPath, Disposition};
use crate::store::{ETag, StoredKind};

use Disposition::{NoOverwrite, Overwrite, Rename};

/// A book all in memory, or with its areas moved to files at once.
fn book(folder: &std::path::Path, limit: u64) -> NameBook {
    let table = Table::new(Area::new(folder.join("table"), limit), 4).unwrap();
    NameBook::new(Keys::new(), "logs".parse().unwrap(), table, Area::new(folder.join("versions"), limit))
}

fn version(name: &str) -> (ETag, StoredKind) {
    (ETag(format!("\"{name}\"")), if name.len().is_multiple_of(2) { StoredKind::Block } else { StoredKind::Page })
}

/// Decides a list of entries, all in one book.
fn decide(entries: &[(&str, Disposition)], existing: &[&str], limit: u64) -> Vec<NameDecision> {
    let folder = tempfile::tempdir().unwrap();
    let mut book = book(folder.path(), limit);
    let mut exists = |path: &BlobPath| {
        let path = format!("{}/{}", path.container(), path.name());
        Ok::<_, ScratchError>(existing.contains(&path.as_str()).then(|| version(&path)))
    };
    let decide =
        |(number, (raw, disposition)): (usize, &(&str, _))| book.decide(number as u64, raw, *disposition, &mut exists).unwrap();
    entries.iter().enumerate().map(decide).collect()
}

fn as_asked() -> NameDecision {
    NameDecision { fate: NameFate::AsAsked { existing: None }, after: None }
}

fn after(entry: u64) -> NameDecision {
    NameDecision { after: Some(entry), ..as_asked() }
}

fn renamed(name: &str) -> NameDecision {
    NameDecision { fate: NameFate::Renamed { name: name.into() }, after: None }
}

#[test]
fn a_rename_takes_the_first_free_number() {
    let existing = ["abc/report", "abc/plan.docx", "abc/a.tar.gz", "abc/v1.2/readme", "abc/report (2)", "abc/report (4)"];
    let entries = ["abc/plan.docx", "abc/a.tar.gz", "abc/v1.2/readme", "abc/report", "abc/report", "abc/free", "abc/free"];
    let decided = decide(&entries.map(|entry| (entry, Rename)), &existing, u64::MAX);
    let names = ["plan (2).docx", "a.tar (2).gz", "v1.2/readme (2)", "report (3)", "report (5)"];
    assert_eq!(decided[..5], names.map(renamed));
    assert_eq!(decided[5..], [as_asked(), renamed("free (2)")]);
}

#[test]
fn equal_names_form_a_chain() {
    let entries = [("abc/a", Overwrite), ("abc/a", NoOverwrite), ("abc/a", Rename), ("abc/a", Overwrite), ("abd/a", NoOverwrite)];
    assert_eq!(decide(&entries, &[], 0), [as_asked(), after(0), renamed("a (2)"), after(1), as_asked()]);
}

#[test]
fn who_asks_for_a_given_number_comes_behind_it() {
    let entries = [("abc/a", Rename), ("abc/a", Rename), ("abc/a (2)", Overwrite), ("abc/a (2)", Rename), ("abc/a", Rename)];
    assert_eq!(decide(&entries, &[], 0), [as_asked(), renamed("a (2)"), after(1), renamed("a (2) (2)"), renamed("a (3)")]);
}

#[test]
fn an_existing_blob_is_skipped_or_replaced() {
    let entries = [("abc/a", NoOverwrite), ("abc/a", Overwrite), ("abc/a", Overwrite), ("abc/a", NoOverwrite)];
    let decided = decide(&entries, &["abc/a"], 0);
    let skip = |after| NameDecision { fate: NameFate::Skip, after };
    let replace = |after| NameDecision { fate: NameFate::AsAsked { existing: Some(version("abc/a")) }, after };
    assert_eq!(decided, [skip(None), replace(Some(0)), replace(Some(1)), skip(Some(2))]);
}

#[test]
fn names_without_a_free_number_fail() {
    let long = format!("abc/{}", "x".repeat(1_022));
    let full = format!("abc/{}", "y".repeat(1_020));
    let entries = vec![(long.as_str(), Rename); 2].into_iter().chain(vec![(full.as_str(), Rename); 10]);
    let decided = decide(&entries.collect::<Vec<_>>(), &[], u64::MAX);
    let failed = decided.iter().map(|decision| decision.fate == NameFate::NoFreeName).collect::<Vec<_>>();
    assert_eq!(failed, [false, true, false, false, false, false, false, false, false, false, false, true]);
}

#[test]
fn ten_thousand_numbers_are_tried_and_never_twice() {
    let count = 10_003;
    let folder = tempfile::tempdir().unwrap();
    let mut book = book(folder.path(), u64::MAX);
    let mut asked = 0;
    let mut exists = |_: &BlobPath| {
        asked += 1;
        Ok::<_, ScratchError>(None)
    };
    let fates: Vec<_> = (0..count).map(|entry| book.decide(entry, "abc/a.b", Rename, &mut exists).unwrap().fate).collect();
    assert_eq!(fates[10_000], NameFate::Renamed { name: "a (10001).b".into() });
    assert_eq!(fates[10_001..], [NameFate::NoFreeName, NameFate::NoFreeName]);
    assert!(asked < 5 * count, "{asked} questions");
}

#[test]
fn illegal_targets_fail_alone() {
    let entries = ["logs/x", "$web/x", "abc/a/../b", "abc/a/", "abc/a"].map(|entry| (entry, Overwrite));
    let decided = decide(&entries, &[], 0);
    assert!(decided[..4].iter().all(|decision| matches!(decision.fate, NameFate::Illegal { .. }) && decision.after.is_none()));
    assert_eq!(decided[4], as_asked());
}

#[test]
fn a_failed_question_decides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = book(folder.path(), 0);
    let mut calls = 0;
    let mut ask = |entry, fail: u32| {
        let mut exists = |path: &BlobPath| {
            calls += 1;
            let error = ScratchError { action: "x", path: "x".into(), source: std::io::ErrorKind::Other.into() };
            if calls == fail { Err(error) } else { Ok((path.name() == "a").then(|| version("x"))) }
        };
        book.decide(entry, "abc/a", Rename, &mut exists).map(|decision| decision.fate).ok()
    };
    assert_eq!((ask(0, 1), ask(0, 3)), (None, None));
    assert_eq!(ask(0, 0), Some(NameFate::Renamed { name: "a (2)".into() }));
}

#[test]
fn a_table_keeps_every_slot_while_it_grows_and_moves() {
    let folder = tempfile::tempdir().unwrap();
    for limit in [0, 2_000, u64::MAX] {
        let mut table = Table::new(Area::new(folder.path().join("table"), limit), 0).unwrap();
        let key = |number: u64| (u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64) | 1;
        let slot = |number: u64| Slot {
            key: key(number),
            owner: number.is_multiple_of(3).then_some(number),
            existing: [Existing::Unknown, Existing::Absent, Existing::At(number << 20)][usize::try_from(number % 3).unwrap()],
            next: u16::try_from(number).unwrap(),
        };
        (0..1_000).for_each(|number| table.put(&slot(number)).unwrap());
        assert_eq!(table.used(), 1_000);
        let table = Table::open(Area::open(table.into_area().keep().unwrap()).unwrap(), 1_000);
        assert!((0..1_000).all(|number| table.get(key(number)).unwrap() == slot(number)), "limit {limit}");
        assert!(!table.get(key(1_000)).unwrap().taken());
    }
}
