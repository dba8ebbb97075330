//! The whole way: two passes, listing or asking, buckets, records, index.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::fake::{Fake, Names, entry};
use super::model;
use crate::ingest::names::{NameIndex, NameOptions, NamesError, Survey, settle};
use crate::ledger::{NameDecision, NameFate};
use crate::manifest::Disposition;
use crate::store::{NameRules, Store};

struct Settled {
    survey: Survey,
    index: NameIndex,
    decided: Vec<NameDecision>,
    scratch: tempfile::TempDir,
}

/// A runtime of one thread; the future must be able to go to another one.
fn run<T>(future: impl Future<Output = T> + Send) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn settle_all(store: &Arc<Fake>, entries: &[(String, Disposition)]) -> Result<Settled, NamesError> {
    let scratch = tempfile::tempdir().unwrap();
    let options =
        NameOptions { diagnostics: "logs".parse().unwrap(), rules: NameRules::Any, scratch: scratch.path().to_owned(), heads: 3 };
    let names = Names::default();
    let store: Arc<dyn Store> = Arc::<Fake>::clone(store);
    let give = || {
        let number = |(number, (path, disposition)): (usize, &(String, _))| entry(number as u64, path, *disposition);
        entries.iter().enumerate().map(number).map(Ok::<_, Infallible>)
    };
    let (survey, index) = run(settle(give, &store, &names, &options))?;
    let decided = names.0.into_inner().unwrap().into_values().collect();
    Ok(Settled { survey, index, decided, scratch })
}

fn owned(entries: &[(&str, Disposition)]) -> Vec<(String, Disposition)> {
    entries.iter().map(|(path, disposition)| ((*path).to_owned(), *disposition)).collect()
}

fn many(count: usize, disposition: Disposition) -> Vec<(String, Disposition)> {
    (0..count).map(|number| (format!("abc/{number}"), disposition)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn listed_or_asked_the_decisions_are_those_of_the_reference(
        entries in model::entries(),
        existing in prop::collection::hash_set(model::path(), 0..30),
        noise in 0..3_000_usize,
        page in 1..40_usize,
    ) {
        let noise = (0..noise).map(|number| format!("abc/noise{number}"));
        let store = Arc::new(Fake::new(existing.iter().cloned().chain(noise), page));
        let settled = settle_all(&store, &entries).unwrap();
        prop_assert_eq!(&settled.decided, &model::reference(&entries, &existing));
        model::check(&entries, &existing, &settled.decided);
        let left: Vec<_> = std::fs::read_dir(settled.scratch.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        prop_assert_eq!(left, ["names-table-0"]);
    }
}

#[test]
fn few_blobs_are_listed_and_none_is_asked() {
    let store = Arc::new(Fake::new((0..100).map(|number| format!("abc/{number}")), 10));
    let settled = settle_all(&store, &many(50, Disposition::Rename)).unwrap();
    assert_eq!(store.requests(), (10, 0));
    assert!(settled.survey.containers[0].listed);
    assert_eq!((settled.survey.renamed, settled.survey.entries), (50, 50));
}

#[test]
fn few_names_are_asked_in_a_large_container() {
    let store = Arc::new(Fake::new((0..10_000).map(|number| format!("abc/{number:05}")), 10));
    let mut entries = many(9, Disposition::Overwrite);
    entries.push(("abc/09999".to_owned(), Disposition::Rename));
    let settled = settle_all(&store, &entries).unwrap();
    assert_eq!(store.requests(), (10, 11));
    assert!(!settled.survey.containers[0].listed);
    assert_eq!(settled.decided[9].fate, NameFate::Renamed { name: "09999 (2)".into() });
}

#[test]
fn equal_names_are_asked_once_and_taken_numbers_in_batches() {
    let noise = (0..1_000).map(|number| format!("abc/{number:05}"));
    let numbers = (2..=20).map(|number| format!("abc/a ({number})"));
    let store = Arc::new(Fake::new(noise.chain(numbers).chain(["abc/a".to_owned()]), 1));
    let settled = settle_all(&store, &owned(&[("abc/a", Disposition::Rename); 40])).unwrap();
    let names: Vec<_> = (21..61).map(|number| NameFate::Renamed { name: format!("a ({number})").into() }).collect();
    assert_eq!(settled.decided.into_iter().map(|decision| decision.fate).collect::<Vec<_>>(), names);
    assert!(store.requests().1 <= 61, "{:?}", store.requests());
}

#[test]
fn a_missing_container_looks_empty_and_illegal_ones_are_never_asked() {
    let store = Arc::new(Fake { missing: vec!["new"], ..Fake::new([], 10) });
    let entries = owned(&[("new/a", Disposition::Rename), ("Bad/a", Disposition::Rename), ("logs/a", Disposition::Overwrite)]);
    let settled = settle_all(&store, &entries).unwrap();
    assert_eq!(store.requests(), (1, 0));
    assert_eq!(settled.survey.missing_containers().map(ToString::to_string).collect::<Vec<_>>(), ["new"]);
    assert_eq!((settled.survey.illegal, settled.survey.containers.len()), (2, 1));
}

#[test]
fn a_store_that_refuses_ends_it() {
    let store = Arc::new(Fake { forbidden: true, ..Fake::new([], 10) });
    let error = settle_all(&store, &many(1, Disposition::Rename)).err().unwrap();
    assert!(matches!(&error, NamesError::Store { container, .. } if container.as_str() == "abc"));
    assert_eq!(error.to_string(), "the store does not say which blobs container abc has");
}

#[test]
fn a_name_that_the_store_will_not_look_up_is_left_to_its_own_entry() {
    let noise = (0..100).map(|number| format!("abc/{number:05}"));
    let store = Arc::new(Fake { heads_rejected: true, ..Fake::new(noise, 1) });
    let settled = settle_all(&store, &many(2, Disposition::Overwrite)).unwrap();
    assert_eq!(settled.decided[0].fate, NameFate::AsAsked { existing: None });
}

#[test]
fn entries_that_cannot_be_read_end_it() {
    let scratch = tempfile::tempdir().unwrap();
    let options =
        NameOptions { diagnostics: "logs".parse().unwrap(), rules: NameRules::Any, scratch: scratch.path().to_owned(), heads: 0 };
    let store: Arc<dyn Store> = Arc::new(Fake::default());
    let torn = || [Ok(entry(0, "abc/a", Disposition::Rename)), Err(std::io::Error::other("torn"))].into_iter();
    let error = run(settle(torn, &store, &Names::default(), &options)).err().unwrap();
    assert_eq!(error.to_string(), "the entries of the manifest cannot be read back");
    let gone = NameOptions { scratch: scratch.path().join("gone"), ..options };
    let error = run(settle(|| torn().take(1), &store, &Names::default(), &gone)).err().unwrap();
    assert!(error.to_string().starts_with("creating the name book in "), "{error}");
}

#[test]
fn too_many_containers_end_it() {
    let entries: Vec<_> = (0..=10_000).map(|number| (format!("c{number}x/a"), Disposition::Rename)).collect();
    let store = Arc::new(Fake::new([], 10));
    assert!(matches!(settle_all(&store, &entries).err(), Some(NamesError::TooManyContainers)));
    assert_eq!(store.requests(), (0, 0));
}

#[test]
fn no_entries_need_no_request() {
    let store = Arc::new(Fake::default());
    assert_eq!(settle_all(&store, &[]).unwrap().survey, Survey::default());
    assert_eq!(store.requests(), (0, 0));
}

#[test]
fn several_buckets_decide_like_one() {
    let entries: Vec<_> = (0..150_000_usize)
        .map(|number| {
            (format!("abc/{}{}", number % 70_000, if number.is_multiple_of(7) { " (2)" } else { "" }), Disposition::Rename)
        })
        .collect();
    let existing: HashSet<_> = (0..20_000).map(|number| format!("abc/{} (2)", number * 3)).collect();
    let store = Arc::new(Fake::new(existing.iter().cloned(), 5_000));
    let settled = settle_all(&store, &entries).unwrap();
    assert!(settled.scratch.path().join("names-table-1").exists());
    assert!(settled.decided == model::reference(&entries, &existing));
}

#[test]
fn the_guard_gives_the_next_number_nobody_has() {
    let store = Arc::new(Fake::new([], 10));
    let entries =
        owned(&[("abc/a.x", Disposition::Rename), ("abc/a.x", Disposition::Rename), ("abc/a (4).x", Disposition::Overwrite)]);
    let settled = settle_all(&store, &entries).unwrap();
    // somebody else wrote `a.x` and `a (3).x` meanwhile
    store.blobs.lock().unwrap().extend(["abc/a.x".to_owned(), "abc/a (3).x".to_owned()]);
    let shared: Arc<dyn Store> = Arc::<Fake>::clone(&store);
    let next = |entry, asked: &str, failed: &str| {
        let (asked, failed) = (asked.parse().unwrap(), failed.parse().unwrap());
        run(settled.index.next_free(&shared, entry, &asked, &failed)).unwrap().map(|path| path.name().to_owned())
    };
    assert_eq!(next(0, "abc/a.x", "abc/a.x").as_deref(), Some("a (5).x"));
    assert_eq!(next(1, "abc/a.x", "abc/a (2).x").as_deref(), Some("a (6).x"), "a given number is not given again");
    assert_eq!(next(1, "abc/a.x", "abc/a (6).x").as_deref(), Some("a (7).x"));
    assert_eq!(next(1, "abc/a.x", "abc/a (10001).x"), None);
    let asked = store.heads.load(Ordering::Relaxed);
    assert_eq!(asked, 4, "names of the manifest are not asked");
}

#[test]
fn entries_that_lose_their_name_at_once_get_different_ones() {
    let store = Arc::new(Fake::new([], 10));
    let settled = settle_all(&store, &owned(&[("abc/a", Disposition::Rename), ("abc/a (7)", Disposition::Rename)])).unwrap();
    let shared: Arc<dyn Store> = Arc::<Fake>::clone(&store);
    let asked = "abc/a".parse().unwrap();
    let all = (0..60).map(|entry| settled.index.next_free(&shared, entry, &asked, &asked));
    let given = run(futures_util::future::join_all(all));
    let given: HashSet<_> = given.into_iter().map(|path| path.unwrap().unwrap().name().to_owned()).collect();
    let expected = (2..63).filter(|number| *number != 7).map(|number| format!("a ({number})")).collect();
    assert_eq!(given, expected);
}

#[test]
fn the_survey_counts_every_fate() {
    let store = Arc::new(Fake::new(["abc/a".to_owned()], 10));
    let long = format!("abc/{}", "x".repeat(1_024));
    let settled = settle_all(
        &store,
        &owned(&[
            ("abc/a", Disposition::Rename),
            ("abc/a", Disposition::NoOverwrite),
            ("abc/a", Disposition::Overwrite),
            ("abc/a", Disposition::Overwrite),
            ("abc/./a", Disposition::Overwrite),
            (&long, Disposition::Rename),
            (&long, Disposition::Rename),
        ]),
    );
    let Survey { containers, entries, renamed, skipped, overwriting, chained, illegal, no_free_name } = settled.unwrap().survey;
    assert_eq!((containers.len(), entries, renamed, skipped), (1, 7, 1, 1));
    assert_eq!((overwriting, chained, illegal, no_free_name), (2, 2, 1, 1));
}
