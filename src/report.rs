//! What is told about a drive: codes with cause and remedy, drive log (XML), receipt (JSON), progress, summary.
//!
//! In: entries of the catalogue, how they ended, facts of the run. Out: documents for the customer and lines for the operator.

mod codes;
mod counted;
mod drive_log;
pub mod human;
mod names;
mod progress;
mod receipt;
mod summary;

pub use codes::{DriveCode, Leaves, UnknownCode, markdown};
pub use counted::{Counted, Sum, lower_hex};
pub use drive_log::{Detail, DriveLogError, DriveLogWriter, Recorded, Statuses, compose, tally};
pub use names::{LogNames, Stamp};
pub use progress::{Board, LogWriter, Progress};
pub use receipt::{
    DriveFacts, EntryResult, Exception, LogFacts, ManifestFacts, PerOutcome, ReadError, Receipt, SessionFacts, Software, Stopped,
    Tally, Verified,
};
pub use summary::Summary;
