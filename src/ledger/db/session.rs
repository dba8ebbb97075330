//! One session's part of the ledger: what a run tells it.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{AnyConnection, Connection as _};

use super::history::{self, Change};
use super::op::{Answer, EndedRow, IntentRow, Key, Op};
use super::text;
use super::{Claimed, DbError, Ledger, Note, STAGE_DONE, STAGE_INTERRUPTED, SessionRecord, connect, now, schema};
use crate::foreign::Foreign;
use crate::ledger::state::SessionKey;
use crate::ledger::{EntryOutcome, Intent, RangeStatus};
use crate::manifest::{BlobPath, EntryNumber};

/// Stages that only a run is in: found at the beginning of one, they tell that the one before it broke off.
const IN_A_RUN: &[&str] = &["Unlocked", "Checked", "Transferring", "Reporting"];

/// Rows that one transaction removes when a session shrinks: others write in between.
const AT_ONCE: i64 = 4_096;

/// What a session is made of.
#[derive(Clone, Copy, Debug)]
pub struct SessionFacts<'a> {
    /// What makes it the same one.
    pub key: &'a SessionKey,
    /// Where the drive was found.
    pub source: &'a Foreign,
    /// This moment.
    pub now: Timestamp,
}

/// What stays of a session that has ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The code it ended with.
    pub status: String,
    /// What its receipt says, in a form of the caller's.
    pub receipt: Option<String>,
}

/// The records of one session, for the run that holds its lock. Clones are the same.
#[derive(Clone, Debug)]
pub struct SessionLedger {
    ledger: Ledger,
    session: Arc<str>,
    store_url: Arc<str>,
    record: Arc<SessionRecord>,
}

impl Ledger {
    /// The session of this key: as it is, with its drive's new place, or new and `Attached`.
    pub async fn session(&self, facts: &SessionFacts<'_>) -> Result<SessionRecord, DbError> {
        let mut desk = self.desk().await?;
        let found = opened(&mut desk, facts).await.map_err(|error| self.failed("writing", error))?;
        found.map_or_else(|| Err(DbError::NoSession { session: facts.key.id() }), |row| self.record(&row))
    }

    /// Begins a run of a session. Hold its lock: a stage that only a run is in tells that the run before this one broke off, and that
    /// is recorded.
    pub async fn begin(&self, key: &SessionKey, source: &Foreign) -> Result<SessionLedger, DbError> {
        let record = self.session(&SessionFacts { key, source, now: Timestamp::now() }).await?;
        let (session, store_url) = (record.id.as_str().into(), record.key.store_url.as_str().into());
        let mut begun = SessionLedger { ledger: self.clone(), session, store_url, record: Arc::new(record) };
        self.0.queue.push(Op::Forget(Arc::clone(&begun.session)))?;
        if IN_A_RUN.contains(&begun.record.stage.as_str()) {
            begun.set_stage(STAGE_INTERRUPTED, Some("Crash"), Some("the run before this one ended without a word")).await?;
            let again = self.session_of_id(&begun.session).await?;
            begun.record = Arc::new(again.ok_or_else(|| DbError::NoSession { session: begun.session.to_string() })?);
        }
        Ok(begun)
    }
}

async fn opened(desk: &mut AnyConnection, facts: &SessionFacts<'_>) -> Result<Option<sqlx::any::AnyRow>, sqlx::Error> {
    let (id, key, now) = (facts.key.id(), facts.key, facts.now.as_millisecond());
    let mut work = desk.begin_with(connect::BEGIN).await?;
    let source = facts.source.raw().to_owned();
    if history::by_id(&mut work, &id).await?.is_some() {
        let update = sqlx::query("UPDATE sessions SET source = $1, updated = $2 WHERE id = $3");
        update.bind(source).bind(now).bind(id.clone()).execute(&mut *work).await?;
    } else {
        let insert = "INSERT INTO sessions (id, store_url, account, job, drive, manifest_hash, source, stage, started, updated, \
             interruptions, names_settled, done_entries, done_bytes) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'Attached', $8, $9, 0, 0, 0, 0)";
        let query = sqlx::query(insert).bind(id.clone()).bind(key.store_url.clone()).bind(key.account.as_str().to_owned());
        let query = query.bind(key.job.as_str().to_owned()).bind(key.drive.as_str().to_owned());
        let query = query.bind(key.manifest_hash.to_string()).bind(source).bind(now).bind(now);
        query.execute(&mut *work).await?;
        history::add_event(&mut work, &id, &Change { stage: "Attached", code: None, cause: None, at: now }).await?;
    }
    let row = history::by_id(&mut work, &id).await?;
    work.commit().await?;
    Ok(row)
}

impl SessionLedger {
    /// The session as it was when this run began.
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// The database.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn id(&self) -> &str {
        &self.session
    }

    fn key(&self, entry: EntryNumber) -> Key {
        Key { session: Arc::clone(&self.session), entry }
    }

    async fn ask(&self, op: Op) -> Result<Answer, DbError> {
        self.ledger.0.queue.ask(op).await
    }

    /// Keeps where the drive stands, and adds it to the history. On the disk when it returns: call it before acting on the stage.
    pub async fn set_stage(&self, stage: &str, code: Option<&str>, cause: Option<&str>) -> Result<(), DbError> {
        let (code, cause) = (code.map(ToOwned::to_owned), cause.map(ToOwned::to_owned));
        let session = Arc::clone(&self.session);
        self.ask(Op::Stage { session, stage: stage.to_owned(), code, cause, at: now() }).await.map(drop)
    }

    /// Keeps what was learned of the session. On the disk when it returns.
    pub async fn note(&self, note: Note) -> Result<(), DbError> {
        self.ask(Op::Note { session: Arc::clone(&self.session), note, at: now() }).await.map(drop)
    }

    /// Claims a path for an entry, across all sessions of this store. On the disk when it returns. The same entry again gets its own
    /// path again; if it claims another, the old one is free.
    pub async fn claim(&self, entry: EntryNumber, path: &BlobPath) -> Result<Claimed, DbError> {
        let (store_url, path) = (Arc::clone(&self.store_url), text::path_to_text(path).into());
        match self.ask(Op::Claim { key: self.key(entry), store_url, path, at: now() }).await? {
            Answer::Claimed(claimed) => Ok(claimed),
            Answer::Durable => Err(self.ledger.0.queue.closed()),
        }
    }

    /// What is at the claimed path is about to be deleted, for it is of another type. On the disk when it returns.
    pub async fn mark_cleared(&self, entry: EntryNumber) -> Result<(), DbError> {
        self.ask(Op::Cleared(self.key(entry))).await.map(drop)
    }

    /// A write is about to be asked of the store. On the disk when it returns; an older intent of the entry is replaced.
    pub async fn intend(&self, entry: EntryNumber, intent: &Intent) -> Result<(), DbError> {
        let row = IntentRow {
            path: text::path_to_text(&intent.path),
            condition: text::condition_to_text(&intent.condition),
            attributes: text::attributes_to_text(&intent.attributes),
            outcome: text::outcome_to_text(&intent.outcome),
            begun: now(),
        };
        self.ask(Op::Intend(self.key(entry), row)).await.map(drop)
    }

    /// Ranges, by their numbers through the manifest, that the store has taken. Queued; waits on this thread while the queue is full,
    /// which lasts as long as a sync.
    pub fn acknowledge(&self, ranges: impl Iterator<Item = u64>) -> Result<(), DbError> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for range in ranges {
            match runs.last_mut() {
                Some((first, count)) if first.checked_add(*count) == Some(range) => *count += 1,
                _ => runs.push((range, 1)),
            }
        }
        if runs.is_empty() {
            return Ok(());
        }
        self.ledger.0.queue.push(Op::Acknowledge { session: Arc::clone(&self.session), runs, taken: true })
    }

    /// Ranges that the store may not have any more, since their blob is begun anew: before its claim, in whose transaction it is at the
    /// latest. Queued, as [`SessionLedger::acknowledge`] is.
    pub fn forget(&self, first: u64, count: u64) -> Result<(), DbError> {
        if count == 0 {
            return Ok(());
        }
        let (session, runs) = (Arc::clone(&self.session), vec![(first, count)]);
        self.ledger.0.queue.push(Op::Acknowledge { session, runs, taken: false })
    }

    /// How an entry ended: `plain` if it is stored as asked with nothing to tell, else with its outcome and, run by run, the statuses of
    /// its ranges. Its intent and its claim go in the same transaction. Queued, as [`SessionLedger::acknowledge`] is.
    pub fn ended(
        &self,
        entry: EntryNumber,
        outcome: &EntryOutcome,
        plain: bool,
        ranges: &[(RangeStatus, u64)],
    ) -> Result<(), DbError> {
        let exception = (!plain).then(|| (text::outcome_to_text(outcome), text::ranges_to_text(ranges)));
        self.ledger.0.queue.push(Op::Ended(self.key(entry), EndedRow { exception }))
    }

    /// So many more bytes are at the store: for who watches. Queued, as [`SessionLedger::acknowledge`] is.
    pub fn advance(&self, bytes: u64) -> Result<(), DbError> {
        self.ledger.0.queue.push(Op::Advance { session: Arc::clone(&self.session), bytes })
    }

    /// Everything queued before is on the disk when it returns.
    pub async fn flush(&self) -> Result<(), DbError> {
        self.ask(Op::Flush).await.map(drop)
    }

    /// The session has ended, and shrinks to its summary. The summary is on the disk before anything goes; what a broken end leaves goes
    /// with the next `finish` or with `dockside ledger prune`.
    pub async fn finish(&self, summary: &Summary) -> Result<(), DbError> {
        self.flush().await?;
        let done = self.ledger.ended_entries(&self.session).await?;
        let mut desk = self.ledger.desk().await?;
        let ended = end(&mut desk, &self.session, summary, done).await;
        drop(desk);
        ended.map_err(|error| self.ledger.failed("writing", error))?;
        self.ledger.shrink(&self.session).await?;
        self.ledger.0.queue.push(Op::Forget(Arc::clone(&self.session)))
    }
}

async fn end(desk: &mut AnyConnection, session: &str, summary: &Summary, done: u64) -> Result<(), sqlx::Error> {
    let at = now();
    let mut work = desk.begin_with(connect::BEGIN).await?;
    let change = Change { stage: STAGE_DONE, code: Some(&summary.status), cause: None, at };
    history::set_stage(&mut work, session, &change).await?;
    let update = sqlx::query("UPDATE sessions SET finished = $1, done_entries = $2, receipt = $3 WHERE id = $4");
    let done = i64::try_from(done).unwrap_or(i64::MAX);
    update.bind(at).bind(done).bind(summary.receipt.clone()).bind(session.to_owned()).execute(&mut *work).await?;
    work.commit().await
}

impl Ledger {
    /// Removes all rows of a session but its own and its events.
    pub(super) async fn shrink(&self, session: &str) -> Result<(), DbError> {
        for (table, column) in schema::OF_A_RUN {
            loop {
                let mut desk = self.desk().await?;
                let removed = remove_some(&mut desk, table, column, session).await;
                if removed.map_err(|error| self.failed("writing", error))? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Removes a session's first rows of a table, counted in its numbers; returns how many rows.
async fn remove_some(on: &mut AnyConnection, table: &str, column: &str, session: &str) -> Result<u64, sqlx::Error> {
    use sqlx::Row as _;
    let least = sqlx::AssertSqlSafe(format!("SELECT min({column}) FROM {table} WHERE session = $1"));
    let least = sqlx::query(least).bind(session.to_owned()).fetch_one(&mut *on).await?;
    let Some(least) = least.try_get::<Option<i64>, _>(0)? else { return Ok(0) };
    let delete = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE session = $1 AND {column} < $2"));
    let until = least.saturating_add(AT_ONCE);
    let done = sqlx::query(delete).bind(session.to_owned()).bind(until).execute(on).await?;
    Ok(done.rows_affected())
}
