//! The `dockside` program: parse the arguments, hand over to a command.

use std::process::ExitCode;

fn main() -> ExitCode {
    dockside::commands::run(std::env::args_os())
}
