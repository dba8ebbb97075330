//! `dockside inspect`: what a drive is, without a key and with one.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::look::{self, Given, Key};
use super::output::{to_stdout, write_json};
use crate::config::Config;
use crate::drive::Source;
use crate::ingest::{Located, Opened};
use crate::volume::partition::{Scheme, Table};

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
    // there is no --config here: the usual file or the defaults
    let config = Config::load(None).map_err(|e| Failure::usage_of(&e))?;
    let key = arguments.key.password(&config)?;
    let source = look::open_source(&arguments.source)?;
    let mut shown = json!({ "schema": 1, "source": about(&source) });
    let looked = look(&source, key.as_ref(), &mut shown);
    to_stdout(|out| {
        if arguments.json {
            return write_json(out, &shown);
        }
        text::write(out, &shown)
    })?;
    looked.map(|()| Exit::Complete).map_err(|failure| failure.about(source.name()))
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
        shown["manifest"] = manifest::summary(&opened.files, job, drive, &key.limits.manifest(source.size()))?;
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

fn partitions(table: &Table) -> Value {
    let first = table.first_data().map(|partition| partition.number);
    let scheme = match table.scheme {
        Scheme::Gpt { backup_used: false } => "GPT",
        Scheme::Gpt { backup_used: true } => "GPT (from the copy at the end: the table at the start is damaged)",
        Scheme::Mbr => "MBR",
        Scheme::None => "none: the volume begins at byte 0",
    };
    let list = table.partitions.iter().map(|partition| {
        json!({
            "number": partition.number,
            "start": partition.start,
            "bytes": partition.size,
            "type": partition.type_text,
            "dataVolume": first == Some(partition.number),
        })
    });
    json!({ "table": scheme, "sectorSize": table.sector_size, "list": list.collect::<Vec<_>>() })
}

fn bitlocker(located: &Located) -> Value {
    let sealed = &located.sealed;
    let protectors = sealed.protectors();
    let copies = sealed.copies().map(|copy| copy.err().unwrap_or("good").to_owned());
    json!({
        "method": sealed.method().to_string(),
        "sectorSize": sealed.sector_size(),
        "toGo": sealed.to_go(),
        "description": sealed.description().map(|text| text.to_string()),
        "metadataCopies": copies,
        "protectors": protectors.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn file_system(opened: &Opened) -> Value {
    let info = opened.files.info();
    json!({
        "type": "NTFS",
        "version": info.version.map(|(major, minor)| format!("{major}.{minor}")),
        "label": info.label.to_string(),
        "serial": format!("{:016X}", info.serial),
        "sectorSize": info.sector_size,
        "clusterSize": info.cluster_size,
        "records": info.records,
        "dirty": info.dirty,
        "logClean": info.log_clean,
        "hibernated": info.hibernated,
        "backupBootSectorUsed": info.backup_boot_used,
        "mirrorUsed": info.mirror_used,
    })
}
