//! Decrypts 1 GiB from memory in reads of 4 MiB with each of the six methods. Prints gigabytes per CPU-second, with the copying out of
//! memory and without it. A word on the command line (`XTS`, `diffuser`) picks the methods whose name has it.

#![allow(clippy::unwrap_used, reason = "a measurement that meets the unexpected should stop there")]

#[path = "../tests/support/bitlocker_writer.rs"]
mod bitlocker_writer;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bitlocker_writer::{Method, Options, Place, Protector, REGION, RELOCATED, Random, Writer};
use dockside::volume::bitlocker::Sealed;
use dockside::volume::{ReadAt, ReadError};
use nix::sys::resource::{UsageWho, getrusage};

const PASSWORD: &str = "042647-302313-590458-071500-554323-116567-412181-516978";
/// Bytes of a read.
const READ: usize = 4 << 20;
/// Bytes measured.
const TOTAL: u64 = 1 << 30;
/// Where the measured bytes begin: behind everything that is hidden.
const START: u64 = 16 << 20;

/// A volume whose sectors are pseudo-random bytes, the same ones again and again.
struct Noise {
    parts: Vec<(u64, Vec<u8>)>,
    pattern: Vec<u8>,
}

impl ReadAt for Noise {
    fn size(&self) -> u64 {
        START + TOTAL
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size())?;
        match self.parts.iter().find(|(at, part)| *at == offset && part.len() >= buffer.len()) {
            Some((_, part)) => buffer.copy_from_slice(&part[..buffer.len()]),
            None => buffer.copy_from_slice(&self.pattern[..buffer.len()]),
        }
        Ok(())
    }
}

/// CPU time of this process so far.
fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let time = |value: nix::sys::time::TimeVal| {
        Duration::from_secs(value.tv_sec().try_into().unwrap()) + Duration::from_micros(value.tv_usec().try_into().unwrap())
    };
    time(usage.user_time()) + time(usage.system_time())
}

/// CPU-seconds of reading [`TOTAL`] bytes; the least of three.
fn seconds(view: &dyn ReadAt, buffer: &mut [u8]) -> f64 {
    let once = |buffer: &mut [u8]| {
        let before = cpu_time();
        for offset in (START..START + TOTAL).step_by(READ) {
            view.read_at(offset, buffer).unwrap();
            black_box(&buffer);
        }
        cpu_time().saturating_sub(before).as_secs_f64()
    };
    (0..3).map(|_| once(buffer)).fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut buffer = vec![0; READ];
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    for method in Method::ALL.into_iter().rev() {
        for sector_size in [512, 4096] {
            let place = Place::At([1 << 20, 2 << 20, 3 << 20], (1 << 20) + REGION as u64);
            let protectors = vec![Protector::Recovery(PASSWORD.to_owned())];
            let options = Options { method, sector_size, place, ..Options::new(protectors) };
            let writer = Writer::new(START + TOTAL, &options);
            let parts = writer.parts(vec![0; RELOCATED]);
            let noise = Arc::new(Noise { parts, pattern: Random(7).bytes(READ) });
            let sealed = Sealed::probe(Arc::clone(&noise) as Arc<dyn ReadAt>).unwrap().unwrap();
            if !sealed.method().to_string().contains(&wanted) {
                continue;
            }
            let view = sealed.unlock(&PASSWORD.parse().unwrap()).unwrap();
            let gigabytes = f64::from(u32::try_from(TOTAL).unwrap()) / 1e9;
            let (whole, copying) = (seconds(&view, &mut buffer), seconds(&noise, &mut buffer));
            println!(
                "{:<32} {sector_size:>4}-byte sectors  {:5.2} GB per CPU-second, {:5.2} without the copying",
                sealed.method().to_string(),
                gigabytes / whole,
                gigabytes / (whole - copying)
            );
        }
    }
}
