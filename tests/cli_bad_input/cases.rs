//! Every manifest of the drive with many, each through a whole run and, where it is accepted, through a dry run before it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use dockside::config::{Config, Machine};
use dockside::drive::Source;
use dockside::ingest::{Access, Admitted, DryRun, Ending, Services, ingest};
use dockside::job::Job;
use dockside::ledger::db::Ledger;
use dockside::ledger::state::StateDir;
use dockside::manifest::{Attributes, BlobPath, Digest};
use dockside::report::Board;
use dockside::store::{self, Condition, MemoryStore, Store, Target};
use dockside::transfer::{Budget, Hasher, Host, Stop, Uploads};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::cli::sha256;
use crate::drive_log::{DriveLog, LoggedBlob};
use crate::drives;
use crate::sealed::sealed;

/// Content of the blobs that are there before.
const OLD: &[u8] = b"old";

/// A case with a store and a state folder of its own.
struct Bench {
    case: Value,
    store: Arc<MemoryStore>,
    state: TempDir,
    job: Arc<Job>,
    wrong: String,
}

#[test]
fn every_manifest_of_the_rich_drive_comes_to_what_its_case_states() {
    let image = sealed("plain-rich");
    let cases = drives::json("plain-rich.cases.json");
    let cases = cases["cases"].as_array().unwrap().clone();
    assert!(cases.len() > 150);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let wrong = runtime.block_on(async {
        let at_once = Arc::new(Semaphore::new(4));
        let mut running = tokio::task::JoinSet::new();
        for (number, case) in cases.into_iter().enumerate() {
            let (image, at_once) = (image.clone(), Arc::clone(&at_once));
            running.spawn(async move {
                let _turn = at_once.acquire_owned().await.unwrap();
                Bench::new(case, number).await.run(&image).await
            });
        }
        running.join_all().await.concat()
    });
    assert!(wrong.is_empty(), "{wrong}");
}

impl Bench {
    async fn new(case: Value, number: usize) -> Self {
        let mut job = drives::json("plain-rich.img.job.json");
        let line = &mut job["properties"]["driveList"][0];
        line["manifestFile"] = json!(format!("\\manifests\\{}.xml", case["name"].as_str().unwrap()));
        line["manifestHash"] = case[if number.is_multiple_of(2) { "md5" } else { "sha256" }].clone();
        let job = Arc::new(Job::parse(&serde_json::to_vec(&job).unwrap()).unwrap());
        let bench =
            Self { case, store: Arc::new(MemoryStore::new()), state: tempfile::tempdir().unwrap(), job, wrong: String::new() };
        for name in bench.existing() {
            let target = Target { path: name.parse().unwrap(), session: "before".to_owned(), entry: 0 };
            bench.store.create_container(target.path.container()).await.unwrap();
            let (body, digest) = (Bytes::from_static(OLD), Digest::of(OLD));
            bench.store.put(&target, body, &digest, &Attributes::default(), &Condition::Any).await.unwrap();
        }
        bench
    }

    fn existing(&self) -> BTreeSet<String> {
        self.case["existing"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    async fn services(&self, store: Arc<dyn Store>, dry_run: Option<DryRun>) -> Services {
        let host = Host { budget: Budget::new(64 << 20), uploads: Uploads::new(4), hasher: Hasher::new(2) };
        let state = StateDir::open(self.state.path()).unwrap();
        Services {
            config: Arc::new(Config::defaults(&Machine { free_memory: 256 << 20, cores: 2 })),
            job: Arc::clone(&self.job),
            access: Access::Open(store),
            ledger: Some(Ledger::open(&state).await.unwrap()),
            state: Arc::new(state),
            take_over: false,
            host,
            drives: 1,
            stop: Stop::default(),
            watch: None,
            dry_run,
        }
    }

    async fn ingest(&self, image: &std::path::Path, store: Arc<dyn Store>, dry_run: Option<DryRun>) -> Ending {
        let source = Arc::new(Source::open(image).unwrap());
        let id = self.job.drive_ids().next().unwrap().clone();
        let drive = Admitted { source, id, job: Arc::clone(&self.job) };
        ingest(drive, self.services(store, dry_run).await, Board::silent().drive("case")).await
    }

    /// Runs the case and says what is wrong with it, in lines.
    async fn run(mut self, image: &std::path::Path) -> String {
        let accepted = self.case.get("blobs").is_some();
        let log = self.state.path().join("predicted.xml");
        if accepted {
            let offline = self.existing().is_empty();
            let (inner, url) = (Arc::clone(&self.store) as Arc<dyn Store>, self.store.url());
            let store =
                Arc::new(if offline { store::DryRun::offline(url, store::NameRules::Any) } else { store::DryRun::before(inner) });
            let before = self.store.names();
            self.ingest(image, store, Some(DryRun { offline, log: Some(log.clone()) })).await;
            self.compare("what a dry run leaves", &self.store.names(), &before);
        }
        let ending = self.ingest(image, Arc::clone(&self.store) as Arc<dyn Store>, None).await;
        let expected = self.case["expect"].as_str().unwrap().to_owned();
        match ending {
            Ending::Finished { receipt, already: false, .. } => {
                self.compare("status", &receipt.status.as_str(), &&*expected);
                let kept = self.state.path().join("sessions").join(&receipt.session.id).join("verbose.xml");
                let text = fs::read_to_string(kept).unwrap();
                if accepted {
                    self.compare("dry run", &fs::read_to_string(log).unwrap_or_default(), &text);
                    self.check_log(&DriveLog::parse(&text));
                }
            }
            Ending::Halted(halt) => {
                self.compare("status", &halt.code.as_str(), &&*expected);
                self.compare("a detail", &halt.detail.is_empty(), &false);
            }
            other => self.compare("end", &format!("{other:?}"), &expected),
        }
        self.check_store();
        self.wrong
    }

    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: &T, expected: &T) {
        if found != expected {
            let (name, why) = (&self.case["name"], &self.case["why"]);
            writeln!(self.wrong, "{name} ({why}): {what} is {found:?}, not {expected:?}").unwrap();
        }
    }

    fn blobs(&self) -> Vec<Value> {
        self.case["blobs"].as_array().into_iter().flatten().cloned().collect()
    }

    fn check_log(&mut self, log: &DriveLog) {
        self.compare("entries", &log.blobs.len(), &self.blobs().len());
        for (expected, found) in self.blobs().iter().zip(&log.blobs) {
            let text = |key: &str| expected[key].as_str().map(str::to_owned);
            let whole = LoggedBlob {
                status: text("status").unwrap(),
                path: text("stored").or_else(|| text("path")).unwrap(),
                file: text("file").unwrap(),
                length: expected["length"].to_string(),
                disposition: text("disposition").unwrap(),
                ranges: ranges(expected, found.ranges.len()),
                metadata: text("metadata"),
                properties: text("properties"),
            };
            self.compare("entry", found, &whole);
        }
    }

    /// Exactly the blobs that the case states are there, with their content and what they carry.
    fn check_store(&mut self) {
        let names: BTreeSet<_> = self.store.names().into_iter().filter(|name| !name.starts_with("waimportexport/")).collect();
        let stored: BTreeMap<_, _> =
            self.blobs().into_iter().filter_map(|blob| Some((blob["stored"].as_str()?.to_owned(), blob))).collect();
        let expected: BTreeSet<_> = stored.keys().cloned().chain(self.existing()).collect();
        self.compare("store", &names, &expected);
        for name in names.intersection(&expected) {
            let path: BlobPath = name.parse().unwrap();
            let content = self.store.content(&path).unwrap();
            let Some(blob) = stored.get(name) else {
                self.compare(name, &content.as_slice(), &OLD);
                continue;
            };
            if let Some(hash) = blob["sha256"].as_str() {
                self.compare(name, &sha256(&content).as_str(), &hash);
            }
            let carried = self.store.attributes(&path).unwrap();
            if blob.get("meta").is_some() {
                let found: serde_json::Map<_, _> =
                    carried.metadata.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                self.compare(&format!("metadata of {name}"), &json!(found), &blob["meta"]);
            }
            for (key, value) in blob["props"].as_object().into_iter().flatten() {
                self.compare(&format!("{key} of {name}"), &property(&carried, key), &value.as_str().map(str::to_owned));
            }
        }
    }
}

/// The ranges' statuses: as stated, else all `Completed`, or all `Cancelled` where the whole blob failed.
fn ranges(expected: &Value, count: usize) -> Vec<String> {
    if let Some(stated) = expected["ranges"].as_array() {
        return stated.iter().map(|status| status.as_str().unwrap().to_owned()).collect();
    }
    let failed = !["Completed", "CompletedWithErrors"].contains(&expected["status"].as_str().unwrap());
    let count = if expected["disposition"] == "Skipped" { 0 } else { count };
    vec![if failed { "Cancelled" } else { "Completed" }.to_owned(); count]
}

fn property(attributes: &Attributes, key: &str) -> Option<String> {
    match key {
        "contentType" => attributes.content_type.clone(),
        "contentEncoding" => attributes.content_encoding.clone(),
        "contentLanguage" => attributes.content_language.clone(),
        "cacheControl" => attributes.cache_control.clone(),
        "contentMd5" => attributes.content_md5.map(|md5| Digest(md5).base64()),
        other => panic!("an unknown property: {other}"),
    }
}
