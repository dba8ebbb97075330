//! `dockside status`: what the ledger knows of each drive that is under way, waits, or has ended lately.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::output::{to_stdout, write_json};
use super::place::{Desk, Place, moment, of_ledger};
use crate::foreign::Foreign;
use crate::ingest::stage::Stage;
use crate::ledger::db::{Ledger, STAGE_DONE, SessionRecord, Which};
use crate::report::human::{self, Align, Table};

/// Milliseconds for which a session that has ended is still shown: a day.
const RECENT: i64 = 24 * 60 * 60 * 1_000;

const EXAMPLES: &str = "\
Columns: drive, job, stage with its code, entries that have ended of all, bytes at the store of all, since when

Examples:
  dockside status
  dockside status --json | jq '.sessions[] | select(.stage == \"Held\")'

Sessions that ended within the last day are shown too. A run that goes on is shown as it was when it last told the ledger.

Exit codes: 0 shown, 1 damaged ledger or internal error, 2 usage or state folder, 5 ledger in use: run it again";

/// Show where every drive stands
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A session, and how many of its entries have ended.
pub(super) struct Standing {
    pub(super) record: SessionRecord,
    pub(super) ended: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let standings = arguments.place.with_ledger(&arguments.place.config()?, |desk: Desk| async move {
        let since = Timestamp::now().as_millisecond().saturating_sub(RECENT);
        standings(&desk.ledger, Which::OpenOrSince(since)).await
    })?;
    to_stdout(|out| {
        if arguments.json {
            let sessions: Vec<Value> = standings.iter().map(Standing::json).collect();
            return write_json(out, &json!({ "schema": 1, "sessions": sessions }));
        }
        write(out, &standings)
    })?;
    Ok(Exit::Complete)
}

/// Sessions with their progress.
pub(super) async fn standings(ledger: &Ledger, which: Which<'_>) -> Result<Vec<Standing>, Failure> {
    let mut standings = Vec::new();
    for record in ledger.sessions(which).await.map_err(|error| of_ledger(&error))? {
        let ended = match record.finished {
            Some(_) => record.done_entries,
            None => ledger.ended_entries(&record.id).await.map_err(|error| of_ledger(&error))?,
        };
        standings.push(Standing { record, ended });
    }
    Ok(standings)
}

/// A table, and below a drive that somebody has to act on what to do.
pub(super) fn write(out: &mut dyn Write, standings: &[Standing]) -> io::Result<()> {
    if standings.is_empty() {
        return writeln!(out, "no drive is under way, waits, or has ended within the last day");
    }
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Left, Align::Right, Align::Right, Align::Left], 0);
    table.row(["DRIVE", "JOB", "STAGE", "ENTRIES", "BYTES", "SINCE"]);
    for standing in standings {
        table.row(standing.cells());
    }
    let table = table.to_string();
    let mut lines = table.lines();
    lines.next().map_or(Ok(()), |head| writeln!(out, "{head}"))?;
    for (line, standing) in lines.zip(standings) {
        writeln!(out, "{line}")?;
        standing.notes().iter().try_for_each(|note| writeln!(out, "  {note}"))?;
    }
    Ok(())
}

impl Standing {
    /// The stage; `None` if a later version wrote one that this one does not know.
    pub(super) fn stage(&self) -> Option<Stage> {
        Stage::of(&self.record.stage, self.record.code.as_deref())
    }

    fn cells(&self) -> [String; 6] {
        let record = &self.record;
        let of = |done: String, all: Option<String>| all.map_or_else(|| "-".to_owned(), |all| format!("{done} of {all}"));
        [
            record.key.drive.to_string(),
            record.key.job.to_string(),
            self.stage_shown(),
            of(human::count(self.ended), record.entries.map(human::count)),
            of(human::bytes(record.done_bytes), record.bytes.map(human::bytes)),
            moment(record.finished.unwrap_or(record.updated)),
        ]
    }

    fn stage_shown(&self) -> String {
        match &self.record.code {
            Some(code) => format!("{} ({code})", self.record.stage),
            None => self.record.stage.clone(),
        }
    }

    /// Cause and remedy, of what has not ended well.
    pub(super) fn notes(&self) -> Vec<String> {
        let cause = self.record.cause.as_ref().map(|cause| format!("cause: {cause}"));
        let ended = self.record.stage == STAGE_DONE;
        let remedy = self.stage().filter(|_| !ended).and_then(Stage::remedy).map(|remedy| format!("remedy: {remedy}"));
        cause.into_iter().chain(remedy).collect()
    }

    pub(super) fn json(&self) -> Value {
        let record = &self.record;
        json!({
            "session": record.id,
            "drive": record.key.drive.as_str(),
            "job": record.key.job.as_str(),
            "account": record.key.account.as_str(),
            "store": record.key.store_url,
            "manifestHash": record.key.manifest_hash.to_string(),
            "source": record.source.raw(),
            "stage": record.stage,
            "code": record.code,
            "cause": record.cause.as_ref().map(Foreign::raw),
            "remedy": self.stage().and_then(Stage::remedy),
            "entries": { "ended": self.ended, "all": record.entries },
            "bytes": { "stored": record.done_bytes, "all": record.bytes },
            "interruptions": record.interruptions,
            "started": moment(record.started),
            "updated": moment(record.updated),
            "finished": record.finished.map(moment),
        })
    }
}
