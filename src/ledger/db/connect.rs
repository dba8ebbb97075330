//! A connection to the database, set up so that what is committed is on the disk.

use std::path::Path;
use std::sync::Once;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions as _};

use super::DbError;

/// How a transaction that writes begins: with the lock, since one that asks for it later can be refused at once.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// What every connection is told. A minute is longer than any batch of another process; the write-ahead log lets commands read while a
/// run writes; its end is synced at every commit.
const SETTINGS: &[&str] = &[
    "PRAGMA busy_timeout = 60000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    // never keep the customer's names in freed pages
    "PRAGMA secure_delete = FAST",
];

/// What a path in an address must not hold as it is.
const IN_AN_ADDRESS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// Connects to a file that exists.
pub(super) async fn connect(file: &Path) -> Result<AnyConnection, DbError> {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
    let path = percent_encode(file.as_os_str().as_encoded_bytes(), IN_AN_ADDRESS);
    let failed = |error| DbError::of("opening", file, error);
    let options: AnyConnectOptions = format!("sqlite://{path}?mode=rw").parse().map_err(failed)?;
    let mut connection = options.disable_statement_logging().connect().await.map_err(failed)?;
    for setting in SETTINGS {
        sqlx::raw_sql(*setting).execute(&mut connection).await.map_err(failed)?;
    }
    Ok(connection)
}
