//! `dockside ls`: a folder on the drive.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;

use super::audit::{self, Look};
use super::cat::parse_path;
use super::exit::{Exit, Failure, chain};
use super::look::{self, Key};
use super::output::to_stdout;
use super::place::Place;
use crate::volume::ntfs::{DirEntry, Node, Ntfs};

const EXAMPLES: &str = "\
Columns: size in bytes (- for a folder), file record number, extents (fragments on the disk), name

Examples:
  dockside ls drive.img --key-file key.txt
  dockside ls /dev/sdb '\\photos\\2013' --job job.json --drive-id ZX10K7742

Who lists what is written down in the ledger first.

Exit codes: 0 listed, 2 usage or state folder, 3 the drive cannot be opened, 4 no such folder or parts of it cannot be read, 1 internal error";

/// List a folder on a drive
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Drive image or block device
    source: PathBuf,
    /// Folder or file on the drive, from its root, with backslashes; the root if left out
    path: Option<String>,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let config = arguments.place.config()?;
    let Some(key) = arguments.key.password(&config)? else {
        return Err(Failure::usage("a recovery password is needed: --key-file FILE or --job FILE"));
    };
    // a slash behind a folder's name is how shells complete it
    let path = arguments.path.as_deref().map(|path| path.trim_end_matches(['/', '\\'])).filter(|path| !path.is_empty());
    let path = path.map(parse_path).transpose()?;
    let source = look::open_source(&arguments.source)?;
    let what = path.as_ref().map_or_else(|| "\\".to_owned(), ToString::to_string);
    audit::record(&Look { command: "ls", source: &source, key: &key, what }, &arguments.place, &config)?;
    let opened = look::locate_in(&source).and_then(|located| look::open(located, &key));
    let files = opened.map_err(|failure| failure.about(source.name()))?.files;
    let node = match &path {
        None => files.root(),
        Some(path) => files
            .lookup(path)
            .map_err(|error| Failure::with(Exit::SomeFailed, format!("{path}: {}", chain(&error))).about(source.name()))?,
    };
    let mut unreadable = 0_u64;
    to_stdout(|out| {
        if !node.is_directory {
            let name = path.as_ref().map(ToString::to_string).unwrap_or_default();
            return line(out, &files, &node, &name, &mut unreadable);
        }
        let mut written = Ok(());
        let listed = files.list(&node, &mut |entry: DirEntry| {
            written = line(out, &files, &entry.node, &entry.node.name.to_string(), &mut unreadable);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Err(error) = listed {
            unreadable += 1;
            eprintln!("dockside: error: {}", chain(&error));
        }
        written
    })?;
    Ok(if unreadable == 0 { Exit::Complete } else { Exit::SomeFailed })
}

fn line(out: &mut dyn Write, files: &Ntfs, node: &Node, name: &str, unreadable: &mut u64) -> std::io::Result<()> {
    let record = node.record();
    if node.is_directory {
        return writeln!(out, "{:>15} {record:>10} {:>8} {name}\\", "-", "-");
    }
    match files.file(node) {
        Ok(file) => writeln!(out, "{:>15} {record:>10} {:>8} {name}", file.len(), file.extents().count()),
        Err(error) => {
            *unreadable += 1;
            writeln!(out, "{:>15} {record:>10} {:>8} {name}  ({})", "?", "?", chain(&error))
        }
    }
}
