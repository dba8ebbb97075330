//! What a session has recorded, page by page: memory stays bounded however much there is.

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::text;
use super::{Bits, DbError, Ledger, SessionLedger};
use crate::ledger::{EntryOutcome, Intent, RangeStatus};
use crate::manifest::{BlobPath, EntryNumber};

/// Rows of a page. An exception can be long: one of a blob with 50,000 ranges that alternate has half a megabyte.
const PAGE: i64 = 64;

/// What a session has recorded, as it was flushed. Each part is read once, in the order of its numbers, before anything is written.
#[derive(Debug)]
pub struct Restored {
    /// Entries that are stored with nothing to tell.
    pub completed: Pages<Bits>,
    /// Entries that ended otherwise.
    pub exceptions: Pages<Exception>,
    /// Writes that were about to be asked of the store, and whose answer was not recorded: in doubt.
    pub intents: Pages<(EntryNumber, Intent)>,
    /// Paths that belong to entries.
    pub claims: Pages<ClaimRecord>,
    /// Ranges that the store has taken.
    pub acknowledged: Pages<Bits>,
}

/// An entry that ended with something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The entry.
    pub entry: EntryNumber,
    /// How it ended.
    pub outcome: EntryOutcome,
    /// How its ranges ended, run by run; empty if that is not recorded.
    pub ranges: Vec<(RangeStatus, u64)>,
}

/// A path that an entry writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRecord {
    /// The entry.
    pub entry: EntryNumber,
    /// The path.
    pub path: BlobPath,
    /// Whether what was there, of another type, may be deleted already.
    pub cleared: bool,
    /// When it was claimed, in milliseconds UTC.
    pub begun: i64,
}

/// How a table is read.
struct Table<T> {
    name: &'static str,
    /// First the number, then the rest; `$1` the session, `$2` the least number, `$3` how many.
    sql: &'static str,
    read: fn(u64, &AnyRow) -> Result<T, Unread>,
}

/// A row that says what none says.
enum Unread {
    Row(sqlx::Error),
    Value(String),
}

impl From<sqlx::Error> for Unread {
    fn from(error: sqlx::Error) -> Self {
        Self::Row(error)
    }
}

impl From<String> for Unread {
    fn from(reason: String) -> Self {
        Self::Value(reason)
    }
}

/// The rows of a session in one table.
pub struct Pages<T: 'static> {
    ledger: Ledger,
    session: Arc<str>,
    table: &'static Table<T>,
    /// The least number of the next page; `None` at the end.
    next: Option<i64>,
}

impl<T> std::fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pages({} of {} from {:?})", self.table.name, self.session, self.next)
    }
}

impl<T> Pages<T> {
    fn new(ledger: &Ledger, session: &str, table: &'static Table<T>) -> Self {
        Self { ledger: ledger.clone(), session: session.into(), table, next: Some(0) }
    }

    /// The next rows, in the order of their numbers; empty at the end.
    pub async fn next(&mut self) -> Result<Vec<T>, DbError> {
        let Some(least) = self.next else { return Ok(Vec::new()) };
        let query = sqlx::query(self.table.sql).bind(self.session.to_string()).bind(least).bind(PAGE);
        let rows = query.fetch_all(&mut *self.ledger.desk().await?).await;
        let rows = rows.map_err(|error| self.ledger.failed("reading", error))?;
        self.next = None;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            let number: i64 = row.try_get(0).map_err(|error| self.ledger.failed("reading", error))?;
            self.next = number.checked_add(1);
            let read = (self.table.read)(u64::try_from(number).unwrap_or_default(), row);
            page.push(read.map_err(|error| match error {
                Unread::Row(error) => self.ledger.failed("reading", error),
                Unread::Value(reason) => self.ledger.bad_record(self.table.name, reason),
            })?);
        }
        Ok(page)
    }
}

const RESULTS: &Table<Bits> = &Table {
    name: "results",
    sql: "SELECT chunk, bits FROM results WHERE session = $1 AND chunk >= $2 ORDER BY chunk LIMIT $3",
    read: bits,
};
const ACKNOWLEDGED: &Table<Bits> = &Table {
    name: "acknowledged",
    sql: "SELECT chunk, bits FROM acknowledged WHERE session = $1 AND chunk >= $2 ORDER BY chunk LIMIT $3",
    read: bits,
};
const EXCEPTIONS: &Table<Exception> = &Table {
    name: "exceptions",
    sql: "SELECT entry, outcome, ranges FROM exceptions WHERE session = $1 AND entry >= $2 ORDER BY entry LIMIT $3",
    read: |entry, row| {
        let (outcome, ranges) = (text::outcome_from_text(row.try_get(1)?)?, text::ranges_from_text(row.try_get(2)?)?);
        Ok(Exception { entry, outcome, ranges })
    },
};
const INTENTS: &Table<(EntryNumber, Intent)> = &Table {
    name: "intents",
    sql: "SELECT entry, path, condition, attributes, outcome FROM intents WHERE session = $1 AND entry >= $2 ORDER BY entry LIMIT $3",
    read: |entry, row| {
        let (path, condition) = (text::path_from_text(row.try_get(1)?)?, text::condition_from_text(row.try_get(2)?)?);
        let (attributes, outcome) = (text::attributes_from_text(row.try_get(3)?)?, text::outcome_from_text(row.try_get(4)?)?);
        Ok((entry, Intent { path, condition, attributes, outcome }))
    },
};
const CLAIMS: &Table<ClaimRecord> = &Table {
    name: "claims",
    sql: "SELECT entry, path, cleared, begun FROM claims WHERE session = $1 AND entry >= $2 ORDER BY entry LIMIT $3",
    read: |entry, row| {
        let path = text::path_from_text(row.try_get(1)?)?;
        Ok(ClaimRecord { entry, path, cleared: row.try_get::<i64, _>(2)? != 0, begun: row.try_get(3)? })
    },
};

fn bits(chunk: u64, row: &AnyRow) -> Result<Bits, Unread> {
    let bits = Bits::from_bytes(chunk, row.try_get(1)?);
    bits.ok_or_else(|| Unread::Value("has not 512 bytes".to_owned()))
}

impl SessionLedger {
    /// What the session has recorded: everything queued before this call is in it.
    pub async fn restore(&self) -> Result<Restored, DbError> {
        self.flush().await?;
        Ok(self.ledger().restored(self.id()))
    }
}

impl Ledger {
    /// The bitmaps of a session's entries.
    pub(super) fn results(&self, session: &str) -> Pages<Bits> {
        Pages::new(self, session, RESULTS)
    }

    /// What a session has on the disk.
    pub(super) fn restored(&self, session: &str) -> Restored {
        Restored {
            completed: self.results(session),
            exceptions: Pages::new(self, session, EXCEPTIONS),
            intents: Pages::new(self, session, INTENTS),
            claims: Pages::new(self, session, CLAIMS),
            acknowledged: Pages::new(self, session, ACKNOWLEDGED),
        }
    }
}
