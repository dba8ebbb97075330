//! How a drive's run can end.

use std::path::PathBuf;

use crate::report::{DriveCode, Receipt};

/// A drive leaves the line: the code says who must act, the detail what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// The code; its table has cause and remedy.
    pub code: DriveCode,
    /// What was found, without secrets; foreign text escaped. One sentence; a manifest's findings have a line each behind it.
    pub detail: String,
}

impl Halt {
    /// A halt for an error with its causes.
    pub fn of(code: DriveCode, error: &dyn std::error::Error) -> Self {
        let mut detail = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            detail.push_str(": ");
            detail.push_str(&cause.to_string());
            source = cause.source();
        }
        Self { code, detail }
    }

    /// A halt with a sentence of its own.
    pub fn new(code: DriveCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The detail on one line, for a log: of a list of findings the first.
    pub(super) fn in_short(&self) -> String {
        self.detail.lines().take(2).collect::<Vec<_>>().join("; ")
    }
}

/// How a drive's run ended.
#[derive(Debug)]
pub enum Ending {
    /// All entries are accounted for.
    Finished {
        /// The account.
        receipt: Box<Receipt>,
        /// Whether that was an earlier run, and this one did nothing.
        already: bool,
        /// The folder that keeps its logs and receipt; `None` for a dry run.
        kept: Option<PathBuf>,
    },
    /// The drive was held or refused.
    Halted(Halt),
    /// The run can be repeated when the cause is gone.
    Interrupted {
        /// What stopped it.
        cause: String,
    },
    /// A defect of this program.
    Internal {
        /// What happened.
        cause: String,
    },
}
