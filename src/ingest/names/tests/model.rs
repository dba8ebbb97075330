//! A naive reference: sets of texts, numbers tried one by one. Small sets, dense in ` (n)` forms, must come out the same.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::{decide, version};
use crate::ledger::{NameDecision, NameFate};
use crate::manifest::Disposition;

/// The rules as a person would read them, for legal short paths.
pub(super) fn reference(entries: &[(String, Disposition)], existing: &HashSet<String>) -> Vec<NameDecision> {
    let mut owners: HashMap<String, u64> = HashMap::new();
    let mut decided = Vec::new();
    for (number, (path, disposition)) in entries.iter().enumerate() {
        let there = existing.contains(path);
        let taken = there || owners.contains_key(path);
        let mut after = None;
        let fate = match disposition {
            Disposition::Rename if taken => {
                let free = |path: &String| !existing.contains(path) && !owners.contains_key(path);
                let name = (2..=10_001).map(|number| with_number(path, number)).find(free).unwrap();
                owners.insert(name.clone(), number as u64);
                NameFate::Renamed { name: name.split_once('/').unwrap().1.into() }
            }
            _ => {
                after = owners.insert(path.clone(), number as u64);
                match disposition {
                    Disposition::NoOverwrite if there => NameFate::Skip,
                    _ => NameFate::AsAsked { existing: there.then(|| version(path)) },
                }
            }
        };
        decided.push(NameDecision { fate, after });
    }
    decided
}

fn with_number(path: &str, number: u32) -> String {
    let (folder, last) = path.rsplit_once('/').unwrap();
    match last.rsplit_once('.') {
        Some((stem, extension)) => format!("{folder}/{stem} ({number}).{extension}"),
        None => format!("{folder}/{last} ({number})"),
    }
}

/// Paths of few containers, folders and stems with up to three markers, some of them only nearly markers.
pub(super) fn path() -> impl Strategy<Value = String> {
    let marker = prop::sample::select(vec![" (2)", " (2)", " (3)", " (4)", " (1)", " (02)", "(2)", " (2) "]);
    let markers = prop::collection::vec(marker, 0..=3).prop_map(|markers| markers.concat());
    let container = prop::sample::select(vec!["abc", "abd"]);
    let folder = prop::sample::select(vec!["", "", "v1.2/", "a (2)/"]);
    let stem = prop::sample::select(vec!["a", "a", "b.c", ""]);
    let extension = prop::sample::select(vec!["", "", ".x", ".x (2)"]);
    (container, folder, stem, markers, extension)
        .prop_map(|(container, folder, stem, markers, extension)| format!("{container}/{folder}{stem}{markers}{extension}"))
        .prop_filter("a blob has a name", |path| !path.ends_with('/'))
}

pub(super) fn entries() -> impl Strategy<Value = Vec<(String, Disposition)>> {
    let disposition =
        prop::sample::select(vec![Disposition::Rename, Disposition::Rename, Disposition::NoOverwrite, Disposition::Overwrite]);
    prop::collection::vec((path(), disposition), 0..60)
}

/// What must hold of any decisions.
pub(super) fn check(entries: &[(String, Disposition)], existing: &HashSet<String>, decided: &[NameDecision]) {
    let mut last: HashMap<String, u64> = HashMap::new();
    for (number, ((path, _), decision)) in entries.iter().zip(decided).enumerate() {
        let name = match &decision.fate {
            NameFate::AsAsked { existing: version } => {
                assert_eq!(version.is_some(), existing.contains(path), "{path}");
                path.clone()
            }
            NameFate::Renamed { name } => {
                let path = format!("{}/{}", path.split_once('/').unwrap().0, name.raw());
                assert!(!existing.contains(&path) && !last.contains_key(&path), "{path} was not free");
                path
            }
            NameFate::Skip => path.clone(),
            _ => continue,
        };
        assert_eq!(decision.after, last.insert(name, number as u64), "chained behind the entry before, or not at all");
    }
}

proptest! {
    #[test]
    fn the_book_decides_as_the_reference(entries in entries(), existing in prop::collection::hash_set(path(), 0..30), files: bool) {
        let expected = reference(&entries, &existing);
        let borrowed: Vec<_> = entries.iter().map(|(path, disposition)| (path.as_str(), *disposition)).collect();
        let listing: Vec<_> = existing.iter().map(String::as_str).collect();
        let decided = decide(&borrowed, &listing, if files { 0 } else { u64::MAX });
        prop_assert_eq!(&decided, &expected);
        check(&entries, &existing, &decided);
    }
}
