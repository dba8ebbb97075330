//! `dockside status`, `drive` and `ledger`: what they tell of the ledger, what they change, and what they refuse. The states that a run
//! leaves are written through the library here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/cli.rs"]
mod cli;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dockside::foreign::Foreign;
use dockside::ledger::db::{Ledger, Note, SessionLedger, Summary};
use dockside::ledger::state::{Output, Purpose, SessionKey, StateDir};
use dockside::ledger::{BlobStatus, DispositionStatus, EntryOutcome, Intent};
use dockside::manifest::Attributes;
use dockside::store::Condition;
use serde_json::{Value, json};

use cli::{Desk, Ran};

/// A desk whose state folder the test writes to as a run would.
struct Scene {
    desk: Desk,
    state: StateDir,
    ledger: Ledger,
}

fn key(drive: &str) -> SessionKey {
    SessionKey {
        store_url: "file:///srv/blobs".to_owned(),
        account: "labdata".parse().unwrap(),
        job: "autumn-survey".parse().unwrap(),
        drive: drive.parse().unwrap(),
        manifest_hash: "D41D8CD98F00B204E9800998ECF8427E".parse().unwrap(),
    }
}

impl Scene {
    async fn new() -> Self {
        let desk = Desk::new();
        let state = StateDir::open(&desk.path("state")).unwrap();
        let ledger = Ledger::open(&state).await.unwrap();
        Self { desk, state, ledger }
    }

    async fn begin(&self, drive: &str) -> SessionLedger {
        self.ledger.begin(&key(drive), &Foreign::from("bay 1.img")).await.unwrap()
    }

    /// A session that ended, with what it leaves in the state folder.
    async fn ended(&self, drive: &str) {
        let session = self.begin(drive).await;
        let lock = self.state.session(&key(drive)).lock(Purpose::Run).unwrap();
        lock.write(Output::Receipt, b"{}").unwrap();
        session.finish(&Summary { status: "Completed".to_owned(), receipt: None }).await.unwrap();
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.desk.run(&[words, &["--state", "state"]].concat())
    }

    fn json(&self, words: &[&str]) -> Value {
        self.run(&[words, &["--json"]].concat()).ends(0).json()
    }

    fn receipt(&self, drive: &str) -> bool {
        self.state.session(&key(drive)).finished().is_some()
    }
}

fn stored() -> EntryOutcome {
    EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Created)
}

#[tokio::test]
async fn status_shows_where_every_drive_stands_and_what_to_do() {
    let scene = Scene::new().await;
    assert!(scene.run(&["status"]).ends(0).text().starts_with("no drive is under way"));
    let held = scene.begin("ZX1").await;
    held.set_stage("Held", Some("ManifestCorrupted"), Some("other bytes\u{1b}[31m\nthan\u{202e} said")).await.unwrap();
    let under_way = scene.begin("LONGER-ID-2").await;
    under_way.note(Note::Manifest { entries: 12_000, ranges: 24_000, bytes: 3 << 30 }).await.unwrap();
    under_way.set_stage("Transferring", None, None).await.unwrap();
    (0..9_000).for_each(|entry| under_way.ended(entry, &stored(), true, &[]).unwrap());
    under_way.ended(9_000, &stored(), false, &[]).unwrap();
    under_way.advance(1 << 30).unwrap();
    under_way.flush().await.unwrap();
    scene.ended("ZX3").await;

    // the run goes on meanwhile
    let shown = scene.run(&["status"]).ends(0);
    let lines: Vec<&str> = shown.text().lines().collect();
    let line = |word: &str| *lines.iter().find(|line| line.starts_with(word)).unwrap_or_else(|| panic!("{lines:#?}"));
    let column = lines[0].find("STAGE").unwrap();
    assert!(line("ZX1")[column..].starts_with("Held (ManifestCorrupted)"));
    assert!(line("LONGER-ID-2")[column..].starts_with("Transferring"));
    assert!(line("LONGER-ID-2").contains("9,001 of 12,000") && line("LONGER-ID-2").contains("1.0 GiB of 3.0 GiB"));
    assert!(line("ZX3").contains("Done (Completed)"));
    let below = lines.iter().position(|line| line.starts_with("ZX1")).unwrap();
    assert_eq!(lines[below + 1], "  cause: other bytes\\u{1b}[31m\\u{a}than\\u{202e} said");
    assert!(lines[below + 2].starts_with("  remedy: Compare with the hash"), "{lines:#?}");

    let shown = scene.json(&["status"]);
    let of = |drive: &str| {
        let sessions = shown["sessions"].as_array().unwrap();
        sessions.iter().find(|session| session["drive"] == drive).unwrap().clone()
    };
    assert_eq!(of("LONGER-ID-2")["entries"], json!({ "ended": 9_001, "all": 12_000 }));
    assert_eq!(of("LONGER-ID-2")["bytes"], json!({ "stored": 1_u64 << 30, "all": 3_u64 << 30 }));
    assert_eq!((&of("ZX1")["code"], &of("ZX1")["stage"]), (&json!("ManifestCorrupted"), &json!("Held")));
    assert!(of("ZX1")["remedy"].as_str().unwrap().contains("manifestHash") && of("ZX3")["finished"].is_string());
}

#[tokio::test]
async fn a_drives_history_is_shown_in_order() {
    let scene = Scene::new().await;
    let session = scene.begin("ZX1").await;
    for stage in ["Identified", "Admitted", "Unlocked"] {
        session.set_stage(stage, None, None).await.unwrap();
    }
    session.set_stage("Interrupted", Some("StoreDown"), Some("no answer for 300 s")).await.unwrap();
    let shown = scene.json(&["drive", "show", "ZX1"]);
    let stages = |shown: &Value| -> Vec<String> {
        let events = shown["sessions"][0]["events"].as_array().unwrap();
        events.iter().map(|event| event["stage"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(stages(&shown), ["Attached", "Identified", "Admitted", "Unlocked", "Interrupted"]);
    assert_eq!(shown["sessions"][0]["interruptions"], 1);
    let text = scene.run(&["drive", "show", "ZX1"]).ends(0);
    let words =
        ["autumn-survey", "Unlocked", "StoreDown", "no answer for 300 s", "remedy: Run the same command again when the store"];
    assert!(words.iter().all(|word| text.text().contains(word)), "{}", text.text());
    scene.run(&["drive", "show", "ZX2"]).says(2, &["no drive ZX2", "remedy"]);
    scene.run(&["drive", "show", "a/b"]).ends(2);
}

#[tokio::test]
async fn a_drive_that_waits_is_retried_and_no_other() {
    let scene = Scene::new().await;
    scene.begin("HELD").await.set_stage("Held", Some("BitLockerKeyInvalid"), None).await.unwrap();
    scene.begin("REFUSED").await.set_stage("Refused", Some("VolumeNotNtfs"), None).await.unwrap();
    for drive in ["HELD", "REFUSED"] {
        let ran = scene.run(&["drive", "retry", drive]).ends(0);
        assert!(ran.text().contains(&format!("dockside ingest SOURCE --job FILE --drive-id {drive}")), "{}", ran.text());
        let session = scene.json(&["drive", "show", drive])["sessions"][0].clone();
        assert_eq!((&session["stage"], &session["code"]), (&json!("Attached"), &Value::Null));
        let events = session["events"].as_array().unwrap();
        assert!(events.last().unwrap()["cause"].as_str().unwrap().contains("a retry was asked for by"), "{events:?}");
        scene.run(&["drive", "retry", drive]).says(3, &[drive, "Attached", "does not go on by being asked to retry"]);
    }
    scene.begin("BROKE").await.set_stage("Interrupted", Some("Crash"), None).await.unwrap();
    scene.run(&["drive", "retry", "BROKE"]).says(3, &["Interrupted(Crash)", "remedy: Run the same command again"]);
    scene.ended("DONE").await;
    scene.run(&["drive", "retry", "DONE"]).says(3, &["Done(Completed)", "remedy: it has ended"]);
    scene.run(&["drive", "retry", "NONE"]).says(2, &["no drive NONE"]);
    // a run holds it
    scene.begin("BUSY").await.set_stage("Held", Some("ManifestNotFound"), None).await.unwrap();
    let lock = scene.state.session(&key("BUSY")).lock(Purpose::Run).unwrap();
    scene.run(&["drive", "retry", "BUSY"]).says(3, &["is running already"]);
    drop(lock);
    scene.run(&["drive", "retry", "BUSY"]).ends(0);
}

#[tokio::test]
async fn a_check_tells_a_whole_ledger_from_a_damaged_one() {
    let scene = Scene::new().await;
    scene.ended("ZX1").await;
    let ran = scene.run(&["ledger", "check"]).ends(0);
    assert!(ran.text().ends_with("the ledger is whole\n"), "{}", ran.text());
    let shown = scene.json(&["ledger", "check"]);
    assert_eq!((&shown["whole"], &shown["rows"]["sessions"], &shown["rows"]["events"]), (&json!(true), &json!(1), &json!(2)));
    scene.ledger.close().await.unwrap();
    let file = scene.desk.path("state/ledger.db");
    fs::write(&file, vec![0x5a; 10_000]).unwrap();
    for words in [&["ledger", "check"][..], &["status"]] {
        scene.run(words).says(1, &["state/ledger.db is damaged", "dockside ledger check", "remedy", "dockside ledger backup"]);
    }
    assert_eq!(fs::read(&file).unwrap(), vec![0x5a; 10_000], "it is left as it was found");
}

#[tokio::test]
async fn pruning_removes_what_has_ended_with_its_folder_and_nothing_else() {
    let scene = Scene::new().await;
    scene.ended("OLD").await;
    scene.begin("OPEN").await.set_stage("Held", Some("ManifestNotFound"), None).await.unwrap();
    scene.run(&["ledger", "prune"]).ends(0);
    scene.run(&["ledger", "prune", "--older-than", "1"]).ends(0);
    assert!(scene.receipt("OLD"), "it ended less than a day ago");
    // a run of the same session holds it
    let lock = scene.state.session(&key("OLD")).lock(Purpose::Run).unwrap();
    scene.run(&["ledger", "prune", "--older-than", "0"]).says(5, &["drive OLD is left", "running"]);
    drop(lock);
    let config = scene.desk.write("dockside.toml", "[ledger]\nkeep_days = 0\n");
    let shown = scene.json(&["ledger", "prune", "--config", config.to_str().unwrap()]);
    assert_eq!(shown["removed"], json!([key("OLD").id()]));
    assert!(!scene.receipt("OLD") && !scene.desk.path(&format!("state/sessions/{}", key("OLD").id())).exists());
    scene.run(&["drive", "show", "OLD"]).ends(2);
    scene.run(&["drive", "show", "OPEN"]).ends(0);
    scene.run(&["ledger", "check"]).ends(0);
}

#[tokio::test]
async fn a_backup_is_a_whole_ledger_and_replaces_nothing() {
    let scene = Scene::new().await;
    scene.begin("ZX1").await.set_stage("Identified", None, None).await.unwrap();
    fs::create_dir(scene.desk.path("other")).unwrap();
    scene.run(&["ledger", "backup", "other/ledger.db"]).ends(0);
    let copy = scene.desk.path("other/ledger.db");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&copy).unwrap();
    scene.run(&["ledger", "backup", "other/ledger.db"]).says(2, &["other/ledger.db is there already", "remedy"]);
    assert_eq!(fs::read(&copy).unwrap(), before);
    scene.run(&["ledger", "backup", "none/ledger.db"]).says(2, &["none/ledger.db"]);
    let shown = scene.desk.run(&["status", "--state", "other", "--json"]).ends(0).json();
    assert_eq!(shown["sessions"][0]["stage"], "Identified");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_and_the_commands_share_the_ledger() {
    let scene = Scene::new().await;
    let session = scene.begin("ZX1").await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move {
        let (mut stopped, mut entry) = (stopped, 0_u64);
        while stopped.try_recv().is_err() {
            let path = format!("photos/{entry}").parse().unwrap();
            session.claim(entry, &path).await.unwrap();
            let intent = Intent { path, condition: Condition::Absent, attributes: Attributes::default(), outcome: stored() };
            session.intend(entry, &intent).await.unwrap();
            session.ended(entry, &stored(), true, &[]).unwrap();
            entry += 1;
        }
        session.flush().await.unwrap();
        entry
    });
    let commands: [&[&str]; 5] = [
        &["status"],
        &["ledger", "check"],
        &["ledger", "backup", "copy.db"],
        &["ledger", "prune", "--older-than", "0"],
        &["drive", "show", "ZX1"],
    ];
    tokio::task::block_in_place(|| {
        for words in commands {
            scene.run(words).ends(0);
        }
    });
    stop.send(()).unwrap();
    let entries = run.await.unwrap();
    assert!(entries > 0);
    assert_eq!(scene.ledger.ended_entries(&key("ZX1").id()).await.unwrap(), entries);
}

#[test]
fn without_a_state_folder_nothing_is_told() {
    let desk = Desk::new();
    desk.write("file", "");
    for words in [&["status"][..], &["ledger", "check"], &["drive", "show", "ZX1"], &["drive", "retry", "ZX1"]] {
        let words = [words, &["--state", "file/state"]].concat();
        desk.run(&words).says(2, &["file/state", "remedy"]);
    }
    for command in [&["status", "--help"][..], &["drive", "--help"], &["ledger", "--help"]] {
        let ran = desk.run(command).ends(0);
        assert!(ran.text().contains("Examples:") && ran.text().contains("Exit codes:"), "{}", ran.text());
    }
}
