//! Names, paths, hashes and passwords of manifests and jobs.
#![no_main]

#[allow(dead_code, unused_imports, reason = "a target runs one of the bodies")]
#[path = "../../tests/support/fuzz_bodies.rs"]
mod fuzz_bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_bodies::names(input));
