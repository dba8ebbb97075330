//! Hashes and byte ranges of the manifest.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;

mod lanes;
mod rounds;

/// An MD5 of a range or a side file. Written as upper-case Base16 in manifests and logs, as Base64 in requests.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 16]);

/// A text is not the Base16 of a hash.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("a hash has {expected} Base16 digits")]
pub struct HexError {
    /// Digits that would be right.
    pub expected: &'static str,
}

impl Digest {
    /// The MD5 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(md5::Md5::digest(bytes).into())
    }

    /// The MD5 of each of some bodies, in their order: up to 16 at the same time, which takes hardly longer than one.
    pub fn of_many(bodies: &[&[u8]]) -> Vec<Self> {
        match bodies {
            [one] => vec![Self::of(one)],
            many => lanes::many(pulp::Arch::new(), many),
        }
    }

    /// For the `Content-MD5` header.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Lower-case Base16, for JSON.
    pub fn lower_hex(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }

    /// The block id made of the content: `dks1` and the MD5 in Base64, 28 characters. It can only ever stand for one content.
    pub fn block_id(&self) -> String {
        let mut id = [0; 20];
        id[..4].copy_from_slice(b"dks1");
        id[4..].copy_from_slice(&self.0);
        STANDARD.encode(id)
    }
}

impl FromStr for Digest {
    type Err = HexError;

    /// Accepts either case and white space around, as published samples have both.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decode(text.trim()).map(Self).ok_or(HexError { expected: "32" })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The hash of a whole manifest as the job gives it: MD5 if it has 32 digits, SHA-256 if 64.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ManifestHash {
    /// 32 digits.
    Md5([u8; 16]),
    /// 64 digits.
    Sha256([u8; 32]),
}

impl FromStr for ManifestHash {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let hash = if text.len() == 64 { decode(text).map(Self::Sha256) } else { decode(text).map(Self::Md5) };
        hash.ok_or(HexError { expected: "32 (MD5) or 64 (SHA-256)" })
    }
}

impl fmt::Display for ManifestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Self::Md5(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        };
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// `N` bytes from exactly `2 * N` Base16 digits.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A part of a file or blob: `length` bytes from byte `offset` on. `offset + length` fits 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct ByteRange {
    offset: u64,
    length: u64,
}

impl ByteRange {
    /// A range, unless its end does not fit 64 bits.
    pub fn new(offset: u64, length: u64) -> Option<Self> {
        offset.checked_add(length).map(|_| Self { offset, length })
    }

    /// First byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// First byte behind it.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_in_either_case_with_blanks_around() {
        let digest: Digest = " 0cc175B9C0F1B6A831C399E269772661\n".parse().unwrap();
        assert_eq!(digest, Digest::of(b"a"));
        assert_eq!(digest.to_string(), "0CC175B9C0F1B6A831C399E269772661");
        for bad in ["", "0CC1", "0CC175B9C0F1B6A831C399E26977266G", "０CC175B9C0F1B6A831C399E2697726"] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_length_tells_the_kind_of_a_manifest_hash() {
        assert!(matches!("0".repeat(32).parse(), Ok(ManifestHash::Md5(_))));
        assert!(matches!("0".repeat(64).parse(), Ok(ManifestHash::Sha256(_))));
        assert!("0".repeat(40).parse::<ManifestHash>().is_err());
    }

    #[test]
    fn a_block_id_is_made_of_the_content() {
        let digest: Digest = "B5CFA9D6C8FEBD618F91AC2843D50A1C".parse().unwrap();
        assert_eq!(digest.block_id(), "ZGtzMbXPqdbI/r1hj5GsKEPVChw=");
    }
}
