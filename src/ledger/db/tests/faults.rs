//! What the ledger refuses, and that a write that failed is told to everybody.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;

#[tokio::test]
async fn a_schema_of_a_later_version_is_refused_by_name() {
    let place = Place::new();
    place.open().await.close().await.unwrap();
    let mut other = connect::connect(&place.state.path().join("ledger.db")).await.unwrap();
    sqlx::query("UPDATE schema_version SET version = 7").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let error = Ledger::open(&place.state).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("ledger.db has schema 7") && said.contains("up to 1"), "{said}");
    assert!(!error.retryable());
}

#[tokio::test]
async fn a_damaged_file_is_named_with_the_command_that_tells_more() {
    let place = Place::new();
    let file = place.state.path().join("ledger.db");
    for content in [&b"this is no database, and it is long enough not to look like an empty one"[..], &[0xff; 8_192]] {
        fs::write(&file, content).unwrap();
        let error = Ledger::open(&place.state).await.unwrap_err();
        assert!(matches!(error, DbError::Damaged { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("ledger.db") && said.contains("dockside ledger check"), "{said}");
        assert_eq!(fs::read(&file).unwrap(), content, "it is left as it was found");
    }
}

#[tokio::test]
async fn damage_inside_is_found_by_a_check() {
    let place = Place::new();
    let ledger = place.open().await;
    let session = begin(&ledger, "A").await;
    (0..20_000).for_each(|entry| session.ended(entry, &broken(), false, &[]).unwrap());
    session.flush().await.unwrap();
    assert_eq!(ledger.check().await.unwrap().findings, Vec::<String>::new());
    ledger.close().await.unwrap();
    let file = place.state.path().join("ledger.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let ledger = place.open().await;
    match ledger.check().await {
        Ok(check) => assert!(!check.findings.is_empty()),
        Err(error) => assert!(matches!(error, DbError::Damaged { .. }), "{error:?}"),
    }
}

#[tokio::test]
async fn a_record_that_says_nothing_is_found_by_a_check() {
    let place = Place::new();
    let ledger = place.open().await;
    let session = begin(&ledger, "A").await;
    session.ended(1, &broken(), false, &[]).unwrap();
    session.flush().await.unwrap();
    let mut other = connect::connect(ledger.file()).await.unwrap();
    sqlx::query("UPDATE exceptions SET outcome = 'fine'").execute(&mut other).await.unwrap();
    let findings = ledger.check().await.unwrap().findings;
    assert!(findings.len() == 1 && findings[0].contains("exceptions") && findings[0].contains(session.id()), "{findings:?}");
    let error = session.restore().await.unwrap().exceptions.next().await.unwrap_err();
    assert!(matches!(error, DbError::Record { table: "exceptions", .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_gone_is_told_to_everybody_from_then_on() {
    let place = Place::new();
    let ledger = place.open().await;
    let session = begin(&ledger, "A").await;
    session.flush().await.unwrap();
    session.intend(1, &intent("a", None)).await.unwrap();
    fs::remove_file(ledger.file()).unwrap();
    assert!(matches!(session.intend(2, &intent("b", None)).await, Err(DbError::Gone { .. })));
    assert!(matches!(session.ended(1, &stored(), true, &[]), Err(DbError::Gone { .. })));
    assert!(matches!(session.claim(3, &path("c")).await, Err(DbError::Gone { .. })));
    assert!(matches!(session.flush().await, Err(DbError::Gone { .. })));
    assert!(matches!(ledger.close().await, Err(DbError::Gone { .. })));
}

/// A small file system of its own; `None`, said aloud, if this user may not mount one.
struct Small(tempfile::TempDir);

impl Small {
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs", at(folder.path())]);
        if !mounted {
            eprintln!("skipped: a file system cannot be mounted here, which takes root");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run("umount", &["-l", at(self.0.path())]);
    }
}

fn at(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_is_told_apart_and_loses_nothing_that_was_promised() {
    let Some(small) = Small::new("2m") else { return };
    let state = StateDir::open(small.0.path()).unwrap();
    let ledger = Ledger::open(&state).await.unwrap();
    assert!(ledger.low_on_space(1 << 30), "2 MiB are less than 1 GiB");
    let session = begin(&ledger, "A").await;
    let mut promised = 0;
    let error = loop {
        match session.intend(promised, &intent(&"x".repeat(900), None)).await {
            Ok(()) => promised += 1,
            Err(error) => break error,
        }
        assert!(promised < 100_000, "the disk is never full");
    };
    assert!(matches!(error, DbError::NoSpace { .. }) && error.retryable(), "{error:?}");
    assert!(matches!(session.ended(0, &stored(), true, &[]), Err(DbError::NoSpace { .. })));
    assert!(matches!(ledger.close().await, Err(DbError::NoSpace { .. })));
    // with more room the same work goes on
    assert!(run("mount", &["-o", "remount,size=32m", at(small.0.path())]));
    let ledger = Ledger::open(&state).await.unwrap();
    let session = begin(&ledger, "A").await;
    assert_eq!(all(session.restore().await.unwrap().intents).await.len() as u64, promised);
    session.intend(promised, &intent("more", None)).await.unwrap();
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_is_told_apart() {
    let Some(small) = Small::new("8m") else { return };
    let state = StateDir::open(small.0.path()).unwrap();
    Ledger::open(&state).await.unwrap().close().await.unwrap();
    assert!(run("mount", &["-o", "remount,ro", at(small.0.path())]));
    let outcome = async { Ledger::open(&state).await?.session(&facts(&key("A"), &Foreign::from("bay1.img"))).await };
    let error = outcome.await.unwrap_err();
    assert!(matches!(error, DbError::ReadOnly { .. }), "{error:?}");
}

fn facts<'a>(key: &'a SessionKey, source: &'a Foreign) -> SessionFacts<'a> {
    SessionFacts { key, source, now: jiff::Timestamp::now() }
}
