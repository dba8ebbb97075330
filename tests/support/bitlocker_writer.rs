//! Makes BitLocker volumes: for tests of the reader, with which it shares no code.
//!
//! In: a plain volume and [`Options`]. Out: an encrypted [`Volume`], the same for the same seed; or, through [`Writer`], its parts one by one, for
//! volumes that do not fit in memory. On demand the volume is damaged or of a kind that readers refuse.

#![allow(dead_code, reason = "each test uses the part that it needs")]

#[path = "bitlocker_writer/cipher.rs"]
mod cipher;
#[path = "bitlocker_writer/keys.rs"]
mod keys;

pub(crate) use cipher::{Method, SectorCipher};
pub(crate) use keys::{Key, Random, entry};

use keys::{open_key, passphrase_hash, recovery_hash, recovery_secret, salt, sealed, stretch};
use sha2::{Digest as _, Sha256};

/// Bytes of a metadata region.
pub(crate) const REGION: usize = 65_536;
/// Bytes of the volume's start that are relocated.
pub(crate) const RELOCATED: usize = 8192;
/// Bytes that [`Place::Tail`] adds.
pub(crate) const TAIL: usize = 3 * REGION + RELOCATED;
/// Start of the entries in a block.
pub(crate) const ENTRIES: usize = 112;

const NORMAL: [u8; 16] = 0x01d0_e339_a3f6_9983_4ad8_2e29_4967_d63b_u128.to_le_bytes();
const ENCRYPT_ON_WRITE: [u8; 16] = 0xd8ae_4e28_e3b1_4e9e_4d0e_dd80_92a8_4d3b_u128.to_le_bytes();
/// 2026-01-01 as FILETIME.
const CREATED: u64 = 134_116_992_000_000_000;

/// What opens the volume.
#[derive(Clone, Debug)]
pub(crate) enum Protector {
    /// A recovery password.
    Recovery(String),
    /// A recovery password that nobody knows.
    LostRecovery,
    /// A passphrase.
    Passphrase(String),
    /// Open to everybody.
    ClearKey,
    /// A TPM that is not here.
    Tpm,
}

/// Where metadata and relocated sectors lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In a tail behind the plain volume.
    Tail,
    /// At these offsets of it: three regions, the copy. What was there is lost.
    At([u64; 3], u64),
}

/// Which generation and layout the volume has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Since Windows 7.
    Normal,
    /// Removable drive with the boot sector of a FAT volume.
    ToGo,
    /// The first version of the format.
    Vista,
    /// Under conversion by writing.
    EncryptOnWrite,
}

/// How a copy of the metadata is damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Damage {
    /// Overwritten.
    Garbage,
    /// Its CRC-32 is wrong, its sealed SHA-256 right.
    Checksum,
    /// Its CRC-32 is right, its sealed SHA-256 that of another block.
    Seal,
}

/// A volume to be made.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) method: Method,
    pub(crate) sector_size: u16,
    /// In the order of the metadata.
    pub(crate) protectors: Vec<Protector>,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    /// State now, state next.
    pub(crate) states: [u16; 2],
    /// Bytes that are encrypted; the whole volume if `None`.
    pub(crate) encrypted: Option<u64>,
    /// Copies of the metadata (0 to 2) that are damaged.
    pub(crate) damage: Vec<(usize, Damage)>,
    /// Where the keys come from.
    pub(crate) seed: u64,
}

impl Options {
    /// A volume as Windows 10 makes it, with these protectors.
    pub(crate) fn new(protectors: Vec<Protector>) -> Self {
        Self {
            method: Method::Xts128,
            sector_size: 512,
            protectors,
            place: Place::Tail,
            kind: Kind::Normal,
            states: [4, 4],
            encrypted: None,
            damage: Vec::new(),
            seed: 1,
        }
    }
}

/// An encrypted volume in memory.
pub(crate) struct Volume {
    pub(crate) bytes: Vec<u8>,
    pub(crate) writer: Writer,
}

/// Encrypts a plain volume, whose size is a multiple of the sector size.
pub(crate) fn encrypt(plain: Vec<u8>, options: &Options) -> Volume {
    let writer = Writer::new(plain.len() as u64, options);
    let mut bytes = plain;
    bytes.resize(usize::try_from(writer.size).unwrap(), 0);
    let first = bytes[..RELOCATED].to_vec();
    let encrypted = usize::try_from(writer.encrypted()).unwrap();
    writer.cipher.encrypt(&mut bytes[..encrypted], 0);
    for (at, part) in writer.parts(first) {
        let at = usize::try_from(at).unwrap();
        bytes[at..at + part.len()].copy_from_slice(&part);
    }
    Volume { bytes, writer }
}

/// Makes the parts of one volume.
pub(crate) struct Writer {
    /// Bytes of the volume, with the tail if there is one.
    pub(crate) size: u64,
    /// Where the metadata regions lie.
    pub(crate) regions: [u64; 3],
    /// Where the relocated sectors lie.
    pub(crate) copy: u64,
    /// The volume master key.
    pub(crate) master: Key,
    pub(crate) cipher: SectorCipher,
    options: Options,
    block: Vec<u8>,
}

impl Writer {
    /// A writer for a plain volume of `size` bytes.
    pub(crate) fn new(size: u64, options: &Options) -> Self {
        assert!(size.is_multiple_of(options.sector_size.into()), "whole sectors");
        let (regions, copy, size) = match options.place {
            Place::At(regions, copy) => (regions, copy, size),
            Place::Tail => {
                let region = REGION as u64;
                ([size, size + region, size + 2 * region], size + 3 * region, size + TAIL as u64)
            }
        };
        let mut random = Random(options.seed);
        let master = random.key();
        let sector_key = random.bytes(options.method.key_length());
        let cipher = SectorCipher::new(options.method, &sector_key, options.sector_size.into());
        let options = options.clone();
        let mut writer = Self { size, regions, copy, master, cipher, options, block: Vec::new() };
        let entries = writer.entries(&sector_key, &mut random);
        writer.block = writer.block_of(&entries);
        writer
    }

    /// Bytes of the volume that are encrypted.
    pub(crate) fn encrypted(&self) -> u64 {
        self.options.encrypted.unwrap_or(self.size)
    }

    /// The metadata block, undamaged: what the checksum and the seal cover.
    pub(crate) fn block(&self) -> &[u8] {
        &self.block
    }

    /// Everything that lies over the encrypted sectors, with its position: header copy, metadata, volume header. `first` are the plain
    /// first [`RELOCATED`] bytes.
    pub(crate) fn parts(&self, first: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
        let mut copy = first;
        self.cipher.encrypt(&mut copy, self.copy);
        let header = self.header();
        let blank = vec![0; RELOCATED - header.len()];
        let mut parts = vec![(0, header), (self.options.sector_size.into(), blank), (self.copy, copy)];
        parts.extend((0..3).map(|number| (self.regions[number], self.damaged(number))));
        parts
    }

    /// The volume header: one sector.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut header = vec![0; self.options.sector_size.into()];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        let to_go = self.options.kind == Kind::ToGo;
        put(0, if self.options.kind == Kind::Vista { &[0xeb, 0x52, 0x90] } else { &[0xeb, 0x58, 0x90] });
        put(3, if to_go { b"MSWIN4.1" } else { b"-FVE-FS-" });
        put(11, &self.options.sector_size.to_le_bytes());
        put(13, &[if self.options.sector_size == 512 { 8 } else { 1 }]);
        put(21, &[0xf8]);
        put(24, &[63, 0, 255, 0]);
        put(36, &0x1fe0_u32.to_le_bytes());
        put(48, &[1, 0, 6]);
        put(64, &[0x80, 0, 0x29]);
        put(71, b"NO NAME    FAT32   ");
        let (guid, offsets) = if to_go { (424, 440) } else { (160, 176) };
        put(guid, if self.options.kind == Kind::EncryptOnWrite { &ENCRYPT_ON_WRITE } else { &NORMAL });
        for (number, region) in self.regions.iter().enumerate() {
            put(offsets + 8 * number, &region.to_le_bytes());
        }
        put(510, &[0x55, 0xaa]);
        header
    }

    /// A block of metadata with these entries.
    pub(crate) fn block_of(&self, entries: &[u8]) -> Vec<u8> {
        let dataset = u32::try_from(48 + entries.len()).unwrap().to_le_bytes();
        let units = u16::try_from((ENTRIES + entries.len()).div_ceil(16)).unwrap();
        let relocated_sectors = u32::try_from(RELOCATED).unwrap() / u32::from(self.options.sector_size);
        let mut block = b"-FVE-FS-".to_vec();
        for number in [units, 2, self.options.states[0], self.options.states[1]] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(&self.encrypted().to_le_bytes());
        block.extend_from_slice(&[0; 4]);
        block.extend_from_slice(&relocated_sectors.to_le_bytes());
        for offset in self.regions.iter().chain([&self.copy]) {
            block.extend_from_slice(&offset.to_le_bytes());
        }
        block.extend_from_slice(&[dataset, 1_u32.to_le_bytes(), 48_u32.to_le_bytes(), dataset].concat());
        block.extend_from_slice(&Random(self.options.seed ^ 1).bytes(16));
        // the nonces of the entries are below 1,000, that of the seal is 1,000
        block.extend_from_slice(&1001_u32.to_le_bytes());
        block.extend_from_slice(&self.options.method.code().to_le_bytes().repeat(2));
        block.extend_from_slice(&CREATED.to_le_bytes());
        block.extend_from_slice(entries);
        block.resize(usize::from(units) * 16, 0);
        block
    }

    /// A region with this block: its checksum and its seal are right.
    pub(crate) fn region(&self, block: &[u8]) -> Vec<u8> {
        self.region_sealed(block, Sha256::digest(block).into())
    }

    /// A region with this block and this SHA-256 in the seal.
    pub(crate) fn region_sealed(&self, block: &[u8], hash: Key) -> Vec<u8> {
        let mut region = block.to_vec();
        region.extend_from_slice(&u16::try_from(REGION - block.len()).unwrap().to_le_bytes());
        region.extend_from_slice(&2_u16.to_le_bytes());
        region.extend_from_slice(&crc32fast::hash(block).to_le_bytes());
        region.extend_from_slice(&entry(0, 5, 1, &sealed(&self.master, nonce(1000), 0x2005, &hash)));
        region.resize(REGION, 0);
        region
    }

    /// A copy of the metadata as the options want it.
    fn damaged(&self, number: usize) -> Vec<u8> {
        let mut region = self.region(&self.block);
        for (_, damage) in self.options.damage.iter().filter(|(damaged, _)| *damaged == number) {
            match damage {
                Damage::Garbage => region = Random(number as u64).bytes(REGION),
                Damage::Checksum => region[self.block.len() + 4] ^= 1,
                Damage::Seal => region = self.region_sealed(&self.block, [0; 32]),
            }
        }
        region
    }

    fn entries(&self, sector_key: &[u8], random: &mut Random) -> Vec<u8> {
        let text: Vec<u8> = "DOCKSIDE Data 01/01/2026\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut entries = entry(7, 2, 1, &text);
        for (number, protector) in (0..).zip(&self.options.protectors) {
            entries.extend(self.protector(protector, 1 + 4 * number, random));
        }
        let method = u32::from(self.options.method.code());
        entries.extend(entry(3, 5, 1, &sealed(&self.master, nonce(999), method, sector_key)));
        let place = [self.copy.to_le_bytes(), (RELOCATED as u64).to_le_bytes()].concat();
        entries.extend(entry(0xf, 0xf, 1, &place));
        entries
    }

    /// The entry of a protector, whose boxes have the nonces from `count` on.
    fn protector(&self, protector: &Protector, count: u32, random: &mut Random) -> Vec<u8> {
        let (kind, version, nested) = match protector {
            Protector::Recovery(password) => {
                let initial = recovery_hash(password);
                let key = stretch(&initial);
                let secret = sealed(&self.master, nonce(count), 0x1000, &recovery_secret(password));
                (0x0800, 1, self.stretched(0x1000, salt(&initial), &key, (count, entry(0x12, 5, 1, &secret))))
            }
            Protector::LostRecovery => {
                let salt = random.bytes(16).try_into().unwrap();
                (0x0800, 1, self.stretched(0x1000, salt, &random.key(), (count, Vec::new())))
            }
            Protector::Passphrase(text) => {
                let initial = passphrase_hash(text);
                (0x2000, 1, self.stretched(0x1001, salt(&initial), &stretch(&initial), (count, Vec::new())))
            }
            Protector::ClearKey => {
                let key = random.key();
                let wrapped = entry(0, 5, 1, &sealed(&key, nonce(count), 0x2003, &self.master));
                (0, 3, [open_key(0x2000, &key), wrapped].concat())
            }
            Protector::Tpm => (0x0100, 1, entry(0, 6, 1, &random.bytes(190))),
        };
        let mut body = random.bytes(16);
        body.extend_from_slice(&CREATED.to_le_bytes());
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(&u16::to_le_bytes(kind));
        body.extend_from_slice(&nested);
        entry(2, 8, version, &body)
    }

    /// A stretched key with what is nested in it, then the master key under it.
    fn stretched(&self, method: u32, salt: [u8; 16], key: &Key, nested: (u32, Vec<u8>)) -> Vec<u8> {
        let (count, mut inner) = nested;
        let role = if method == 0x1000 { 0x13 } else { 0 };
        inner.extend(entry(role, 5, 1, &sealed(&self.master, nonce(count + 1), 0x2008, key)));
        let stretch = [&method.to_le_bytes(), salt.as_slice(), &inner].concat();
        let master = sealed(key, nonce(count + 2), 0x2003, &self.master);
        [entry(0, 3, 1, &stretch), entry(0, 5, 1, &master)].concat()
    }
}

fn nonce(count: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&CREATED.to_le_bytes());
    nonce[8..].copy_from_slice(&count.to_le_bytes());
    nonce
}
