//! Standard output that may be a closed pipe.

use std::io::{self, Write};

use serde_json::Value;

use super::exit::{Exit, Failure};

/// Runs `write` over standard output. A reader that has gone (`| head`) is no error.
pub(crate) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::with(Exit::Internal, format!("writing to standard output failed: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// A JSON document of several lines.
pub(crate) fn write_json(out: &mut dyn Write, shown: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, shown)?;
    writeln!(out)
}
