//! Bad input at the command line, each with its exit code and a message that names the thing, the cause and the remedy, and nothing
//! stored wrongly: drives, manifests and job files here, manifests one by one in `cases`, stores and signals in `stores`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "support/blob_service.rs"]
mod blob_service;
#[path = "cli_bad_input/cases.rs"]
mod cases;
#[path = "support/cli.rs"]
mod cli;
#[path = "support/drive_log.rs"]
mod drive_log;
#[path = "support/drives.rs"]
mod drives;
#[path = "support/sealed.rs"]
mod sealed;
#[path = "cli_bad_input/signals.rs"]
mod signals;
#[path = "cli_bad_input/stores.rs"]
mod stores;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use cli::{Desk, Ran, sha256};
use drive_log::DriveLog;
use drives::drive;
use sealed::sealed;

/// Runs a drive that is refused, and checks what everybody must see of it.
#[track_caller]
fn refused(desk: &Desk, source: &Path, job: &Path, more: &[&str], words: &[&str]) -> Ran {
    let code = words[0];
    let dry = desk.ingest(source, job, &[more, &["--dry-run"]].concat()).says(3, words);
    assert!(dry.out.is_empty() && cli::files(&desk.path("state")).is_empty() && !desk.path("store").exists(), "{}", dry.err);
    let ran = desk.ingest(source, job, more).says(3, words).says(3, &["cause:", "remedy:"]);
    let told = desk.ingest(source, job, &[more, &["--json"]].concat()).ends(3).json();
    assert_eq!((&told["schema"], &told["drives"][0]["status"]), (&json!(1), &json!(code)));
    assert!(desk.blobs("store").is_empty(), "something was stored");
    assert!(!desk.path("state/scratch").exists());
    ran
}

/// The drive log of a refused drive: id and status only.
#[track_caller]
fn log_says(desk: &Desk, code: &str) {
    let logs = desk.reports("store", "_error.xml");
    let log = DriveLog::parse(&fs::read_to_string(logs.last().expect("no log in the store")).unwrap());
    assert_eq!((log.status.as_str(), log.blobs.len()), (code, 0));
    let receipts = desk.reports("store", "_receipt.json");
    let receipt: Value = serde_json::from_slice(&fs::read(receipts.last().unwrap()).unwrap()).unwrap();
    assert_eq!((&receipt["status"], &receipt["counts"]["created"]), (&json!(code), &json!(0)));
    assert!(desk.reports("store", "_verbose.xml").is_empty());
}

/// A held drive leaves nothing anywhere.
#[track_caller]
fn nothing_is_left(desk: &Desk) {
    assert!(cli::files(&desk.path("state")).is_empty() && cli::files(&desk.path("store")).is_empty());
}

#[test]
fn what_is_no_drive_is_refused() {
    let whole = fs::read(drive("xts128-gpt").image).unwrap();
    let zeros = vec![0; 1 << 20];
    for (name, content, words) in [
        ("note.txt", &b"just a letter"[..], &["BitLockerVolumeNotFound", "note.txt", "13 bytes"][..]),
        ("empty.img", &[], &["BitLockerVolumeNotFound", "empty.img", "empty"]),
        ("zeros.img", &zeros, &["BitLockerVolumeNotFound", "zeros.img"]),
        ("torn.img", &whole[..18 << 20], &["BitLockerVolumeNotFound", "torn.img", "truncated"]),
        ("tornearly.img", &whole[..1 << 20], &["BitLockerVolumeNotFound", "truncated"]),
    ] {
        let desk = Desk::new();
        let job = desk.job("xts128-gpt", "job.json", |_| ());
        refused(&desk, &desk.write(name, content), &job, &[], words);
        log_says(&desk, "BitLockerVolumeNotFound");
    }
    let desk = Desk::new();
    let job = desk.job("xts128-gpt", "job.json", |_| ());
    desk.ingest(Path::new("none.img"), &job, &[]).says(2, &["none.img"]);
    desk.ingest(Path::new("/dev/null"), &job, &[]).says(2, &["/dev/null"]);
    desk.ingest(Path::new("."), &job, &[]).says(2, &["folder"]);
    assert!(!desk.path("state").exists());
}

#[test]
fn a_drive_over_the_limit_gets_a_receipt_and_no_log() {
    let desk = Desk::new();
    let job = desk.job("xts128-gpt", "job.json", |_| ());
    let config = desk.write("dockside.toml", "[limits]\nmax_drive_bytes = \"16 MiB\"\n");
    let config = ["--config", config.to_str().unwrap()];
    let words = ["DriveTooLarge", "25165824", "16777216", "max_drive_bytes"];
    let ran = refused(&desk, &drive("xts128-gpt").image, &job, &config, &words);
    assert!(!ran.err.contains("could not be reported"), "{}", ran.err);
    let receipts = desk.reports("store", "_receipt.json");
    let receipt: Value = serde_json::from_slice(&fs::read(receipts.first().unwrap()).unwrap()).unwrap();
    assert_eq!((&receipt["status"], &receipt["drive"]["sizeBytes"]), (&json!("DriveTooLarge"), &json!(25_165_824)));
    // the code is ours and never stands in the XML
    assert!(desk.reports("store", ".xml").is_empty());
    let kept = cli::files(&desk.path("state"));
    assert!(kept.len() == 1 && kept[0].ends_with("receipt.json"), "{kept:?}");
    // a refusal is tried anew
    desk.ingest(&drive("xts128-gpt").image, &job, &[]).ends(0);
}

#[test]
fn a_volume_without_bitlocker_is_refused_whatever_it_holds() {
    for name in ["plain-rich", "fat32", "ext4"] {
        let desk = Desk::new();
        let job = desk.job(name, "job.json", |_| ());
        refused(&desk, &drive(name).image, &job, &[], &["BitLockerNotActivated", &format!("{name}.img")]);
        log_says(&desk, "BitLockerNotActivated");
    }
}

#[test]
fn a_volume_that_is_not_ntfs_is_refused() {
    for name in ["fat32", "ext4"] {
        let desk = Desk::new();
        let job = desk.job(name, "job.json", |_| ());
        refused(&desk, &sealed(name), &job, &[], &["VolumeNotNtfs"]);
        log_says(&desk, "VolumeNotNtfs");
    }
}

/// Runs the drive with a line of its job changed; it is held.
#[track_caller]
fn held(change: impl FnOnce(&mut Value), words: &[&str]) {
    let desk = Desk::new();
    let job = desk.job("xts128-gpt", "job.json", |job| change(&mut job["properties"]["driveList"][0]));
    refused(&desk, &drive("xts128-gpt").image, &job, &[], words);
    nothing_is_left(&desk);
}

#[test]
fn what_the_desk_can_mend_holds_the_drive() {
    let wrong = "000011-000022-000033-000044-000055-000066-000077-000088";
    held(|line| line["bitLockerKey"] = json!(wrong), &["BitLockerKeyInvalid"]);
    held(|line| line["bitLockerKey"] = Value::Null, &["BitLockerKeyInvalid", "no bitLockerKey"]);
    held(|line| line["manifestFile"] = json!("\\none.xml"), &["ManifestNotFound", "\\none.xml"]);
    held(|line| line["manifestFile"] = json!("\\a\\..\\b.xml"), &["ManifestNameInvalid", "\\a\\..\\b.xml"]);
    held(|line| line["manifestFile"] = json!(format!("\\{}", "n".repeat(256))), &["ManifestNameTooLong"]);
    let hash = "00".repeat(16);
    held(|line| line["manifestHash"] = json!(hash), &["ManifestCorrupted", "3CDDF55810381D181E75F09355DE7A21", &hash]);
    // the hash of one file for another
    held(|line| line["manifestFile"] = json!("\\readme.txt"), &["ManifestCorrupted"]);
}

#[test]
fn a_folder_is_no_manifest() {
    let desk = Desk::new();
    let change = |job: &mut Value| job["properties"]["driveList"][0]["manifestFile"] = json!("\\Fotos");
    let job = desk.job("xts128-gpt", "job.json", change);
    refused(&desk, &drive("xts128-gpt").image, &job, &[], &["ManifestAccessDenied", "Fotos", "directory"]);
    log_says(&desk, "ManifestAccessDenied");
}

/// Names of a drive may hold terminal escapes and text that runs backwards; every run of these tests looks for them on stderr.
#[test]
fn hostile_names_are_escaped() {
    for case in ["blob-name-illegal", "file-name-invalid"] {
        let desk = Desk::new();
        let cases = drives::json("plain-rich.cases.json");
        let case = cases["cases"].as_array().unwrap().iter().find(|found| found["name"] == case).unwrap();
        let job = desk.job("plain-rich", "job.json", |job| {
            let line = &mut job["properties"]["driveList"][0];
            line["manifestFile"] = json!(format!("\\manifests\\{}.xml", case["name"].as_str().unwrap()));
            line["manifestHash"] = case["sha256"].clone();
        });
        let ran = desk.ingest(&sealed("plain-rich"), &job, &["--json"]).ends(4);
        let failed = case["blobs"].as_array().unwrap().iter().filter(|blob| blob["status"] != "Completed").count();
        assert_eq!(ran.json()["drives"][0]["counts"]["failed"], failed);
    }
}

#[test]
fn a_manifest_that_breaks_a_rule_is_refused_with_line_entry_and_rule() {
    let desk = Desk::new();
    let job = desk.job("plain-bad-xml", "job.json", |_| ());
    refused(&desk, &sealed("plain-bad-xml"), &job, &[], &["ManifestFormatInvalid", "line "]);
    log_says(&desk, "ManifestFormatInvalid");
    let desk = Desk::new();
    let job = desk.job("plain-wrong-id", "job.json", |_| ());
    refused(&desk, &sealed("plain-wrong-id"), &job, &[], &["ManifestDriveIdMismatch", "WRONG-DKS-WRONG", "DKS-WRONG"]);
    log_says(&desk, "ManifestDriveIdMismatch");
}

#[test]
fn bad_files_fail_alone_and_are_named() {
    let desk = Desk::new();
    let job = desk.job("plain-faults", "job.json", |_| ());
    let dry = desk.ingest(&sealed("plain-faults"), &job, &["--dry-run", "--offline"]).ends(4);
    let ran = desk.ingest(&sealed("plain-faults"), &job, &[]).says(4, &["CompletedWithErrors", "remedy:"]);
    let logs = desk.reports("store", "_verbose.xml");
    let log = DriveLog::parse(&fs::read_to_string(&logs[0]).unwrap());
    assert_eq!(DriveLog::parse(dry.text()), log, "the dry run said something else");
    let of = |file: &str| log.blobs.iter().find(|blob| blob.file.ends_with(file)).unwrap();
    let blobs = desk.blobs("store");
    for (file, status, range, bad) in [
        ("船.bin", "CompletedWithErrors", 3, "Corrupted"),
        ("boot.vhd", "CompletedWithErrors", 1, "Corrupted"),
        ("Straße am See.jpg", "CompletedWithErrors", 1, "FileUnexpectedEnd"),
        ("лодка.dat", "FileNotFound", 0, "Cancelled"),
    ] {
        let blob = of(file);
        assert_eq!((blob.status.as_str(), blob.ranges[range].as_str()), (status, bad), "{blob:?}");
        assert!(ran.err.contains(&blob.path), "{} is not named: {}", blob.path, ran.err);
        assert!(file == "boot.vhd" || !blobs.contains_key(&blob.path), "{} is stored", blob.path);
    }
    assert_eq!(log.blobs.iter().filter(|blob| blob.status == "FileNameInvalid").count(), 1, "the path that leaves its place");
    let twice: Vec<_> = log.blobs.iter().filter(|blob| blob.file.ends_with("See.jpg")).collect();
    assert!(twice.len() == 2 && twice[0] == twice[1], "the name that stands twice fails twice: {twice:?}");
    for file in drive("plain-faults").files().iter().filter(|file| ["empty.bin", "one.bin", "readme.txt"].contains(&&*file.path))
    {
        assert_eq!(sha256(&blobs[&format!("import/{}", file.path)]), file.sha256);
    }
}

/// Every kind of file that NTFS has comes through whole.
#[test]
fn files_of_every_kind_become_blobs() {
    for name in ["plain-compressed", "plain-fragmented", "plain-sparse", "plain-many", "plain-4k"] {
        let desk = Desk::new();
        let job = desk.job(name, "job.json", |_| ());
        desk.ingest(&sealed(name), &job, &[]).ends(0);
        let blobs = desk.blobs("store");
        for file in drive(name).files() {
            let blob = &blobs[&format!("import/{}", file.path.replace('\\', "/"))];
            assert_eq!((blob.len() as u64, sha256(blob)), (file.length, file.sha256), "{name}: {}", file.path);
        }
        assert_eq!(blobs.len(), drive(name).files().len());
    }
}

/// Runs with a job file changed; it is refused with exit code 2.
#[track_caller]
fn unusable(change: impl FnOnce(&mut Value), words: &[&str]) {
    let desk = Desk::new();
    let job = desk.job("xts128-gpt", "job.json", change);
    let ids = ["--drive-id", "DKS-XTS128"];
    desk.ingest(&drive("xts128-gpt").image, &job, &ids).says(2, words).says(2, &["job.json"]);
    assert!(!desk.path("state").exists() && !desk.path("store").exists());
}

#[test]
fn a_job_file_that_breaks_a_rule_is_refused() {
    unusable(|job| job["properties"]["colour"] = json!("red"), &["properties.colour", "line"]);
    unusable(|job| job["properties"]["driveList"][0]["color"] = json!("red"), &["driveList[0].color"]);
    unusable(|job| job["name"] = json!("Bad Name"), &["name", "lower-case"]);
    unusable(|job| job["properties"]["jobType"] = json!("Export"), &["jobType", "Export"]);
    unusable(|job| job["properties"]["driveList"] = json!([]), &["0 drives", "1 to 10"]);
    let many = |job: &mut Value| {
        let line = job["properties"]["driveList"][0].clone();
        let numbered = |n| {
            let mut line = line.clone();
            line["driveId"] = json!(format!("D{n}"));
            line
        };
        job["properties"]["driveList"] = (0..11).map(numbered).collect();
    };
    unusable(many, &["11 drives", "1 to 10"]);
    unusable(|job| job["properties"]["containerSas"] = json!("sv=2014&sig=hush"), &["containerSas", "not supported"]);
    unusable(|job| job["properties"]["driveList"][0]["manifestHash"] = json!("12"), &["manifestHash", "32 (MD5) or 64"]);
    let mistyped = "111111-222222-333333-444444-555556-666666-077077-088088";
    unusable(|job| job["properties"]["driveList"][0]["bitLockerKey"] = json!(mistyped), &["DKS-XTS128", "group 5"]);
    unusable(|job| *job = json!([]), &[]);
    let desk = Desk::new();
    let torn = desk.write("torn.json", "{\"name\": \"x");
    desk.ingest(&drive("xts128-gpt").image, &torn, &[]).says(2, &["torn.json", "not JSON"]);
    desk.ingest(&drive("xts128-gpt").image, &PathBuf::from("none.json"), &[]).says(2, &["none.json"]);
}

#[test]
fn the_signature_in_a_job_is_not_shown() {
    let desk = Desk::new();
    desk.secret("hushhush");
    let job = desk.job("xts128-gpt", "job.json", |job| job["properties"]["containerSas"] = json!("sv=1&sig=hushhush"));
    desk.ingest(&drive("xts128-gpt").image, &job, &[]).ends(2);
}

#[test]
fn the_diagnostics_container_is_no_target() {
    let desk = Desk::new();
    let job = desk.job("xts128-gpt", "job.json", |job| job["properties"]["diagnosticsPath"] = json!("import"));
    let ran = desk.ingest(&drive("xts128-gpt").image, &job, &["--json"]).says(4, &["diagnostics container"]);
    assert_eq!(ran.json()["drives"][0]["counts"]["failed"], 9);
    assert!(desk.blobs("store").keys().all(|name| name.starts_with("import/waies/")));
}

#[test]
fn a_configuration_that_breaks_a_rule_is_refused() {
    let desk = Desk::new();
    let job = desk.job("xts128-gpt", "job.json", |_| ());
    for (text, words) in [
        ("stat_dir = \"/x\"", &["stat_dir", "state_dir"][..]),
        ("[limits]\nmax_drive_byte = 1", &["limits.max_drive_byte", "max_drive_bytes"]),
        ("[transfer]\nuploads = 0", &["transfer.uploads", "1 to"]),
        ("[stores.devstoreaccount1]\nurl = \"s3://bucket\"", &["s3://bucket"]),
        ("[limits", &["line 1"]),
    ] {
        let config = desk.write("bad.toml", text);
        let ran = desk.ingest(&drive("xts128-gpt").image, &job, &["--config", config.to_str().unwrap()]);
        ran.says(2, words).says(2, &["bad.toml"]);
    }
    desk.ingest(&drive("xts128-gpt").image, &job, &["--config", "none.toml"]).says(2, &["none.toml"]);
    for url in ["s3://bucket", "gs://bucket", "https://x.blob.core.windows.net", "blobs"] {
        let scheme = url.split(':').next().unwrap();
        let ran = desk.ingest(&drive("xts128-gpt").image, &job, &["--store", url]);
        ran.says(2, &["azure://", "file:///", if url == "blobs" { "store" } else { scheme }]);
    }
    assert!(!desk.path("state").exists() && !desk.path("store").exists());
}
