//! Stores and state folders that cannot serve: no credential, refused, unreachable, blocked, full, read-only.

use std::fs;
use std::io::BufRead as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::azurite::{ACCOUNT, Azurite};
use crate::blob_service::BlobService;
use crate::cli::{self, Desk, Ran, sha256};
use crate::drive_log::DriveLog;
use crate::drives::{Drive, drive};
use crate::nothing_is_left;

/// A key that has the form of one and is nobody's.
const WRONG_KEY: &str = "aHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaA==";
/// Stores that do not answer are waited for this long.
const IMPATIENT: &str = "[transfer]\nretry_seconds = 1\n";

pub(crate) fn desk(name: &str) -> (Desk, Drive, PathBuf) {
    let desk = Desk::new();
    desk.secret(WRONG_KEY);
    let job = desk.job(name, "job.json", |_| ());
    (desk, drive(name), job)
}

/// A configuration whose account is at an endpoint, with a key in a file.
fn account_at(desk: &Desk, endpoint: &str) -> String {
    let key = desk.write("credentials", format!("AZURE_STORAGE_ACCOUNT_KEY={WRONG_KEY}\n"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let store = format!("[stores.{ACCOUNT}]\nurl = \"azure://{ACCOUNT}\"\nendpoint = \"{endpoint}/{ACCOUNT}\"\n");
    let config = desk.write("dockside.toml", format!("{store}credentials_file = \"{}\"\n{IMPATIENT}", key.display()));
    config.into_os_string().into_string().unwrap()
}

/// Ingests into the account of the configuration.
fn ingest_by(desk: &Desk, config: &str, drive: &Drive, job: &std::path::Path, more: &[&str]) -> Ran {
    let store = format!("azure://{ACCOUNT}");
    let mut all = vec!["--config", config, "--store", &store];
    all.extend(more);
    desk.ingest(&drive.image, job, &all)
}

#[test]
fn without_a_credential_the_drive_is_held_before_it_is_unlocked() {
    let desk = Desk::new();
    // the key is wrong as well, but nobody gets as far as that
    let wrong = "000011-000022-000033-000044-000055-000066-000077-000088";
    let job = desk.job("xts128-gpt", "job.json", |job| job["properties"]["driveList"][0]["bitLockerKey"] = json!(wrong));
    let arguments = ["ingest", "x.img", "--job", job.to_str().unwrap(), "--state", "state"];
    fs::hard_link(drive("xts128-gpt").image, desk.path("x.img"))
        .or_else(|_| fs::copy(drive("xts128-gpt").image, desk.path("x.img")).map(drop))
        .unwrap();
    desk.run(&arguments).says(3, &["BlobRequestForbidden", "no credential", ACCOUNT, "remedy:"]);
    nothing_is_left(&desk);
}

#[test]
fn a_store_that_is_not_there_interrupts() {
    let (desk, drive, job) = desk("xts128-gpt");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = account_at(&desk, &format!("http://127.0.0.1:{closed}"));
    let words = ["Interrupted", &closed.to_string(), "refused", "remedy:"];
    ingest_by(&desk, &config, &drive, &job, &[]).says(5, &words);
    let told = ingest_by(&desk, &config, &drive, &job, &["--json"]).ends(5).json();
    assert_eq!(told["drives"][0]["status"], "Interrupted");
    ingest_by(&desk, &config, &drive, &job, &["--dry-run"]).ends(5);
    // who does not ask the store needs none
    ingest_by(&desk, &config, &drive, &job, &["--dry-run", "--offline"]).ends(0);
    nothing_is_left(&desk);
}

#[test]
fn a_store_that_stays_busy_interrupts() {
    let (desk, drive, job) = desk("xts128-gpt");
    let service = BlobService::start(false);
    service.answer_all(503, "ServerBusy");
    let config = account_at(&desk, &service.settings()[1].1);
    ingest_by(&desk, &config, &drive, &job, &[]).says(5, &["Interrupted", "did not answer", "503"]);
    nothing_is_left(&desk);
}

#[test]
fn an_outage_is_told_once_and_the_drive_goes_on_after_it() {
    let (desk, drive, job) = desk("xts256-4k-damaged");
    let service = BlobService::start(false);
    let config = account_at(&desk, &service.settings()[1].1);
    desk.write("dockside.toml", fs::read_to_string(&config).unwrap().replace("retry_seconds = 1", "retry_seconds = 77"));
    service.answer_next(3, 503, "ServerBusy");
    let ran = ingest_by(&desk, &config, &drive, &job, &[]).says(0, &["waiting up to 77 s", ACCOUNT, "503 ServerBusy"]);
    let stories = ran.err.lines().filter(|line| line.contains("the store")).count();
    assert_eq!((stories, ran.err.matches("the store answers again").count()), (2, 1), "{}", ran.err);
}

#[test]
fn a_token_that_ends_too_early_is_a_warning_at_the_start() {
    let (desk, drive, job) = desk("xts256-4k-damaged");
    desk.secret("hushsignature");
    let service = BlobService::start(false);
    let config = account_at(&desk, &service.settings()[1].1);
    let token = |end: &str| {
        desk.write("credentials", format!("AZURE_STORAGE_SAS_TOKEN=sv=2022-11-02&se={end}&sig=hushsignature\n"));
    };
    token("2001-02-03T04%3A05%3A06Z");
    let words = ["the access token has ended", ACCOUNT, "2001-02-03T04:05:06Z", "give a new one"];
    ingest_by(&desk, &config, &drive, &job, &["--dry-run"]).says(0, &words);
    token("9000-01-01");
    let ran = ingest_by(&desk, &config, &drive, &job, &[]).ends(0);
    assert!(!ran.err.contains("token"), "{}", ran.err);
}

#[test]
fn a_store_that_refuses_access_holds_the_drive() {
    let (desk, drive, job) = desk("xts128-gpt");
    let service = BlobService::start(false);
    for code in ["AuthenticationFailed", "AuthorizationPermissionMismatch", "AccountIsDisabled"] {
        service.answer_all(403, code);
        let config = account_at(&desk, &service.settings()[1].1);
        let ran = ingest_by(&desk, &config, &drive, &job, &["--json"]).says(3, &[code]);
        assert_eq!(ran.json()["drives"][0]["status"], "BlobRequestForbidden");
        nothing_is_left(&desk);
    }
}

#[test]
fn a_dry_run_sends_the_store_reading_requests_only() {
    let (desk, drive, job) = desk("xts256-4k-damaged");
    let service = BlobService::start(false);
    let config = account_at(&desk, &service.settings()[1].1);
    ingest_by(&desk, &config, &drive, &job, &["--dry-run"]).ends(0);
    assert!(service.requests() > 0 && service.writes() == 0);
    ingest_by(&desk, &config, &drive, &job, &[]).ends(0);
    let (requests, writes) = (service.requests(), service.writes());
    let dry = ingest_by(&desk, &config, &drive, &job, &["--dry-run"]).ends(0);
    assert!(DriveLog::parse(dry.text()).blobs.iter().all(|blob| blob.disposition == "Overwritten"));
    assert!(service.requests() > requests && service.writes() == writes);
    let requests = service.requests();
    let dry = ingest_by(&desk, &config, &drive, &job, &["--dry-run", "--offline"]).ends(0);
    assert!(DriveLog::parse(dry.text()).blobs.iter().all(|blob| blob.disposition == "Created"));
    assert_eq!(service.requests(), requests, "the store was asked");
}

#[test]
fn the_emulator_takes_a_drive_and_refuses_a_wrong_key() {
    let Some(azurite) = Azurite::start() else { return };
    let (desk, drive, job) = desk("xts256-4k-damaged");
    let config = account_at(&desk, &azurite.url());
    ingest_by(&desk, &config, &drive, &job, &[]).says(3, &["BlobRequestForbidden", "403", "remedy:"]);
    nothing_is_left(&desk);
    let run = |state: &str| {
        let store = format!("azure://{ACCOUNT}");
        let arguments = desk.arguments(&drive.image, &job, &["--json", "--store", &store, "--state", state]);
        desk.run_in(&arguments, &azurite.settings())
    };
    let first = run("state").ends(0);
    assert_eq!(first.json()["drives"][0]["counts"]["created"], 9);
    assert_eq!(run("state").says(0, &["already done"]).json(), first.json());
    // another state folder does not know, and is told by the store whose session it is
    run("other").says(3, &["SessionElsewhere"]);
    // taken over, what is there is found by its content and attributes, and nothing is sent again
    let taken = |more: &str| {
        let store = format!("azure://{ACCOUNT}");
        let arguments = desk.arguments(&drive.image, &job, &["--json", "--store", &store, "--state", "other", more]);
        desk.run_in(&arguments, &azurite.settings())
    };
    let receipt = &taken("--take-over").ends(0).json()["drives"][0];
    assert_eq!((&receipt["counts"]["created"], &receipt["status"]), (&9.into(), &"Completed".into()));
    assert!(receipt["exceptions"][0]["detail"].as_str().unwrap().contains("earlier run"), "{receipt:#}");
}

#[test]
fn a_container_that_cannot_be_holds_the_drive() {
    for container in ["import", "waimportexport"] {
        let (desk, drive, job) = desk("xts128-gpt");
        fs::create_dir(desk.path("store")).unwrap();
        fs::write(desk.path("store").join(container), "a file in the way").unwrap();
        desk.ingest(&drive.image, &job, &[]).says(3, &["ContainerMissing", container, "remedy:"]);
        assert!(cli::files(&desk.path("state")).is_empty());
        assert_eq!(cli::files(&desk.path("store")).len(), 1, "something was stored");
    }
}

#[test]
fn a_state_folder_that_cannot_be_written_is_a_fault_of_the_set_up() {
    let (desk, drive, job) = desk("xts128-gpt");
    desk.write("file", "");
    for state in ["file", "file/state"] {
        desk.ingest(&drive.image, &job, &["--state", state]).says(2, &["state folder", "file"]);
    }
    assert!(!desk.path("store").exists());
    let Some(mounted) = Tmpfs::mount(&desk, "readonly", "size=1m,ro") else { return };
    desk.ingest(&drive.image, &job, &["--state", "readonly"]).says(2, &["state folder", "readonly", "ead-only"]);
    drop(mounted);
}

#[test]
fn a_full_store_interrupts_and_goes_on_with_space() {
    let (desk, drive, job) = desk("xts256-4k-damaged");
    let Some(mounted) = Tmpfs::mount(&desk, "store", "size=200k") else { return };
    desk.ingest(&drive.image, &job, &[]).says(5, &["Interrupted", "no space", "remedy:"]);
    let visible = desk.blobs("store");
    for file in drive.files() {
        if let Some(blob) = visible.get(&format!("import/{}", file.path.replace('\\', "/"))) {
            assert_eq!(sha256(blob), file.sha256, "half a blob: {}", file.path);
        }
    }
    assert!(!desk.path("state/sessions").exists(), "an interrupted run has no receipt");
    mounted.resize("size=16m");
    desk.ingest(&drive.image, &job, &[]).ends(0);
    let blobs = desk.blobs("store");
    assert_eq!(blobs.len(), drive.files().len());
    for file in drive.files() {
        assert_eq!(sha256(&blobs[&format!("import/{}", file.path.replace('\\', "/"))]), file.sha256);
    }
    let parts: Vec<_> =
        cli::files(&desk.path("store")).into_iter().filter(|file| file.display().to_string().contains("-part-")).collect();
    assert!(parts.is_empty(), "{parts:?}");
}

#[test]
fn a_full_state_folder_interrupts_and_goes_on_with_space() {
    let (desk, drive, job) = desk("cbc256-mbr-decoy");
    let Some(mounted) = Tmpfs::mount(&desk, "state", "size=8k,mode=0700") else { return };
    let words = ["no space left", "remedy:", "state"];
    desk.ingest(&drive.image, &job, &[]).says(5, &words);
    // there is room, but not as much as is wanted: it waits, and goes on by itself
    mounted.resize("size=96m,mode=0700");
    let config = desk.write("dockside.toml", "[ledger]\npause_below = \"128 MiB\"\n");
    let mut command = desk.command(&desk.arguments(&drive.image, &job, &["--config", config.to_str().unwrap()]));
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("almost full") && line.contains("pauses")), "it did not pause");
    assert!(child.try_wait().unwrap().is_none() && desk.blobs("store").is_empty());
    mounted.resize("size=256m,mode=0700");
    assert!(said.any(|line| line.contains("goes on")), "it did not go on");
    said.for_each(drop);
    assert!(child.wait().unwrap().success());
    assert_eq!(desk.blobs("store").len(), drive.files().len());
}

/// A small file system in memory, taken away at the end.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one over a folder of the desk; `None`, said aloud, where that is not allowed.
    fn mount(desk: &Desk, name: &str, options: &str) -> Option<Self> {
        let place = desk.path(name);
        fs::create_dir(&place).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&place).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(place));
        }
        eprintln!("skipped: a file system in memory cannot be mounted here (that takes root)");
        None
    }

    fn resize(&self, size: &str) {
        let resized = Command::new("mount").args(["-o", &format!("remount,{size}")]).arg(&self.0).status();
        assert!(resized.unwrap().success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
