//! What is queued for the writer.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::DbError;
use crate::manifest::EntryNumber;

/// Whose record it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) session: Arc<str>,
    pub(super) entry: EntryNumber,
}

/// Whether a path is an entry's own now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is, until the entry has ended or claims another.
    Ours,
    /// It is another entry's, perhaps of another session.
    Other {
        /// That session's id.
        session: String,
        /// That entry.
        entry: EntryNumber,
    },
}

/// What was learned of a session on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The moment in the names of its logs, in milliseconds UTC: a report that is made again replaces itself.
    Stamp(i64),
    /// What its manifest lists.
    Manifest {
        /// Entries.
        entries: u64,
        /// Ranges of all entries.
        ranges: u64,
        /// Bytes of all ranges.
        bytes: u64,
    },
    /// Whether every name is decided and kept.
    NamesSettled(bool),
}

/// A write.
#[derive(Debug)]
pub(super) enum Op {
    Stage {
        session: Arc<str>,
        stage: String,
        code: Option<String>,
        cause: Option<String>,
        at: i64,
    },
    Note {
        session: Arc<str>,
        note: Note,
        at: i64,
    },
    Claim {
        key: Key,
        store_url: Arc<str>,
        path: Arc<str>,
        at: i64,
    },
    Cleared(Key),
    Intend(Key, IntentRow),
    Ended(Key, EndedRow),
    /// Ranges as runs: the first, and how many; whether the store has them or may not have them any more.
    Acknowledge {
        session: Arc<str>,
        runs: Vec<(u64, u64)>,
        taken: bool,
    },
    Advance {
        session: Arc<str>,
        bytes: u64,
    },
    /// What the writer remembers of a session does not hold any more.
    Forget(Arc<str>),
    Flush,
}

#[derive(Debug)]
pub(super) struct IntentRow {
    pub(super) path: String,
    pub(super) condition: String,
    pub(super) attributes: String,
    pub(super) outcome: String,
    pub(super) begun: i64,
}

/// How an entry ended; plain ones have no text.
#[derive(Debug)]
pub(super) struct EndedRow {
    pub(super) exception: Option<(String, String)>,
}

impl Op {
    /// Its share of a batch and of the queue: 1 for a row, and more for what is long.
    pub(super) fn weight(&self) -> usize {
        let length = match self {
            Self::Acknowledge { runs, .. } => runs.len() / 8,
            Self::Ended(_, EndedRow { exception: Some((outcome, ranges)) }) => (outcome.len() + ranges.len()) / 4_096,
            _ => 0,
        };
        1 + length
    }
}

/// What a waiter is told.
#[derive(Debug)]
pub(super) enum Answer {
    Durable,
    Claimed(Claimed),
}

pub(super) type Waiter = oneshot::Sender<Result<Answer, DbError>>;

/// A write, and who waits for it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) op: Op,
    pub(super) waiter: Option<Waiter>,
}
