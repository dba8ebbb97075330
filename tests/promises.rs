//! The three promises, on whole drives and through the whole road: nothing wrong is stored, nothing is lost, the drive is never written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "support/drives.rs"]
mod drives;
#[path = "support/road.rs"]
mod road;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bitlocker_writer::{Options, Protector, encrypt};
use dockside::drive::Source;
use dockside::ingest::{Admitted, Ending, ingest};
use dockside::job::Job;
use dockside::report::{Board, DriveCode, Receipt};
use dockside::store::{FolderStore, MemoryStore, Store};
use dockside::volume::{ReadAt as _, Window};
use drives::{Drive, drive};
use road::{Lab, block, entries_of, make, page, visible};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn sha256(bytes: &[u8]) -> String {
    road::hex(&Sha256::digest(bytes)).to_lowercase()
}

fn sum_of(path: &Path) -> String {
    sha256(&fs::read(path).unwrap())
}

/// The job beside a drive, with a verbose log.
fn job_of(name: &str) -> Arc<Job> {
    let mut job = drives::json(&format!("{name}.img.job.json"));
    job["properties"]["logLevel"] = Value::String("Verbose".to_owned());
    Arc::new(Job::parse(job.to_string().as_bytes()).unwrap())
}

/// SHA-256 of each file that the maker put on the drive, by its path as manifests write it.
fn sums(drive: &Drive) -> HashMap<String, String> {
    drive.files().into_iter().map(|file| (format!("\\{}", file.path), file.sha256)).collect()
}

async fn ingest_image(image: &Path, job: &Arc<Job>, store: Arc<dyn Store>) -> (Receipt, String) {
    let lab = Lab::new();
    let id = job.drive_ids().next().unwrap().clone();
    let admitted = Admitted { source: Arc::new(Source::open(image).unwrap()), id, job: Arc::clone(job) };
    match ingest(admitted, lab.services(job, store).await, Board::silent().drive("test")).await {
        Ending::Finished { receipt, already: false, .. } => {
            assert_eq!(lab.host.budget.free(), lab.host.budget.bytes());
            (*receipt, lab.log())
        }
        other => panic!("{other:?}"),
    }
}

/// Every entry has exactly one outcome; what is visible is what the maker put on the drive.
fn check(receipt: &Receipt, log: &str, found: &BTreeMap<String, Vec<u8>>, sums: &HashMap<String, String>) {
    let entries = entries_of(log);
    assert_eq!(Some(entries.len() as u64), receipt.manifest.as_ref().unwrap().entries);
    assert_eq!(receipt.counts.total(), entries.len() as u64);
    let mut expected: HashMap<&str, Vec<&str>> = HashMap::new();
    for entry in &entries {
        if let Some(sum) = sums.get(&entry.file) {
            expected.entry(&entry.path).or_default().push(sum);
        }
        if entry.status == "Completed" {
            assert!(found.contains_key(&entry.path), "{} is not there", entry.path);
        }
    }
    for (name, content) in found {
        let sum = sha256(content);
        assert!(expected.get(name.as_str()).is_some_and(|sums| sums.contains(&sum.as_str())), "{name} has wrong content");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_drives_arrive_whole_and_are_not_written() {
    for name in ["xts128-gpt", "cbc256-mbr-decoy", "xts256-4k-damaged"] {
        let (drive, job) = (drive(name), job_of(name));
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("drive.img");
        fs::copy(&drive.image, &image).unwrap();
        fs::set_permissions(&image, fs::Permissions::from_mode(0o400)).unwrap();
        let before = (sum_of(&image), fs::metadata(&image).unwrap().modified().unwrap());
        let memory = Arc::new(MemoryStore::new());
        let (receipt, log) = ingest_image(&image, &job, Arc::clone(&memory) as Arc<dyn Store>).await;
        assert_eq!(receipt.status, DriveCode::Completed, "{name}");
        let found = visible(&memory).await;
        assert_eq!(found.len(), entries_of(&log).len(), "{name}");
        check(&receipt, &log, &found, &sums(&drive));
        assert_eq!((sum_of(&image), fs::metadata(&image).unwrap().modified().unwrap()), before, "{name} was written");
    }
}

/// A plain drive encrypted in place, in a file of its own.
fn encrypted(name: &str, folder: &Path) -> PathBuf {
    let drive = drive(name);
    let partition: Window<_> = drive.partition();
    let mut plain = vec![0; usize::try_from(partition.size()).unwrap()];
    partition.read_at(0, &mut plain).unwrap();
    let job = drives::json(&format!("{name}.img.job.json"));
    let password = job["properties"]["driveList"][0]["bitLockerKey"].as_str().unwrap().to_owned();
    let volume = encrypt(plain, &Options::new(vec![Protector::Recovery(password)]));
    let path = folder.join(format!("{name}.img"));
    fs::write(&path, volume.bytes).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_broken_on_a_drive_is_named_and_never_stored() {
    let folder = tempfile::tempdir().unwrap();
    let image = encrypted("plain-faults", folder.path());
    let memory = Arc::new(MemoryStore::new());
    let (receipt, log) = ingest_image(&image, &job_of("plain-faults"), Arc::clone(&memory) as Arc<dyn Store>).await;
    assert_eq!(receipt.status, DriveCode::CompletedWithErrors);
    check(&receipt, &log, &visible(&memory).await, &sums(&drive("plain-faults")));
    let statuses: Vec<String> = entries_of(&log).into_iter().map(|entry| entry.status).collect();
    for status in ["FileNotFound", "FileNameInvalid", "CompletedWithErrors", "Completed"] {
        assert!(statuses.iter().any(|found| found == status), "no entry ended as {status}: {statuses:?}");
    }
    let named = receipt.exceptions.iter().filter(|e| e.outcome.as_str() == "failed").count() as u64;
    assert_eq!(named, receipt.counts.failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_fragmented_and_sparse_files_arrive_in_a_folder_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plain-compressed", "plain-sparse"] {
        let image = encrypted(name, folder.path());
        let root = folder.path().join(format!("{name}-blobs"));
        let (receipt, log) = ingest_image(&image, &job_of(name), Arc::new(FolderStore::new(&root))).await;
        assert_eq!(receipt.status, DriveCode::Completed, "{name}");
        let sums = sums(&drive(name));
        for entry in entries_of(&log) {
            let stored: PathBuf = root.join(&entry.path);
            // names that a folder cannot have as they are lie elsewhere; the store's own tests look for them
            if stored.exists() {
                assert_eq!(Some(&sha256(&fs::read(stored).unwrap())), sums.get(&entry.file), "{}", entry.path);
            }
        }
    }
}

/// Where log lines go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn events_name_drive_job_blob_and_code_and_escape_what_the_drive_says() {
    let lines = Lines::default();
    let writer = lines.clone();
    let json = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let made = make(&[
        block("cust/bad", r"\medium.bin", "rename", 20_000).bad(1),
        page("cust/odd\u{202e}name", r"\disk.vhd", "overwrite", 65_536).bad(0),
    ]);
    // the only test of this file that sets one; events of the others that come here carry another drive
    tracing::subscriber::set_global_default(json).unwrap();
    let lab = Lab::new();
    let ending = lab.ingest(&made, made.reader(), Arc::new(MemoryStore::new())).await;
    assert!(matches!(ending, Ending::Finished { .. }), "{ending:?}");
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for blob in ["cust/bad", "cust/odd"] {
        let about = |event: &&Value| event["fields"]["blob"].as_str().is_some_and(|name| name.starts_with(blob));
        let event = events.iter().find(about).unwrap_or_else(|| panic!("no event names {blob}: {text}"));
        assert_eq!(event["fields"]["code"], "CompletedWithErrors");
        assert_eq!(
            (&event["span"]["drive"], &event["span"]["job"]),
            (&Value::from("DKS-RICH"), &Value::from(made.job.name.as_str()))
        );
    }
    assert!(!text.contains('\u{202e}'), "a mark that turns the line around came through");
}
