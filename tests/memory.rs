//! Memory is bounded by the configuration: a store that does not take what it is sent stops the reading, not the machine.
//!
//! One test alone in this program: it reads the peak memory of the processes that it has waited for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "support/blob_service.rs"]
mod blob_service;
#[path = "support/cli.rs"]
mod cli;
#[path = "support/drives.rs"]
mod drives;
#[path = "support/road.rs"]
mod road;

use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

use blob_service::BlobService;
use cli::Desk;
use road::{block, make};

/// Bytes of the budget in this test.
const BUDGET: u64 = 16 << 20;
/// What a run may need beside it.
const BESIDE: u64 = 96 << 20;
/// The largest file of the drive.
const FILE: &str = r"\manifests\blocks-51000.xml";

/// Bytes that a process has read so far.
fn bytes_read(process: u32) -> String {
    let io = fs::read_to_string(format!("/proc/{process}/io")).unwrap();
    io.lines().find(|line| line.starts_with("rchar")).unwrap().to_owned()
}

#[test]
fn a_store_that_does_not_take_what_it_is_sent_stops_the_reading() {
    // two in one request: more of them would use up the budget by themselves; the rest staged
    let range = |n: usize| if n.is_multiple_of(64) { 4 << 20 } else { 1 << 20 };
    let items: Vec<_> = (0..128).map(|n| block(&format!("import/{n}"), FILE, "overwrite", range(n))).collect();
    let (made, desk, service) = (make(&items), Desk::new(), BlobService::start(true));
    let content: u64 = items.iter().map(|item| item.content().len() as u64).sum();
    assert!(content > 2 * (BUDGET + BESIDE), "{content} bytes prove nothing");
    let image = desk.write("drive.img", &**made.image);
    let job = desk.job("plain-rich", "job.json", |job| {
        let line = &mut job["properties"]["driveList"][0];
        line["manifestHash"] = Value::String(made.job.drives()[0].manifest_hash.to_string());
    });
    let config = desk
        .write("dockside.toml", format!("[limits]\nmax_amplification = 100\n[transfer]\nbyte_budget = {BUDGET}\nuploads = 32\n"));
    let mut command = desk.command(&["ingest".as_ref(), image.as_os_str(), "--job".as_ref(), job.as_os_str()]);
    command.args(["--store", "azure://devstoreaccount1", "--state"]).arg(desk.path("state")).arg("--config").arg(config);
    let mut child = command.envs(service.settings()).spawn().unwrap();
    service.wait_for_writes(1);
    // nothing passes the gate: sooner or later nothing more is read
    let mut before = String::new();
    loop {
        let now = bytes_read(child.id());
        if now == before {
            break;
        }
        before = now;
        // too short on a slow machine makes the test easier to pass, never harder
        std::thread::sleep(Duration::from_secs(1));
    }
    service.open();
    assert!(child.wait().unwrap().success());
    assert_eq!(service.blobs("import").len(), items.len());
    let peak = u64::try_from(getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss()).unwrap() << 10;
    println!("peak memory {} MiB, budget {} MiB, content {} MiB", peak >> 20, BUDGET >> 20, content >> 20);
    assert!(peak <= BUDGET + BESIDE, "{peak} bytes");
}
