//! BitLocker volumes: recognised, unlocked with a recovery password, read as if they were not encrypted.
//!
//! In goes the raw volume; out comes a [`Decrypted`] view. Refused by name: the format of Windows Vista, a conversion under way, metadata
//! that is damaged in all three copies or was changed after it was sealed, a volume without a recovery password, a wrong one.
//!
//! ```text
//! Sealed::probe ─▶ header ─▶ metadata (three copies) ─▶ entries
//! Sealed::unlock ─▶ keys: password ─▶ stretched key ─▶ VMK ─▶ sector key ─▶ cipher ─▶ view
//! ```
//!
//! The metadata's checksum can be forged; only the sealed SHA-256, checked once the volume is unlocked, vouches for cipher, offsets and sizes.

mod cipher;
mod entries;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod keys;
mod metadata;
mod view;

pub use cipher::Method;
pub use error::BitLockerError;
pub use view::Decrypted;

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use cipher::SectorCipher;
use entries::{Entry, role, value};
use header::Header;
use keys::Key;
use metadata::Metadata;
use view::Layout;

use crate::foreign::Foreign;
use crate::secret::RecoveryPassword;
use crate::volume::fields::{array_at, index, u16_at, u32_at};
use crate::volume::{ReadAt, ReadError};

/// Bytes of a metadata region.
const REGION: u64 = 65_536;
/// Recovery protectors tried by default: each costs 2^20 hashes.
pub const PROTECTORS_TRIED: usize = 16;
/// What a box with a volume master key, and one with the block's hash, says of its content.
const MASTER_KEY: u32 = 0x2003;
const BLOCK_HASH: u32 = 0x2005;

/// A locked volume: what it says of itself without a key.
#[derive(Clone)]
pub struct Sealed {
    device: Arc<dyn ReadAt>,
    header: Header,
    copies: [Result<Metadata, String>; 3],
    first: usize,
    method: Method,
}

/// What opens a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtectorKind {
    /// Open to everybody: protection is suspended.
    ClearKey,
    /// The machine's TPM.
    Tpm,
    /// A key on a USB stick.
    StartupKey,
    /// TPM and PIN.
    TpmPin,
    /// A recovery password of 48 digits.
    RecoveryPassword,
    /// A passphrase.
    Passphrase,
    /// Something else.
    Other(u16),
}

/// One protector of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protector {
    /// What opens it.
    pub kind: ProtectorKind,
    /// Its GUID, as stored.
    pub guid: [u8; 16],
}

impl Sealed {
    /// Reads the metadata of a volume; `None` if it is not a BitLocker volume.
    pub fn probe(device: Arc<dyn ReadAt>) -> Result<Option<Self>, BitLockerError> {
        let size = device.size();
        if size < header::LENGTH as u64 {
            return Ok(None);
        }
        let mut sector = [0; header::LENGTH];
        device.read_at(0, &mut sector).map_err(BitLockerError::Read)?;
        let Some(header) = Header::parse(&sector, size)? else { return Ok(None) };
        let copies = header.regions.map(|at| read_copy(&device, at, header.sector_size, size));
        let Some(first) = copies.iter().position(Result::is_ok) else {
            let reasons =
                copies.iter().enumerate().filter_map(|(i, copy)| Some(format!("copy {}: {}", i + 1, copy.as_ref().err()?)));
            return Err(BitLockerError::NoMetadata { reasons: reasons.collect() });
        };
        let mut method = Err(BitLockerError::NoMetadata { reasons: Vec::new() });
        if let Ok(metadata) = &copies[first] {
            metadata.check_state()?;
            method = metadata.cipher_method();
        }
        Ok(Some(Self { device, header, first, method: method?, copies }))
    }

    /// How the volume is encrypted.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Unit of the cipher in bytes: 512 or 4096.
    pub fn sector_size(&self) -> u32 {
        self.header.sector_size
    }

    /// Whether it has the layout of a removable drive ("BitLocker To Go").
    pub fn to_go(&self) -> bool {
        self.header.to_go
    }

    /// The three copies of the metadata: `Ok`, or what is wrong with it.
    pub fn copies(&self) -> [Result<(), &str>; 3] {
        self.copies.each_ref().map(|copy| copy.as_ref().map(|_| ()).map_err(String::as_str))
    }

    /// Computer, label and date of the encryption, as Windows wrote them.
    pub fn description(&self) -> Option<Foreign> {
        self.metadata().and_then(Metadata::description)
    }

    /// When it was encrypted: 100 ns since 1601-01-01 UTC.
    pub fn created(&self) -> Option<u64> {
        self.metadata().map(|metadata| metadata.created)
    }

    /// What opens it.
    pub fn protectors(&self) -> Vec<Protector> {
        self.metadata().map(|metadata| metadata.protectors().map(|entry| Protector::of(&entry)).collect()).unwrap_or_default()
    }

    /// Unlocks the volume; tries at most [`PROTECTORS_TRIED`] recovery protectors.
    pub fn unlock(&self, password: &RecoveryPassword) -> Result<Decrypted, BitLockerError> {
        self.unlock_trying(password, PROTECTORS_TRIED)
    }

    /// Unlocks the volume, trying at most so many recovery protectors.
    pub fn unlock_trying(&self, password: &RecoveryPassword, most: usize) -> Result<Decrypted, BitLockerError> {
        self.unlock_with(password, Tried { most, ..Tried::default() })
    }

    fn unlock_with(&self, password: &RecoveryPassword, mut tried: Tried) -> Result<Decrypted, BitLockerError> {
        let mut reasons = Vec::new();
        for (number, metadata) in self.copies.iter().enumerate().filter_map(|(i, copy)| Some((i + 1, copy.as_ref().ok()?))) {
            let Some(master) = tried.master_key(metadata, password) else { continue };
            match self.open_copy(metadata, &master) {
                Ok(decrypted) => return Ok(decrypted),
                Err(reason) => reasons.push(format!("copy {number}: {reason}")),
            }
        }
        if !reasons.is_empty() {
            return Err(BitLockerError::Tampered { reasons: reasons.join("; ") });
        }
        Err(tried.failure(self.protectors().len()))
    }

    fn metadata(&self) -> Option<&Metadata> {
        self.copies.get(self.first)?.as_ref().ok()
    }

    /// The view that one copy of the metadata describes, if its seal holds.
    fn open_copy(&self, metadata: &Metadata, master: &Key) -> Result<Decrypted, String> {
        let seal = metadata.seal.as_ref().and_then(|seal| keys::open(seal, master)).ok_or("it has no seal that opens")?;
        if seal.method != BLOCK_HASH || seal.key.as_slice() != Sha256::digest(&metadata.block).as_slice() {
            return Err("its seal is that of other metadata".to_owned());
        }
        metadata.check_state().map_err(|error| error.to_string())?;
        let method = metadata.cipher_method().map_err(|error| error.to_string())?;
        let key = metadata.entries().find(|entry| entry.role == role::SECTOR_KEY && entry.value == value::SEALED);
        let key = key.and_then(|entry| keys::open(entry.body, master)).ok_or("it has no sector key that opens")?;
        let cipher = SectorCipher::new(method, &key.key).ok_or("its sector key has another length than its method")?;
        let layout = self.layout(metadata)?;
        Ok(Decrypted { below: Arc::clone(&self.device), cipher, layout })
    }

    /// Where the parts lie; refuses what cannot be.
    fn layout(&self, metadata: &Metadata) -> Result<Layout, String> {
        let sector = u64::from(self.header.sector_size);
        let size = self.device.size() / sector * sector;
        let copied = metadata.copy_size(self.header.sector_size);
        let copy_end = metadata.copy_offset.checked_add(copied).filter(|end| *end <= size);
        let aligned = [metadata.copy_offset, copied, metadata.encrypted].iter().all(|number| number.is_multiple_of(sector));
        let (Some(copy_end), true) = (copy_end, aligned) else {
            return Err("the relocated sectors do not lie within the volume".to_owned());
        };
        if copied < sector || metadata.copy_offset < copied {
            return Err("the relocated sectors lie over the volume header".to_owned());
        }
        let copy = metadata.copy_offset..copy_end;
        let region = |at: u64| if header::region_fits(at, self.header.sector_size, size) { at..at + REGION } else { 0..0 };
        let [first, second, third] = metadata.regions.map(region);
        for region in [&first, &second, &third].into_iter().filter(|region| !region.is_empty()) {
            if region.start < copied {
                return Err("a metadata region lies over the volume header".to_owned());
            }
            if region.start < copy.end && copy.start < region.end {
                return Err("the relocated sectors lie over a metadata region".to_owned());
            }
        }
        let hidden = [first, second, third, copy.clone()];
        Ok(Layout { sector_size: self.header.sector_size, size, encrypted: metadata.encrypted.min(size), copy, hidden })
    }
}

fn read_copy(device: &Arc<dyn ReadAt>, at: u64, sector_size: u32, size: u64) -> Result<Metadata, String> {
    if !header::region_fits(at, sector_size, size) {
        return Err("it lies outside the volume".to_owned());
    }
    let mut region = vec![0; index(REGION)];
    device.read_at(at, &mut region).map_err(|error: ReadError| error.to_string())?;
    Metadata::parse(&region, at).map_err(str::to_owned)
}

/// Recovery protectors tried so far. The copies of the metadata mostly hold the same ones: each salt is stretched once.
#[derive(Default)]
struct Tried {
    most: usize,
    /// Those found, tried or not.
    protectors: Vec<Vec<u8>>,
    master: Option<Key>,
}

impl Tried {
    /// The volume master key, if one of this copy's recovery protectors opens.
    fn master_key(&mut self, metadata: &Metadata, password: &RecoveryPassword) -> Option<Key> {
        if let Some(master) = &self.master {
            return Some(master.clone());
        }
        for entry in metadata.protectors() {
            if Protector::of(&entry).kind != ProtectorKind::RecoveryPassword
                || self.protectors.iter().any(|known| known == entry.body)
            {
                continue;
            }
            self.protectors.push(entry.body.to_vec());
            if self.protectors.len() > self.most {
                continue;
            }
            if let Some(master) = open_protector(&entry, password) {
                self.master = Some(master.clone());
                return Some(master);
            }
        }
        None
    }

    fn failure(&self, others: usize) -> BitLockerError {
        let tried = self.protectors.len().min(self.most);
        match self.protectors.len() {
            0 => BitLockerError::NoRecoveryProtector { found: others },
            found if found > tried => BitLockerError::TooManyProtectors { found, tried },
            _ => BitLockerError::WrongKey { tried },
        }
    }
}

fn open_protector(entry: &Entry<'_>, password: &RecoveryPassword) -> Option<Key> {
    let nested = entry.body.get(28..)?;
    master_in(nested, &keys::stretch(password, &keys::salt(nested)?))
}

/// The volume master key in a protector's nested entries, if the stretched key opens it.
fn master_in(nested: &[u8], stretched: &Key) -> Option<Key> {
    let opened = keys::open_in(nested, stretched)?;
    let mut master = Key::default();
    if opened.method != MASTER_KEY || opened.key.len() != master.len() {
        return None;
    }
    master.copy_from_slice(&opened.key);
    Some(master)
}

impl Protector {
    fn of(entry: &Entry<'_>) -> Self {
        let kind = match u16_at(entry.body, 26).unwrap_or_default() {
            0x0000 => ProtectorKind::ClearKey,
            0x0100 => ProtectorKind::Tpm,
            0x0200 => ProtectorKind::StartupKey,
            0x0500 => ProtectorKind::TpmPin,
            0x0800 => ProtectorKind::RecoveryPassword,
            0x2000 => ProtectorKind::Passphrase,
            other => ProtectorKind::Other(other),
        };
        Self { kind, guid: array_at(entry.body, 0).unwrap_or_default() }
    }
}

impl fmt::Display for Protector {
    /// Kind and identifier, as `manage-bde -protectors` shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = u32_at(&self.guid, 0).unwrap_or_default();
        let (second, third) = (u16_at(&self.guid, 4).unwrap_or_default(), u16_at(&self.guid, 6).unwrap_or_default());
        write!(f, "{} {{{first:08X}-{second:04X}-{third:04X}-", self.kind)?;
        for (index, byte) in self.guid.iter().skip(8).enumerate() {
            let dash = if index == 2 { "-" } else { "" };
            write!(f, "{dash}{byte:02X}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for ProtectorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClearKey => f.write_str("clear key"),
            Self::Tpm => f.write_str("TPM"),
            Self::StartupKey => f.write_str("startup key"),
            Self::TpmPin => f.write_str("TPM and PIN"),
            Self::RecoveryPassword => f.write_str("recovery password"),
            Self::Passphrase => f.write_str("passphrase"),
            Self::Other(code) => write!(f, "kind {code:#06x}"),
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("header", &self.header).field("method", &self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
