//! What is said when all drives have ended: a summary each, or one JSON document.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::commands::exit::{Exit, Failure};
use crate::commands::output::to_stdout;
use crate::drive::Source;
use crate::foreign::Foreign;
use crate::ingest::Ending;
use crate::report::{Board, LogFacts, Receipt, Stopped, Summary};

const AGAIN: &str = "run the same command again when the cause is gone";

/// Shows every ending and gives the exit code: the gravest speaks.
pub(super) fn show(sources: &[Arc<Source>], endings: Vec<Option<Ending>>, json: bool, board: &Board) -> Result<Exit, Failure> {
    let ended: Vec<Ended> = sources.iter().zip(endings).map(|(source, ending)| Ended::new(source.name(), ending)).collect();
    let exit = ended.iter().map(Ended::exit).fold(Exit::Complete, Exit::graver);
    board.suspend(|| {
        say_what_was_done_before(&ended);
        if json {
            return as_json(&ended);
        }
        as_text(&ended);
        Ok(())
    })?;
    Ok(exit)
}

/// One drive's end, as it is shown.
enum Ended {
    Receipt { receipt: Box<Receipt>, already: bool, kept: Option<PathBuf> },
    Stopped { stopped: Stopped, exit: Exit },
}

impl Ended {
    fn new(source: &Foreign, ending: Option<Ending>) -> Self {
        let source = source.clone();
        match ending {
            Some(Ending::Finished { receipt, already, kept }) => Self::Receipt { receipt, already, kept },
            Some(Ending::Halted(halt)) => {
                Self::Stopped { stopped: Stopped::with_code(source, halt.code, Some(halt.detail)), exit: Exit::NotTaken }
            }
            Some(Ending::Interrupted { cause }) => {
                Self::Stopped { stopped: Stopped::interrupted(source, cause, AGAIN.to_owned()), exit: Exit::Interrupted }
            }
            Some(Ending::Internal { cause }) => Self::internal(source, cause),
            None => Self::internal(source, "its task has gone without a word".to_owned()),
        }
    }

    fn internal(source: Foreign, cause: String) -> Self {
        let remedy = "report this as a defect, with the log".to_owned();
        let stopped = Stopped { source, status: "InternalError".to_owned(), cause, remedy };
        Self::Stopped { stopped, exit: Exit::Internal }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Receipt { receipt, .. } => match receipt.exit_code() {
                0 => Exit::Complete,
                1 => Exit::Internal,
                3 => Exit::NotTaken,
                _ => Exit::SomeFailed,
            },
            Self::Stopped { exit, .. } => *exit,
        }
    }
}

/// On stderr, for stdout may be for machines alone.
fn say_what_was_done_before(ended: &[Ended]) {
    for ended in ended {
        if let Ended::Receipt { receipt, already: true, .. } = ended {
            let (drive, job, from) = (&receipt.session.drive_id, &receipt.session.job, &receipt.drive.source);
            eprintln!(
                "drive {drive} of job {job}: already done from {from}, which ended {}; this source was not read",
                receipt.finished
            );
        }
    }
}

fn as_json(ended: &[Ended]) -> Result<(), Failure> {
    let drives: Result<Vec<Value>, _> = ended
        .iter()
        .map(|ended| match ended {
            Ended::Receipt { receipt, .. } => serde_json::to_value(receipt),
            Ended::Stopped { stopped, .. } => serde_json::to_value(stopped),
        })
        .collect();
    let drives = drives.map_err(|e| Failure::with(Exit::Internal, format!("the result cannot be written as JSON: {e}")))?;
    to_stdout(|out| {
        serde_json::to_writer_pretty(&mut *out, &json!({ "schema": 1, "drives": drives }))?;
        writeln!(out)
    })
}

/// Summaries go to stderr, for stdout may hold the predicted log; a drive that did not finish is an error anyway.
fn as_text(ended: &[Ended]) {
    for ended in ended {
        match ended {
            Ended::Receipt { receipt, kept, .. } => eprint!("{}", Summary::new(receipt, &places(receipt, kept.as_deref()))),
            Ended::Stopped { stopped, .. } => eprint!("{stopped}"),
        }
    }
}

/// Where logs and receipt are: in the store, and kept here.
fn places(receipt: &Receipt, kept: Option<&Path>) -> Vec<(&'static str, String)> {
    let log = receipt.log.as_ref();
    let uri = |of: fn(&LogFacts) -> Option<&String>| log.and_then(of).cloned();
    let stored = [("error log", uri(|log| log.error_uri.as_ref())), ("verbose log", uri(|log| log.verbose_uri.as_ref()))];
    let stored = stored.into_iter().filter_map(|(what, place)| Some((what, place?)));
    stored.chain(kept.map(|folder| ("kept in", folder.display().to_string()))).collect()
}
