//! What a run finds that another one left: scratch files that are gone, a session of another ledger, names that others hold; and what is
//! done while there is no room.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "support/drives.rs"]
mod drives;
#[path = "support/road.rs"]
mod road;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use azurite::{ACCOUNT, Azurite};
use bytes::Bytes;
use dockside::ingest::{Ending, Opened, ingest_opened};
use dockside::manifest::Digest;
use dockside::report::{Board, DriveCode, Receipt};
use dockside::store::failing::{FailingStore, Fault};
use dockside::store::{Credentials, MemoryStore, Store, StoreConfig, StoreError, StoreUrl, open};
use object_store::MultipartUpload as _;
use object_store::ObjectStoreExt as _;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::path::Path;
use road::{Item, Lab, Made, block, entries_of, make, page, put, put_pages, visible};

const OLD: &[u8] = b"what was there before";

fn items() -> Vec<Item> {
    vec![
        block("cust/renamed", r"\medium.bin", "rename", 20_000),
        block("cust/twice", r"\small.txt", "rename", 4_096),
        block("cust/twice", r"\small.txt", "rename", 4_096),
        page("cust/renamed.vhd", r"\disk.vhd", "rename", 32_768),
        block("cust/new", r"\medium.bin", "no-overwrite", 20_000),
        block("cust/over", r"\exact.bin", "overwrite", 131_072),
        page("cust/new.vhd", r"\holes.vhd", "no-overwrite", 65_536),
        block("cust/chain", r"\exact.bin", "overwrite", 131_072),
        block("cust/chain", r"\small.txt", "overwrite", 4_096),
        // its metadata file is none: stored, but flawed
        Item { metadata: Some(r"\small.txt"), ..page("cust/flawed.vhd", r"\disk.vhd", "rename", 32_768) },
    ]
}

/// Entries that are stored with a flaw.
const FLAWED: u64 = 1;

async fn filled() -> Arc<MemoryStore> {
    let memory = Arc::new(MemoryStore::new());
    let store = Arc::clone(&memory) as Arc<dyn Store>;
    for name in ["cust/renamed", "cust/twice", "cust/over"] {
        put(&store, name, OLD).await;
    }
    put_pages(&store, "cust/renamed.vhd", 512).await;
    memory
}

/// Nothing is missing, nothing is there twice. Numbers of renamed blobs may be others: a name that is there is not given again.
fn same_blobs(found: BTreeMap<String, Vec<u8>>, undisturbed: &BTreeMap<String, Vec<u8>>, case: &str) {
    let sorted = |blobs: BTreeMap<String, Vec<u8>>| {
        let asked = |name: String| name.split(" (").next().unwrap().to_owned();
        let mut all: Vec<_> = blobs.into_iter().map(|(name, content)| (asked(name), Digest::of(&content))).collect();
        all.sort();
        all
    };
    assert_eq!(sorted(found), sorted(undisturbed.clone()), "{case}");
}

fn receipt(ending: Ending, case: &str) -> Receipt {
    match ending {
        Ending::Finished { receipt, .. } => *receipt,
        other => panic!("{case}: {other:?}"),
    }
}

struct Drive {
    made: Made,
    opened: Opened,
    /// What an undisturbed run leaves.
    undisturbed: BTreeMap<String, Vec<u8>>,
    calls: u64,
}

impl Drive {
    async fn new() -> Self {
        let made = make(&items());
        let opened = made.open(made.reader());
        let memory = filled().await;
        let counting = failing(&memory, u64::MAX);
        let ending = Lab::new().ingest_opened(&made, &opened, Arc::clone(&counting) as _).await;
        assert_eq!(receipt(ending, "undisturbed").counts.failed, FLAWED);
        let undisturbed = visible(&memory).await;
        assert_eq!(undisturbed.len(), 12);
        Self { made, opened, undisturbed, calls: counting.calls() }
    }

    async fn run(&self, lab: &Lab, store: Arc<dyn Store>) -> Ending {
        lab.ingest_opened(&self.made, &self.opened, store).await
    }

    async fn take_over(&self, lab: &Lab, store: Arc<dyn Store>) -> Ending {
        let mut services = lab.services(&self.made.job, store).await;
        services.take_over = true;
        let drive = self.made.admitted(self.made.reader());
        ingest_opened(drive, self.opened.clone(), services, Board::silent().drive("test")).await
    }
}

fn failing(memory: &Arc<MemoryStore>, at: u64) -> Arc<FailingStore> {
    let down = || StoreError::Unavailable { attempts: 3, last: "time-out".to_owned() };
    Arc::new(FailingStore::new(Arc::clone(memory) as Arc<dyn Store>, at, Fault::After, down))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scratch_files_that_are_gone_cost_no_second_copy() {
    let drive = Drive::new().await;
    for at in 0..drive.calls {
        let (memory, lab) = (filled().await, Lab::new());
        if let Ending::Interrupted { .. } = drive.run(&lab, failing(&memory, at)).await {
            let _ = std::fs::remove_dir_all(lab.state.join("scratch"));
            let case = format!("interrupted at call {at}");
            assert_eq!(receipt(drive.run(&lab, Arc::clone(&memory) as _).await, &case).counts.failed, FLAWED, "{case}");
            same_blobs(visible(&memory).await, &drive.undisturbed, &case);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_another_ledger_is_left_alone_and_taken_over_when_asked() {
    let drive = Drive::new().await;
    let mut met = 0;
    for at in 0..drive.calls {
        let (memory, first, second) = (filled().await, Lab::new(), Lab::new());
        let Ending::Interrupted { .. } = drive.run(&first, failing(&memory, at)).await else { continue };
        let before = visible(&memory).await;
        match drive.run(&second, Arc::clone(&memory) as _).await {
            Ending::Halted(halt) if halt.code == DriveCode::SessionElsewhere => {
                assert!(halt.detail.contains("host") && halt.detail.contains("since"), "{halt:?}");
                met += 1;
            }
            // nobody had begun it yet
            Ending::Finished { .. } => continue,
            other => panic!("call {at}: {other:?}"),
        }
        assert_eq!(visible(&memory).await, before, "call {at}");
        let case = format!("taken over after call {at}");
        let held = drive.take_over(&second, Arc::clone(&memory) as _).await;
        assert_eq!(receipt(held, &case).counts.failed, FLAWED, "{case}");
        same_blobs(visible(&memory).await, &drive.undisturbed, &case);
    }
    assert!(met > 10, "only {met} rounds met another's session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_ledger_stored_since_its_session_was_met_is_found() {
    let drive = Drive::new().await;
    for (at, whole_md5) in (8..drive.calls).step_by(3).zip([false, true].into_iter().cycle()) {
        let (memory, mut first, mut second) = (filled().await, Lab::new(), Lab::new());
        (first.config.transfer.set_content_md5, second.config.transfer.set_content_md5) = (whole_md5, whole_md5);
        let Ending::Interrupted { .. } = drive.run(&first, failing(&memory, at)).await else { continue };
        // the second settles its names now, and is told whose the session is; then the first goes on
        let Ending::Halted(_) = drive.run(&second, Arc::clone(&memory) as _).await else { continue };
        let more = drive.run(&first, failing(&memory, drive.calls - at)).await;
        let case = format!("interrupted at call {at}, then {}", drive.calls - at);
        let taken = drive.take_over(&second, Arc::clone(&memory) as _).await;
        assert_eq!(receipt(taken, &case).counts.failed, FLAWED, "{case}");
        same_blobs(visible(&memory).await, &drive.undisturbed, &case);
        // and back again: nothing of this is the first one's any more
        if let Ending::Interrupted { .. } = more {
            assert!(matches!(drive.run(&first, Arc::clone(&memory) as _).await, Ending::Halted(_)), "{case}");
            let back = drive.take_over(&first, Arc::clone(&memory) as _).await;
            assert_eq!(receipt(back, &case).counts.failed, FLAWED, "{case}");
            same_blobs(visible(&memory).await, &drive.undisturbed, &case);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_that_breaks_off_is_gone_on_with() {
    let drive = Drive::new().await;
    // everything but the reports is stored by the first
    for at in 0.. {
        let (memory, first, second) = (filled().await, Lab::new(), Lab::new());
        let ending = drive.run(&first, failing(&memory, drive.calls - 3)).await;
        assert!(matches!(ending, Ending::Interrupted { .. }), "{ending:?}");
        let store = failing(&memory, at);
        let ended = drive.take_over(&second, Arc::clone(&store) as _).await;
        let done = matches!(ended, Ending::Finished { .. });
        let case = format!("taking over broke off at call {at}");
        if !done {
            let again = drive.take_over(&second, Arc::clone(&memory) as _).await;
            assert_eq!(receipt(again, &case).counts.failed, FLAWED, "{case}");
        }
        same_blobs(visible(&memory).await, &drive.undisturbed, &case);
        // some calls may fail without breaking anything off
        if store.calls() <= at {
            assert!(at > 10, "only {at} calls");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_in_the_state_folder_nothing_is_begun() {
    let drive = Drive::new().await;
    let (memory, mut lab) = (filled().await, Lab::new());
    let before = visible(&memory).await;
    // more than any disk has
    lab.config.ledger.pause_below = u64::MAX;
    let stop = lab.stop.clone();
    let asked = async {
        // that nothing happens takes time to see: too short on a slow machine makes the test easier to pass, never harder
        tokio::time::sleep(Duration::from_millis(700)).await;
        stop.ask();
    };
    let (ending, ()) = tokio::join!(drive.run(&lab, Arc::clone(&memory) as _), asked);
    assert!(matches!(&ending, Ending::Interrupted { cause } if cause == "asked to stop"), "{ending:?}");
    assert_eq!(visible(&memory).await, before);
    (lab.config.ledger.pause_below, lab.stop) = (0, dockside::transfer::Stop::default());
    assert_eq!(receipt(drive.run(&lab, Arc::clone(&memory) as _).await, "with room").counts.failed, FLAWED);
    assert_eq!(visible(&memory).await, drive.undisturbed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_folder_that_vanishes_interrupts_and_loses_nothing() {
    let drive = Drive::new().await;
    for at in [8, 16, 24] {
        let (memory, lab) = (filled().await, Lab::new());
        let state = lab.state.clone();
        // at this call of the store the folder goes, and the call fails: the run sees both
        let gone = FailingStore::new(Arc::clone(&memory) as Arc<dyn Store>, at, Fault::After, move || {
            std::fs::remove_dir_all(&state).unwrap();
            StoreError::Unavailable { attempts: 1, last: "time-out".to_owned() }
        });
        let ending = drive.run(&lab, Arc::new(gone)).await;
        assert!(matches!(ending, Ending::Interrupted { .. }), "{ending:?}");
        // another ledger now: the session must be taken over, and is told from what is there
        std::fs::create_dir_all(&lab.state).unwrap();
        let ending = drive.take_over(&lab, Arc::clone(&memory) as _).await;
        assert_eq!(receipt(ending, "again").counts.failed, FLAWED);
        same_blobs(visible(&memory).await, &drive.undisturbed, &format!("call {at}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_blobs_get_their_md5_where_it_is_wanted() {
    let drive = Drive::new().await;
    let (memory, mut lab) = (filled().await, Lab::new());
    lab.config.transfer.set_content_md5 = true;
    receipt(drive.run(&lab, Arc::clone(&memory) as _).await, "with MD5");
    assert_eq!(visible(&memory).await, drive.undisturbed);
    for (name, content) in &drive.undisturbed {
        let path = name.parse().unwrap();
        let property = memory.attributes(&path).unwrap().content_md5;
        let ours = content != OLD && !name.contains(".vhd");
        assert_eq!(property, ours.then(|| Digest::of(content).0), "{name}");
    }
}

fn emulator(azurite: &Azurite) -> Arc<dyn Store> {
    let pairs = azurite.settings().into_iter().map(|(key, value)| (key, value.into())).collect();
    let url = StoreUrl::parse(&format!("azure://{ACCOUNT}")).unwrap();
    open(&StoreConfig { account: ACCOUNT.to_owned(), url, endpoint: None, credentials: Credentials::Given(pairs) }, 4).unwrap()
}

fn other_tool(azurite: &Azurite, container: &str) -> MicrosoftAzure {
    let known = MicrosoftAzureBuilder::new().with_use_emulator(true).with_container_name("x").build().unwrap();
    MicrosoftAzureBuilder::new()
        .with_account(ACCOUNT)
        .with_credentials(Arc::clone(known.credentials()))
        .with_endpoint(format!("{}/{ACCOUNT}", azurite.url()))
        .with_allow_http(true)
        .with_container_name(container)
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_another_tool_and_leases_of_others_concern_their_blob_alone() {
    let Some(azurite) = Azurite::start() else { return };
    let store = emulator(&azurite);
    let made = make(&[
        block("cust/free", r"\medium.bin", "rename", 20_000),
        block("cust/there", r"\medium.bin", "overwrite", 20_000),
        block("cust/leased", r"\small.txt", "overwrite", 4_096),
        block("cust/plain", r"\medium.bin", "rename", 20_000),
    ]);
    for name in ["cust/there", "cust/leased"] {
        put(&store, name, OLD).await;
    }
    // ids of another length, staged and not committed
    for name in ["free", "there"] {
        let mut upload = other_tool(&azurite, "cust").put_multipart(&Path::from(name)).await.unwrap();
        upload.put_part(Bytes::from_static(b"foreign").into()).await.unwrap();
    }
    store.hold(&"cust/leased".parse().unwrap(), "11111111-2222-3333-4444-555555555555").await.unwrap();
    let lab = Lab::new();
    let ending = lab.ingest(&made, made.reader(), Arc::clone(&store)).await;
    let log = entries_of(&lab.log());
    let ends: Vec<_> = log.iter().map(|entry| (entry.path.as_str(), entry.status.as_str(), entry.disposition.as_str())).collect();
    assert_eq!(receipt(ending, "foreign").counts.failed, 2);
    assert_eq!(
        ends,
        [
            ("cust/free", "Completed", "Created"),
            ("cust/there", "BlobRequestFailed", "Cancelled"),
            ("cust/leased", "LeasePresent", "Cancelled"),
            ("cust/plain", "Completed", "Created"),
        ]
    );
    for name in ["there", "leased"] {
        let kept = other_tool(&azurite, "cust").get(&Path::from(name)).await.unwrap().bytes().await.unwrap();
        assert_eq!(kept, OLD, "{name}");
    }
    let stored = other_tool(&azurite, "cust").get(&Path::from("free")).await.unwrap().bytes().await.unwrap();
    assert_eq!(stored, made.items[0].content());
}
