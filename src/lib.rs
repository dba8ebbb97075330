//! Takes shipped hard drives into blob storage.
//!
//! The road of the data, and the module of each station:
//!
//! ```text
//!  image / bay       bytes             sectors            files           entries              ranges                 blobs           log
//!  drive ─────────▶ volume::partition ▶ volume::bitlocker ▶ volume::ntfs ─▶ manifest ─────────▶ ingest::plan ────────▶ transfer ─────▶ report
//!  identify          first data        decrypt            read-only       read once, check,    names, order           check, upload,  drive log,
//!                    volume            (recovery key)     tree            spool a catalogue                           commit          receipt
//!                                                                             │                                          │
//!                                                             ledger (what is named, what is done) ◀─────────────────────┘   store (where blobs go)
//! ```
//!
//! A module may use only those above it in this list; `tests/layers.rs` reads the imports against it.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that meets the unexpected should stop there"
    )
)]

pub mod commands;
pub mod config;
pub mod drive;
pub mod foreign;
pub mod ingest;
pub mod job;
pub mod ledger;
pub mod manifest;
pub mod report;
pub mod secret;
pub mod store;
pub mod transfer;
pub mod volume;
