//! One suite over every store, what is particular to each, and the faults of a service behind a mock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/azurite.rs"]
mod azurite;
#[path = "store/emulator.rs"]
mod emulator;
#[path = "store/faults.rs"]
mod faults;
#[path = "store/folder.rs"]
mod folder;
#[path = "store/leftovers.rs"]
mod leftovers;
#[path = "store/memory.rs"]
mod memory;
#[path = "support/mock_http.rs"]
mod mock_http;
#[path = "store/outage.rs"]
mod outage;
#[path = "store/renewal.rs"]
mod renewal;
#[path = "support/store_resume.rs"]
mod store_resume;
#[path = "support/store_suite.rs"]
mod store_suite;
