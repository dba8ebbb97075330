//! Standard output that may be a closed pipe.

use std::io::{self, Write};

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
