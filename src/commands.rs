//! The command line: one file per subcommand, thin: arguments in, calls, output out.

mod audit;
mod cat;
mod drive;
mod exit;
mod ingest;
mod inspect;
mod ledger;
mod logging;
mod look;
mod ls;
mod output;
mod place;
mod signals;
mod status;

pub use exit::Exit;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  every entry stored (renamed and skipped ones count: it was asked for)
  1  internal error
  2  usage, configuration or job file
  3  drive refused or held
  4  finished, some entries failed: the drive log names them
  5  interrupted: run the same command again";

/// Takes shipped hard drives into blob storage: every range is compared with its hash before it is stored.
#[derive(Parser, Debug)]
#[command(name = "dockside", version, max_term_width = 110, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Ingest drives or drive images now
    Ingest(ingest::Arguments),
    /// Show what a drive is: partitions, BitLocker, file system, manifest
    Inspect(inspect::Arguments),
    /// List a folder on a drive
    Ls(ls::Arguments),
    /// Write a file on a drive, or the whole decrypted volume, to standard output
    Cat(cat::Arguments),
    /// Show where every drive stands
    Status(status::Arguments),
    /// Show the history of a drive, or let one that waits be tried again
    Drive(drive::Arguments),
    /// Check, thin out or copy the ledger
    Ledger(ledger::Arguments),
}

/// Runs the program with these arguments, the first being its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    keep_memory_private();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(message) => {
            let exit = if message.use_stderr() { Exit::Usage } else { Exit::Complete };
            // nobody is left to tell if the terminal has gone
            let _ = message.print();
            return exit.into();
        }
    };
    let ran = std::panic::catch_unwind(|| match cli.command {
        Command::Ingest(arguments) => ingest::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Ls(arguments) => ls::run(&arguments),
        Command::Cat(arguments) => cat::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Drive(arguments) => drive::run(&arguments),
        Command::Ledger(arguments) => ledger::run(&arguments),
    });
    match ran {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(failure)) => {
            failure.print();
            failure.exit().into()
        }
        Err(_) => Exit::Internal.into(),
    }
}

/// No core dump: memory holds passwords, keys and the customer's data.
fn keep_memory_private() {
    use nix::sys::resource::{Resource, setrlimit};
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        eprintln!("dockside: warning: core dumps cannot be switched off: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
