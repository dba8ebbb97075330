//! `dockside inspect`: what a drive is, without a key and with one.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::look::{self, Given, Key};
use super::output::to_stdout;
use crate::drive::Source;
use crate::ingest::{Located, Opened};
use crate::volume::ReadAt as _;

mod manifest;
mod text;

const EXAMPLES: &str = "\
Examples:
  dockside inspect drive.img
  dockside inspect drive.img --job job.json
  pass show drives/zx10k | dockside inspect /dev/sdb --key-file - --json

Exit codes: 0 shown, 2 usage, 3 the drive cannot be taken (what could be seen is shown), 1 internal error";

/// Show what a drive is: partitions, BitLocker, file system, manifest
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Drive image or block device
    source: PathBuf,
    #[command(flatten)]
    key: Key,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let key = arguments.key.password()?;
    let source = look::open_source(&arguments.source)?;
    let mut shown = json!({ "schema": 1, "source": about(&source) });
    let looked = look(&source, key.as_ref(), &mut shown);
    to_stdout(|out| {
        if arguments.json {
            serde_json::to_writer_pretty(&mut *out, &shown)?;
            return writeln!(out);
        }
        text::write(out, &shown)
    })?;
    looked.map(|()| Exit::Complete)
}

/// Adds what can be seen, as far as it goes; the failure says why it goes no further.
fn look(source: &Arc<Source>, key: Option<&Given>, shown: &mut Value) -> Result<(), Failure> {
    let table = crate::volume::partition::read(source.as_ref(), source.sector_size());
    if let Ok(table) = &table {
        shown["partitions"] = partitions(table);
    }
    let located = look::locate_in(source)?;
    shown["bitlocker"] = bitlocker(&located);
    let Some(key) = key else { return Ok(()) };
    let opened = look::open(located, key)?;
    shown["fileSystem"] = file_system(&opened);
    if let (Some(job), Some(drive)) = (key.job(), &key.drive) {
        shown["manifest"] = manifest::summary(&opened.files, job, drive, source.size())?;
    }
    Ok(())
}

fn about(source: &Source) -> Value {
    json!({
        "name": source.name().to_string(),
        "bytes": source.size(),
        "device": source.is_device(),
        "serial": source.serial().map(ToString::to_string),
        "model": source.model().map(ToString::to_string),
    })
}
