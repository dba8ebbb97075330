//! Whatever is told in whatever order: what is restored is what a plain model remembers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Told {
    Claim(u64, u8),
    Cleared(u64),
    Intend(u64, u8, bool),
    Ended(u64, bool),
    Acknowledge(u64, u64),
    Forget(u64, u64),
    Flush,
    /// The process ends and another one begins.
    Again,
}

fn told() -> impl Strategy<Value = Told> {
    // few entries and paths, so that they meet; some on either side of a chunk's border
    let entry = prop_oneof![0..4_u64, 4_094..4_098_u64];
    prop_oneof![
        4 => (entry.clone(), 0..4_u8).prop_map(|(entry, path)| Told::Claim(entry, path)),
        1 => entry.clone().prop_map(Told::Cleared),
        3 => (entry.clone(), 0..4_u8, any::<bool>()).prop_map(|(entry, path, etag)| Told::Intend(entry, path, etag)),
        4 => (entry, any::<bool>()).prop_map(|(entry, plain)| Told::Ended(entry, plain)),
        2 => (4_000..4_200_u64, 1..200_u64).prop_map(|(first, count)| Told::Acknowledge(first, count)),
        1 => (4_000..4_200_u64, 1..200_u64).prop_map(|(first, count)| Told::Forget(first, count)),
        1 => Just(Told::Flush),
        1 => Just(Told::Again),
    ]
}

#[derive(Default)]
struct Model {
    plain: BTreeSet<u64>,
    exceptions: BTreeMap<u64, Exception>,
    intents: BTreeMap<u64, Intent>,
    claims: BTreeMap<u64, (u8, bool)>,
    acknowledged: BTreeSet<u64>,
}

impl Model {
    fn claim(&mut self, entry: u64, path: u8) -> Option<u64> {
        let holder = self.claims.iter().find(|(_, (held, _))| *held == path).map(|(holder, _)| *holder);
        match holder {
            Some(holder) if holder != entry => Some(holder),
            Some(_) => None,
            None => {
                self.claims.insert(entry, (path, false));
                None
            }
        }
    }

    fn ended(&mut self, entry: u64, plain: bool) {
        self.intents.remove(&entry);
        self.claims.remove(&entry);
        self.plain.remove(&entry);
        self.exceptions.remove(&entry);
        if plain {
            self.plain.insert(entry);
        } else {
            self.exceptions.insert(entry, Exception { entry, outcome: broken(), ranges: runs(entry) });
        }
    }
}

fn runs(entry: u64) -> Vec<(RangeStatus, u64)> {
    vec![(RangeStatus::Completed, entry + 1), (RangeStatus::IOFailed, 1), (RangeStatus::Cancelled, 40_000)]
}

fn named(path: u8) -> BlobPath {
    super::path(&format!("p{path}"))
}

async fn play(place: &Place, story: &[Told]) -> (Model, Restored) {
    let (mut model, mut ledger) = (Model::default(), place.open().await);
    let mut session = begin(&ledger, "A").await;
    for told in story {
        match told.clone() {
            Told::Claim(entry, path) => {
                let other = model.claim(entry, path);
                let expected = other.map_or(Claimed::Ours, |entry| Claimed::Other { session: session.id().to_owned(), entry });
                assert_eq!(session.claim(entry, &named(path)).await.unwrap(), expected);
            }
            Told::Cleared(entry) => {
                session.mark_cleared(entry).await.unwrap();
                model.claims.entry(entry).and_modify(|(_, cleared)| *cleared = true);
            }
            Told::Intend(entry, path, etag) => {
                let intent = super::intent(&format!("p{path}"), etag.then_some("\"0x8D\""));
                session.intend(entry, &intent).await.unwrap();
                model.intents.insert(entry, intent);
            }
            Told::Ended(entry, plain) => {
                session.ended(entry, &broken(), plain, &runs(entry)).unwrap();
                model.ended(entry, plain);
            }
            Told::Acknowledge(first, count) => {
                session.acknowledge(first..first + count).unwrap();
                model.acknowledged.extend(first..first + count);
            }
            Told::Forget(first, count) => {
                session.forget(first, count).unwrap();
                model.acknowledged.retain(|range| !(first..first + count).contains(range));
            }
            Told::Flush => session.flush().await.unwrap(),
            Told::Again => {
                ledger.close().await.unwrap();
                ledger = place.open().await;
                session = begin(&ledger, "A").await;
            }
        }
    }
    let restored = session.restore().await.unwrap();
    (model, restored)
}

async fn compare(model: Model, restored: Restored) {
    assert_eq!(numbers(&all(restored.completed).await), Vec::from_iter(model.plain));
    assert_eq!(all(restored.exceptions).await, model.exceptions.into_values().collect::<Vec<_>>());
    assert_eq!(all(restored.intents).await, Vec::from_iter(model.intents));
    let claims =
        model.claims.into_iter().map(|(entry, (path, cleared))| ClaimRecord { entry, path: named(path), cleared, begun: 0 });
    let found = all(restored.claims).await.into_iter().map(|claim| ClaimRecord { begun: 0, ..claim });
    assert_eq!(found.collect::<Vec<_>>(), claims.collect::<Vec<_>>());
    assert_eq!(numbers(&all(restored.acknowledged).await), Vec::from_iter(model.acknowledged));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_was_told_is_restored(story in proptest::collection::vec(told(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let (model, restored) = play(&place, &story).await;
            compare(model, restored).await;
        });
    }
}

#[tokio::test]
async fn thousands_of_rows_come_page_by_page() {
    let place = Place::new();
    let ledger = place.open().await;
    let session = begin(&ledger, "A").await;
    for entry in 0..1_000 {
        session.ended(entry * 5_000, &broken(), entry.is_multiple_of(2), &[]).unwrap();
    }
    let mut restored = session.restore().await.unwrap();
    assert_eq!(restored.completed.next().await.unwrap().len(), 64, "a page, not all");
    assert_eq!(all(restored.completed).await.len(), 500 - 64);
    let exceptions = all(restored.exceptions).await;
    assert_eq!((exceptions.len(), exceptions[499].entry), (500, 999 * 5_000));
}
