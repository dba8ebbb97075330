//! What happened: sessions and their stages, drives, and who looked into one.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{DbError, Ledger, connect, now};
use crate::drive::DriveId;
use crate::foreign::Foreign;
use crate::ledger::state::SessionKey;

/// The stage of a drive that has ended.
pub const STAGE_DONE: &str = "Done";
/// The stage of a drive whose run broke off.
pub const STAGE_INTERRUPTED: &str = "Interrupted";

const COLUMNS: &str = "SELECT id, store_url, account, job, drive, manifest_hash, source, stage, code, cause, started, updated, \
     finished, stamp, interruptions, names_settled, entries, ranges, bytes, done_entries, done_bytes, receipt FROM sessions";

/// A session as the database has it. Times are milliseconds UTC.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// Its id.
    pub id: String,
    /// What makes it the same one.
    pub key: SessionKey,
    /// Where the drive was found last.
    pub source: Foreign,
    /// The name of the drive's stage.
    pub stage: String,
    /// The code it is held, refused or done with.
    pub code: Option<String>,
    /// Why it is there.
    pub cause: Option<Foreign>,
    /// When it was seen first.
    pub started: i64,
    /// When its stage changed, or something was learned of it, for the last time.
    pub updated: i64,
    /// When it ended.
    pub finished: Option<i64>,
    /// The moment in the names of its logs.
    pub stamp: Option<i64>,
    /// How often its run broke off.
    pub interruptions: u64,
    /// Whether every name is decided and kept.
    pub names_settled: bool,
    /// Entries of its manifest.
    pub entries: Option<u64>,
    /// Ranges of its manifest.
    pub ranges: Option<u64>,
    /// Bytes of all ranges.
    pub bytes: Option<u64>,
    /// Entries that have ended; of a session that has not, ask [`Ledger::ended_entries`].
    pub done_entries: u64,
    /// Bytes taken by the store.
    pub done_bytes: u64,
    /// What the receipt needs, in the form its writer gave it.
    pub receipt: Option<String>,
}

/// A change of a session's stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds UTC.
    pub at: i64,
    /// The new stage.
    pub stage: String,
    /// Its code.
    pub code: Option<String>,
    /// Its cause.
    pub cause: Option<Foreign>,
}

/// A look into a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When, in milliseconds UTC.
    pub at: i64,
    /// The user.
    pub who: Foreign,
    /// The command.
    pub command: String,
    /// The source.
    pub source: Foreign,
    /// The drive, if it is known.
    pub drive: Option<String>,
    /// The job, if one was named.
    pub job: Option<String>,
    /// What was looked at.
    pub what: Foreign,
}

/// Which sessions.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// Those that have not ended, and those that have since then (milliseconds UTC).
    OpenOrSince(i64),
    /// Those of a drive.
    OfDrive(&'a DriveId),
    /// Those that ended before then.
    EndedBefore(i64),
}

/// A new stage.
pub(super) struct Change<'a> {
    pub(super) stage: &'a str,
    pub(super) code: Option<&'a str>,
    pub(super) cause: Option<&'a str>,
    pub(super) at: i64,
}

/// Sets the stage and adds the event. A session that leaves its end is not finished any more.
pub(super) async fn set_stage(on: &mut AnyConnection, session: &str, change: &Change<'_>) -> Result<(), sqlx::Error> {
    let ends = i64::from(change.stage == STAGE_DONE);
    let broke = i64::from(change.stage == STAGE_INTERRUPTED);
    let update = "UPDATE sessions SET stage = $1, code = $2, cause = $3, updated = $4, interruptions = interruptions + $5, \
         finished = CASE WHEN $6 = 1 THEN finished ELSE NULL END WHERE id = $7";
    let query = sqlx::query(update).bind(change.stage.to_owned()).bind(text(change.code)).bind(text(change.cause));
    query.bind(change.at).bind(broke).bind(ends).bind(session.to_owned()).execute(&mut *on).await?;
    add_event(on, session, change).await
}

pub(super) async fn add_event(on: &mut AnyConnection, session: &str, change: &Change<'_>) -> Result<(), sqlx::Error> {
    let insert = "INSERT INTO events (session, number, at, stage, code, cause) \
         SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5 FROM events WHERE session = $6";
    let query = sqlx::query(insert).bind(session.to_owned()).bind(change.at).bind(change.stage.to_owned());
    let query = query.bind(text(change.code)).bind(text(change.cause)).bind(session.to_owned());
    query.execute(on).await.map(drop)
}

fn text(value: Option<&str>) -> Option<String> {
    value.map(ToOwned::to_owned)
}

impl Ledger {
    /// Sessions, the one that changed last first.
    pub async fn sessions(&self, which: Which<'_>) -> Result<Vec<SessionRecord>, DbError> {
        let (condition, value) = match which {
            Which::OpenOrSince(since) => ("finished IS NULL OR finished >= $1", Ok(since)),
            Which::EndedBefore(until) => ("finished < $1", Ok(until)),
            Which::OfDrive(drive) => ("drive = $1", Err(drive.as_str().to_owned())),
        };
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE {condition} ORDER BY updated DESC, id"));
        let query = sqlx::query(sql);
        let query = match value {
            Ok(moment) => query.bind(moment),
            Err(drive) => query.bind(drive),
        };
        let rows = query.fetch_all(&mut *self.desk().await?).await.map_err(|error| self.failed("reading", error))?;
        rows.iter().map(|row| self.record(row)).collect()
    }

    /// A session by its id.
    pub async fn session_of_id(&self, id: &str) -> Result<Option<SessionRecord>, DbError> {
        let mut desk = self.desk().await?;
        let row = by_id(&mut desk, id).await.map_err(|error| self.failed("reading", error))?;
        row.map(|row| self.record(&row)).transpose()
    }

    /// The stages of a session, in order.
    pub async fn events(&self, session: &str) -> Result<Vec<Event>, DbError> {
        let asked = sqlx::query("SELECT at, stage, code, cause FROM events WHERE session = $1 ORDER BY number");
        let rows = asked.bind(session.to_owned()).fetch_all(&mut *self.desk().await?).await;
        let event = |row: &AnyRow| {
            let cause: Option<String> = row.try_get(3)?;
            Ok(Event { at: row.try_get(0)?, stage: row.try_get(1)?, code: row.try_get(2)?, cause: cause.map(Foreign::new) })
        };
        let events = rows.and_then(|rows| rows.iter().map(event).collect());
        events.map_err(|error| self.failed("reading", error))
    }

    /// Sets the stage of a session that nobody runs: hold its lock.
    pub async fn set_stage_of(&self, session: &SessionRecord, stage: &str, cause: &str) -> Result<(), DbError> {
        let mut desk = self.desk().await?;
        let change = Change { stage, code: None, cause: Some(cause), at: now() };
        let changed = async {
            let mut work = desk.begin_with(connect::BEGIN).await?;
            set_stage(&mut work, &session.id, &change).await?;
            work.commit().await
        };
        changed.await.map_err(|error| self.failed("writing", error))
    }

    /// Keeps that somebody looked into a drive; on the disk when it returns.
    pub async fn audit(&self, look: &AuditRecord) -> Result<(), DbError> {
        let insert = "INSERT INTO audit (at, who, command, source, drive, job, what) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let query = sqlx::query(insert).bind(look.at).bind(look.who.raw().to_owned()).bind(look.command.clone());
        let query = query.bind(look.source.raw().to_owned()).bind(look.drive.clone()).bind(look.job.clone());
        let done = query.bind(look.what.raw().to_owned()).execute(&mut *self.desk().await?).await;
        done.map(drop).map_err(|error| self.failed("writing", error))
    }

    /// Who looked into a drive, in order.
    pub async fn looks(&self, drive: &DriveId) -> Result<Vec<AuditRecord>, DbError> {
        let asked = "SELECT at, who, command, source, drive, job, what FROM audit WHERE drive = $1 ORDER BY at";
        let rows = sqlx::query(asked).bind(drive.as_str().to_owned()).fetch_all(&mut *self.desk().await?).await;
        let look = |row: &AnyRow| {
            Ok(AuditRecord {
                at: row.try_get(0)?,
                who: Foreign::new(row.try_get::<String, _>(1)?),
                command: row.try_get(2)?,
                source: Foreign::new(row.try_get::<String, _>(3)?),
                drive: row.try_get(4)?,
                job: row.try_get(5)?,
                what: Foreign::new(row.try_get::<String, _>(6)?),
            })
        };
        let looks = rows.and_then(|rows| rows.iter().map(look).collect());
        looks.map_err(|error| self.failed("reading", error))
    }

    /// Entries of a session that have ended, counted.
    pub async fn ended_entries(&self, session: &str) -> Result<u64, DbError> {
        let mut pages = self.results(session);
        let mut ended = 0_u64;
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            ended = page.iter().fold(ended, |ended, bits| ended.saturating_add(bits.count()));
        }
        let asked = sqlx::query("SELECT count(*) FROM exceptions WHERE session = $1").bind(session.to_owned());
        let row = asked.fetch_one(&mut *self.desk().await?).await;
        let others = row.and_then(|row| row.try_get::<i64, _>(0)).map_err(|error| self.failed("reading", error))?;
        Ok(ended.saturating_add(u64::try_from(others).unwrap_or_default()))
    }

    /// A session's row.
    pub(super) fn record(&self, row: &AnyRow) -> Result<SessionRecord, DbError> {
        record(row).map_err(|error| match error {
            Unreadable::Row(error) => self.failed("reading", error),
            Unreadable::Value(reason) => self.bad_record("sessions", reason),
        })
    }
}

/// The row of a session.
pub(super) async fn by_id(on: &mut AnyConnection, id: &str) -> Result<Option<AnyRow>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"));
    sqlx::query(sql).bind(id.to_owned()).fetch_optional(on).await
}

/// A row that is no session.
enum Unreadable {
    Row(sqlx::Error),
    Value(String),
}

impl From<sqlx::Error> for Unreadable {
    fn from(error: sqlx::Error) -> Self {
        Self::Row(error)
    }
}

fn record(row: &AnyRow) -> Result<SessionRecord, Unreadable> {
    let number = |column: usize| row.try_get::<i64, _>(column).map(|number| u64::try_from(number).unwrap_or_default());
    let maybe = |column: usize| {
        let found = row.try_get::<Option<i64>, _>(column);
        found.map(|found| found.and_then(|number| u64::try_from(number).ok()))
    };
    let cause: Option<String> = row.try_get("cause")?;
    Ok(SessionRecord {
        id: row.try_get("id")?,
        key: key(row)?,
        source: Foreign::new(row.try_get::<String, _>("source")?),
        stage: row.try_get("stage")?,
        code: row.try_get("code")?,
        cause: cause.map(Foreign::new),
        started: row.try_get("started")?,
        updated: row.try_get("updated")?,
        finished: row.try_get("finished")?,
        stamp: row.try_get("stamp")?,
        interruptions: number(14)?,
        names_settled: number(15)? != 0,
        entries: maybe(16)?,
        ranges: maybe(17)?,
        bytes: maybe(18)?,
        done_entries: number(19)?,
        done_bytes: number(20)?,
        receipt: row.try_get("receipt")?,
    })
}

fn key(row: &AnyRow) -> Result<SessionKey, Unreadable> {
    fn part<T: std::str::FromStr>(row: &AnyRow, column: &'static str) -> Result<T, Unreadable> {
        let text: &str = row.try_get(column)?;
        text.parse().map_err(|_| Unreadable::Value(format!("has no {column}")))
    }
    Ok(SessionKey {
        store_url: row.try_get("store_url")?,
        account: part(row, "account")?,
        job: part(row, "job")?,
        drive: part(row, "drive")?,
        manifest_hash: part(row, "manifest_hash")?,
    })
}
