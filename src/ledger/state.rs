//! The state folder: one run per session, its scratch space, and what it leaves.
//!
//! In: a folder and the identity of a session. Out: the lock of a session, with a scratch folder that is gone when the session has ended
//! and stays for the next run when it was interrupted, and the logs and receipt of finished sessions. Refuses: a folder that cannot be written, a session that runs.
//!
//! ```text
//! <state>/<session>.lock           while a run or a dry run holds the session
//! <state>/scratch/<session>/       catalogue and records, until it has ended (`-dry` behind the name: of a dry run)
//! <state>/sessions/<session>/      error.xml, verbose.xml, receipt.json
//! ```
//! Folders have mode 0700, files 0600.

mod lock;
mod output;

pub use lock::{Purpose, SessionLock};
pub use output::{Output, PendingOutput};

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::drive::DriveId;
use crate::job::{AccountName, JobName};
use crate::manifest::ManifestHash;

/// Base16 digits of a session's id: 80 bits, far more than all sessions ever need to be told apart.
const ID_DIGITS: usize = 20;

/// The state folder cannot serve a run.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder is not there and cannot be made, or takes no files. A fault of the set-up.
    #[error("the state folder {path} cannot be written")]
    NotWritable {
        /// The folder.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others could put a receipt there and make a drive look done. A fault of the set-up.
    #[error("the state folder {path} has mode {mode:04o}: others may write in it (chmod go-w)")]
    OpenToOthers {
        /// The folder.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// Another run, dry or not, works on the same session.
    #[error("session {session} is running already (lock file {path})")]
    SessionBusy {
        /// The session's id.
        session: String,
        /// Its lock file.
        path: String,
    },
    /// Not enough room for the scratch files.
    #[error("{path} has {free} bytes free, this run needs {needed}")]
    NoSpace {
        /// The folder.
        path: String,
        /// Bytes free to this user.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// A file in it failed.
    #[error("{action} {path} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl StateError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.display().to_string(), source }
    }
}

/// What makes a session the same one: run again with the same five, it is the same work.
#[derive(Clone, Debug)]
pub struct SessionKey {
    /// The store, normalised and without credential, as [`Store::url`](crate::store::Store::url) gives it.
    pub store_url: String,
    /// The account of the job.
    pub account: AccountName,
    /// The job.
    pub job: JobName,
    /// The drive.
    pub drive: DriveId,
    /// The manifest.
    pub manifest_hash: ManifestHash,
}

impl SessionKey {
    /// The id: the first 20 Base16 digits of a SHA-256, `[a-z0-9]+`. Each part is hashed behind its length, so that no two keys run into
    /// the same bytes.
    pub fn id(&self) -> String {
        let hash = self.manifest_hash.to_string();
        let mut digest = Sha256::new();
        for part in [&self.store_url, self.account.as_str(), self.job.as_str(), self.drive.as_str(), &hash] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let digits = digest.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(digit.into(), 16)).take(ID_DIGITS).collect()
    }
}

/// The state folder, there and writable.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Opens the folder, makes it (mode 0700, with its parents) if it is absent, and tries to write.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let refused = |source| StateError::NotWritable { path: path.display().to_string(), source };
        make_folder(path).and_then(|()| probe(path)).map_err(refused)?;
        let mode = fs::metadata(path).map_err(refused)?.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(StateError::OpenToOthers { path: path.display().to_string(), mode });
        }
        // a later change of the working directory must not move it
        let path = fs::canonicalize(path).map_err(refused)?;
        Ok(Self { path })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The session of this key. Touches nothing.
    pub fn session(&self, key: &SessionKey) -> Session {
        Session { state: self.path.clone(), id: key.id() }
    }

    /// Refuses if fewer than `bytes` are free to this user.
    pub fn ensure_free(&self, bytes: u64) -> Result<(), StateError> {
        let status = nix::sys::statvfs::statvfs(&self.path);
        let status = status.map_err(|code| StateError::io("asking for the free space of", &self.path, code.into()))?;
        let free = status.blocks_available().saturating_mul(status.fragment_size());
        if free >= bytes {
            return Ok(());
        }
        Err(StateError::NoSpace { path: self.path.display().to_string(), free, needed: bytes })
    }
}

/// One session of the state folder; whether it runs, [`Session::lock`] tells.
#[derive(Clone, Debug)]
pub struct Session {
    state: PathBuf,
    id: String,
}

impl Session {
    /// The id, `[a-z0-9]{20}`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes the session for this run, or for a dry run. Held until dropped.
    pub fn lock(&self, purpose: Purpose) -> Result<SessionLock, StateError> {
        SessionLock::take(self.clone(), purpose)
    }

    /// The receipt, if the session ran to one. Ask under the lock: before it, the answer may be old.
    pub fn finished(&self) -> Option<PathBuf> {
        Some(self.output(Output::Receipt)).filter(|path| path.is_file())
    }

    /// Where an output of the session lies or will lie.
    pub fn output(&self, output: Output) -> PathBuf {
        self.outputs().join(output.file_name())
    }

    fn outputs(&self) -> PathBuf {
        self.state.join("sessions").join(&self.id)
    }

    fn scratch(&self, purpose: Purpose) -> PathBuf {
        let scratch = self.state.join("scratch");
        match purpose {
            Purpose::Run => scratch.join(&self.id),
            Purpose::DryRun => scratch.join(format!("{}-dry", self.id)),
        }
    }

    fn lock_file(&self) -> PathBuf {
        self.state.join(format!("{}.lock", self.id))
    }
}

/// Makes a folder, mode 0700, with its parents.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether a file can be made here: rights alone do not tell (read-only file systems, quotas, sandboxes).
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".probe-{}-{:?}", std::process::id(), std::thread::current().id()));
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)
}

#[cfg(test)]
mod tests;
