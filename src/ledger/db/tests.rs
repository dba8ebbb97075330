//! What the ledger promises: what was told it is there again, one entry at a time writes to a path, many callers share a sync.

mod faults;
mod restored;

use std::os::unix::fs::PermissionsExt as _;

use futures_util::future::join_all;
use sqlx::Connection as _;

use super::*;
use crate::foreign::Foreign;
use crate::ledger::state::SessionKey;
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, Intent, RangeStatus};
use crate::manifest::{Attributes, BlobPath};
use crate::store::{Condition, ETag};

/// A state folder that vanishes.
struct Place {
    _folder: tempfile::TempDir,
    state: StateDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("state")).unwrap();
        Self { _folder: folder, state }
    }

    async fn open(&self) -> Ledger {
        Ledger::open(&self.state).await.unwrap()
    }
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

async fn begin(ledger: &Ledger, drive: &str) -> SessionLedger {
    ledger.begin(&key(drive), &Foreign::from("bay1.img")).await.unwrap()
}

fn path(name: &str) -> BlobPath {
    BlobPath::new("photos".parse().unwrap(), name).unwrap()
}

fn stored() -> EntryOutcome {
    EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Created)
}

fn broken() -> EntryOutcome {
    EntryOutcome {
        status: BlobStatus::CompletedWithErrors,
        disposition: DispositionStatus::Renamed,
        stored_as: Some(Foreign::from("photos/a (2).jpg")),
        detail: Some("range 7 is \u{202e}not what the manifest says".to_owned()),
        ..stored()
    }
}

/// What blobs carry here.
fn attributes() -> Attributes {
    Attributes {
        content_type: Some("image/tiff".to_owned()),
        metadata: vec![("n".to_owned(), "ü".to_owned())],
        ..Attributes::default()
    }
}

fn intent(name: &str, etag: Option<&str>) -> Intent {
    let condition = etag.map_or(Condition::Absent, |etag| Condition::Matches(ETag(etag.to_owned())));
    Intent { path: path(name), condition, attributes: attributes(), outcome: stored() }
}

async fn all<T>(mut pages: Pages<T>) -> Vec<T> {
    let mut found = Vec::new();
    loop {
        let page = pages.next().await.unwrap();
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

fn numbers(bits: &[Bits]) -> Vec<u64> {
    bits.iter().flat_map(Bits::numbers).collect()
}

#[tokio::test]
async fn one_entry_at_a_time_writes_to_a_path_across_sessions_and_processes() {
    let place = Place::new();
    // two openings stand for two processes: nothing is shared but the file
    let (here, there) = (place.open().await, place.open().await);
    let (ours, theirs) = (begin(&here, "A").await, begin(&there, "B").await);
    assert_eq!(ours.claim(3, &path("a")).await.unwrap(), Claimed::Ours);
    assert_eq!(ours.claim(3, &path("a")).await.unwrap(), Claimed::Ours, "the same entry again");
    let other = |session: &SessionLedger, entry| Claimed::Other { session: session.record().id.clone(), entry };
    assert_eq!(theirs.claim(3, &path("a")).await.unwrap(), other(&ours, 3));
    assert_eq!(ours.claim(4, &path("a")).await.unwrap(), other(&ours, 3));
    // another path: the old one is free
    assert_eq!(ours.claim(3, &path("b")).await.unwrap(), Claimed::Ours);
    assert_eq!(theirs.claim(3, &path("a")).await.unwrap(), Claimed::Ours);
    // an end gives the path back, also to who asks before the next sync
    ours.ended(3, &stored(), true, &[]).unwrap();
    assert_eq!(ours.claim(4, &path("b")).await.unwrap(), Claimed::Ours);
    // another store has paths of its own
    let elsewhere = SessionKey { store_url: "azure://labdata".to_owned(), ..key("A") };
    let elsewhere = here.begin(&elsewhere, &Foreign::from("bay1.img")).await.unwrap();
    assert_eq!(elsewhere.claim(1, &path("a")).await.unwrap(), Claimed::Ours);
}

#[tokio::test]
async fn of_many_that_claim_one_path_at_once_one_gets_it() {
    let place = Place::new();
    let (here, there) = (place.open().await, place.open().await);
    let (ours, theirs) = (begin(&here, "A").await, begin(&there, "B").await);
    let same = path("a");
    let claims =
        (0..60_u64).map(|entry| if entry.is_multiple_of(2) { ours.claim(entry, &same) } else { theirs.claim(entry, &same) });
    let answers: Vec<_> = join_all(claims).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = answers.iter().enumerate().filter(|(_, answer)| **answer == Claimed::Ours).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    let entry = winners[0].0 as u64;
    let session = if entry.is_multiple_of(2) { &ours } else { &theirs }.record().id.clone();
    let loser = Claimed::Other { session, entry };
    assert!(answers.iter().all(|answer| *answer == Claimed::Ours || *answer == loser), "all others are told who: {answers:?}");
}

#[tokio::test]
async fn callers_that_wait_at_the_same_time_share_a_sync() {
    let place = Place::new();
    let ledger = place.open().await;
    let session = begin(&ledger, "A").await;
    session.flush().await.unwrap();
    let before = ledger.commits();
    // while somebody else holds the lock, everything gathers
    let mut other = connect::connect(ledger.file()).await.unwrap();
    let lock = other.begin_with(connect::BEGIN).await.unwrap();
    let intents: Vec<_> = (0..400_u64).map(|entry| (entry, intent(&format!("{entry}"), None))).collect();
    let mut waiting = Box::pin(join_all(intents.iter().map(|(entry, intent)| session.intend(*entry, intent))));
    assert!(futures_util::poll!(&mut waiting).is_pending(), "nothing is on the disk yet");
    lock.rollback().await.unwrap();
    assert!(waiting.await.into_iter().all(|done| done.is_ok()));
    // the first batch has what was there when the writer came, the second the rest
    assert!(ledger.commits() - before <= 2, "{}", ledger.commits() - before);
    assert_eq!(all(session.restore().await.unwrap().intents).await.len(), 400);
}

#[tokio::test]
async fn a_session_is_the_same_one_again_and_shrinks_to_its_summary() {
    let place = Place::new();
    let ledger = place.open().await;
    let session = begin(&ledger, "A").await;
    session.note(Note::Manifest { entries: 9_000, ranges: 20_000, bytes: 1 << 40 }).await.unwrap();
    session.note(Note::Stamp(1_700_000_000_123)).await.unwrap();
    session.note(Note::NamesSettled(true)).await.unwrap();
    session.set_stage("Transferring", None, None).await.unwrap();
    (0..8_999).for_each(|entry| session.ended(entry, &stored(), true, &[]).unwrap());
    session.ended(8_999, &broken(), false, &[(RangeStatus::Completed, 3), (RangeStatus::Corrupted, 1)]).unwrap();
    session.advance(1 << 39).unwrap();
    session.advance(5).unwrap();
    session.acknowledge(0..20_000).unwrap();
    session.claim(1, &path("a")).await.unwrap();
    session.intend(1, &intent("a", None)).await.unwrap();
    ledger.close().await.unwrap();
    assert!(matches!(session.flush().await, Err(DbError::Closed { .. })));

    // the run broke off: the next one finds what was told, and that it broke off
    let ledger = place.open().await;
    let session = begin(&ledger, "A").await;
    let record = session.record().clone();
    assert_eq!((record.stage.as_str(), record.interruptions, record.names_settled), ("Interrupted", 1, true));
    assert_eq!((record.entries, record.ranges, record.bytes), (Some(9_000), Some(20_000), Some(1 << 40)));
    assert_eq!((record.stamp, record.done_bytes), (Some(1_700_000_000_123), (1 << 39) + 5));
    assert_eq!(ledger.ended_entries(&record.id).await.unwrap(), 9_000);
    assert_eq!(all(session.restore().await.unwrap().acknowledged).await.iter().map(Bits::count).sum::<u64>(), 20_000);

    let summary = Summary { status: "CompletedWithErrors".to_owned(), receipt: Some("{}".to_owned()) };
    session.finish(&summary).await.unwrap();
    let restored = session.restore().await.unwrap();
    assert!(all(restored.completed).await.is_empty() && all(restored.exceptions).await.is_empty());
    assert!(all(restored.intents).await.is_empty() && all(restored.claims).await.is_empty());
    assert!(all(restored.acknowledged).await.is_empty());
    let record = ledger.session_of_id(&record.id).await.unwrap().unwrap();
    assert_eq!((record.stage.as_str(), record.code.as_deref()), ("Done", Some("CompletedWithErrors")));
    assert!(record.finished.is_some() && record.done_entries == 9_000 && record.receipt.as_deref() == Some("{}"));
    let stages: Vec<_> = ledger.events(&record.id).await.unwrap().into_iter().map(|event| event.stage).collect();
    assert_eq!(stages, ["Attached", "Transferring", "Interrupted", "Done"]);

    // run anew after its end: nothing of the first time is taken for the second's
    session.set_stage("Attached", None, None).await.unwrap();
    session.ended(5, &stored(), true, &[]).unwrap();
    assert_eq!(numbers(&all(session.restore().await.unwrap().completed).await), [5]);
    assert!(ledger.session_of_id(&record.id).await.unwrap().unwrap().finished.is_none());
}

#[tokio::test]
async fn the_files_are_their_owners_alone() {
    let place = Place::new();
    let ledger = place.open().await;
    begin(&ledger, "A").await.flush().await.unwrap();
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let mode = std::fs::metadata(place.state.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn looks_and_stages_are_kept_by_drive() {
    let place = Place::new();
    let ledger = place.open().await;
    let session = begin(&ledger, "A").await;
    session.set_stage("Held", Some("BitLockerKeyInvalid"), Some("no \u{1b}[31mkey fits")).await.unwrap();
    let drive = "A".parse().unwrap();
    let sessions = ledger.sessions(Which::OfDrive(&drive)).await.unwrap();
    assert_eq!((sessions.len(), sessions[0].code.as_deref()), (1, Some("BitLockerKeyInvalid")));
    assert!(!sessions[0].cause.as_ref().unwrap().to_string().contains('\u{1b}'));
    assert!(ledger.sessions(Which::OfDrive(&"B".parse().unwrap())).await.unwrap().is_empty());
    let look = AuditRecord {
        at: 7,
        who: Foreign::from("ann"),
        command: "cat".to_owned(),
        source: Foreign::from("bay1.img"),
        drive: Some("A".to_owned()),
        job: None,
        what: Foreign::from("\\photos\\a.jpg"),
    };
    ledger.audit(&look).await.unwrap();
    assert_eq!(ledger.looks(&drive).await.unwrap(), [look]);
}

#[tokio::test]
async fn a_copy_is_whole_and_replaces_nothing() {
    let place = Place::new();
    let ledger = place.open().await;
    begin(&ledger, "A").await.set_stage("Identified", None, None).await.unwrap();
    let other = Place::new();
    let copy = other.state.path().join("ledger.db");
    ledger.backup(&copy).await.unwrap();
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(ledger.backup(&copy).await, Err(DbError::File { .. })), "it exists");
    let copied = other.open().await;
    assert_eq!(copied.sessions(Which::OpenOrSince(0)).await.unwrap()[0].stage, "Identified");
    let check = copied.check().await.unwrap();
    assert_eq!((check.findings, check.rows[0]), (Vec::new(), ("sessions", 1)));
}
