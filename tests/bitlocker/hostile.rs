//! Metadata that lies: a sender can seal whatever he likes. Each lie gives an error or the right data, never a panic and never memory as
//! large as the lie.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use dockside::volume::ReadAt as _;
use dockside::volume::bitlocker::{BitLockerError, Sealed};

use super::bitlocker_writer::{ENTRIES, REGION, TAIL, Volume, encrypt, entry};
use super::{PASSWORD, PLAIN, expected, options, password, plain};

/// What must come of a lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// An error.
    Refused,
    /// The plain volume, whatever its tail looks like.
    Plain,
}
use Outcome::{Plain, Refused};

fn volume() -> &'static Volume {
    static VOLUME: OnceLock<Volume> = OnceLock::new();
    VOLUME.get_or_init(|| encrypt(plain(), &options()))
}

/// The volume with other metadata regions.
fn with_regions(region: &[u8]) -> Vec<u8> {
    let mut bytes = volume().bytes.clone();
    for at in volume().writer.regions {
        let at = usize::try_from(at).unwrap();
        bytes[at..at + REGION].copy_from_slice(region);
    }
    bytes
}

/// The volume with another block in all copies, whose checksum and seal are right.
fn with_block(block: &[u8]) -> Vec<u8> {
    with_regions(&volume().writer.region(block))
}

/// The volume with some bytes of the block changed.
fn with_field(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut block = volume().writer.block().to_vec();
    block[at..at + bytes.len()].copy_from_slice(bytes);
    with_block(&block)
}

/// The undamaged entries.
fn entries() -> Vec<u8> {
    let block = volume().writer.block();
    let size = u32::from_le_bytes(block[64..68].try_into().unwrap());
    block[ENTRIES..64 + usize::try_from(size).unwrap()].to_vec()
}

fn with_entries(entries: &[u8]) -> Vec<u8> {
    with_block(&volume().writer.block_of(entries))
}

/// Where the first entry of a role lies among the entries.
fn entry_of(role: u16) -> Range<usize> {
    let (entries, mut at) = (entries(), 0);
    loop {
        let field = |offset: usize| u16::from_le_bytes(entries[at + offset..at + offset + 2].try_into().unwrap());
        let end = at + usize::from(field(0));
        if field(2) == role {
            return at..end;
        }
        at = end;
    }
}

fn check(name: &str, bytes: Vec<u8>, outcome: Outcome) {
    let read = || {
        let sealed = Sealed::probe(Arc::new(bytes))?.ok_or(BitLockerError::Vista)?;
        let view = sealed.unlock(&password(PASSWORD))?;
        assert_eq!(view.size(), (PLAIN + TAIL) as u64, "{name}");
        let mut whole = vec![0; PLAIN + TAIL];
        view.read_at(0, &mut whole).unwrap();
        Ok::<_, BitLockerError>(whole)
    };
    match (outcome, read()) {
        (Plain, Ok(whole)) => assert!(whole[..PLAIN] == expected()[..PLAIN], "{name}: wrong data"),
        (Refused, Err(_)) => {}
        (_, Ok(_)) => panic!("{name}: accepted"),
        (_, Err(error)) => panic!("{name}: {error}"),
    }
}

/// Changes the volume header.
fn check_header(name: &str, at: usize, bytes: &[u8], outcome: Outcome) {
    let mut volume = volume().bytes.clone();
    volume[at..at + bytes.len()].copy_from_slice(bytes);
    check(name, volume, outcome);
}

#[test]
fn lies_of_the_volume_header() {
    check("nothing changed", volume().bytes.clone(), Plain);
    for (sector_size, outcome) in [(0_u16, Plain), (1, Refused), (513, Refused), (1024, Refused), (65_535, Refused)] {
        check_header(&format!("sectors of {sector_size}"), 11, &sector_size.to_le_bytes(), outcome);
    }
    check_header("another format GUID", 160, &[0; 16], Refused);
    let [first, second, _] = volume().writer.regions;
    let places = [0, 512, 1, first + 1, second, second + 512, (PLAIN + TAIL) as u64 - 512, 1 << 63, u64::MAX - 511, u64::MAX];
    for place in places {
        check_header(&format!("first region at {place}"), 176, &place.to_le_bytes(), Plain);
        check_header(
            &format!("all regions at {place}"),
            176,
            &place.to_le_bytes().repeat(3),
            match place {
                place if place == second => Plain,
                _ => Refused,
            },
        );
    }
}

#[test]
fn lies_about_sizes_around_the_block() {
    let region = volume().writer.region(volume().writer.block());
    for size in [0_u16, 1, 6, 7, 0x0fff, 0x1000, 0xffff] {
        let mut region = region.clone();
        region[8..10].copy_from_slice(&size.to_le_bytes());
        // the checksum of what the size then covers, so that it is not the checksum that stops the reader
        let end = usize::from(size) * 16;
        if end + 8 <= REGION {
            let sum = crc32fast::hash(&region[..end]).to_le_bytes();
            region[end + 4..end + 8].copy_from_slice(&sum);
        }
        check(&format!("block of {size} units"), with_regions(&region), Refused);
    }
    let length = u32::try_from(volume().writer.block().len()).unwrap();
    for size in [0, 1, 47, 48, length - 64 + 1, 0xffff, 0x7fff_ffff, u32::MAX] {
        check(&format!("dataset of {size}"), with_field(64, &size.to_le_bytes()), Refused);
    }
    check("dataset sizes that differ", with_field(76, &[0xff; 4]), Plain);
    let seal = volume().writer.block().len() + 8;
    for size in [0_u16, 1, 7, 8, 35, 0xffff] {
        let mut region = region.clone();
        region[seal..seal + 2].copy_from_slice(&size.to_le_bytes());
        check(&format!("seal of {size} bytes"), with_regions(&region), Refused);
    }
}

#[test]
fn lies_about_places() {
    let size = (PLAIN + TAIL) as u64;
    let [first, second, _] = volume().writer.regions;
    for place in [0, 512, 8191, first, first - 512, second, size, size - 512, 1 << 63, u64::MAX - 8191, u64::MAX] {
        let mut entries = entries();
        let at = entry_of(0xf).start + 8;
        entries[at..at + 8].copy_from_slice(&place.to_le_bytes());
        let mut block = volume().writer.block_of(&entries);
        block[56..64].copy_from_slice(&place.to_le_bytes());
        check(&format!("relocated sectors at {place}"), with_block(&block), Refused);
    }
    for copied in [0, 1, 511, size, size / 512 * 512 + 512, 1 << 63, u64::MAX - 511, u64::MAX] {
        let at = ENTRIES + entry_of(0xf).start + 16;
        check(&format!("{copied} bytes relocated"), with_field(at, &copied.to_le_bytes()), Refused);
    }
    check("sectors relocated, by another count", with_field(28, &u32::MAX.to_le_bytes()), Plain);
    for (encrypted, outcome) in [(1, Refused), (u64::MAX, Refused), (u64::MAX - 511, Plain), (size + 512, Plain)] {
        check(&format!("{encrypted} bytes encrypted"), with_field(16, &encrypted.to_le_bytes()), outcome);
    }
    for (place, outcome) in [(0, Plain), (512, Refused), (4096, Refused), (size - 512, Plain), (u64::MAX, Plain)] {
        check(&format!("third region at {place}"), with_field(48, &place.to_le_bytes()), outcome);
    }
    check("third region over the copy", with_field(48, &(volume().writer.regions[2] + 512).to_le_bytes()), Refused);
    check("no region at its place", with_field(32, &[0; 24]), Refused);
}

#[test]
fn lies_about_the_relocated_sectors_without_their_entry() {
    let mut entries = entries();
    entries.drain(entry_of(0xf));
    check("no entry, the count alone", with_entries(&entries), Plain);
    for sectors in [0, 3000, 0x7fff_ffff, u32::MAX] {
        let mut block = volume().writer.block_of(&entries);
        block[28..32].copy_from_slice(&sectors.to_le_bytes());
        check(&format!("{sectors} sectors relocated"), with_block(&block), Refused);
    }
}

#[test]
fn lies_about_the_size_of_entries() {
    for size in [0_u16, 1, 7, 0xffff] {
        let mut lie = entry(7, 2, 1, &[]);
        lie[..2].copy_from_slice(&size.to_le_bytes());
        check(&format!("first an entry of {size}"), with_entries(&[lie.clone(), entries()].concat()), Refused);
        check(&format!("last an entry of {size}"), with_entries(&[entries(), lie].concat()), Plain);
    }
    check("half an entry at the end", with_entries(&[entries(), vec![9, 0, 7]].concat()), Plain);
    check("an empty entry", with_entries(&[entry(2, 8, 1, &[]), entry(3, 5, 1, &[]), entries()].concat()), Refused);
    let unknown = [entry(0xb, 5, 1, &[1; 40]), entry(0xeeee, 0xeeee, 0xeeee, &[2; 3]), entry(2, 0xeeee, 1, &[])];
    check("unknown entries", with_entries(&[unknown.concat(), entries()].concat()), Plain);
    check("no entries", with_entries(&[]), Refused);
}

#[test]
fn lies_within_a_protector() {
    let protector = entry_of(2);
    let genuine = entries()[protector.clone()].to_vec();
    let stretch_size = 8 + 28;
    let wrapped = stretch_size + usize::from(u16::from_le_bytes(genuine[stretch_size..stretch_size + 2].try_into().unwrap()));
    for at in [stretch_size, wrapped] {
        for size in [0_u16, 1, 7, 8, 27, 0xffff] {
            let mut broken = genuine.clone();
            broken[at..at + 2].copy_from_slice(&size.to_le_bytes());
            let mut alone = entries();
            alone.splice(protector.clone(), broken.iter().copied());
            check(&format!("nested entry of {size}"), with_entries(&alone), Refused);
            check(&format!("nested entry of {size}, then a good one"), with_entries(&[broken, entries()].concat()), Plain);
        }
    }
    for length in [8, 9, 35, 36, 43, 62] {
        let mut short = genuine[..length].to_vec();
        short[..2].copy_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
        check(&format!("protector of {length} bytes"), with_entries(&[short, entries()].concat()), Plain);
    }
}

#[test]
fn lies_about_the_method() {
    for method in [0_u16, 1, 0x2000, 0x7fff, 0x8000, 0x8001, 0x8002, 0x8005, 0x8006, 0xffff] {
        check(&format!("method {method:#x}"), with_field(100, &method.to_le_bytes()), Refused);
    }
    check("another second half of the method", with_field(102, &[0xff; 2]), Plain);
}

#[test]
fn volumes_that_end_early_are_refused() {
    let whole = &volume().bytes;
    let first = usize::try_from(volume().writer.regions[0]).unwrap();
    for length in [512, 513, 8192, first, first + 1, first + REGION - 1] {
        check(&format!("{length} bytes left"), whole[..length].to_vec(), Refused);
    }
    // the first copy is there, but what it tells of is not
    check("no relocated sectors", whole[..first + REGION].to_vec(), Refused);
}
