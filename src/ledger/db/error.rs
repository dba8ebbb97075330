//! What can go wrong with the database, told apart by what has to be done about it.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// SQLite's primary result codes that mean something to us; the rest is `Failed`.
mod code {
    pub(super) const BUSY: u32 = 5;
    pub(super) const LOCKED: u32 = 6;
    pub(super) const READ_ONLY: u32 = 8;
    pub(super) const IO: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANT_OPEN: u32 = 14;
    pub(super) const NOT_A_DATABASE: u32 = 26;
}

/// Below this many free bytes an input/output error counts as a full disk: a log or an index of the database could not grow.
const HARDLY_ANY: u64 = 1 << 20;

/// The ledger cannot do what was asked. Cloned to everybody who waits for the same failed write.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DbError {
    /// Its locks do not hold over a network. A fault of the set-up.
    #[error("the state folder {path} lies on a network file system ({kind}), where the ledger's locks do not hold")]
    Network {
        /// The folder.
        path: String,
        /// The file system.
        kind: &'static str,
    },
    /// A file of it, or its folder, failed.
    #[error("{action} {path} failed")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// A later version of this program wrote it.
    #[error("the ledger {path} has schema {found}, and this version of dockside knows schemas up to {known}")]
    Newer {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// The file is no database any more.
    #[error("the ledger {path} is damaged; `dockside ledger check` tells more")]
    Damaged {
        /// The file.
        path: String,
        /// What the database said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A record says what no record says.
    #[error("the ledger {path} is damaged: a record in {table} {reason}; `dockside ledger check` tells more")]
    Record {
        /// The file.
        path: String,
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk is full.
    #[error("there is no space left for the ledger {path}")]
    NoSpace {
        /// The file.
        path: String,
    },
    /// It can be read only.
    #[error("the ledger {path} cannot be written")]
    ReadOnly {
        /// The file.
        path: String,
        /// What the database said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// Somebody else has written to it for a minute without a pause.
    #[error("the ledger {path} is in use by another process for too long")]
    Busy {
        /// The file.
        path: String,
        /// What the database said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The file has been removed or replaced while it was in use.
    #[error("the ledger {path} has been removed or replaced while it was in use")]
    Gone {
        /// The file.
        path: String,
    },
    /// It was closed before, or its writer has ended.
    #[error("the ledger {path} is closed")]
    Closed {
        /// The file.
        path: String,
    },
    /// No session has this id.
    #[error("the ledger has no session {session}")]
    NoSession {
        /// The id.
        session: String,
    },
    /// The database refused.
    #[error("{action} the ledger {path} failed")]
    Failed {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the database said.
        #[source]
        source: Arc<sqlx::Error>,
    },
}

impl DbError {
    /// A file that failed.
    pub(super) fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return Self::NoSpace { path: path.display().to_string() };
        }
        Self::File { action, path: path.display().to_string(), source: Arc::new(source) }
    }

    /// What the database said, by its code.
    pub(super) fn of(action: &'static str, file: &Path, error: sqlx::Error) -> Self {
        let path = file.display().to_string();
        let full = || super::place::free_bytes(file).is_ok_and(|free| free < HARDLY_ANY);
        let primary = primary_code(&error);
        let unreadable = matches!(error, sqlx::Error::Protocol(_) | sqlx::Error::ColumnDecode { .. });
        let source = Arc::new(error);
        match primary {
            _ if unreadable => Self::Damaged { path, source },
            Some(code::FULL) => Self::NoSpace { path },
            Some(code::IO | code::CANT_OPEN) if full() => Self::NoSpace { path },
            Some(code::CORRUPT | code::NOT_A_DATABASE) => Self::Damaged { path, source },
            Some(code::CANT_OPEN) if super::place::is_read_only(file) => Self::ReadOnly { path, source },
            Some(code::READ_ONLY) => Self::ReadOnly { path, source },
            Some(code::BUSY | code::LOCKED) => Self::Busy { path, source },
            _ => Self::Failed { action, path, source },
        }
    }

    /// Whether the same work can go on later without the ledger being repaired or set up anew.
    pub fn retryable(&self) -> bool {
        match self {
            Self::File { .. } | Self::NoSpace { .. } | Self::Busy { .. } | Self::Closed { .. } | Self::Failed { .. } => true,
            // somebody has to set up or mend something first
            Self::ReadOnly { .. }
            | Self::Network { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Record { .. }
            | Self::Gone { .. }
            | Self::NoSession { .. } => false,
        }
    }
}

/// The low byte of SQLite's extended code.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(said) = error else { return None };
    said.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}
