//! The lock of a session and its scratch folder.
//!
//! The lock is `flock` on `<state>/<session>.lock`: the kernel drops it when the process ends, however it ends, so no run is ever
//! locked out by a dead one. The file itself is removed at the end, which by itself would let two runs in: one still waits on the removed
//! file while another makes a new one. Two rules close that gap: the file is only removed by who holds its lock, and a lock counts
//! only if, once held, the name still leads to the locked file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Output, PendingOutput, Session, StateError, make_folder};

/// Lock files that may vanish under us before we give up: each means that another run of the session just ended.
const ATTEMPTS: usize = 100;

/// What a session is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A run: it finds the scratch folder as the run before it left it, and may keep it for the one after it.
    Run,
    /// A dry run: it has a scratch folder of its own, so that it takes nothing from a run that was interrupted.
    DryRun,
}

/// A session held by this run. Dropping it removes the scratch folder unless it is to be kept, then the lock file, then frees the session.
#[derive(Debug)]
pub struct SessionLock {
    session: Session,
    scratch: PathBuf,
    keep: AtomicBool,
    /// Closing it frees the lock; fields are dropped after `Drop::drop` has removed the file's name.
    _held: File,
}

impl SessionLock {
    pub(super) fn take(session: Session, purpose: Purpose) -> Result<Self, StateError> {
        let path = session.lock_file();
        let held = hold(&path, &session)?;
        let scratch = session.scratch(purpose);
        let lock = Self { scratch, session, keep: AtomicBool::new(purpose == Purpose::Run), _held: held };
        if purpose == Purpose::DryRun {
            lock.renew_scratch()?;
        } else {
            lock.make_scratch()?;
        }
        Ok(lock)
    }

    /// Whether the scratch folder stays when this is dropped. A run's does unless it has ended: one that is interrupted, however it is,
    /// is gone on with from there.
    pub fn keep_scratch(&self, keep: bool) {
        self.keep.store(keep, Ordering::Relaxed);
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The scratch folder, gone when this is dropped unless it is kept.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Begins an output. Only real runs call this: it makes the session's folder, which stays.
    pub fn begin(&self, output: Output) -> Result<PendingOutput, StateError> {
        PendingOutput::begin(&self.session.outputs(), output)
    }

    /// Writes an output as a whole.
    pub fn write(&self, output: Output, bytes: &[u8]) -> Result<PathBuf, StateError> {
        let mut pending = self.begin(output)?;
        let written = io::Write::write_all(&mut pending, bytes);
        written.map_err(|error| StateError::io("writing", &self.session.output(output), error))?;
        pending.commit()
    }

    /// Removes the logs and the receipt of the session; it may be run again then.
    pub fn remove_outputs(&self) -> Result<(), StateError> {
        let outputs = self.session.outputs();
        remove_tree(&outputs).map_err(|error| StateError::io("removing", &outputs, error))
    }

    /// Removes what a broken run left and makes the folder anew.
    pub fn renew_scratch(&self) -> Result<(), StateError> {
        remove_tree(&self.scratch).map_err(|error| StateError::io("removing", &self.scratch, error))?;
        self.make_scratch()
    }

    fn make_scratch(&self) -> Result<(), StateError> {
        let failure = |action| move |error| StateError::io(action, &self.scratch, error);
        // another session's end may remove the empty parent between two of our steps
        for _ in 1..ATTEMPTS {
            match make_folder(&self.scratch) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                made => return made.map_err(failure("creating")),
            }
        }
        make_folder(&self.scratch).map_err(failure("creating"))
    }
}

impl Drop for SessionLock {
    /// What cannot be removed is left: the next run of the session removes it, and a failed clean-up must not hide how the run ended.
    fn drop(&mut self) {
        if !self.keep.load(Ordering::Relaxed) {
            let _ = remove_tree(&self.scratch);
        }
        if let Some(parent) = self.scratch.parent() {
            // fails while other sessions have theirs in it
            let _ = fs::remove_dir(parent);
        }
        let _ = fs::remove_file(self.session.lock_file());
    }
}

fn hold(path: &Path, session: &Session) -> Result<File, StateError> {
    let busy = || StateError::SessionBusy { session: session.id.clone(), path: path.display().to_string() };
    for _ in 0..ATTEMPTS {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(|error| StateError::io("opening the lock file", path, error))?;
        match file.try_lock() {
            Ok(()) if still_named(&file, path) => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy()),
            Err(TryLockError::Error(error)) => return Err(StateError::io("locking", path, error)),
        }
    }
    Err(busy())
}

/// Whether the name still leads to this file.
fn still_named(file: &File, path: &Path) -> bool {
    let identity = |found: io::Result<fs::Metadata>| found.map(|found| (found.dev(), found.ino())).ok();
    let held = identity(file.metadata());
    held.is_some() && held == identity(fs::symlink_metadata(path))
}

/// Removes a folder with all in it, links as links; `Ok` if it is absent.
fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
