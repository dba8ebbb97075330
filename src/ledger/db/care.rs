//! Looking after the database: is it whole, what may go, a copy of it. The only statements that are SQLite's own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sqlx::{AnyConnection, Connection as _, Row as _};

use super::history::Which;
use super::{DbError, Ledger, Pages, SessionRecord, connect, schema};
use crate::ledger::state::{StateDir, StateError};

/// Findings that are told one by one.
const MOST: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Its schema.
    pub schema: i64,
    /// What is wrong, a sentence each; empty if it is whole.
    pub findings: Vec<String>,
    /// Rows of each table.
    pub rows: Vec<(&'static str, u64)>,
}

/// What pruning removed and what it left.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Sessions that are gone, with their logs and receipts.
    pub removed: Vec<SessionRecord>,
    /// Sessions that are old enough but cannot go, and why.
    pub left: Vec<(SessionRecord, StateError)>,
}

/// Tables with what must be true of each row; the count of rows for which it is not.
const RULES: &[(&str, &str)] = &[
    ("sessions without an event", "SELECT count(*) FROM sessions WHERE id NOT IN (SELECT session FROM events)"),
    ("rows of results of a wrong length", "SELECT count(*) FROM results WHERE length(bits) <> 512"),
    ("rows of acknowledged of a wrong length", "SELECT count(*) FROM acknowledged WHERE length(bits) <> 512"),
];

const COUNTED: &[(&str, &str)] = &[
    ("sessions", "SELECT count(*) FROM sessions"),
    ("results", "SELECT count(*) FROM results"),
    ("exceptions", "SELECT count(*) FROM exceptions"),
    ("intents", "SELECT count(*) FROM intents"),
    ("claims", "SELECT count(*) FROM claims"),
    ("acknowledged", "SELECT count(*) FROM acknowledged"),
    ("events", "SELECT count(*) FROM events"),
    ("audit", "SELECT count(*) FROM audit"),
];

impl Ledger {
    /// Reads the whole database: its pages, its schema, what refers to what, and each record.
    pub async fn check(&self) -> Result<Check, DbError> {
        let mut desk = self.desk().await?;
        let checked = pages_and_rules(&mut desk).await;
        drop(desk);
        let mut check = checked.map_err(|error| self.failed("reading", error))?;
        // what is no table any more cannot be read row by row
        if check.findings.is_empty() {
            self.check_records(&mut check).await?;
        }
        Ok(check)
    }

    async fn check_records(&self, check: &mut Check) -> Result<(), DbError> {
        for session in self.sessions(Which::OpenOrSince(0)).await? {
            let restored = self.restored(&session.id);
            let read = [
                whole(restored.completed).await,
                whole(restored.exceptions).await,
                whole(restored.intents).await,
                whole(restored.claims).await,
                whole(restored.acknowledged).await,
            ];
            for error in read.into_iter().filter_map(Result::err) {
                check.findings.push(format!("session {}: {error}", session.id));
            }
        }
        Ok(())
    }

    /// Removes sessions that ended before then (milliseconds UTC), with what lies in the state folder of them. The folder goes first: what
    /// is broken off is found again.
    pub async fn prune(&self, state: &StateDir, until: i64) -> Result<Pruned, DbError> {
        let mut pruned = Pruned::default();
        for record in self.sessions(Which::EndedBefore(until)).await? {
            if let Err(error) =
                state.session(&record.key).lock(crate::ledger::state::Purpose::DryRun).and_then(|lock| lock.remove_outputs())
            {
                pruned.left.push((record, error));
                continue;
            }
            self.remove(&record.id).await?;
            pruned.removed.push(record);
        }
        self.shrink_ended().await?;
        Ok(pruned)
    }

    async fn remove(&self, session: &str) -> Result<(), DbError> {
        self.shrink(session).await?;
        let mut desk = self.desk().await?;
        let removed = async {
            let mut work = desk.begin_with(connect::BEGIN).await?;
            for delete in ["DELETE FROM events WHERE session = $1", "DELETE FROM sessions WHERE id = $1"] {
                sqlx::query(delete).bind(session.to_owned()).execute(&mut *work).await?;
            }
            work.commit().await
        };
        removed.await.map_err(|error| self.failed("writing", error))
    }

    /// What the broken end of a session left.
    async fn shrink_ended(&self) -> Result<(), DbError> {
        for (table, _) in schema::OF_A_RUN {
            let asked = format!(
                "SELECT DISTINCT session FROM {table} WHERE session IN (SELECT id FROM sessions WHERE finished IS NOT NULL)"
            );
            let rows = sqlx::query(sqlx::AssertSqlSafe(asked)).fetch_all(&mut *self.desk().await?).await;
            let ids = rows.and_then(|rows| rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>());
            for id in ids.map_err(|error| self.failed("reading", error))? {
                self.shrink(&id).await?;
            }
        }
        Ok(())
    }

    /// Copies the database, as it is at this moment, to a file that does not exist yet, mode 0600.
    pub async fn backup(&self, to: &Path) -> Result<(), DbError> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        made.map_err(|error| DbError::file("creating the copy", to, error))?;
        let Some(name) = to.to_str() else {
            let unnamed = io::Error::new(io::ErrorKind::InvalidFilename, "its name is not UTF-8");
            return Err(discard(to, DbError::file("creating the copy", to, unnamed)));
        };
        let copied = sqlx::query("VACUUM INTO $1").bind(name.to_owned()).execute(&mut *self.desk().await?).await;
        copied.map_err(|error| discard(to, DbError::of("copying to", to, error)))?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = File::open(to).and_then(|file| file.sync_all()).and_then(|()| File::open(folder)?.sync_all());
        synced.map_err(|error| discard(to, DbError::file("syncing the copy", to, error)))
    }
}

/// Half a copy is none. What cannot be removed is for who asked for it.
fn discard(copy: &Path, error: DbError) -> DbError {
    let _ = fs::remove_file(copy);
    error
}

/// Reads all pages; each row is taken apart on the way.
async fn whole<T>(mut pages: Pages<T>) -> Result<(), DbError> {
    while !pages.next().await?.is_empty() {}
    Ok(())
}

async fn pages_and_rules(on: &mut AnyConnection) -> Result<Check, sqlx::Error> {
    let mut check = Check { schema: schema::version(on).await?, ..Check::default() };
    for row in sqlx::query("PRAGMA integrity_check(100)").fetch_all(&mut *on).await? {
        let said: String = row.try_get(0)?;
        if said != "ok" {
            check.findings.push(said);
        }
    }
    if !check.findings.is_empty() {
        return Ok(check);
    }
    for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *on).await?.iter().take(MOST) {
        let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
        check.findings.push(format!("a row of {table} has none in {parent}"));
    }
    for (what, asked) in RULES {
        let found = count(on, asked).await?;
        if found > 0 {
            check.findings.push(format!("{found} {what}"));
        }
    }
    for (table, asked) in COUNTED {
        check.rows.push((table, count(on, asked).await?));
    }
    Ok(check)
}

async fn count(on: &mut AnyConnection, asked: &'static str) -> Result<u64, sqlx::Error> {
    let found: i64 = sqlx::query(asked).fetch_one(on).await?.try_get(0)?;
    Ok(u64::try_from(found).unwrap_or_default())
}
