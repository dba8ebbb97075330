//! One drive from bay to receipt.
//!
//! [`names`] settles the final name of every entry before any data is read.

pub mod names;
