//! Hashes bodies in memory with MD5, 16 at the same time and one by one. Prints gigabytes per CPU-second of both and how they compare.

#![allow(clippy::unwrap_used, reason = "a measurement that meets the unexpected should stop there")]

use std::hint::black_box;
use std::time::Duration;

use dockside::manifest::Digest;
use nix::sys::resource::{UsageWho, getrusage};

/// Bytes measured.
const TOTAL: usize = 1 << 30;

/// CPU time of this process so far.
fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let time = |value: nix::sys::time::TimeVal| {
        Duration::from_secs(value.tv_sec().try_into().unwrap()) + Duration::from_micros(value.tv_usec().try_into().unwrap())
    };
    time(usage.user_time()) + time(usage.system_time())
}

/// Gigabytes per CPU-second of hashing about [`TOTAL`] bytes by rounds of `bytes`; the most of three.
fn speed(bytes: usize, hash: &dyn Fn()) -> f64 {
    let rounds = TOTAL / bytes;
    let once = || {
        let before = cpu_time();
        (0..rounds).for_each(|_| hash());
        cpu_time().saturating_sub(before).as_secs_f64()
    };
    let gigabytes = f64::from(u32::try_from(rounds * bytes).unwrap()) / 1e9;
    (0..3).map(|_| gigabytes / once()).fold(0.0, f64::max)
}

fn main() {
    for length in [4 << 20, 64 << 10, 4 << 10] {
        for count in [16, 8, 4, 2, 1] {
            let body = |n: usize| (0..length).map(|at| u8::try_from((at * 7 + n * 13 + (at >> 9)) % 251).unwrap()).collect();
            let bodies: Vec<Vec<u8>> = (0..count).map(body).collect();
            let slices: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
            let lanes = speed(length * count, &|| drop(black_box(Digest::of_many(black_box(&slices)))));
            let single = speed(length * count, &|| {
                for body in &slices {
                    black_box(Digest::of(black_box(body)));
                }
            });
            println!(
                "{count:>2} bodies of {:>4} KiB  {lanes:5.2} GB per CPU-second in lanes, {single:5.2} one by one: {:4.1} times",
                length >> 10,
                lanes / single
            );
        }
    }
}
