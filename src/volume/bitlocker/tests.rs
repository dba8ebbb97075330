//! Thousands of broken volumes: probed, unlocked with a master key that is known already (stretching a password 2^20 times would be most
//! of the time), read. Volumes and seals come from the writer of the integration tests.

#[path = "../../../tests/support/bitlocker_writer.rs"]
mod bitlocker_writer;

use super::*;
use bitlocker_writer::{Kind, Options, Place, Protector as Made, REGION as REGION_BYTES, Random, Volume, encrypt};

const PASSWORD: &str = "042647-302313-590458-071500-554323-116567-412181-516978";
const PLAIN: usize = 64 << 10;
const ROUNDS: usize = 2000;
/// Values at which arithmetic goes wrong.
const EDGES: [u64; 12] =
    [0, 1, 7, 8, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX - 511, u64::MAX];

fn made(kind: Kind) -> Volume {
    let protectors = vec![Made::LostRecovery, Made::ClearKey, Made::Tpm];
    let plain = Random(3).bytes(PLAIN);
    encrypt(plain, &Options { kind, ..Options::new(protectors) })
}

/// Changes a few bytes or fields.
fn mutate(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..=random.below(3) {
        let width = 1 << random.below(4);
        let at = random.below(bytes.len() - width);
        let value = if random.below(2) == 0 { random.number() } else { EDGES[random.below(EDGES.len())] };
        let at = if random.below(4) == 0 { at } else { at - at % width };
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

fn with_regions(volume: &Volume, region: &[u8]) -> Vec<u8> {
    let mut bytes = volume.bytes.clone();
    for at in volume.writer.regions {
        bytes[index(at)..index(at) + REGION_BYTES].copy_from_slice(region);
    }
    bytes
}

/// Probes, unlocks with the right master key, reads everything in odd steps. Tells whether the volume opened.
fn exercise(volume: &Volume, bytes: Vec<u8>) -> bool {
    let password = PASSWORD.parse().unwrap();
    let Ok(Some(sealed)) = Sealed::probe(Arc::new(bytes)) else { return false };
    let tried = Tried { master: Some(Key::new(volume.writer.master)), ..Tried::default() };
    assert!(format!("{sealed:?}{:?}{:?}", sealed.protectors(), sealed.copies()).len() < 1 << 20);
    let _ = format!("{:?}", sealed.description());
    let Ok(view) = sealed.unlock_with(&password, tried) else { return false };
    let mut buffer = vec![0; 30_011];
    for offset in (0..view.size().saturating_sub(30_011)).step_by(29_989) {
        view.read_at(offset, &mut buffer).unwrap();
    }
    true
}

#[test]
fn two_thousand_broken_volumes_do_no_harm() {
    let mut random = Random(2026);
    let mut opened = 0;
    for kind in [Kind::Normal, Kind::ToGo] {
        let volume = made(kind);
        for _ in 0..ROUNDS / 2 {
            let mut bytes = volume.bytes.clone();
            mutate(&mut bytes[..512], &mut random);
            for at in volume.writer.regions {
                mutate(&mut bytes[index(at)..index(at) + 1024], &mut random);
            }
            opened += usize::from(exercise(&volume, bytes));
        }
    }
    assert!(opened < ROUNDS, "{opened} opened");
}

#[test]
fn two_thousand_lies_with_the_right_seal_do_no_harm() {
    let mut random = Random(2027);
    let volume = made(Kind::Normal);
    let mut opened = 0;
    for round in 0..ROUNDS {
        let mut block = volume.writer.block().to_vec();
        // every other round in the fields of the two headers
        let end = if round % 2 == 0 { 112 } else { block.len() };
        mutate(&mut block[..end], &mut random);
        opened += usize::from(exercise(&volume, with_regions(&volume, &volume.writer.region(&block))));
    }
    assert!((ROUNDS / 10..ROUNDS).contains(&opened), "{opened} opened");
}

#[test]
fn lost_protectors_are_counted_once_for_all_three_copies() {
    let volume = encrypt(Random(3).bytes(PLAIN), &Options::new(vec![Made::LostRecovery; 5]));
    let sealed = Sealed::probe(Arc::new(volume.bytes)).unwrap().unwrap();
    let error = sealed.unlock_trying(&PASSWORD.parse().unwrap(), 0).unwrap_err();
    assert!(matches!(error, BitLockerError::TooManyProtectors { found: 5, tried: 0 }), "{error}");
}

#[test]
fn the_sealed_list_of_regions_hides_them_not_that_of_the_header() {
    let plain = Random(3).bytes(8 * REGION_BYTES);
    let place = Place::At([1 << 17, 1 << 18, 3 << 17], 1 << 16);
    let mut volume = encrypt(plain.clone(), &Options { place, ..Options::new(vec![Made::LostRecovery]) });
    volume.bytes[176..184].copy_from_slice(&0x7_0000_u64.to_le_bytes());
    let sealed = Sealed::probe(Arc::new(volume.bytes)).unwrap().unwrap();
    let tried = Tried { master: Some(Key::new(volume.writer.master)), ..Tried::default() };
    let view = sealed.unlock_with(&PASSWORD.parse().unwrap(), tried).unwrap();
    let read = |at: usize| {
        let mut bytes = vec![0; REGION_BYTES];
        view.read_at(at as u64, &mut bytes).unwrap();
        bytes
    };
    assert!(read(1 << 17).iter().all(|byte| *byte == 0));
    assert!(read(0x7_0000) == plain[0x7_0000..][..REGION_BYTES]);
}

#[test]
fn a_protector_shows_its_identifier_as_windows_does() {
    let guid = [0x4b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01];
    let protector = Protector { kind: ProtectorKind::RecoveryPassword, guid };
    assert_eq!(protector.to_string(), "recovery password {4967D64B-2E29-4AD8-8399-F6A339E3D001}");
}
