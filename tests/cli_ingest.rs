//! `dockside ingest` as a user runs it: what it promises of blobs, logs, receipts, repeated runs, dry runs and several drives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "support/cli.rs"]
mod cli;
#[path = "support/drive_log.rs"]
mod drive_log;
#[path = "support/drives.rs"]
mod drives;
#[path = "support/road.rs"]
mod road;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use cli::{Desk, Ran, sha256};
use drive_log::DriveLog;
use drives::{Drive, drive};

/// A golden drive with its job on a desk.
fn golden(name: &str) -> (Desk, Drive, PathBuf) {
    let desk = Desk::new();
    let job = desk.job(name, "job.json", |_| ());
    (desk, drive(name), job)
}

/// The log of a session in the state folder.
fn kept_log(desk: &Desk, receipt: &Value, name: &str) -> DriveLog {
    DriveLog::parse(&fs::read_to_string(session(desk, receipt).join(name)).unwrap())
}

fn session(desk: &Desk, receipt: &Value) -> PathBuf {
    desk.path("state/sessions").join(receipt["session"]["id"].as_str().unwrap())
}

fn receipt_of(desk: &Desk) -> Value {
    let all = desk.reports("store", "_receipt.json");
    assert_eq!(all.len(), 1, "{all:?}");
    serde_json::from_slice(&fs::read(&all[0]).unwrap()).unwrap()
}

fn every_blob_is_bit_exact(desk: &Desk, store: &str, drive: &Drive) {
    let blobs = desk.blobs(store);
    for file in drive.files() {
        let name = format!("import/{}", file.path.replace('\\', "/"));
        let blob = blobs.get(&name).unwrap_or_else(|| panic!("{name} is not there: {:?}", blobs.keys()));
        assert_eq!((blob.len() as u64, sha256(blob)), (file.length, file.sha256), "{name}");
    }
    assert_eq!(blobs.len(), drive.files().len(), "{:?}", blobs.keys());
}

#[test]
fn a_golden_drive_becomes_verified_blobs_with_log_and_receipt() {
    for name in ["xts128-gpt", "cbc256-mbr-decoy", "xts256-4k-damaged"] {
        let (desk, drive, job) = golden(name);
        let entries = drive.files().len() as u64;
        let ran = desk.ingest(&drive.image, &job, &[]).says(0, &["Completed"]);
        assert!(ran.out.is_empty(), "{}", ran.text());
        every_blob_is_bit_exact(&desk, "store", &drive);
        let receipt = receipt_of(&desk);
        assert_eq!((&receipt["status"], &receipt["counts"]["created"]), (&json!("Completed"), &json!(entries)), "{receipt:#}");
        assert_eq!(receipt["verified"]["bytes"], drive.files().iter().map(|file| file.length).sum::<u64>());
        assert_eq!((&receipt["exceptions"], &receipt["session"]["driveId"]), (&json!([]), &drive.about["drive_id"]));
        let verbose = kept_log(&desk, &receipt, "verbose.xml");
        assert_eq!((verbose.status.as_str(), verbose.blobs.len() as u64), ("Completed", entries));
        assert!(verbose.blobs.iter().all(|blob| blob.status == "Completed" && blob.disposition == "Created"));
        assert!(verbose.blobs.iter().flat_map(|blob| &blob.ranges).all(|status| status == "Completed"));
        assert_eq!(kept_log(&desk, &receipt, "error.xml").blobs, []);
        // what is in the store is what is kept, and the receipt vouches for both
        for (kind, end) in [("error", "_error.xml"), ("verbose", "_verbose.xml")] {
            let stored = fs::read(&desk.reports("store", end)[0]).unwrap();
            assert_eq!(stored, fs::read(session(&desk, &receipt).join(format!("{kind}.xml"))).unwrap());
            assert_eq!(receipt["log"][format!("{kind}Sha256")], sha256(&stored));
        }
        assert!(!desk.path("state/scratch").exists(), "the scratch folder is left");
    }
}

#[test]
fn metadata_and_properties_come_with_the_blob() {
    let (desk, drive, job) = golden("xts128-gpt");
    desk.ingest(&drive.image, &job, &[]).ends(0);
    let attributes = fs::read(desk.path("store/import/.dockside-attr-readme.txt.json")).unwrap();
    let attributes: Value = serde_json::from_slice(&attributes).unwrap();
    let version = &attributes["versions"][0];
    assert_eq!(version["metadata"], json!({"survey_site": "harbour-4", "operator": "lab", "empty": ""}));
    let properties = ["content_type", "content_language", "cache_control"].map(|name| version[name].as_str().unwrap().to_owned());
    assert_eq!(properties, ["image/tiff", "de", "max-age=3600"]);
}

#[test]
fn what_is_done_is_not_done_again() {
    let (desk, drive, job) = golden("xts128-gpt");
    desk.ingest(&drive.image, &job, &[]).ends(0);
    let before = (desk.snapshot("store"), desk.snapshot("state"));
    let again = desk.ingest(&drive.image, &job, &["--json"]).ends(0);
    assert_eq!(again.json()["drives"], json!([receipt_of(&desk)]), "another receipt");
    desk.ingest(&drive.image, &job, &[]).says(0, &["already done"]);
    assert_eq!((desk.snapshot("store"), desk.snapshot("state")), before, "something was written");
}

#[test]
fn what_is_done_with_errors_ends_the_same_way_again() {
    let (desk, drive, job) = golden("cbc256-mbr-decoy");
    // a folder of that name is in the way
    fs::create_dir_all(desk.path("store/import/readme.txt/inside")).unwrap();
    fs::write(desk.path("store/import/readme.txt/inside/blob"), "x").unwrap();
    let first = desk.ingest(&drive.image, &job, &["--json"]).ends(4);
    let before = desk.snapshot("store");
    let second = desk.ingest(&drive.image, &job, &["--json"]).says(4, &["already done"]);
    assert_eq!((first.json(), desk.snapshot("store")), (second.json(), before));
    let receipt = &first.json()["drives"][0];
    assert_eq!((&receipt["status"], &receipt["counts"]["failed"]), (&json!("CompletedWithErrors"), &json!(1)));
    let failed = &receipt["exceptions"][0];
    assert_eq!((&failed["blobPath"], &failed["outcome"]), (&json!("import/readme.txt"), &json!("failed")));
    assert_eq!(kept_log(&desk, receipt, "error.xml").blobs.len(), 1);
}

#[test]
fn json_is_one_document_with_each_receipt() {
    let (desk, drive, job) = golden("xts128-gpt");
    let ran = desk.ingest(&drive.image, &job, &["--json"]).ends(0);
    assert_eq!(ran.json(), json!({"schema": 1, "drives": [receipt_of(&desk)]}));
    let held = desk.ingest(&drive.image, &job, &["--json", "--store", "azure://devstoreaccount1"]).ends(3);
    let drive = &held.json()["drives"][0];
    assert_eq!((&drive["source"], &drive["status"]), (&json!("xts128-gpt.img"), &json!("BlobRequestForbidden")));
    assert!(["cause", "remedy"].iter().all(|key| drive[key].as_str().is_some_and(|text| text.len() > 20)), "{drive}");
    assert_eq!(drive.as_object().unwrap().len(), 4);
}

#[test]
fn a_dry_run_knows_which_names_a_store_cannot_hold() {
    let items = [
        road::block("import/a/b", r"\exact.bin", "overwrite", 1 << 20),
        road::block("import/a", r"\exact.bin", "overwrite", 1 << 20),
        road::block("import/a/b/c", r"\exact.bin", "rename", 1 << 20),
        road::block("import/there", r"\exact.bin", "rename", 1 << 20),
        road::block("import/old/below", r"\exact.bin", "rename", 1 << 20),
        road::block("import/x\\y", r"\exact.bin", "rename", 1 << 20),
    ];
    let (made, desk) = (road::make(&items), Desk::new());
    let image = desk.write("drive.img", &**made.image);
    let job = desk.job("plain-rich", "job.json", |job| {
        let hash = made.job.drives()[0].manifest_hash.to_string();
        job["properties"]["driveList"][0]["manifestHash"] = Value::String(hash);
        job["properties"]["logLevel"] = Value::String("Verbose".to_owned());
    });
    fs::create_dir_all(desk.path("store/import/there/is")).unwrap();
    fs::write(desk.path("store/import/there/is/one"), "x").unwrap();
    fs::write(desk.path("store/import/old"), "x").unwrap();
    let failing = |log: &DriveLog| -> Vec<usize> {
        let failed = |(_, blob): &(usize, &drive_log::LoggedBlob)| blob.status == "BlobRequestFailed";
        log.blobs.iter().enumerate().filter(failed).map(|(number, _)| number).collect()
    };
    let azure = ["--dry-run", "--offline", "--store", "azure://devstoreaccount1"];
    let predicted = DriveLog::parse(desk.ingest(&image, &job, &azure).says(4, &[]).text());
    assert_eq!(failing(&predicted), [5], "a backslash, as Azure takes it");
    let predicted = DriveLog::parse(desk.ingest(&image, &job, &["--dry-run", "--offline"]).ends(4).text());
    assert_eq!(failing(&predicted), [1, 2], "an empty folder");
    let predicted = DriveLog::parse(desk.ingest(&image, &job, &["--dry-run"]).ends(4).text());
    let ran = desk.ingest(&image, &job, &["--json"]).ends(4);
    assert_eq!(failing(&predicted), [1, 2, 3, 4], "with what is there");
    assert_eq!(predicted, kept_log(&desk, &ran.json()["drives"][0], "verbose.xml"), "the dry run said something else");
}

#[test]
fn dispositions_decide_what_happens_to_an_existing_blob() {
    // rename, no-overwrite, overwrite
    let cases = [("xts128-gpt", "renamed"), ("cbc256-mbr-decoy", "skipped"), ("xts256-4k-damaged", "overwritten")];
    for (name, outcome) in cases {
        let (desk, drive, job) = golden(name);
        fs::create_dir_all(desk.path("store/import")).unwrap();
        fs::write(desk.path("store/import/readme.txt"), "older").unwrap();
        let dry = desk.ingest(&drive.image, &job, &["--dry-run"]).ends(0);
        let ran = desk.ingest(&drive.image, &job, &["--json"]).ends(0);
        let receipt = &ran.json()["drives"][0];
        assert_eq!(receipt["counts"][outcome], 1, "{receipt:#}");
        let (blobs, files) = (desk.blobs("store"), drive.files());
        let new = &files.iter().find(|file| file.path == "readme.txt").unwrap().sha256;
        let (kept, at_name) = (&sha256(b"older"), &sha256(&blobs["import/readme.txt"]));
        assert_eq!(at_name, if outcome == "overwritten" { new } else { kept });
        assert_eq!(blobs.get("import/readme (2).txt").map(|blob| sha256(blob)), (outcome == "renamed").then(|| new.clone()));
        assert_eq!(DriveLog::parse(dry.text()), kept_log(&desk, receipt, "verbose.xml"), "the dry run said something else");
    }
}

#[test]
fn a_dry_run_says_what_a_run_does_and_leaves_nothing() {
    for name in ["xts128-gpt", "cbc256-mbr-decoy"] {
        let (desk, drive, job) = golden(name);
        for more in [&["--dry-run"][..], &["--dry-run", "--offline"], &["--dry-run", "--log", "log.xml", "--json"]] {
            let dry = desk.ingest(&drive.image, &job, more).ends(0);
            assert!(cli::files(&desk.path("state")).is_empty() && !desk.path("state/sessions").exists(), "state is left");
            assert!(!desk.path("store").exists(), "the store was touched");
            let predicted =
                if more.contains(&"--log") { fs::read_to_string(desk.path("log.xml")).unwrap() } else { dry.text().to_owned() };
            fs::write(desk.path(&format!("predicted{}", more.len())), predicted).unwrap();
        }
        desk.ingest(&drive.image, &job, &[]).ends(0);
        let log = kept_log(&desk, &receipt_of(&desk), "verbose.xml");
        for count in [1, 2, 4] {
            let predicted = fs::read_to_string(desk.path(&format!("predicted{count}"))).unwrap();
            assert_eq!(DriveLog::parse(&predicted), log, "{name} with {count} options");
        }
    }
}

#[test]
fn a_dry_run_is_free_to_repeat_after_the_run() {
    let (desk, drive, job) = golden("xts128-gpt");
    desk.ingest(&drive.image, &job, &[]).ends(0);
    let before = (desk.snapshot("store"), desk.snapshot("state"));
    let dry = desk.ingest(&drive.image, &job, &["--dry-run"]).ends(0);
    let log = DriveLog::parse(dry.text());
    assert!(log.blobs.iter().all(|blob| blob.disposition == "Renamed" && blob.path.contains(" (2)")), "{log:?}");
    assert_eq!((desk.snapshot("store"), desk.snapshot("state")), before);
}

#[test]
fn log_and_json_have_rules() {
    let (desk, drive, job) = golden("xts128-gpt");
    desk.ingest(&drive.image, &job, &["--dry-run", "--json"]).says(2, &["--log FILE"]);
    desk.ingest(&drive.image, &job, &["--log", "x"]).says(2, &["--dry-run"]);
    desk.ingest(&drive.image, &job, &["--offline"]).says(2, &["--dry-run"]);
    let two = [drive.image.to_str().unwrap(), "--dry-run", "--log", "x"];
    desk.ingest(&drive.image, &job, &two).says(2, &["--log", "one source"]);
    desk.ingest(&drive.image, &job, &["--dry-run", "--log", "none/x"]).says(2, &["none/x"]);
    assert!(!desk.path("state").exists() || cli::files(&desk.path("state")).is_empty());
}

/// A job with the lines of several golden drives, in this order.
fn job_of(desk: &Desk, names: &[&str]) -> PathBuf {
    let line = |name: &&str| {
        let job: Value = serde_json::from_slice(&fs::read(desk.job(name, "one.json", |_| ())).unwrap()).unwrap();
        job["properties"]["driveList"][0].clone()
    };
    let lines: Vec<Value> = names.iter().map(line).collect();
    desk.job(names[0], "job.json", |job| job["properties"]["driveList"] = json!(lines))
}

fn side_by_side(desk: &Desk, sources: &[&Path], ids: &[&str], job: &Path) -> Ran {
    let mut more: Vec<String> = sources[1..].iter().map(|path| path.display().to_string()).collect();
    more.extend(ids.iter().flat_map(|id| ["--drive-id".to_owned(), (*id).to_owned()]));
    more.push("--json".to_owned());
    desk.ingest(sources[0], job, &more.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn several_sources_run_side_by_side_with_their_ids_in_order() {
    let desk = Desk::new();
    let (one, two) = (drive("cbc256-mbr-decoy"), drive("xts256-4k-damaged"));
    let job = job_of(&desk, &["xts256-4k-damaged", "cbc256-mbr-decoy"]);
    let ids = ["DKS-CBC256", "DKS-XTS256-4K"];
    // the n-th id is the n-th source's, whatever the order in the job
    let ran = side_by_side(&desk, &[&one.image, &two.image], &ids, &job).ends(0).json();
    let told: Vec<_> = (0..2).map(|n| ran["drives"][n]["session"]["driveId"].as_str().unwrap()).collect();
    assert_eq!(told, ids);
    let sources: Vec<_> = (0..2).map(|n| ran["drives"][n]["drive"]["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["cbc256-mbr-decoy.img", "xts256-4k-damaged.img"]);
    every_blob_is_bit_exact(&desk, "store", &two);
}

#[test]
fn of_several_drives_the_gravest_speaks() {
    let desk = Desk::new();
    let (good, text) = (drive("cbc256-mbr-decoy"), desk.write("note.txt", "no drive"));
    let job = job_of(&desk, &["cbc256-mbr-decoy", "xts128-gpt"]);
    let ran = side_by_side(&desk, &[&text, &good.image], &["DKS-XTS128", "DKS-CBC256"], &job).ends(3).json();
    assert_eq!(ran["drives"][0]["status"], "BitLockerVolumeNotFound");
    assert_eq!(ran["drives"][1]["status"], "Completed", "one bad drive stopped another");
    every_blob_is_bit_exact(&desk, "store", &good);
}

#[test]
fn drive_ids_that_do_not_fit_are_answered_with_those_there_are() {
    let desk = Desk::new();
    let (a, b) = (drive("xts128-gpt"), drive("cbc256-mbr-decoy"));
    let job = job_of(&desk, &["xts128-gpt", "cbc256-mbr-decoy"]);
    let both = ["DKS-XTS128", "DKS-CBC256"];
    for (sources, ids) in [
        (&[&*a.image][..], &[][..]),
        (&[&a.image, &b.image], &[]),
        (&[&a.image, &b.image], &["DKS-XTS128"]),
        (&[&a.image], &both),
        (&[&a.image], &["DKS-OTHER"]),
    ] {
        side_by_side(&desk, sources, ids, &job).says(2, &both);
    }
    side_by_side(&desk, &[&a.image, &b.image], &["DKS-XTS128"; 2], &job).says(2, &["DKS-XTS128", "twice"]);
    side_by_side(&desk, &[&a.image], &["a/b"], &job).says(2, &["--drive-id", "a/b"]);
    assert!(!desk.path("state").exists() && !desk.path("store").exists());
    // blanks in a serial number do not count
    side_by_side(&desk, &[&a.image], &["DKS- XTS128"], &job).ends(0);
}

#[test]
fn a_session_runs_once_at_a_time() {
    let (desk, drive, job) = golden("xts128-gpt");
    let first = desk.ingest(&drive.image, &job, &["--json", "--state", "other"]).ends(0);
    let id = first.json()["drives"][0]["session"]["id"].as_str().unwrap().to_owned();
    fs::create_dir(desk.path("state")).unwrap();
    let lock = File::create(desk.path("state").join(format!("{id}.lock"))).unwrap();
    lock.lock().unwrap();
    let store = desk.snapshot("store");
    for more in [&[][..], &["--dry-run"]] {
        desk.ingest(&drive.image, &job, more).says(5, &[&id, "already"]);
    }
    assert_eq!((desk.snapshot("store"), cli::files(&desk.path("state")).len()), (store, 1));
    drop(lock);
    // the lock of a dead process locks nobody out; but this is another state folder, which must be told to take the session over
    desk.ingest(&drive.image, &job, &[]).says(3, &["SessionElsewhere", "host", "since"]);
    desk.ingest(&drive.image, &job, &["--take-over"]).ends(0);
    every_blob_is_bit_exact(&desk, "store", &drive);
    assert_eq!(cli::files(&desk.path("state")).iter().filter(|file| file.extension().is_some_and(|e| e == "lock")).count(), 0);
}

#[test]
fn the_configuration_names_store_and_state() {
    let (desk, drive, job) = golden("xts128-gpt");
    let (state, store) = (desk.path("kept").display().to_string(), desk.url("configured"));
    let config = desk.write("dockside.toml", format!("state_dir = \"{state}\"\n[stores.devstoreaccount1]\nurl = \"{store}\"\n"));
    let (source, job) = (drive.image.to_str().unwrap(), job.to_str().unwrap());
    let arguments = ["ingest", source, "--job", job, "--config", config.to_str().unwrap()];
    desk.run(&arguments).ends(0);
    every_blob_is_bit_exact(&desk, "configured", &drive);
    assert!(!cli::files(&desk.path("kept/sessions")).is_empty());
    // the command line speaks louder
    desk.run(&[&arguments[..], &["--store", &desk.url("given"), "--state", "given.state"]].concat()).ends(0);
    every_blob_is_bit_exact(&desk, "given", &drive);
    assert!(!cli::files(&desk.path("given.state/sessions")).is_empty());
}

#[test]
fn without_a_name_the_state_folder_is_the_users_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let (desk, drive, job) = golden("xts128-gpt");
    let store = desk.url("store");
    let arguments = ["ingest", drive.image.to_str().unwrap(), "--job", job.to_str().unwrap(), "--store", &store];
    let home = ("XDG_STATE_HOME".to_owned(), desk.path("xdg").display().to_string());
    desk.run_in(&arguments, &[home]).ends(0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&desk.path("xdg/dockside")), 0o700);
    let kept = cli::files(&desk.path("xdg/dockside"));
    assert!(kept.len() == 3 && kept.iter().all(|file| mode(file) == 0o600), "{kept:?}");
}

#[test]
fn the_jobs_log_level_decides_which_logs_there_are() {
    let (desk, drive, _) = golden("xts128-gpt");
    let job = desk.job("xts128-gpt", "job.json", |job| job["properties"]["logLevel"] = json!("Error"));
    let dry = desk.ingest(&drive.image, &job, &["--dry-run"]).ends(0);
    assert_eq!(DriveLog::parse(dry.text()).blobs, [], "the dry run shows the log that there would be");
    let ran = desk.ingest(&drive.image, &job, &["--json"]).ends(0).json();
    assert!(ran["drives"][0]["log"].get("verboseUri").is_none());
    assert_eq!((desk.reports("store", "_error.xml").len(), desk.reports("store", "_verbose.xml").len()), (1, 0));
}

#[test]
fn events_name_job_drive_blob_and_code() {
    let (desk, drive, job) = golden("cbc256-mbr-decoy");
    fs::create_dir_all(desk.path("store/import/readme.txt/inside")).unwrap();
    fs::write(desk.path("store/import/readme.txt/inside/blob"), "x").unwrap();
    let format = ("DOCKSIDE_LOG_FORMAT".to_owned(), "json".to_owned());
    let ran = desk.run_in(&desk.arguments(&drive.image, &job, &[]), &[format]).ends(4);
    let events: Vec<Value> = ran.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let event = events.iter().find(|event| event["fields"]["message"] == "entry failed").expect(&ran.err);
    assert_eq!((&event["span"]["job"], &event["span"]["drive"]), (&json!("job-dks-cbc256"), &json!("DKS-CBC256")));
    assert_eq!(event["fields"]["blob"], "import/readme.txt");
    assert!(event["fields"]["code"].is_string() && event["fields"]["detail"].is_string(), "{event}");
}

/// A loop device over an image, taken away at the end.
struct Loop(String);

impl Loop {
    fn over(image: &Path) -> Option<Self> {
        let output = Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(image).output().ok()?;
        output.status.success().then(|| Self(String::from_utf8(output.stdout).unwrap().trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_block_device_is_ingested_as_an_image_is() {
    let (desk, drive, job) = golden("xts128-gpt");
    let Some(device) = Loop::over(&drive.image) else {
        eprintln!("skipped: a loop device cannot be made here (that takes root)");
        return;
    };
    let ran = desk.ingest(Path::new(&device.0), &job, &["--json"]).ends(0).json();
    assert_eq!(ran["drives"][0]["drive"]["source"], device.0.trim_start_matches("/dev/"));
    every_blob_is_bit_exact(&desk, "store", &drive);
}

#[test]
fn help_tells_examples_and_exit_codes() {
    let desk = Desk::new();
    for command in ["ingest", "inspect", "ls", "cat"] {
        let help = desk.run(&[command, "--help"]).ends(0);
        assert!(["Examples:", "Exit codes:", "dockside"].iter().all(|word| help.text().contains(word)), "{}", help.text());
    }
    desk.run(&["ingest"]).says(2, &["SOURCE"]);
    desk.run::<&str>(&[]).ends(2);
    desk.run(&["improt"]).says(2, &["improt"]);
}
