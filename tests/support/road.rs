//! The whole road in memory: a drive with a manifest made for the test, encrypted, ingested into any store, with any fault on the way.

#![allow(dead_code, reason = "each test uses the part that it needs")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use dockside::config::{Config, Machine};
use dockside::drive::Source;
use dockside::ingest::{Access, Admitted, Ending, Opened, Services, ingest, ingest_opened, locate};
use dockside::job::Job;
use dockside::ledger::db::Ledger;
use dockside::ledger::state::StateDir;
use dockside::manifest::{Attributes, BlobPath, ContainerName, Digest};
use dockside::report::Board;
use dockside::store::{Condition, Store, Target};
use dockside::transfer::{Budget, Hasher, Host, Stop, Uploads};
use dockside::volume::ReadAt;
use dockside::volume::ntfs::{Ntfs, NtfsLimits};
use serde_json::Value;

use crate::bitlocker_writer::{Options, Protector, encrypt};
use crate::drives::{self, drive};

const DRIVE: &str = "plain-rich";
const MANIFEST: &str = r"\DriveManifest.xml";

/// A blob that the manifest of a test lists.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) blob: String,
    pub(crate) file: &'static str,
    pub(crate) disposition: &'static str,
    /// Bytes of a range.
    pub(crate) range: usize,
    pub(crate) page: bool,
    /// Number of the range whose hash is wrong.
    pub(crate) bad: Option<usize>,
    /// Path of its metadata file, if it has one.
    pub(crate) metadata: Option<&'static str>,
}

/// A block blob of ranges of so many bytes.
pub(crate) fn block(blob: &str, file: &'static str, disposition: &'static str, range: usize) -> Item {
    Item { blob: blob.to_owned(), file, disposition, range, page: false, bad: None, metadata: None }
}

/// A page blob of ranges of so many bytes.
pub(crate) fn page(blob: &str, file: &'static str, disposition: &'static str, range: usize) -> Item {
    Item { page: true, ..block(blob, file, disposition, range) }
}

impl Item {
    /// The same with a range whose hash is wrong.
    pub(crate) fn bad(self, range: usize) -> Self {
        Self { bad: Some(range), ..self }
    }

    /// The content of its file.
    pub(crate) fn content(&self) -> Vec<u8> {
        content(self.file)
    }

    fn xml(&self) -> String {
        let content = self.content();
        let mut xml = format!("<Blob><BlobPath>{}</BlobPath><FilePath>{}</FilePath>", self.blob, self.file);
        write!(xml, "<Length>{}</Length><ImportDisposition>{}</ImportDisposition>", content.len(), self.disposition).unwrap();
        let (list, range) = if self.page { ("PageRangeList", "PageRange") } else { ("BlockList", "Block") };
        write!(xml, "<{list}>").unwrap();
        for (number, bytes) in content.chunks(self.range).enumerate() {
            let hash = if self.bad == Some(number) { Digest::of(b"something else") } else { Digest::of(bytes) };
            let (offset, length) = (number * self.range, bytes.len());
            write!(xml, r#"<{range} Offset="{offset}" Length="{length}" Hash="{}"/>"#, hex(&hash.0)).unwrap();
        }
        write!(xml, "</{list}>").unwrap();
        if let Some(path) = self.metadata {
            write!(xml, r#"<MetadataPath Hash="{}">{path}</MetadataPath>"#, hex(&Digest::of(&content_of(path)).0)).unwrap();
        }
        xml + "</Blob>\n"
    }
}

fn content_of(path: &str) -> Vec<u8> {
    file_bytes(&plain_files(), path)
}

/// Base16 in capitals.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").unwrap();
        text
    })
}

/// The plain volume, read once.
fn plain() -> &'static Arc<Vec<u8>> {
    static PLAIN: OnceLock<Arc<Vec<u8>>> = OnceLock::new();
    PLAIN.get_or_init(|| {
        let partition = drive(DRIVE).partition();
        let mut bytes = vec![0; usize::try_from(partition.size()).unwrap()];
        partition.read_at(0, &mut bytes).unwrap();
        Arc::new(bytes)
    })
}

fn plain_files() -> Ntfs {
    Ntfs::open(Arc::clone(plain()) as Arc<dyn ReadAt>, NtfsLimits::default()).unwrap()
}

fn file_bytes(files: &Ntfs, path: &str) -> Vec<u8> {
    let mut file = files.lookup(&path.parse().unwrap()).and_then(|node| files.file(&node)).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// The content of a file of the drive.
pub(crate) fn content(path: &str) -> Vec<u8> {
    file_bytes(&plain_files(), path)
}

/// Where the content of a file lies on the volume, encrypted or not.
pub(crate) fn places(path: &str) -> Vec<std::ops::Range<u64>> {
    let files = plain_files();
    let file = files.lookup(&path.parse().unwrap()).and_then(|node| files.file(&node)).unwrap();
    let place = |extent: dockside::volume::ntfs::Extent| extent.disk_offset.map(|from| from..from + extent.length);
    file.extents().filter_map(place).collect()
}

/// A drive made for a test.
#[derive(Clone)]
pub(crate) struct Made {
    /// The encrypted volume, without a partition table around it.
    pub(crate) image: Arc<Vec<u8>>,
    pub(crate) job: Arc<Job>,
    pub(crate) items: Vec<Item>,
}

/// Encrypts a drive that lists these blobs.
pub(crate) fn make(items: &[Item]) -> Made {
    let list: String = items.iter().map(Item::xml).collect();
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DriveManifest Version=\"2014-11-01\"><Drive><DriveId>DKS-RICH</DriveId>\n<BlobList>\n";
    let mut manifest = format!("{head}{list}</BlobList></Drive></DriveManifest>\n").into_bytes();
    let mut volume = plain().to_vec();
    let files = plain_files();
    let file = files.lookup(&MANIFEST.parse().unwrap()).and_then(|node| files.file(&node)).unwrap();
    let size = usize::try_from(file.len()).unwrap();
    assert!(manifest.len() <= size, "the manifest of the test needs {} bytes, the drive's has {size}", manifest.len());
    // comments and blanks behind the document fill the file: its length stays what the volume says
    while size - manifest.len() > 1_024 {
        manifest.extend(format!("<!--{:1$}-->\n", "", 1_000).as_bytes());
    }
    manifest.resize(size, b' ');
    for extent in file.extents() {
        let (from, length) = (usize::try_from(extent.file_offset).unwrap(), usize::try_from(extent.length).unwrap());
        let place = usize::try_from(extent.disk_offset.unwrap()).unwrap();
        volume[place..place + length].copy_from_slice(&manifest[from..from + length]);
    }
    let mut job = drives::json("plain-rich.img.job.json");
    let line = &mut job["properties"]["driveList"][0];
    line["manifestHash"] = Value::String(hex(&Digest::of(&manifest).0));
    let password = line["bitLockerKey"].as_str().unwrap().to_owned();
    job["properties"]["logLevel"] = Value::String("Verbose".to_owned());
    let image = encrypt(volume, &Options::new(vec![Protector::Recovery(password)])).bytes;
    let job = Arc::new(Job::parse(job.to_string().as_bytes()).unwrap());
    Made { image: Arc::new(image), job, items: items.to_vec() }
}

impl Made {
    /// The drive as it is admitted, read through `reader`.
    pub(crate) fn admitted(&self, reader: Arc<dyn ReadAt>) -> Admitted {
        let id = self.job.drive_ids().next().unwrap().clone();
        Admitted { source: Arc::new(Source::over(reader, "test.img")), id, job: Arc::clone(&self.job) }
    }

    /// The drive opened through `reader`.
    pub(crate) fn open(&self, reader: Arc<dyn ReadAt>) -> Opened {
        let password = self.job.drives()[0].password.as_ref().unwrap();
        locate(reader, None)
            .and_then(|found| found.unlock(password, 16))
            .and_then(|open| open.open(NtfsLimits::default()))
            .unwrap()
    }

    /// The drive as it is.
    pub(crate) fn reader(&self) -> Arc<dyn ReadAt> {
        Arc::clone(&self.image) as Arc<dyn ReadAt>
    }
}

/// What a host shares, and a state folder.
pub(crate) struct Lab {
    pub(crate) state: PathBuf,
    /// Goes with the lab, if it is the lab's own.
    _folder: Option<tempfile::TempDir>,
    pub(crate) config: Config,
    pub(crate) host: Host,
    pub(crate) drives: u64,
    pub(crate) stop: Stop,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_budget(64 << 20)
    }

    pub(crate) fn with_budget(bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lab = Self::at(folder.path(), bytes);
        Self { _folder: Some(folder), ..lab }
    }

    /// With a state folder that stays.
    pub(crate) fn at(state: &std::path::Path, bytes: u64) -> Self {
        let machine = Machine { free_memory: 1 << 30, cores: 2 };
        let host = Host { budget: Budget::new(bytes), uploads: Uploads::new(4), hasher: Hasher::new(2) };
        let config = Config::defaults(&machine);
        Self { state: state.to_owned(), _folder: None, config, host, drives: 1, stop: Stop::default() }
    }

    pub(crate) async fn services(&self, job: &Arc<Job>, store: Arc<dyn Store>) -> Services {
        let state = StateDir::open(&self.state).unwrap();
        Services {
            config: Arc::new(self.config.clone()),
            job: Arc::clone(job),
            access: Access::Open(store),
            ledger: Some(Ledger::open(&state).await.unwrap()),
            state: Arc::new(state),
            take_over: false,
            host: self.host.clone(),
            drives: self.drives,
            stop: self.stop.clone(),
            watch: None,
            dry_run: None,
        }
    }

    /// The whole road, from the first sector on.
    pub(crate) async fn ingest(&self, made: &Made, reader: Arc<dyn ReadAt>, store: Arc<dyn Store>) -> Ending {
        let ending = ingest(made.admitted(reader), self.services(&made.job, store).await, Board::silent().drive("test")).await;
        // while other drives run, the budget is theirs too
        if self.drives == 1 {
            assert_eq!(self.host.budget.free(), self.host.budget.bytes(), "bytes of the budget are lost");
        }
        ending
    }

    /// The road from the opened drive on.
    pub(crate) async fn ingest_opened(&self, made: &Made, opened: &Opened, store: Arc<dyn Store>) -> Ending {
        let (services, drive) = (self.services(&made.job, store).await, made.admitted(made.reader()));
        let ending = ingest_opened(drive, opened.clone(), services, Board::silent().drive("test")).await;
        assert_eq!(self.host.budget.free(), self.host.budget.bytes(), "bytes of the budget are lost");
        ending
    }

    /// The verbose log that a finished run left in the state folder.
    pub(crate) fn log(&self) -> String {
        let session: PathBuf = fs::read_dir(self.state.join("sessions")).unwrap().next().unwrap().unwrap().path();
        fs::read_to_string(session.join("verbose.xml")).unwrap()
    }
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) path: String,
    pub(crate) file: String,
    pub(crate) status: String,
    pub(crate) disposition: String,
    /// Statuses of its ranges, in order.
    pub(crate) ranges: Vec<String>,
}

/// The entries of a log as our own writer writes it.
pub(crate) fn entries_of(log: &str) -> Vec<Logged> {
    let attribute = |text: &str| {
        let (_, rest) = text.split_once("Status=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let element = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
        let text = rest.split('<').next().unwrap();
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
    };
    let ranges = |text: &str| {
        let of = |name: &str| text.split(&format!("<{name} ")).skip(1).map(attribute).collect::<Vec<_>>();
        [of("Block"), of("PageRange")].concat()
    };
    let entry = |text: &str| Logged {
        path: element(text, "BlobPath"),
        file: element(text, "FilePath"),
        status: attribute(text),
        disposition: attribute(text.split_once("<ImportDisposition").unwrap().1),
        ranges: ranges(text),
    };
    log.split("<Blob ").skip(1).map(entry).collect()
}

/// Puts a block blob there before the run.
pub(crate) async fn put(store: &Arc<dyn Store>, path: &str, body: &[u8]) {
    let path: BlobPath = path.parse().unwrap();
    store.create_container(path.container()).await.unwrap();
    let target = Target { path, session: "before".to_owned(), entry: 0 };
    let (body, digest) = (Bytes::copy_from_slice(body), Digest::of(body));
    store.put(&target, body, &digest, &Attributes::default(), &Condition::Any).await.unwrap();
}

/// Puts a page blob of zeros there before the run.
pub(crate) async fn put_pages(store: &Arc<dyn Store>, path: &str, length: u64) {
    let path: BlobPath = path.parse().unwrap();
    store.create_container(path.container()).await.unwrap();
    let target = Target { path, session: "before".to_owned(), entry: 0 };
    store.create_pages(&target, length, &Attributes::default(), &Condition::Absent).await.unwrap();
    let none = Attributes::default();
    store.finish_pages(&target, &none, &Condition::Absent, dockside::store::PageEnd::Complete).await.unwrap();
}

/// Every complete blob outside the diagnostics place, with its content. Unfinished page blobs carry their mark and are left out.
pub(crate) async fn visible(memory: &dockside::store::MemoryStore) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in memory.names().into_iter().filter(|name| !name.starts_with("waimportexport/")) {
        let path: BlobPath = name.parse().unwrap();
        if memory.head(&path).await.unwrap().unwrap().incomplete.is_none() {
            found.insert(name, memory.content(&path).unwrap());
        }
    }
    found
}

/// A container's name.
pub(crate) fn container(name: &str) -> ContainerName {
    name.parse().unwrap()
}
