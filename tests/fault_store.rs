//! A store that fails at its n-th call, for every n of a small drive, before or after the call had its effect, with every error: the run
//! ends interrupted or held and completes when it is repeated, or the entry fails by name. Nothing with wrong content is ever visible.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "support/drives.rs"]
mod drives;
#[path = "support/road.rs"]
mod road;

use std::collections::BTreeMap;
use std::sync::Arc;

use dockside::ingest::{Ending, Opened, ingest_opened};
use dockside::report::Board;
use dockside::store::failing::{FailingStore, Fault};
use dockside::store::{MemoryStore, Store, StoreError};
use road::{Item, Lab, Logged, Made, block, entries_of, make, page, put, put_pages, visible};

const OLD: &[u8] = b"what was there before";

type Cause = fn() -> StoreError;

const CAUSES: [(&str, Cause); 9] = [
    ("unavailable", || StoreError::Unavailable { attempts: 3, last: "time-out".to_owned() }),
    ("forbidden", || StoreError::Forbidden { reason: "AuthorizationFailure".to_owned() }),
    ("no space", || StoreError::NoSpace),
    ("already exists", || StoreError::AlreadyExists),
    ("condition failed", || StoreError::ConditionFailed),
    ("block missing", || StoreError::BlockMissing),
    ("lease present", || StoreError::LeasePresent),
    ("checksum refused", || StoreError::ChecksumRefused { attempts: 3 }),
    ("wrong kind", || StoreError::WrongKind),
];

fn items() -> Vec<Item> {
    vec![
        block("cust/replaced", r"\small.txt", "overwrite", 4_096),
        block("cust/new", r"\medium.bin", "no-overwrite", 20_000),
        page("cust/replaced.vhd", r"\disk.vhd", "overwrite", 32_768),
        page("cust/new.vhd", r"\disk.vhd", "no-overwrite", 65_536),
        block("cust/page-to-block", r"\medium.bin", "overwrite", 20_000),
        block("cust/renamed", r"\exact.bin", "rename", 131_072),
        block("cust/kept", r"\small.txt", "no-overwrite", 4_096),
    ]
}

async fn filled() -> Arc<MemoryStore> {
    let memory = Arc::new(MemoryStore::new());
    let store = Arc::clone(&memory) as Arc<dyn Store>;
    put(&store, "cust/replaced", OLD).await;
    put_pages(&store, "cust/replaced.vhd", 1_024).await;
    put_pages(&store, "cust/page-to-block", 512).await;
    put(&store, "cust/kept", OLD).await;
    memory
}

/// What may be visible under each name: the old content, the file's, or nothing. Numbers of `rename` lead to the name asked for.
fn check(found: &BTreeMap<String, Vec<u8>>, made: &Made, case: &str) {
    for (name, content) in found {
        let asked = name.split(" (").next().unwrap();
        let item =
            made.items.iter().find(|item| item.blob == asked).unwrap_or_else(|| panic!("{case}: {name} was not asked for"));
        let old: &[u8] = match asked {
            "cust/replaced" | "cust/kept" => OLD,
            "cust/replaced.vhd" => &[0; 1_024],
            "cust/page-to-block" => &[0; 512],
            _ => b"",
        };
        let new = *content == item.content() && asked != "cust/kept";
        let before = !old.is_empty() && content == old;
        assert!(new || before, "{case}: {name} has wrong content");
    }
}

struct Case<'a> {
    made: &'a Made,
    opened: &'a Opened,
    undisturbed: &'a BTreeMap<String, Vec<u8>>,
    log: &'a [Logged],
}

impl Case<'_> {
    async fn run(&self, at: u64, fault: Fault, (name, error): (&str, Cause)) {
        let case = format!("call {at}, {fault:?}, {name}");
        let memory = filled().await;
        let failing = Arc::new(FailingStore::new(Arc::clone(&memory) as Arc<dyn Store>, at, fault, error));
        let lab = Lab::new();
        let ending = lab.ingest_opened(self.made, self.opened, failing).await;
        check(&visible(&memory).await, self.made, &case);
        let named = match ending {
            Ending::Finished { receipt, already: false, .. } => {
                let failed = receipt.exceptions.iter().filter(|e| e.outcome.as_str() == "failed");
                failed.map(|e| e.blob_path.raw().to_owned()).collect()
            }
            Ending::Interrupted { .. } | Ending::Halted(_) => {
                let store = Arc::clone(&memory) as Arc<dyn Store>;
                let again = lab.ingest_opened(self.made, self.opened, store).await;
                let Ending::Finished { receipt, .. } = again else { panic!("{case}: the repeated run: {again:?}") };
                assert_eq!(receipt.counts.failed, 0, "{case}: {:?}", receipt.exceptions);
                assert_eq!(entries_of(&lab.log()), self.log, "{case}");
                assert_eq!(&visible(&memory).await, self.undisturbed, "{case}: not what an undisturbed run leaves");
                Vec::new()
            }
            other => panic!("{case}: {other:?}"),
        };
        let found = visible(&memory).await;
        check(&found, self.made, &case);
        for (blob, content) in self.undisturbed {
            if !named.contains(blob) {
                assert!(found.get(blob) == Some(content), "{case}: {blob} is not what an undisturbed run leaves");
            }
        }
        let marked = memory.names().len() - found.len();
        let reports = memory.names().iter().filter(|name| name.starts_with("waimportexport/")).count();
        assert!(marked - reports <= named.len(), "{case}: an unfinished page blob stays that no log names");
    }
}

async fn every_call(fault: Fault) {
    let made = make(&items());
    let opened = made.open(made.reader());
    let memory = filled().await;
    let counting = Arc::new(FailingStore::new(Arc::clone(&memory) as Arc<dyn Store>, u64::MAX, fault, || StoreError::NoSpace));
    let lab = Lab::new();
    let ending = lab.ingest_opened(&made, &opened, Arc::clone(&counting) as Arc<dyn Store>).await;
    let Ending::Finished { receipt, .. } = ending else { panic!("{ending:?}") };
    assert_eq!((receipt.counts.failed, receipt.counts.skipped, receipt.counts.overwritten), (0, 1, 3));
    let undisturbed = visible(&memory).await;
    let log = entries_of(&lab.log());
    let case = Case { made: &made, opened: &opened, undisturbed: &undisturbed, log: &log };
    let calls = counting.calls();
    assert!(calls > 20, "only {calls} calls");
    for at in 0..calls {
        for cause in CAUSES {
            case.run(at, fault, cause).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_fails_loses_nothing() {
    every_call(Fault::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_loses_nothing() {
    every_call(Fault::After).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_panics_ends_the_run_instead_of_hanging_it() {
    let made = make(&items());
    let opened = made.open(made.reader());
    for at in 0..24 {
        let memory = filled().await;
        let store =
            Arc::new(FailingStore::new(Arc::clone(&memory) as Arc<dyn Store>, at, Fault::Before, || panic!("on purpose")));
        let (made, opened) = (made.clone(), opened.clone());
        let (found, case) = (memory, made.clone());
        let lab = Lab::new();
        let (services, drive) = (lab.services(&made.job, store).await, made.admitted(made.reader()));
        let run = tokio::spawn(ingest_opened(drive, opened, services, Board::silent().drive("test")));
        match run.await {
            Ok(Ending::Internal { .. } | Ending::Finished { .. }) | Err(_) => {}
            Ok(other) => panic!("call {at}: {other:?}"),
        }
        check(&visible(&found).await, &case, &format!("panic at call {at}"));
    }
}
