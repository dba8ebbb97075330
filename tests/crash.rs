//! A run that is killed anywhere is finished by the next one: the same blobs, the same log, nothing else left.
//!
//! The run that dies is a process of its own (this very program, see [`child`]), killed by SIGKILL: at every call of the store and of the
//! ledger, before, during and after it, over a folder and over Azurite; and at random moments. The next run is this process's.
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
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use azurite::{ACCOUNT, Azurite};
use dockside::drive::Source;
use dockside::ingest::{Admitted, Ending, ingest};
use dockside::job::Job;
use dockside::ledger::state::StateDir;
use dockside::manifest::Digest;
use dockside::report::{Board, Receipt};
use dockside::store::failing::{FailingStore, Fault};
use dockside::store::{Credentials, FolderStore, Store, StoreConfig, StoreUrl, StoredKind, open};
use dockside::volume::{ReadAt, ReadError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use road::{Item, Lab, Logged, Made, block, entries_of, make, page, put, put_pages};
use serde_json::{Value, json};

/// The plan of a process that shall die, in its environment.
const PLAN: &str = "DOCKSIDE_CRASH";
const OLD: &[u8] = b"somebody else's";
/// Bytes of the budget in all runs.
const BUDGET: u64 = 4 << 20;

/// Every disposition, both kinds, and blobs of either kind that are there before.
fn items() -> Vec<Item> {
    vec![
        block("cust/renamed", r"\medium.bin", "rename", 20_000),
        Item { metadata: Some(r"\side\meta.xml"), ..block("cust/renamed-one", r"\small.txt", "rename", 4_096) },
        page("cust/renamed.vhd", r"\disk.vhd", "rename", 32_768),
        block("cust/kept", r"\small.txt", "no-overwrite", 4_096),
        block("cust/new", r"\medium.bin", "no-overwrite", 20_000),
        page("cust/new.vhd", r"\holes.vhd", "no-overwrite", 65_536),
        block("cust/over", r"\medium.bin", "overwrite", 20_000),
        page("cust/over.vhd", r"\disk.vhd", "overwrite", 32_768),
        block("cust/page-to-block", r"\medium.bin", "overwrite", 20_000),
        page("cust/block-to-page", r"\disk.vhd", "overwrite", 32_768),
        block("cust/over", r"\small.txt", "overwrite", 4_096),
        Item { metadata: Some(r"\small.txt"), ..page("cust/flawed.vhd", r"\disk.vhd", "rename", 32_768) },
        Item { bad: Some(1), ..block("cust/bad", r"\medium.bin", "rename", 20_000) },
    ]
}

/// Those that differ most in what is asked of a store: it takes a second for each call.
fn few() -> Vec<Item> {
    let few = ["cust/renamed", "cust/new.vhd", "cust/over", "cust/page-to-block", "cust/block-to-page"];
    let mut items = items();
    items.retain(|item| few.contains(&item.blob.as_str()));
    items
}

/// Where blobs go, in a form that another process takes.
#[derive(Clone)]
enum Place {
    Folder(PathBuf),
    Azurite(String),
}

impl Place {
    fn store(&self) -> Arc<dyn Store> {
        let Self::Azurite(endpoint) = self else {
            let Self::Folder(root) = self else { unreachable!() };
            return Arc::new(FolderStore::new(root));
        };
        let pairs = [("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURITE_BLOB_STORAGE_URL", endpoint)];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.into())).to_vec();
        let url = StoreUrl::parse(&format!("azure://{ACCOUNT}")).unwrap();
        let config = StoreConfig { account: ACCOUNT.to_owned(), url, endpoint: None, credentials: Credentials::Given(pairs) };
        open(&config, 4).unwrap()
    }

    fn json(&self) -> Value {
        match self {
            Self::Folder(root) => json!({ "folder": root }),
            Self::Azurite(endpoint) => json!({ "azurite": endpoint }),
        }
    }

    fn parse(value: &Value) -> Self {
        match value["folder"].as_str() {
            Some(root) => Self::Folder(root.into()),
            None => Self::Azurite(value["azurite"].as_str().unwrap().to_owned()),
        }
    }
}

/// The drive as files, which both processes use.
struct Drive {
    made: Made,
    folder: tempfile::TempDir,
}

impl Drive {
    fn new(items: &[Item]) -> Self {
        let (made, folder) = (make(items), tempfile::tempdir().unwrap());
        fs::write(folder.path().join("drive.img"), &**made.image).unwrap();
        Self { made, folder }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("drive.img")
    }

    /// The job with a diagnostics place of its own: the session's blob of a round stays leased for a minute.
    fn job(&self, diagnostics: &str) -> PathBuf {
        let mut job = drives::json("plain-rich.img.job.json");
        let line = &mut job["properties"]["driveList"][0];
        line["manifestHash"] = Value::String(self.made.job.drives()[0].manifest_hash.to_string());
        job["properties"]["logLevel"] = Value::String("Verbose".to_owned());
        job["properties"]["diagnosticsPath"] = Value::String(diagnostics.to_owned());
        let path = self.folder.path().join(format!("{diagnostics}.json"));
        fs::write(&path, job.to_string()).unwrap();
        path
    }
}

/// Counts the bytes of some content that are read, in a file, so that they are known whatever becomes of the process.
struct Counted {
    image: File,
    count: Option<File>,
    content: Vec<Range<u64>>,
    bytes: AtomicU64,
    /// After so many bytes of content, and then so many microseconds, the process ends.
    until: Option<(u64, u64)>,
}

impl Counted {
    fn uncounted(image: &Path) -> Arc<Self> {
        Self::open(image, None, Vec::new(), None)
    }

    /// Counts on from what the file says; `content` is where the content lies.
    fn open(image: &Path, count: Option<&Path>, content: Vec<Range<u64>>, until: Option<(u64, u64)>) -> Arc<Self> {
        let count = count.map(|path| File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap());
        let mut before = [0; 8];
        let known = count.as_ref().is_some_and(|file| file.read_exact_at(&mut before, 0).is_ok());
        let before = if known { u64::from_le_bytes(before) } else { 0 };
        let until = until.map(|(bytes, pause)| (before + bytes, pause));
        Arc::new(Self { image: File::open(image).unwrap(), count, content, bytes: AtomicU64::new(before), until })
    }
}

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.image.metadata().unwrap().len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let length = buffer.len() as u64;
        self.image.read_exact_at(buffer, offset).map_err(|source| ReadError::Io { offset, length, source })?;
        let of_content = |part: &Range<u64>| part.end.min(offset + length).saturating_sub(part.start.max(offset));
        let bytes: u64 = self.content.iter().map(of_content).sum();
        let total = self.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        if let Some(count) = &self.count {
            count.write_all_at(&total.to_le_bytes(), 0).unwrap();
        }
        if let Some((_, pause)) = self.until.filter(|(end, _)| (total - bytes..total).contains(end)) {
            std::thread::spawn(move || {
                // nothing is waited for: the moment shall be any
                std::thread::sleep(Duration::from_micros(pause));
                die();
            });
        }
        Ok(())
    }
}

fn die() {
    kill(Pid::this(), Signal::SIGKILL).unwrap();
}

/// Runs the drive here: `watch` and `store` may end the process.
async fn run(
    place: Arc<dyn Store>,
    image: Arc<dyn ReadAt>,
    job: &Path,
    lab: &Lab,
    watch: Option<dockside::ledger::Watch>,
) -> Ending {
    let job = Arc::new(Job::parse(&fs::read(job).unwrap()).unwrap());
    let id = job.drive_ids().next().unwrap().clone();
    let drive = Admitted { source: Arc::new(Source::over(image, "drive.img")), id, job: Arc::clone(&job) };
    let mut services = lab.services(&job, place).await;
    services.watch = watch;
    ingest(drive, services, Board::silent().drive("test")).await
}

/// Not a test by itself: the process that is killed.
#[test]
fn child() {
    let Ok(plan) = std::env::var(PLAN) else { return };
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let path = |name: &str| PathBuf::from(plan[name].as_str().unwrap());
    let (at, count) = (plan["at"].as_u64().unwrap(), plan["count"].as_str().map(Path::new));
    let mut store = Place::parse(&plan["place"]).store();
    let mut watch: Option<dockside::ledger::Watch> = None;
    let fault = match plan["when"].as_str().unwrap() {
        "before" => Fault::Before,
        "during" => Fault::During,
        _ => Fault::After,
    };
    match plan["calls"].as_str().unwrap() {
        "store" => {
            store = Arc::new(FailingStore::new(store, at, fault, || {
                die();
                unreachable!()
            }));
        }
        "ledger" => {
            let calls = AtomicU64::new(0);
            watch = Some(Arc::new(move || {
                if calls.fetch_add(1, Ordering::SeqCst) == at {
                    die();
                }
            }));
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let lab = Lab::at(&path("state"), BUDGET);
    let content = plan["content"].as_str().map(road::places).unwrap_or_default();
    let image = Counted::open(&path("image"), count, content, serde_json::from_value(plan["until"].clone()).unwrap());
    let ending = runtime.block_on(run(store, image, &path("job"), &lab, watch));
    assert!(matches!(ending, Ending::Finished { .. }), "{ending:?}");
}

/// Starts the process that shall die.
fn start(plan: &Value) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(PLAN, plan.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

fn was_killed(status: ExitStatus) -> bool {
    match status.signal() {
        Some(9) => true,
        _ if status.success() => false,
        _ => panic!("the process that was to be killed ended by itself: {status}"),
    }
}

/// Blobs that are there before.
async fn fill(store: &Arc<dyn Store>) {
    for name in ["cust/renamed", "cust/renamed-one", "cust/kept", "cust/over", "cust/block-to-page"] {
        put(store, name, OLD).await;
    }
    for name in ["cust/renamed.vhd", "cust/over.vhd", "cust/page-to-block"] {
        put_pages(store, name, 512).await;
    }
}

async fn clear(store: &Arc<dyn Store>) {
    let container = road::container("cust");
    if store.container_exists(&container).await.unwrap() {
        for blob in store.list(&container, None).await.unwrap().blobs {
            store.delete(&format!("cust/{}", blob.name).parse().unwrap(), &blob.etag).await.unwrap();
        }
    }
}

/// What a run leaves: every blob with its kind, and the log.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// Kind, MD5 property, whether it is unfinished, MD5 of its content.
    blobs: BTreeMap<String, (StoredKind, Option<Digest>, bool, Digest)>,
    attributes: BTreeMap<PathBuf, Value>,
    log: Vec<Logged>,
}

async fn look(place: &Place, store: &Arc<dyn Store>, lab: &Lab) -> Left {
    let mut blobs = BTreeMap::new();
    for blob in store.list(&road::container("cust"), None).await.unwrap().blobs {
        let path = format!("cust/{}", blob.name).parse().unwrap();
        let head = store.head(&path).await.unwrap().unwrap();
        let content = Digest::of(&store.read(&path, 16 << 20).await.unwrap().unwrap().1);
        blobs.insert(blob.name, (head.kind, head.md5.map(Digest), head.incomplete.is_some(), content));
    }
    let attributes = if let Place::Folder(root) = place { sheets(&root.join("cust")) } else { BTreeMap::new() };
    Left { blobs, attributes, log: entries_of(&lab.log()) }
}

/// The attributes beside a folder's blobs, without their times. Any other hidden file is a leftover.
fn sheets(folder: &Path) -> BTreeMap<PathBuf, Value> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(".dockside-attr-") {
            let mut sheet: Value = serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap();
            for version in sheet["versions"].as_array_mut().unwrap() {
                version.as_object_mut().unwrap().remove("modified");
            }
            found.insert(entry.file_name().into(), sheet);
        } else {
            assert!(!name.starts_with(".dockside"), "{name} is left");
        }
    }
    found
}

fn receipt(ending: Ending, case: &str) -> Receipt {
    match ending {
        Ending::Finished { receipt, .. } => *receipt,
        other => panic!("{case}: {other:?}"),
    }
}

/// One kind of place, and what an undisturbed run leaves there.
struct Bench<'a> {
    place: Place,
    drive: &'a Drive,
    /// Blobs in the end, those from before among them.
    blobs: usize,
    undisturbed: Option<Left>,
    rounds: u32,
}

impl Bench<'_> {
    /// Kills a run at a call, goes on, and compares. `false` if there is no such call.
    async fn round(&mut self, calls: &str, at: u64, when: &str) -> bool {
        self.rounds += 1;
        let (state, store) = (tempfile::tempdir().unwrap(), self.place.store());
        clear(&store).await;
        fill(&store).await;
        let job = self.drive.job(&format!("diag{}", self.rounds));
        let plan = json!({
            "place": self.place.json(), "image": self.drive.image(), "job": job, "state": state.path(), "calls": calls, "at": at,
            "when": when, "count": null
        });
        let killed = was_killed(start(&plan).wait().unwrap());
        let case = format!("{calls} call {at}, {when}");
        let lab = Lab::at(state.path(), BUDGET);
        let image = Counted::uncounted(&self.drive.image());
        let receipt = receipt(run(Arc::clone(&store), image, &job, &lab, None).await, &case);
        let left = look(&self.place, &store, &lab).await;
        match &self.undisturbed {
            None => self.undisturbed = Some(left),
            Some(undisturbed) => assert_eq!(&left, undisturbed, "{case}"),
        }
        assert!(receipt.interruptions <= 1, "{case}");
        let scratch = state.path().join("scratch");
        assert!(!scratch.exists(), "{case}: the scratch folder is left");
        killed
    }

    async fn every_call(mut self) {
        // the first one is not killed
        assert!(!self.round("none", 0, "never").await);
        let first = self.undisturbed.as_ref().unwrap();
        assert_eq!(first.blobs.len(), self.blobs, "{:?}", first.blobs.keys());
        assert!(first.blobs.values().all(|(_, _, incomplete, _)| !incomplete), "{:?}", first.blobs);
        let mut rounds = 0;
        for when in ["before", "during", "after"] {
            for at in 0.. {
                if !self.round("store", at, when).await {
                    assert!(at > 40, "only {at} calls of the store");
                    break;
                }
                rounds += 1;
            }
        }
        for at in 0.. {
            if !self.round("ledger", at, "").await {
                assert!(at > 20, "only {at} calls of the ledger");
                break;
            }
            rounds += 1;
        }
        println!("{rounds} kills, each finished by the next run");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_call_over_a_folder_the_next_run_finishes() {
    let (drive, folder) = (Drive::new(&items()), tempfile::tempdir().unwrap());
    let place = Place::Folder(folder.path().join("blobs"));
    Bench { place, drive: &drive, blobs: 14, undisturbed: None, rounds: 0 }.every_call().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_call_over_azurite_the_next_run_finishes() {
    let Some(azurite) = Azurite::start() else { return };
    let drive = Drive::new(&few());
    Bench { place: Place::Azurite(azurite.url()), drive: &drive, blobs: 10, undisturbed: None, rounds: 0 }.every_call().await;
}

/// Pseudo-random numbers, the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_fifty_times_at_random_moments_little_is_read_again() {
    const KILLS: u32 = 50;
    let file = r"\manifests\blocks-51000.xml";
    let name = |n: usize| format!("cust/{n}");
    let items: Vec<_> = (0..16)
        .map(|n| if n % 4 == 3 { block(&name(n), file, "rename", 4 << 20) } else { block(&name(n), file, "rename", 128 << 10) })
        .collect();
    let drive = Drive::new(&items);
    let content = items.len() as u64 * road::content(file).len() as u64;
    let (mut dice, mut kills, mut again, mut most) = (Dice(0x5DEE_CE66_D15E_A5E5), 0_u32, 0, 0);
    let mut undisturbed = None;
    for round in 0.. {
        let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = Place::Folder(folder.path().join("blobs"));
        let (job, count) = (drive.job(&format!("random{round}")), folder.path().join("count"));
        let mut killed_here = 0_u32;
        loop {
            // so many bytes of content and so many microseconds after the start; a run that has less to read ends by itself
            let until = (round > 0 && kills < KILLS).then(|| (dice.below(content / 2), dice.below(30_000)));
            let plan = json!({
                "place": place.json(), "image": drive.image(), "job": job, "state": state.path(), "calls": "none", "at": 0,
                "when": "never", "count": count, "content": file, "until": until
            });
            if !was_killed(start(&plan).wait().unwrap()) {
                break;
            }
            (kills, killed_here) = (kills + 1, killed_here + 1);
        }
        let read = u64::from_le_bytes(fs::read(&count).unwrap().try_into().unwrap());
        let (store, lab) = (place.store(), Lab::at(state.path(), BUDGET));
        let left = look(&place, &store, &lab).await;
        match &undisturbed {
            None => undisturbed = Some((left, read)),
            Some((undisturbed, once)) => {
                assert_eq!(&left, undisturbed, "round {round}, {killed_here} kills");
                let extra = read.saturating_sub(*once);
                (again, most) = (again + extra, most.max(extra / u64::from(killed_here.max(1))));
            }
        }
        if kills >= KILLS {
            break;
        }
    }
    let each = again / u64::from(kills);
    println!(
        "{kills} kills, {} KiB read again for each (at most {} KiB in a round), budget {} KiB",
        each >> 10,
        most >> 10,
        BUDGET >> 10
    );
    assert!(each <= BUDGET, "{each} bytes are read again for each kill");
    // the state folder is whole after all of this
    assert!(StateDir::open(drive.folder.path()).is_ok());
}
