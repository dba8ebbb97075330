//! Reads at odd places: each must give what the whole view has there, also beyond 2 TiB.

use std::sync::{Arc, OnceLock};

use dockside::volume::{ReadAt, ReadError};
use proptest::prelude::*;

use super::bitlocker_writer::{Method, Options, Place, Protector, RELOCATED, Random, Writer, encrypt};
use super::{PASSWORD, PLAIN, all, options, password, plain, probe};
use dockside::volume::bitlocker::{Decrypted, Sealed};

/// Two volumes whose hidden areas lie in the middle, encrypted up to three quarters; each with its whole view.
fn volumes() -> &'static [(Decrypted, Vec<u8>); 2] {
    static VOLUMES: OnceLock<[(Decrypted, Vec<u8>); 2]> = OnceLock::new();
    VOLUMES.get_or_init(|| {
        [(Method::Xts256, 512), (Method::Cbc128Diffuser, 4096)].map(|(method, sector_size)| {
            let place = Place::At([65_536, 131_072, 212_992], 204_800);
            let encrypted = Some(PLAIN as u64 / 4 * 3);
            let volume = encrypt(plain(), &Options { method, sector_size, place, encrypted, ..options() });
            let mut whole = plain();
            whole[65_536..196_608].fill(0);
            whole[204_800..278_528].fill(0);
            let view = probe(volume).unwrap().unwrap().unlock(&password(PASSWORD)).unwrap();
            assert!(all(&view) == whole);
            (view, whole)
        })
    })
}

/// Offsets anywhere, but mostly near a border.
fn offsets() -> impl Strategy<Value = usize> {
    let borders = vec![0, RELOCATED, 65_536, 131_072, 196_608, 204_800, 212_992, 278_528, PLAIN / 4 * 3, PLAIN];
    let near = (prop::sample::select(borders), 0_usize..10_000)
        .prop_map(|(border, shift)| (border + shift).saturating_sub(5_000).min(PLAIN));
    prop_oneof![1 => 0..=PLAIN, 3 => near]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_range_is_that_part_of_the_whole(which in 0_usize..2, start in offsets(), other in offsets()) {
        let (view, whole) = &volumes()[which];
        let (start, end) = (start.min(other), start.max(other));
        let mut part = vec![0xaa; end - start];
        view.read_at(start as u64, &mut part).unwrap();
        prop_assert!(part == whole[start..end], "{start}..{end}");
    }
}

#[test]
fn a_range_beyond_the_end_is_an_error_and_leaves_the_rest_readable() {
    for (view, whole) in volumes() {
        let size = whole.len() as u64;
        for (offset, length) in [(size, 1), (size - 1, 2), (u64::MAX, 1), (u64::MAX - 3, 4096), (0, whole.len() + 1)] {
            let error = view.read_at(offset, &mut vec![0; length]).unwrap_err();
            assert!(matches!(error, ReadError::BeyondEnd { .. }), "{error}");
        }
        view.read_at(size, &mut []).unwrap();
    }
}

/// A volume of which only some parts are there; the rest is zeros.
struct Sparse {
    size: u64,
    parts: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ReadError::check(offset, buffer.len(), self.size)?;
        buffer.fill(0);
        let end = offset + buffer.len() as u64;
        for (at, part) in &self.parts {
            let (from, to) = (offset.max(*at), end.min(at + part.len() as u64));
            if from < to {
                let place = |position: u64, base: u64| usize::try_from(position - base).unwrap();
                buffer[place(from, offset)..place(to, offset)].copy_from_slice(&part[place(from, *at)..place(to, *at)]);
            }
        }
        Ok(())
    }
}

#[test]
fn sectors_beyond_two_tebibytes_decrypt_by_their_own_position() {
    const TIB: u64 = 1 << 40;
    for (method, sector_size) in [(Method::Xts128, 512), (Method::Cbc256, 512), (Method::Cbc128Diffuser, 4096)] {
        let place = Place::At([TIB, 2 * TIB + 4096, 4 * TIB], 2 * TIB + 3 * 65_536);
        let protectors = vec![Protector::Recovery(PASSWORD.to_owned())];
        let writer = Writer::new(5 * TIB, &Options { method, sector_size, place, ..Options::new(protectors) });
        let first = Random(5).bytes(RELOCATED);
        let mut parts = writer.parts(first.clone());
        let places = [TIB - 16_384, 2 * TIB - 12_288, 2 * TIB + 65_536 * 8, 5 * TIB - 16_384];
        for (seed, at) in (10..).zip(places) {
            let mut sectors = Random(seed).bytes(16_384);
            writer.cipher.encrypt(&mut sectors, at);
            parts.push((at, sectors));
        }
        let sealed = Sealed::probe(Arc::new(Sparse { size: writer.size, parts })).unwrap().unwrap();
        let view = sealed.unlock(&password(PASSWORD)).unwrap();
        let read = |at: u64, length: usize| {
            let mut bytes = vec![0; length];
            view.read_at(at, &mut bytes).unwrap();
            bytes
        };
        assert!(read(0, RELOCATED) == first);
        for (seed, at) in (10..).zip(places) {
            let sectors = Random(seed).bytes(16_384);
            assert!(read(at + 5, 8000) == sectors[5..8005], "{method:?} at {at}");
        }
        assert!(read(4 * TIB + 9, 60_000).iter().all(|byte| *byte == 0), "the third region is hidden");
    }
}
