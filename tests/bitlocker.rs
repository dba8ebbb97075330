//! The BitLocker reader against volumes that the tests' own writer made: every method to the bit, damage, decoys, hostile metadata.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "bitlocker/hostile.rs"]
mod hostile;
#[path = "support/partition_writer.rs"]
mod partition_writer;
#[path = "bitlocker/partitions.rs"]
mod partitions;
#[path = "bitlocker/ranges.rs"]
mod ranges;
#[path = "bitlocker/second_opinion.rs"]
mod second_opinion;

use std::sync::Arc;

use bitlocker_writer::{Damage, Kind, Method, Options, Place, Protector, REGION, RELOCATED, Random, TAIL, Volume, encrypt};
use dockside::secret::RecoveryPassword;
use dockside::volume::ReadAt;
use dockside::volume::bitlocker::{BitLockerError, Decrypted, ProtectorKind, Sealed};

/// The password of all volumes here, so that its key is stretched once.
const PASSWORD: &str = "042647-302313-590458-071500-554323-116567-412181-516978";
const OTHER: &str = "616319-601744-502117-534017-367994-176748-607299-663201";
/// Bytes of a plain volume.
const PLAIN: usize = 512 << 10;

fn password(text: &str) -> RecoveryPassword {
    text.parse().unwrap()
}

fn options() -> Options {
    Options::new(vec![Protector::Recovery(PASSWORD.to_owned())])
}

fn plain() -> Vec<u8> {
    Random(99).bytes(PLAIN)
}

fn probe(volume: Volume) -> Result<Option<Sealed>, BitLockerError> {
    Sealed::probe(Arc::new(volume.bytes))
}

fn sealed(options: &Options) -> Sealed {
    probe(encrypt(plain(), options)).unwrap().unwrap()
}

fn all(view: &dyn ReadAt) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(view.size()).unwrap()];
    view.read_at(0, &mut bytes).unwrap();
    bytes
}

/// What the decrypted view of [`plain`] with a tail must be: the tail is hidden, so zeros.
fn expected() -> Vec<u8> {
    [plain(), vec![0; TAIL]].concat()
}

fn unlock(options: &Options) -> Result<Decrypted, BitLockerError> {
    sealed(options).unlock(&password(PASSWORD))
}

#[test]
fn every_method_and_sector_size_comes_back_to_the_bit() {
    for method in Method::ALL {
        for sector_size in [512, 4096] {
            let options = Options { method, sector_size, ..options() };
            let sealed = sealed(&options);
            assert_eq!(sealed.method().code(), method.code());
            assert_eq!(sealed.sector_size(), u32::from(sector_size));
            let view = sealed.unlock(&password(PASSWORD)).unwrap();
            assert!(all(&view) == expected(), "{method:?} with sectors of {sector_size}");
        }
    }
}

#[test]
fn hidden_areas_within_the_volume_read_as_zeros() {
    let (regions, copy) = ([65_536, 300_032, 400_384], 20_480);
    let view = unlock(&Options { place: Place::At(regions, copy), ..options() }).unwrap();
    let mut expected = plain();
    for (at, size) in regions.into_iter().map(|at| (at, REGION)).chain([(copy, RELOCATED)]) {
        let at = usize::try_from(at).unwrap();
        expected[at..at + size].fill(0);
    }
    assert!(all(&view) == expected);
}

#[test]
fn what_lies_past_the_encrypted_size_is_read_as_it_is() {
    for (method, sector_size) in [(Method::Xts128, 512), (Method::Cbc256Diffuser, 4096)] {
        let encrypted = Some(PLAIN as u64 / 2);
        let view = unlock(&Options { method, sector_size, encrypted, ..options() }).unwrap();
        assert!(all(&view) == expected());
    }
}

#[test]
fn the_layout_of_removable_drives_is_read() {
    let sealed = sealed(&Options { kind: Kind::ToGo, ..options() });
    assert!(sealed.to_go());
    assert!(all(&sealed.unlock(&password(PASSWORD)).unwrap()) == expected());
}

#[test]
fn the_volume_tells_what_opens_it() {
    let protectors = vec![
        Protector::Tpm,
        Protector::ClearKey,
        Protector::Passphrase("correct horse".to_owned()),
        Protector::Recovery(PASSWORD.to_owned()),
    ];
    let sealed = sealed(&Options::new(protectors));
    let kinds: Vec<ProtectorKind> = sealed.protectors().iter().map(|protector| protector.kind).collect();
    assert_eq!(kinds, [ProtectorKind::Tpm, ProtectorKind::ClearKey, ProtectorKind::Passphrase, ProtectorKind::RecoveryPassword]);
    assert_eq!(sealed.created(), Some(134_116_992_000_000_000));
    assert!(all(&sealed.unlock(&password(PASSWORD)).unwrap()) == expected());
}

#[test]
fn the_right_protector_is_found_behind_fifteen_others_but_not_behind_sixteen() {
    let mut protectors = vec![Protector::LostRecovery; 15];
    protectors.extend([Protector::Recovery(PASSWORD.to_owned()), Protector::LostRecovery]);
    assert!(all(&unlock(&Options::new(protectors.clone())).unwrap()) == expected());
    protectors.insert(0, Protector::LostRecovery);
    let error = unlock(&Options::new(protectors)).unwrap_err();
    assert!(matches!(error, BitLockerError::TooManyProtectors { found: 18, tried: 16 }), "{error}");
}

#[test]
fn each_of_two_recovery_passwords_opens_the_volume() {
    let protectors = [PASSWORD, OTHER].map(|password| Protector::Recovery(password.to_owned()));
    let sealed = sealed(&Options::new(protectors.to_vec()));
    for text in [PASSWORD, OTHER] {
        assert!(all(&sealed.unlock(&password(text)).unwrap()) == expected());
    }
}

#[test]
fn a_volume_without_the_password_stays_shut() {
    let error = sealed(&options()).unlock(&password(OTHER)).unwrap_err();
    assert!(matches!(error, BitLockerError::WrongKey { tried: 1 }), "{error}");
    for protectors in [vec![], vec![Protector::Tpm, Protector::ClearKey, Protector::Passphrase("correct horse".to_owned())]] {
        let found = protectors.len();
        let error = unlock(&Options::new(protectors)).unwrap_err();
        assert!(matches!(error, BitLockerError::NoRecoveryProtector { found: others } if others == found), "{error}");
    }
}

#[test]
fn any_one_good_copy_of_the_metadata_is_enough() {
    for damage in [Damage::Garbage, Damage::Checksum] {
        for good in 0..3 {
            let damage = (0..3).filter(|copy| *copy != good).map(|copy| (copy, damage)).collect();
            let sealed = sealed(&Options { damage, ..options() });
            assert_eq!(sealed.copies().map(|copy| copy.is_ok()), [0, 1, 2].map(|copy| copy == good));
            assert!(all(&sealed.unlock(&password(PASSWORD)).unwrap()) == expected());
        }
        let damage = (0..3).map(|copy| (copy, damage)).collect();
        let error = probe(encrypt(plain(), &Options { damage, ..options() })).unwrap_err();
        assert!(matches!(&error, BitLockerError::NoMetadata { reasons } if reasons.len() == 3), "{error}");
    }
}

#[test]
fn metadata_whose_seal_is_wrong_is_not_believed() {
    let damage = vec![(0, Damage::Seal), (1, Damage::Seal)];
    let sealed = sealed(&Options { damage, ..options() });
    assert!(sealed.copies().iter().all(Result::is_ok), "the checksums are right");
    assert!(all(&sealed.unlock(&password(PASSWORD)).unwrap()) == expected(), "the third copy is good");
    let damage = (0..3).map(|copy| (copy, Damage::Seal)).collect();
    let error = unlock(&Options { damage, ..options() }).unwrap_err();
    assert!(matches!(error, BitLockerError::Tampered { .. }), "{error}");
}

#[test]
fn other_generations_and_unfinished_conversions_are_refused_by_name() {
    let vista = probe(encrypt(plain(), &Options { kind: Kind::Vista, ..options() }));
    assert!(matches!(vista, Err(BitLockerError::Vista)));
    let writing = probe(encrypt(plain(), &Options { kind: Kind::EncryptOnWrite, ..options() }));
    assert!(matches!(writing, Err(BitLockerError::Converting { .. })));
    for states in [[1, 1], [2, 4], [2, 1], [3, 4], [5, 4], [4, 1], [4, 2], [4, 5], [0, 0]] {
        let error = probe(encrypt(plain(), &Options { states, ..options() })).unwrap_err();
        assert!(matches!(error, BitLockerError::Converting { .. }), "{states:?}: {error}");
    }
}

#[test]
fn a_plain_volume_is_none_of_ours() {
    for volume in [plain(), vec![0; 4096], Vec::new(), vec![0xff; 511]] {
        assert!(Sealed::probe(Arc::new(volume)).unwrap().is_none());
    }
}
