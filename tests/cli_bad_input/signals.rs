//! What ends a run in its middle: Ctrl-C (the first lets finish what is in flight, the second ends at once), a store that goes away or
//! refuses. Running again completes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::azurite::ACCOUNT;
use crate::blob_service::BlobService;
use crate::cli::{Desk, sha256};
use crate::drives::Drive;
use crate::stores::desk;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program under way, and what it says on stderr.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts an ingest into the service, with one upload at a time.
    fn start(desk: &Desk, drive: &Drive, job: &std::path::Path, service: &BlobService) -> Self {
        let config = desk.write("one.toml", "[transfer]\nuploads = 1\nretry_seconds = 1\n");
        let store = format!("azure://{ACCOUNT}");
        let arguments = desk.arguments(&drive.image, job, &["--store", &store, "--config", config.to_str().unwrap()]);
        let mut command = desk.command(&arguments);
        let mut child = command.envs(service.settings()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// Sends SIGINT, as a terminal does at Ctrl-C.
    fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has said this.
    fn wait_for(&self, word: &str) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if line.contains(word) {
                return;
            }
        }
        panic!("{word:?} was never said");
    }

    /// Waits for its end: exit code, and the rest of what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().collect::<Vec<_>>().join("\n"))
    }
}

fn every_blob_is_there_once(service: &BlobService, drive: &Drive) {
    let blobs = service.blobs("import");
    assert_eq!(blobs.len(), drive.files().len(), "{:?}", blobs.keys());
    for file in drive.files() {
        assert_eq!(sha256(&blobs[&file.path.replace('\\', "/")]), file.sha256, "{}", file.path);
    }
}

#[test]
fn the_first_interrupt_finishes_what_is_in_flight_and_the_run_can_be_repeated() {
    // this drive has block blobs alone, which overwrite what is there
    let (desk, drive, job) = desk("xts256-4k-damaged");
    let service = BlobService::start(true);
    let running = Running::start(&desk, &drive, &job, &service);
    service.wait_for_writes(1);
    running.interrupt();
    running.wait_for("second signal stops at once");
    service.open();
    let (code, rest) = running.end();
    assert_eq!(code, Some(5), "{rest}");
    assert!(rest.contains("Interrupted") && rest.contains("run the same command again"), "{rest}");
    let stored = service.blobs("import").len();
    assert!(stored < drive.files().len(), "nothing was left to do, so nothing was shown");
    let reports = service.blobs("waimportexport").into_keys().filter(|name| !name.ends_with("_session.json"));
    assert_eq!(reports.count(), 0, "an interrupted run has no report");
    let (code, rest) = Running::start(&desk, &drive, &job, &service).end();
    assert_eq!(code, Some(0), "{rest}");
    every_blob_is_there_once(&service, &drive);
    // and it is done now
    let writes = service.writes();
    let (code, rest) = Running::start(&desk, &drive, &job, &service).end();
    assert!(code == Some(0) && rest.contains("already done"), "{rest}");
    assert_eq!(service.writes(), writes, "something was sent again");
}

#[test]
fn the_second_interrupt_ends_at_once() {
    let (desk, drive, job) = desk("xts256-4k-damaged");
    let service = BlobService::start(true);
    let running = Running::start(&desk, &drive, &job, &service);
    service.wait_for_writes(1);
    running.interrupt();
    running.wait_for("second signal stops at once");
    running.interrupt();
    // the gate is still shut: nothing in flight could be finished
    let (code, rest) = running.end();
    assert_eq!(code, Some(5), "{rest}");
    assert!(rest.contains("stopped at once") && rest.contains("run the same command again"), "{rest}");
    assert!(service.blobs("import").is_empty());
    service.open();
    let (code, rest) = Running::start(&desk, &drive, &job, &service).end();
    assert_eq!(code, Some(0), "{rest}");
    every_blob_is_there_once(&service, &drive);
}

#[test]
fn a_store_that_goes_away_or_refuses_in_the_middle_interrupts() {
    for (status, code) in [(503, "ServerBusy"), (403, "AuthenticationFailed")] {
        let (desk, drive, job) = desk("xts256-4k-damaged");
        let service = BlobService::start(true);
        let running = Running::start(&desk, &drive, &job, &service);
        service.wait_for_writes(1);
        service.answer_all(status, code);
        service.open();
        let (exit, rest) = running.end();
        assert_eq!(exit, Some(5), "{rest}");
        assert!(
            rest.contains("Interrupted") && rest.contains("devstoreaccount1") && rest.contains(&status.to_string()),
            "{rest}"
        );
        assert!(!desk.path("state/sessions").exists(), "no single blob may be counted as failed for that");
        service.recover();
        let (exit, rest) = Running::start(&desk, &drive, &job, &service).end();
        assert_eq!(exit, Some(0), "{rest}");
        every_blob_is_there_once(&service, &drive);
    }
}
