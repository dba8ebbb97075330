//! A drive that fails at its n-th read, for every n, once or for ever; one that cannot give some bytes; one that answers differently the
//! second time. Never a panic, never wrong content; what can be read is stored, and the rest is named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "support/drives.rs"]
mod drives;
#[path = "support/road.rs"]
mod road;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dockside::ingest::Ending;
use dockside::report::{DriveCode, Receipt};
use dockside::store::{MemoryStore, Store};
use dockside::transfer::Stop;
use dockside::volume::{ReadAt, ReadError};
use road::{Item, Lab, Logged, Made, block, entries_of, make, page, places, put_pages, visible};

/// How a drive misbehaves.
#[derive(Clone, Debug)]
enum Ill {
    Not,
    /// At this read, once.
    Once(u64),
    /// From this read on.
    From(u64),
    /// Wherever a read touches these bytes.
    At(Vec<Range<u64>>),
    /// From this read on, one byte of every read is another one.
    Changes(u64),
    /// At this read, somebody asks to stop.
    Stops(u64, Stop),
}

struct Drive {
    bytes: Arc<Vec<u8>>,
    ill: Ill,
    reads: AtomicU64,
}

impl Drive {
    fn new(made: &Made, ill: Ill) -> Arc<Self> {
        Arc::new(Self { bytes: Arc::clone(&made.image), ill, reads: AtomicU64::new(0) })
    }
}

impl ReadAt for Drive {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        let length = buffer.len() as u64;
        let fails = match &self.ill {
            Ill::Not | Ill::Changes(_) => false,
            Ill::Stops(at, stop) => {
                if number == *at {
                    stop.ask();
                }
                false
            }
            Ill::Once(at) => number == *at,
            Ill::From(at) => number >= *at,
            Ill::At(places) => places.iter().any(|place| place.start < offset + length && offset < place.end),
        };
        if fails {
            let source = io::Error::from_raw_os_error(5);
            return Err(ReadError::Io { offset, length, source });
        }
        self.bytes.read_at(offset, buffer)?;
        if matches!(self.ill, Ill::Changes(from) if number >= from) && !buffer.is_empty() {
            let place = usize::try_from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % length).unwrap();
            buffer[place] ^= 0x40;
        }
        Ok(())
    }
}

fn items() -> Vec<Item> {
    vec![
        block("cust/big", r"\big.bin", "rename", 65_536),
        block("cust/small", r"\small.txt", "overwrite", 4_096),
        page("cust/over.vhd", r"\disk.vhd", "overwrite", 32_768),
        page("cust/new.vhd", r"\holes.vhd", "no-overwrite", 65_536),
        Item { metadata: Some(r"\side\meta.xml"), ..block("cust/deep", r"\folder\inner\deep.txt", "rename", 512) },
        block("cust/exact", r"\exact.bin", "no-overwrite", 65_536),
    ]
}

/// What a run left.
struct Left {
    ending: Ending,
    found: BTreeMap<String, Vec<u8>>,
    log: Vec<Logged>,
}

impl Left {
    fn receipt(&self) -> &Receipt {
        match &self.ending {
            Ending::Finished { receipt, .. } => receipt,
            other => panic!("{other:?}"),
        }
    }
}

async fn run(made: &Made, drive: Arc<Drive>, most: u64) -> Left {
    let memory = Arc::new(MemoryStore::new());
    let store = Arc::clone(&memory) as Arc<dyn Store>;
    put_pages(&store, "cust/over.vhd", 1_024).await;
    let mut lab = Lab::new();
    lab.config.limits.max_read_errors = most;
    let ending = lab.ingest(made, drive, store).await;
    let log = if matches!(ending, Ending::Finished { .. }) { entries_of(&lab.log()) } else { Vec::new() };
    Left { ending, found: visible(&memory).await, log }
}

/// Right content only; and if the run finished, every entry once in the log, stored if the log says so.
fn check(left: &Left, made: &Made, case: &Ill) {
    for (name, content) in &left.found {
        let item = made.items.iter().find(|item| item.blob == *name).unwrap();
        let old = name == "cust/over.vhd" && *content == vec![0; 1_024];
        assert!(old || *content == item.content(), "{case:?}: {name} has wrong content");
    }
    match &left.ending {
        Ending::Finished { .. } => {
            assert_eq!(left.log.len(), made.items.len(), "{case:?}");
            for (logged, item) in left.log.iter().zip(&made.items) {
                assert_eq!(logged.path, item.blob, "{case:?}");
                if logged.status == "Completed" {
                    assert!(left.found.get(&item.blob) == Some(&item.content()), "{case:?}: {logged:?}");
                }
                assert!(logged.status != "Completed" || logged.ranges.iter().all(|status| status == "Completed"), "{case:?}");
            }
        }
        Ending::Halted(_) => assert!(!left.found.keys().any(|name| name != "cust/over.vhd"), "{case:?}"),
        other => panic!("{case:?}: {other:?}"),
    }
}

async fn reads_of(made: &Made) -> u64 {
    let drive = Drive::new(made, Ill::Not);
    let left = run(made, Arc::clone(&drive), 64).await;
    assert_eq!((left.receipt().status, left.found.len()), (DriveCode::Completed, made.items.len()));
    drive.reads.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_fails_once_is_named_and_costs_no_other_entry() {
    let made = make(&items());
    for at in 0..reads_of(&made).await {
        let case = Ill::Once(at);
        let left = run(&made, Drive::new(&made, case.clone()), 64).await;
        check(&left, &made, &case);
        match &left.ending {
            Ending::Halted(halt) => {
                let codes = [DriveCode::DiskOperationFailed, DriveCode::ReadManifestFailed];
                assert!(codes.contains(&halt.code), "{case:?}: {halt:?}");
            }
            _ => assert!(left.receipt().counts.failed <= 1, "{case:?}: {:?}", left.log),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_that_dies_is_given_up_and_every_entry_is_accounted_for() {
    let made = make(&items());
    for from in 0..reads_of(&made).await {
        let case = Ill::From(from);
        let left = run(&made, Drive::new(&made, case.clone()), 2).await;
        check(&left, &made, &case);
        match &left.ending {
            Ending::Halted(halt) => {
                let codes = [DriveCode::DiskOperationFailed, DriveCode::ReadManifestFailed, DriveCode::BitLockerFailed];
                assert!(codes.contains(&halt.code), "{case:?}: {halt:?}");
            }
            _ => {
                assert!(left.receipt().status == DriveCode::DiskOperationFailed || left.receipt().counts.failed <= 2, "{case:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_that_answers_differently_the_second_time_stores_nothing_wrong() {
    let made = make(&items());
    for from in 0..reads_of(&made).await {
        let case = Ill::Changes(from);
        let left = run(&made, Drive::new(&made, case.clone()), 64).await;
        check(&left, &made, &case);
    }
}

#[tokio::test]
async fn a_range_that_cannot_be_read_fails_alone() {
    let made = make(&items());
    let start = places(r"\big.bin")[0].start;
    let hole = start + 65_536 + 100..start + 65_536 + 101;
    let left = run(&made, Drive::new(&made, Ill::At(vec![hole])), 64).await;
    let receipt = left.receipt();
    assert_eq!((receipt.status, receipt.counts.failed, left.found.len()), (DriveCode::CompletedWithErrors, 1, 5));
    let statuses = ["Uncommitted", "IOFailed", "Uncommitted", "Uncommitted", "Uncommitted", "Uncommitted"];
    assert_eq!((left.log[0].status.as_str(), left.log[0].disposition.as_str()), ("CompletedWithErrors", "Cancelled"));
    assert_eq!(left.log[0].ranges, statuses);
    let errors: Vec<_> = receipt.read_errors.iter().map(|e| (e.file_path.raw(), e.offset, e.length)).collect();
    assert_eq!(errors, [(r"\big.bin", 65_536, 65_536)]);
}

#[tokio::test]
async fn after_too_many_failed_reads_nothing_more_is_read() {
    let made = make(&items());
    let left = run(&made, Drive::new(&made, Ill::At(places(r"\big.bin"))), 3).await;
    let receipt = left.receipt();
    assert_eq!((receipt.status, receipt.counts.failed), (DriveCode::DiskOperationFailed, 6));
    // those that failed, and those that were not read any more
    let unread: usize = left.log.iter().map(|logged| logged.ranges.len()).sum();
    assert_eq!((receipt.read_errors.len(), left.found.len()), (unread, 1));
    for logged in &left.log {
        assert!(logged.ranges.iter().all(|status| status == "IOFailed"), "{logged:?}");
        assert_eq!(logged.disposition, "Cancelled");
    }
    assert!(left.log[1..].iter().all(|logged| logged.status == "IOFailed"));
}

#[tokio::test]
async fn each_station_that_cannot_be_read_has_its_code() {
    let made = make(&items());
    let code = async |place: Range<u64>| match run(&made, Drive::new(&made, Ill::At(vec![place])), 64).await.ending {
        Ending::Halted(halt) => halt.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(0..512).await, DriveCode::DiskOperationFailed);
    assert_eq!(code(0..made.image.size()).await, DriveCode::DiskOperationFailed);
    let manifest = places(r"\DriveManifest.xml").pop().unwrap();
    assert_eq!(code(manifest).await, DriveCode::ReadManifestFailed);
    // the copy of the volume's first sectors, where the NTFS boot sector is
    let size = made.image.size();
    assert_eq!(code(size - 8_192..size).await, DriveCode::DiskOperationFailed);
}

#[tokio::test]
async fn a_drive_that_breaks_before_its_entries_leaves_log_and_receipt_and_can_be_tried_again() {
    let (made, lab, store) = (make(&items()), Lab::new(), Arc::new(MemoryStore::new()));
    let ending = lab.ingest(&made, Drive::new(&made, Ill::At(std::iter::once(0..512).collect())), Arc::clone(&store) as _).await;
    assert!(matches!(ending, Ending::Halted(_)), "{ending:?}");
    let session = std::fs::read_dir(lab.state.join("sessions")).unwrap().next().unwrap().unwrap().path();
    for file in ["error.xml", "receipt.json"] {
        let text = std::fs::read_to_string(session.join(file)).unwrap();
        assert!(text.contains("DiskOperationFailed"), "{text}");
    }
    let again = lab.ingest(&made, made.reader(), store).await;
    assert!(matches!(again, Ending::Finished { already: false, .. }), "{again:?}");
}

#[tokio::test]
async fn who_is_asked_to_stop_while_unlocking_begins_nothing_more() {
    let (made, lab, memory) = (make(&items()), Lab::new(), Arc::new(MemoryStore::new()));
    lab.stop.ask();
    let ending = lab.ingest(&made, made.reader(), Arc::clone(&memory) as _).await;
    assert!(matches!(&ending, Ending::Interrupted { cause } if cause == "asked to stop"), "{ending:?}");
    assert!(visible(&memory).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_stopped_anywhere_completes_when_it_is_repeated() {
    let made = make(&items());
    // each run stretches a key: every second read is enough here
    for at in (0..reads_of(&made).await).step_by(2) {
        let memory = Arc::new(MemoryStore::new());
        let store = Arc::clone(&memory) as Arc<dyn Store>;
        put_pages(&store, "cust/over.vhd", 1_024).await;
        let mut lab = Lab::new();
        let drive = Drive::new(&made, Ill::Stops(at, lab.stop.clone()));
        if let Ending::Interrupted { .. } = lab.ingest(&made, drive, Arc::clone(&store)).await {
            lab.stop = Stop::default();
            let again = lab.ingest(&made, made.reader(), store).await;
            assert!(matches!(again, Ending::Finished { .. }), "stopped at read {at}: {again:?}");
        }
        let found = visible(&memory).await;
        // no second copy of anything
        assert_eq!(found.len(), made.items.len(), "stopped at read {at}: {:?}", found.keys());
        for item in &made.items {
            assert!(found.get(&item.blob) == Some(&item.content()), "stopped at read {at}: {}", item.blob);
        }
    }
}
