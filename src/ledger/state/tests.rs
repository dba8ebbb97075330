//! One run per session, whatever the other side does; nothing left behind by a dry run; outputs whole or absent.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn key() -> SessionKey {
    SessionKey {
        store_url: "file:///srv/blobs".to_owned(),
        account: "labdata".parse().unwrap(),
        job: "autumn-survey".parse().unwrap(),
        drive: "ZX10K7742".parse().unwrap(),
        manifest_hash: "D41D8CD98F00B204E9800998ECF8427E".parse().unwrap(),
    }
}

fn state() -> (tempfile::TempDir, StateDir) {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(&folder.path().join("a/state")).unwrap();
    (folder, state)
}

fn listing(state: &StateDir) -> Vec<String> {
    fs::read_dir(state.path()).unwrap().map(|found| found.unwrap().file_name().into_string().unwrap()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_id_depends_on_all_five_parts_and_on_their_borders() {
    let id = key().id();
    assert_eq!(id.len(), 20);
    assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    assert_eq!(id, key().id());
    let others = [
        SessionKey { store_url: "file:///srv/blob".to_owned(), ..key() },
        SessionKey { account: "labdat2".parse().unwrap(), ..key() },
        SessionKey { job: "autumn".parse().unwrap(), ..key() },
        SessionKey { drive: "zx10k7742".parse().unwrap(), ..key() },
        SessionKey { manifest_hash: "0".repeat(64).parse().unwrap(), ..key() },
        SessionKey { store_url: "file:///srv/blobsl".to_owned(), account: "abdata".parse().unwrap(), ..key() },
    ];
    let mut ids: Vec<_> = others.iter().map(SessionKey::id).chain([id]).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7);
}

#[test]
fn the_folder_is_made_for_its_owner_only() {
    let (folder, state) = state();
    assert_eq!(mode(state.path()), 0o700);
    assert_eq!(mode(&folder.path().join("a")), 0o700);
    assert!(listing(&state).is_empty());
    let lock = state.session(&key()).lock(Purpose::Run).unwrap();
    assert_eq!((mode(lock.scratch()), mode(&lock.session().lock_file())), (0o700, 0o600));
    let receipt = lock.write(Output::Receipt, b"{}").unwrap();
    assert_eq!((mode(&receipt), mode(receipt.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    // below a file, and in a file system that takes no files, for root neither
    for path in [file.join("state"), file, PathBuf::from("/proc/self"), PathBuf::from("/proc/dockside")] {
        let error = StateDir::open(&path).unwrap_err();
        assert!(matches!(error, StateError::NotWritable { .. }), "{path:?}: {error:?}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}

#[test]
fn a_second_run_of_a_session_is_refused_and_another_session_is_not() {
    let (_folder, state) = state();
    let first = state.session(&key()).lock(Purpose::Run).unwrap();
    let error = state.session(&key()).lock(Purpose::Run).unwrap_err();
    assert!(matches!(&error, StateError::SessionBusy { session, .. } if *session == key().id()));
    // the refused one took nothing away
    assert!(first.scratch().is_dir() && first.session().lock_file().is_file());
    let other = state.session(&SessionKey { job: "other".parse().unwrap(), ..key() }).lock(Purpose::Run).unwrap();
    drop(first);
    assert!(other.scratch().is_dir());
    state.session(&key()).lock(Purpose::Run).unwrap();
}

#[test]
fn another_process_is_refused_too() {
    let (_folder, state) = state();
    let session = state.session(&key());
    let lock = session.lock(Purpose::DryRun).unwrap();
    let busy = |path: &Path| {
        let status =
            std::process::Command::new("flock").args(["--nonblock", "--conflict-exit-code", "77"]).arg(path).arg("true").status();
        status.unwrap().code() == Some(77)
    };
    assert!(busy(&session.lock_file()));
    drop(lock);
    // and the other way round: held by another process until its input ends
    let mut other = std::process::Command::new("flock")
        .arg(session.lock_file())
        .args(["sh", "-c", "echo locked; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 7];
    io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert!(matches!(session.lock(Purpose::DryRun), Err(StateError::SessionBusy { .. })));
    drop(other.stdin.take());
    other.wait().unwrap();
    // the lock file it left is taken over
    assert!(session.lock_file().is_file());
    session.lock(Purpose::DryRun).unwrap();
    assert!(listing(&state).is_empty());
}

#[test]
fn a_dry_run_leaves_nothing() {
    let (_folder, state) = state();
    let lock = state.session(&key()).lock(Purpose::DryRun).unwrap();
    fs::create_dir(lock.scratch().join("deep")).unwrap();
    fs::write(lock.scratch().join("deep/catalogue"), "x").unwrap();
    drop(lock);
    assert_eq!(listing(&state), [""; 0]);
}

#[test]
fn a_run_leaves_what_the_next_one_needs_until_it_has_ended() {
    let (_folder, state) = state();
    let session = state.session(&key());
    let lock = session.lock(Purpose::Run).unwrap();
    fs::write(lock.scratch().join("catalogue"), "x").unwrap();
    drop(lock);
    // a dry run in between takes nothing from it
    drop(session.lock(Purpose::DryRun).unwrap());
    let lock = session.lock(Purpose::Run).unwrap();
    assert_eq!(fs::read_to_string(lock.scratch().join("catalogue")).unwrap(), "x");
    lock.keep_scratch(false);
    drop(lock);
    assert_eq!(listing(&state), [""; 0]);
}

#[test]
fn what_a_broken_run_left_goes_where_it_is_not_wanted() {
    let (folder, state) = state();
    let session = state.session(&key());
    let outside = folder.path().join("outside");
    fs::write(&outside, "kept").unwrap();
    fs::create_dir_all(session.scratch(Purpose::Run)).unwrap();
    fs::write(session.scratch(Purpose::Run).join("records"), "old").unwrap();
    std::os::unix::fs::symlink(&outside, session.scratch(Purpose::Run).join("link")).unwrap();
    fs::write(session.lock_file(), "").unwrap();
    let lock = session.lock(Purpose::Run).unwrap();
    lock.renew_scratch().unwrap();
    assert_eq!(fs::read_dir(lock.scratch()).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(outside).unwrap(), "kept");
}

#[test]
fn a_lock_on_a_removed_file_does_not_count() {
    let (_folder, state) = state();
    let path = state.session(&key()).lock_file();
    fs::write(&path, "").unwrap();
    let removed = fs::File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    // somebody holds the removed file: the session is free all the same
    removed.try_lock().unwrap();
    state.session(&key()).lock(Purpose::Run).unwrap();
}

#[test]
fn many_runs_at_once_never_hold_a_session_together() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let (_folder, state) = state();
    let (inside, taken) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..500 {
                    match state.session(&key()).lock(Purpose::DryRun) {
                        Ok(lock) => {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            assert!(lock.scratch().is_dir());
                            taken.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                        Err(error) => assert!(matches!(error, StateError::SessionBusy { .. }), "{error:?}"),
                    }
                }
            });
        }
    });
    assert!(taken.load(Ordering::SeqCst) > 0);
    assert!(listing(&state).is_empty());
}

#[test]
fn an_output_is_whole_or_absent() {
    let (_folder, state) = state();
    let session = state.session(&key());
    let lock = session.lock(Purpose::DryRun).unwrap();
    let mut pending = lock.begin(Output::ErrorLog).unwrap();
    io::Write::write_all(&mut pending, b"half").unwrap();
    assert!(!session.output(Output::ErrorLog).exists());
    drop(pending);
    assert_eq!(fs::read_dir(session.outputs()).unwrap().count(), 0);
    assert_eq!(session.finished(), None);
    lock.write(Output::ErrorLog, b"<DriveLog/>").unwrap();
    lock.write(Output::VerboseLog, b"<DriveLog/>").unwrap();
    assert_eq!(session.finished(), None);
    let receipt = lock.write(Output::Receipt, b"{}").unwrap();
    assert_eq!(session.finished(), Some(receipt.clone()));
    lock.write(Output::Receipt, b"{\"schema\":1}").unwrap();
    drop(lock);
    assert_eq!(fs::read_to_string(receipt).unwrap(), "{\"schema\":1}");
    assert_eq!(listing(&state), ["sessions"]);
}

#[test]
fn free_space_is_compared() {
    let (_folder, state) = state();
    state.ensure_free(1).unwrap();
    assert!(matches!(state.ensure_free(u64::MAX), Err(StateError::NoSpace { needed: u64::MAX, .. })));
}

#[test]
fn a_state_folder_that_others_may_write_in_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for (mode, taken) in [(0o777, false), (0o720, false), (0o755, true), (0o700, true)] {
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let opened = StateDir::open(folder.path());
        assert_eq!(opened.is_ok(), taken, "{mode:o}: {opened:?}");
    }
}
