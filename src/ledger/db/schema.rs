//! The tables, and the way from one schema to the next.
//!
//! One SQL text for SQLite and PostgreSQL: `$n` placeholders, `BIGINT` for numbers, times (milliseconds UTC) and booleans, `BYTEA` for
//! bytes (SQLite takes any type name and keeps bytes as bytes), no row ids. Foreign texts are kept to the letter and escaped where they
//! are shown.
//!
//! | Table | One row for | What it says |
//! |---|---|---|
//! | `sessions` | a session | its key, where its drive stands, what it amounts to; stays when the rest is gone |
//! | `results` | 4,096 entries of a session | which of them are stored with nothing to tell (a bit each) |
//! | `exceptions` | an entry that ended otherwise | how, and how its ranges ended |
//! | `intents` | an entry whose blob may be about to appear | where, on what condition, and what is recorded then |
//! | `claims` | a path that an entry writes to | which entry, and whether it has begun to delete what was there |
//! | `acknowledged` | 4,096 ranges of a session | which of them the store has taken (a bit each) |
//! | `events` | a change of a session's stage | when, which, why |
//! | `audit` | a look into a drive | who, when, what |
//! | `ledger` | the database | its id, which other ledgers of one store know it by |
//! | `schema_version` | the database | its schema |

use sqlx::{AnyConnection, Connection as _, Row as _};

/// The statements that lead from the schema before to this one; the first leads from nothing to schema 1.
const MIGRATIONS: &[&[&str]] = &[FIRST];

/// The tables that a session needs while it runs, with the column that numbers its rows there.
pub(super) const OF_A_RUN: &[(&str, &str)] =
    &[("intents", "entry"), ("claims", "entry"), ("acknowledged", "chunk"), ("results", "chunk"), ("exceptions", "entry")];

const FIRST: &[&str] = &[
    "CREATE TABLE ledger (id TEXT NOT NULL)",
    "CREATE TABLE sessions (
        id TEXT NOT NULL PRIMARY KEY, store_url TEXT NOT NULL, account TEXT NOT NULL, job TEXT NOT NULL, drive TEXT NOT NULL,
        manifest_hash TEXT NOT NULL, source TEXT NOT NULL, stage TEXT NOT NULL, code TEXT, cause TEXT,
        started BIGINT NOT NULL, updated BIGINT NOT NULL, finished BIGINT, stamp BIGINT,
        interruptions BIGINT NOT NULL, names_settled BIGINT NOT NULL, entries BIGINT, ranges BIGINT, bytes BIGINT,
        done_entries BIGINT NOT NULL, done_bytes BIGINT NOT NULL, receipt TEXT)",
    "CREATE INDEX sessions_drive ON sessions (drive)",
    "CREATE TABLE results (
        session TEXT NOT NULL REFERENCES sessions (id), chunk BIGINT NOT NULL, bits BYTEA NOT NULL, PRIMARY KEY (session, chunk))",
    "CREATE TABLE exceptions (
        session TEXT NOT NULL REFERENCES sessions (id), entry BIGINT NOT NULL, outcome TEXT NOT NULL, ranges TEXT NOT NULL,
        PRIMARY KEY (session, entry))",
    "CREATE TABLE intents (
        session TEXT NOT NULL REFERENCES sessions (id), entry BIGINT NOT NULL, path TEXT NOT NULL, condition TEXT NOT NULL,
        attributes TEXT NOT NULL, outcome TEXT NOT NULL, begun BIGINT NOT NULL, PRIMARY KEY (session, entry))",
    "CREATE TABLE claims (
        store_url TEXT NOT NULL, path TEXT NOT NULL, session TEXT NOT NULL REFERENCES sessions (id), entry BIGINT NOT NULL,
        begun BIGINT NOT NULL, cleared BIGINT NOT NULL, PRIMARY KEY (store_url, path))",
    "CREATE UNIQUE INDEX claims_entry ON claims (session, entry)",
    "CREATE TABLE acknowledged (
        session TEXT NOT NULL REFERENCES sessions (id), chunk BIGINT NOT NULL, bits BYTEA NOT NULL, PRIMARY KEY (session, chunk))",
    "CREATE TABLE events (
        session TEXT NOT NULL REFERENCES sessions (id), number BIGINT NOT NULL, at BIGINT NOT NULL, stage TEXT NOT NULL,
        code TEXT, cause TEXT, PRIMARY KEY (session, number))",
    "CREATE TABLE audit (
        at BIGINT NOT NULL, who TEXT NOT NULL, command TEXT NOT NULL, source TEXT NOT NULL, drive TEXT, job TEXT, what TEXT NOT NULL)",
    "CREATE INDEX audit_drive ON audit (drive)",
];

/// The newest schema known here.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the database to the newest schema and returns the one it had: 0 for an empty one, more than [`known`] for one that is left
/// alone since a later version wrote it.
pub(super) async fn migrate(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    let found = version(connection).await?;
    if found >= known() {
        return Ok(found);
    }
    let mut work = connection.begin_with(super::connect::BEGIN).await?;
    // another process may have been here between the question and the lock
    let found = version(&mut work).await?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for statement in MIGRATIONS.iter().skip(done).copied().flatten() {
        sqlx::query(*statement).execute(&mut *work).await?;
    }
    if found < known() {
        sqlx::query("DELETE FROM schema_version").execute(&mut *work).await?;
        sqlx::query("INSERT INTO schema_version (version) VALUES ($1)").bind(known()).execute(&mut *work).await?;
    }
    work.commit().await?;
    Ok(found)
}

/// The schema; 0 of an empty database.
pub(super) async fn version(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    // does nothing, and asks for no lock, where the table is there
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)").execute(&mut *connection).await?;
    let row = sqlx::query("SELECT version FROM schema_version").fetch_optional(connection).await?;
    row.map_or(Ok(0), |row| row.try_get(0))
}

/// The id of this database, which tells it from every other one; drawn when it is asked for the first time.
pub(super) async fn id(connection: &mut AnyConnection) -> Result<String, sqlx::Error> {
    let mut work = connection.begin_with(super::connect::BEGIN).await?;
    if let Some(row) = sqlx::query("SELECT id FROM ledger").fetch_optional(&mut *work).await? {
        return row.try_get(0);
    }
    let id = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    sqlx::query("INSERT INTO ledger (id) VALUES ($1)").bind(id.clone()).execute(&mut *work).await?;
    work.commit().await?;
    Ok(id)
}
