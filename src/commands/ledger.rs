//! `dockside ledger`: is the database whole, what may go, a copy of it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::exit::{Exit, Failure, chain};
use super::output::{to_stdout, write_json};
use super::place::{Desk, Place, of_ledger};
use crate::foreign::Shown;
use crate::ledger::db::{Check, Pruned};
use crate::report::human::{self, Align, Table};

const EXAMPLES: &str = "\
Examples:
  dockside ledger check
  dockside ledger prune --older-than 30
  dockside ledger backup /var/backups/dockside-ledger.db

Runs may go on meanwhile.

Exit codes: 0 done (check: it is whole), 1 damaged or internal error, 2 usage or state folder, 5 no space or in use: run it again";

/// Check, thin out or copy the ledger
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Read all of it and tell what is wrong
    Check {
        #[command(flatten)]
        common: Common,
    },
    /// Remove old sessions that have ended, with their logs and receipts in the state folder
    ///
    /// A removed session is forgotten: its drive would be ingested again.
    Prune {
        /// Days since their end; `keep_days` of the configuration if left out
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(0..=36_500))]
        older_than: Option<u64>,
        #[command(flatten)]
        common: Common,
    },
    /// Copy it, as it is at this moment, to a file that does not exist yet
    Backup {
        /// The copy; it gets mode 0600
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args, Debug)]
struct Common {
    #[command(flatten)]
    place: Place,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Check { common } => check(common),
        Action::Prune { older_than, common } => prune(*older_than, common),
        Action::Backup { file, common } => backup(file, common),
    }
}

fn check(common: &Common) -> Result<Exit, Failure> {
    let check = common.place.with_ledger(&common.place.config()?, |desk: Desk| async move {
        desk.ledger.check().await.map_err(|error| of_ledger(&error))
    })?;
    show_check(&check, common.json)?;
    Ok(if check.findings.is_empty() { Exit::Complete } else { Exit::Internal })
}

fn show_check(check: &Check, json: bool) -> Result<(), Failure> {
    to_stdout(|out| {
        if json {
            let rows: serde_json::Map<_, _> = check.rows.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
            let whole = check.findings.is_empty();
            let shown = json!({ "schema": 1, "whole": whole, "version": check.schema, "findings": check.findings, "rows": rows });
            return write_json(out, &shown);
        }
        let mut table = Table::new(&[Align::Left, Align::Right], 0);
        table.row(["schema".to_owned(), check.schema.to_string()]);
        for (name, rows) in &check.rows {
            table.row([(*name).to_owned(), human::count(*rows)]);
        }
        write!(out, "{table}")?;
        check.findings.iter().try_for_each(|finding| writeln!(out, "damaged: {}", Shown(finding)))?;
        if check.findings.is_empty() { writeln!(out, "the ledger is whole") } else { Ok(()) }
    })
}

fn prune(older_than: Option<u64>, common: &Common) -> Result<Exit, Failure> {
    let config = common.place.config()?;
    let days = i64::try_from(older_than.unwrap_or(config.ledger.keep_days)).unwrap_or(i64::MAX);
    let age = SignedDuration::from_hours(days.saturating_mul(24));
    let until = Timestamp::now().checked_sub(age).map_or(i64::MIN, Timestamp::as_millisecond);
    let pruned = common.place.with_ledger(&config, |desk: Desk| async move {
        desk.ledger.prune(&desk.state, until).await.map_err(|error| of_ledger(&error))
    })?;
    show_pruned(&pruned, common.json)?;
    Ok(if pruned.left.is_empty() { Exit::Complete } else { Exit::Interrupted })
}

fn show_pruned(pruned: &Pruned, json: bool) -> Result<(), Failure> {
    for (record, error) in &pruned.left {
        eprintln!("dockside: warning: session {} of drive {} is left: {}", record.id, record.key.drive, chain(error));
    }
    to_stdout(|out| {
        if json {
            let ids: Vec<_> = pruned.removed.iter().map(|record| &record.id).collect();
            let left: Vec<_> = pruned.left.iter().map(|(record, _)| &record.id).collect();
            return write_json(out, &json!({ "schema": 1, "removed": ids, "left": left }));
        }
        for record in &pruned.removed {
            writeln!(out, "{}  drive {} of job {}", record.id, record.key.drive, record.key.job)?;
        }
        writeln!(out, "{} removed", human::nouns(pruned.removed.len() as u64, "session", "sessions"))
    })
}

fn backup(file: &Path, common: &Common) -> Result<Exit, Failure> {
    let shown = Shown(&file.to_string_lossy()).to_string();
    if file.symlink_metadata().is_ok() {
        return Err(
            Failure::usage(format!("{shown} is there already, and is not replaced")).remedy("name a file that does not exist")
        );
    }
    common.place.with_ledger(&common.place.config()?, |desk: Desk| async move {
        // what the copy's place refuses is no fault of the ledger's
        desk.ledger.backup(file).await.map_err(|error| of_ledger(&error).about("backup"))
    })?;
    to_stdout(|out| {
        if common.json {
            return write_json(out, &json!({ "schema": 1, "copy": file.to_string_lossy() }));
        }
        writeln!(out, "the ledger is copied to {shown}")
    })?;
    Ok(Exit::Complete)
}
