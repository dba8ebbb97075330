//! One drive, from the bay to the receipt.
//!
//! ```text
//!  Source ─▶ Admitted ─▶ Unlocked ─▶ Opened ─▶ Catalogue ─▶ names ─▶ Plan ─▶ outcomes ─▶ Receipt
//! ```
//!
//! Each step consumes what the one before it proved. A drive that cannot go on leaves the line with a code ([`Halt`]); a run that cannot go
//! on is [`Interrupted`](Ending::Interrupted) and can be repeated.

mod access;
mod account;
mod admit;
mod broken;
mod catalogue;
mod containers;
mod ending;
mod finish;
mod history;
mod identity;
mod limits;
pub mod names;
mod plan;
mod prepared;
mod rename;
mod report;
mod run;
mod services;
mod settling;
pub mod stage;
mod token;
mod transferring;
mod unlock;

pub use access::{Access, AccessError};
pub use admit::Admitted;
pub use catalogue::summary as manifest_summary;
pub use ending::{Ending, Halt};
pub use run::{ingest, ingest_opened};
pub use services::{DryRun, Services};
pub use unlock::{Located, Opened, Unlocked, locate};
