//! `dockside drive`: the history of one drive, and another try for one that waits.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::output::{to_stdout, write_json};
use super::place::{Desk, Place, moment, of_ledger};
use super::status::{self, Standing};
use crate::drive::DriveId;
use crate::foreign::{Foreign, Shown};
use crate::ingest::stage::{Event, Refused, Stage};
use crate::ledger::db::{self, AuditRecord, SessionRecord, Which};
use crate::ledger::state::Purpose;
use crate::report::human::{Align, Table};

const EXAMPLES: &str = "\
Examples:
  dockside drive show ZX10K7742
  dockside drive retry ZX10K7742

Exit codes:
  0  shown, or set back to the beginning
  1  damaged ledger or internal error
  2  usage or state folder, or a drive that the ledger does not know
  3  retry: no session of the drive waits to be retried, or it is running
  5  ledger in use: run it again";

/// Show the history of a drive, or let one that waits be tried again
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Sessions of the drive, the stages they went through, and who looked into it
    Show {
        /// The drive's id
        drive: DriveId,
        #[command(flatten)]
        place: Place,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a drive that was held or refused back to the beginning
    Retry {
        /// The drive's id
        drive: DriveId,
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Show { drive, place, json } => show(drive, place, *json),
        Action::Retry { drive, place } => retry(drive, place),
    }
}

/// All that the ledger knows of a drive.
struct History {
    sessions: Vec<(Standing, Vec<db::Event>)>,
    looks: Vec<AuditRecord>,
}

fn show(drive: &DriveId, place: &Place, json: bool) -> Result<Exit, Failure> {
    let history = place.with_ledger(&place.config()?, |desk: Desk| async move { history(&desk, drive).await })?;
    if history.sessions.is_empty() && history.looks.is_empty() {
        return Err(unknown(drive));
    }
    to_stdout(|out| if json { write_json(out, &history.json(drive)) } else { history.write(out) })?;
    Ok(Exit::Complete)
}

fn unknown(drive: &DriveId) -> Failure {
    Failure::usage(format!("the ledger knows no drive {drive}"))
        .remedy("`dockside status` lists the drives under way; the id is as in the job")
}

async fn history(desk: &Desk, drive: &DriveId) -> Result<History, Failure> {
    let mut sessions = Vec::new();
    for standing in status::standings(&desk.ledger, Which::OfDrive(drive)).await? {
        let events = desk.ledger.events(&standing.record.id).await.map_err(|error| of_ledger(&error))?;
        sessions.push((standing, events));
    }
    let looks = desk.ledger.looks(drive).await.map_err(|error| of_ledger(&error))?;
    Ok(History { sessions, looks })
}

impl History {
    fn json(&self, drive: &DriveId) -> Value {
        let event = |event: &db::Event| {
            let cause = event.cause.as_ref().map(Foreign::raw);
            json!({ "at": moment(event.at), "stage": event.stage, "code": event.code, "cause": cause })
        };
        let session = |(standing, events): &(Standing, Vec<db::Event>)| {
            let mut shown = standing.json();
            shown["events"] = events.iter().map(event).collect();
            shown
        };
        let look = |look: &AuditRecord| {
            json!({ "at": moment(look.at), "who": look.who.raw(), "command": look.command, "source": look.source.raw(),
                    "job": look.job, "what": look.what.raw() })
        };
        let sessions: Vec<Value> = self.sessions.iter().map(session).collect();
        let looks: Vec<Value> = self.looks.iter().map(look).collect();
        json!({ "schema": 1, "drive": drive.as_str(), "sessions": sessions, "looks": looks })
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (standing, events) in &self.sessions {
            let key = &standing.record.key;
            writeln!(out, "session {} of job {}, to {}", standing.record.id, key.job, Shown(&key.store_url))?;
            let mut table = Table::new(&[Align::Left, Align::Left, Align::Left, Align::Left], 2);
            for event in events {
                let cause = event.cause.as_ref().map(ToString::to_string).unwrap_or_default();
                table.row([moment(event.at), event.stage.clone(), event.code.clone().unwrap_or_default(), cause]);
            }
            write!(out, "{table}")?;
            standing.notes().iter().try_for_each(|note| writeln!(out, "  {note}"))?;
        }
        if self.looks.is_empty() {
            return Ok(());
        }
        writeln!(out, "looked into")?;
        let mut table = Table::new(&[Align::Left, Align::Left, Align::Left, Align::Left], 2);
        for look in &self.looks {
            table.row([moment(look.at), look.who.to_string(), look.command.clone(), look.what.to_string()]);
        }
        write!(out, "{table}")
    }
}

fn retry(drive: &DriveId, place: &Place) -> Result<Exit, Failure> {
    let retried = place.with_ledger(&place.config()?, |desk: Desk| async move { retry_all(&desk, drive).await })?;
    to_stdout(|out| {
        for session in &retried {
            let job = &session.key.job;
            writeln!(out, "drive {drive} of job {job} is at the beginning again; now run:")?;
            writeln!(out, "  dockside ingest SOURCE --job FILE --drive-id {drive}")?;
            writeln!(out, "  (the drive was last found at {})", session.source)?;
        }
        Ok(())
    })?;
    Ok(Exit::Complete)
}

/// Every session of the drive that waits goes back to the beginning; if none does, the one that changed last says why.
async fn retry_all(desk: &Desk, drive: &DriveId) -> Result<Vec<SessionRecord>, Failure> {
    let sessions = desk.ledger.sessions(Which::OfDrive(drive)).await.map_err(|error| of_ledger(&error))?;
    let mut refusal = None;
    let mut retried = Vec::new();
    for session in sessions {
        match retry_one(desk, &session).await? {
            Ok(()) => retried.push(session),
            Err(refused) => refusal = refusal.or(Some(refused)),
        }
    }
    match refusal {
        _ if !retried.is_empty() => Ok(retried),
        None => Err(unknown(drive)),
        Some(refused) => Err(refused.about(format!("drive {drive}"))),
    }
}

async fn retry_one(desk: &Desk, session: &SessionRecord) -> Result<Result<(), Failure>, Failure> {
    let Some(stage) = Stage::of(&session.stage, session.code.as_deref()) else {
        let unknown = format!("its stage {} is none that this version of dockside knows", Shown(&session.stage));
        return Ok(Err(Failure::with(Exit::NotTaken, unknown)));
    };
    let next = match stage.on(Event::RetryAsked) {
        Ok(next) => next,
        Err(refused) => return Ok(Err(not_waiting(stage, refused))),
    };
    let _lock = match desk.state.session(&session.key).lock(Purpose::DryRun) {
        Ok(lock) => lock,
        Err(error) => return Ok(Err(Failure::new(Exit::NotTaken, &error))),
    };
    let set = desk.ledger.set_stage_of(session, next.name(), &format!("a retry was asked for by {}", super::audit::who())).await;
    set.map(Ok).map_err(|error| of_ledger(&error))
}

fn not_waiting(stage: Stage, refused: Refused) -> Failure {
    let failure = Failure::new(Exit::NotTaken, &refused);
    match stage {
        Stage::Interrupted(cause) => failure.remedy(cause.remedy()),
        Stage::Done(_) => failure.remedy("it has ended: its receipt tells how; what failed is uploaded from the originals"),
        _ => failure.remedy("it is under way, or its run broke off: run `dockside ingest` for it again"),
    }
}
