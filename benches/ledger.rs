//! What the ledger costs for one entry: claim, intent, ranges and end of 200,000 of them, from 64 tasks, with every promise synced.
//! Prints CPU time and time for each entry, entries for each transaction, and the same for intent and end alone.

#![allow(clippy::expect_used, reason = "a measurement that meets the unexpected should stop there")]

use std::time::{Duration, Instant};

use dockside::foreign::Foreign;
use dockside::ledger::Intent;
use dockside::ledger::db::{Ledger, SessionLedger};
use dockside::ledger::state::{SessionKey, StateDir};
use dockside::ledger::{BlobStatus, DispositionStatus, EntryOutcome};
use dockside::manifest::Attributes;
use dockside::store::Condition;
use nix::sys::resource::{UsageWho, getrusage};

const ENTRIES: u64 = 200_000;
const TASKS: u64 = 64;

fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system counts");
    let parts = [usage.user_time(), usage.system_time()];
    let micros = parts.iter().map(|time| time.tv_sec() * 1_000_000 + time.tv_usec()).sum::<i64>();
    Duration::from_micros(micros.unsigned_abs())
}

fn outcome() -> EntryOutcome {
    EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Created)
}

async fn entry(session: &SessionLedger, number: u64, all: bool) {
    let path = format!("photos/2013/september/IMG_{number:08}.jpg").parse().expect("a path");
    if all {
        session.claim(number, &path).await.expect("a claim");
    }
    let intent = Intent { path, condition: Condition::Absent, attributes: Attributes::default(), outcome: outcome() };
    session.intend(number, &intent).await.expect("an intent");
    if all {
        session.acknowledge(number * 2..number * 2 + 2).expect("room");
    }
    session.ended(number, &intent.outcome, true, &[]).expect("room");
}

async fn measure(ledger: &Ledger, drive: &str, all: bool) {
    let key = SessionKey {
        store_url: format!("file:///{drive}"),
        account: "labdata".parse().expect("a name"),
        job: "bench".parse().expect("a name"),
        drive: drive.parse().expect("an id"),
        manifest_hash: "D41D8CD98F00B204E9800998ECF8427E".parse().expect("a hash"),
    };
    let session = ledger.begin(&key, &Foreign::from("bench")).await.expect("a session");
    let (cpu_before, before, commits) = (cpu(), Instant::now(), ledger.commits());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let session = session.clone();
        tasks.spawn(async move {
            for number in (task..ENTRIES).step_by(usize::try_from(TASKS).expect("64")) {
                entry(&session, number, all).await;
            }
        });
    }
    tasks.join_all().await;
    session.flush().await.expect("a flush");
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(u32::try_from(ENTRIES).expect("200,000"));
    let what = if all { "claim, intent, ranges, end" } else { "intent, end" };
    println!(
        "{what}: {:.1} us CPU, {:.1} us an entry, {} transactions",
        each(cpu().saturating_sub(cpu_before)),
        each(before.elapsed()),
        ledger.commits() - commits
    );
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = StateDir::open(folder.path()).expect("a state folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let ledger = Ledger::open(&state).await.expect("a ledger");
        measure(&ledger, "INTENT", false).await;
        measure(&ledger, "ALL", true).await;
        ledger.close().await.expect("everything is written");
    });
}
