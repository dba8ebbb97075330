//! What a session leaves: logs and the receipt, each either whole or absent.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{StateError, make_folder};

/// A file that a session leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The drive log with what went wrong.
    ErrorLog,
    /// The drive log with every entry.
    VerboseLog,
    /// The receipt. Write it last: it marks the session as finished.
    Receipt,
}

impl Output {
    /// Its name in the session's folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::ErrorLog => "error.xml",
            Self::VerboseLog => "verbose.xml",
            Self::Receipt => "receipt.json",
        }
    }
}

/// An output on its way: buffered, under another name until [`PendingOutput::commit`]; dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct PendingOutput {
    writer: BufWriter<File>,
    folder: PathBuf,
    part: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl PendingOutput {
    pub(super) fn begin(folder: &Path, output: Output) -> Result<Self, StateError> {
        make_folder(folder).map_err(|error| StateError::io("creating", folder, error))?;
        let path = folder.join(output.file_name());
        // one name per output: what a broken run left is overwritten
        let part = folder.join(format!("{}.part", output.file_name()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
        let file = file.map_err(|error| StateError::io("creating", &part, error))?;
        Ok(Self { writer: BufWriter::new(file), folder: folder.to_owned(), part, path, committed: false })
    }

    /// Makes it last: the bytes, the name, and the names of the folders it lies in. Returns where it is.
    pub fn commit(mut self) -> Result<PathBuf, StateError> {
        let synced = self.writer.flush().and_then(|()| self.writer.get_ref().sync_all());
        synced.map_err(|error| StateError::io("writing", &self.part, error))?;
        fs::rename(&self.part, &self.path).map_err(|error| StateError::io("renaming", &self.part, error))?;
        self.committed = true;
        // the session's folder, `sessions`, and the state folder that holds it
        for folder in self.folder.ancestors().take(3) {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| StateError::io("syncing", folder, error))?;
        }
        Ok(self.path.clone())
    }
}

impl Write for PendingOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for PendingOutput {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.part);
        }
    }
}
