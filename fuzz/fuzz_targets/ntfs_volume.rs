//! Changes to a volume, which is then walked.
#![no_main]

#[allow(dead_code, unused_imports, reason = "a target runs one of the bodies")]
#[path = "../../tests/support/fuzz_bodies.rs"]
mod fuzz_bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_bodies::ntfs_volume(input));
