//! `dockside cat`: a file on the drive, or the whole decrypted volume, to standard output.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::audit::{self, Look};
use super::exit::{Exit, Failure, chain};
use super::look::{self, Given, Key};
use super::output::to_stdout;
use super::place::Place;
use crate::drive::Source;
use crate::foreign::Shown;
use crate::volume::fields::index;
use crate::volume::{DrivePath, ReadAt};

/// Bytes read at once.
const PIECE: u64 = 4 << 20;

const EXAMPLES: &str = "\
Examples:
  dockside cat drive.img '\\photos\\2013\\a.jpg' --key-file key.txt > a.jpg
  dockside cat /dev/sdb --volume --job job.json | sha256sum

Who reads what is written down in the ledger first.

Exit codes: 0 written, 2 usage or state folder, 3 the drive cannot be opened, 4 no such file or it cannot be read, 1 internal error";

/// Write a file on a drive, or the whole decrypted volume, to standard output
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Drive image or block device
    source: PathBuf,
    /// File on the drive, from its root, with backslashes
    #[arg(required_unless_present = "volume", conflicts_with = "volume")]
    path: Option<String>,
    /// The whole decrypted volume, bit for bit
    #[arg(long)]
    volume: bool,
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
    let path = arguments.path.as_deref().map(parse_path).transpose()?;
    let source = look::open_source(&arguments.source)?;
    let what = path.as_ref().map_or_else(|| "the whole volume".to_owned(), ToString::to_string);
    audit::record(&Look { command: "cat", source: &source, key: &key, what }, &arguments.place, &config)?;
    write(&source, path.as_ref(), &key).map_err(|failure| failure.about(source.name()))?;
    Ok(Exit::Complete)
}

fn write(source: &Arc<Source>, path: Option<&DrivePath>, key: &Given) -> Result<(), Failure> {
    let located = look::locate_in(source)?;
    let Some(path) = path else {
        let unlocked = look::unlock(located, key)?;
        return copy(unlocked.volume.size(), |offset, buffer| unlocked.volume.read_at(offset, buffer).map_err(|e| chain(&e)));
    };
    let files = look::open(located, key)?.files;
    let unreadable = |why: String| Failure::with(Exit::SomeFailed, format!("{path}: {why}"));
    let mut file = files.lookup(path).and_then(|node| files.file(&node)).map_err(|e| unreadable(chain(&e)))?;
    copy(file.len(), |offset, buffer| file.read_at(offset, buffer).map_err(|e| format!("{path}: {}", chain(&e))))
}

pub(super) fn parse_path(text: &str) -> Result<DrivePath, Failure> {
    // people type forward slashes; no name on NTFS holds one
    text.replace('/', "\\").parse().map_err(|error| Failure::usage_of(&error).about(Shown(text)))
}

fn copy(size: u64, mut read: impl FnMut(u64, &mut [u8]) -> Result<(), String>) -> Result<(), Failure> {
    let mut unreadable = None;
    to_stdout(|out: &mut dyn Write| {
        let mut buffer = vec![0; index(PIECE.min(size))];
        let mut offset = 0;
        while offset < size {
            let length = index(PIECE.min(size - offset));
            if let Err(why) = read(offset, &mut buffer[..length]) {
                unreadable = Some(why);
                return Ok(());
            }
            write_all(out, &buffer[..length])?;
            offset += length as u64;
        }
        Ok(())
    })?;
    unreadable.map_or(Ok(()), |why| Err(Failure::with(Exit::SomeFailed, why)))
}

fn write_all(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)
}
