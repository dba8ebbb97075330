//! Recovery passwords and credentials: hidden in every print, wiped on drop.

mod key_file;

pub use key_file::{KeyFileError, read_key_file, read_wiped};

use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// A BitLocker recovery password: eight groups of six digits, each divisible by 11 and below 720,896.
///
/// `Debug` hides it, dropping wipes it, and there is no way to get the digits back out: only the 16-byte secret they stand for.
pub struct RecoveryPassword(Zeroizing<[u8; 16]>);

/// Why a text is no recovery password. Names the group, never the digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecoveryPasswordError {
    /// Not eight groups.
    #[error("a recovery password has 8 groups of 6 digits with hyphens between them; this one has {found} group(s)")]
    Groups {
        /// Groups found.
        found: usize,
    },
    /// A group is not six ASCII digits.
    #[error("group {group} of the recovery password is not 6 digits")]
    Digits {
        /// The group, counted from 1.
        group: usize,
    },
    /// A group fails its checksum: a typing error.
    #[error("group {group} of the recovery password is mistyped: it is not divisible by 11 or too large")]
    Checksum {
        /// The group, counted from 1.
        group: usize,
    },
}

impl RecoveryPassword {
    /// The 16-byte secret: each group divided by 11, as little-endian 16-bit numbers.
    pub fn secret(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for RecoveryPassword {
    type Err = RecoveryPasswordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let found = text.split('-').count();
        if found != 8 {
            return Err(RecoveryPasswordError::Groups { found });
        }
        let mut secret = Zeroizing::new([0_u8; 16]);
        for (index, (group, slot)) in text.split('-').zip(secret.chunks_exact_mut(2)).enumerate() {
            let group_number = index + 1;
            if group.len() != 6 || !group.bytes().all(|b| b.is_ascii_digit()) {
                return Err(RecoveryPasswordError::Digits { group: group_number });
            }
            let value: u32 = group.parse().map_err(|_| RecoveryPasswordError::Digits { group: group_number })?;
            let checksum = RecoveryPasswordError::Checksum { group: group_number };
            if !value.is_multiple_of(11) {
                return Err(checksum);
            }
            let half = u16::try_from(value / 11).map_err(|_| checksum)?;
            slot.copy_from_slice(&half.to_le_bytes());
        }
        Ok(Self(secret))
    }
}

impl fmt::Debug for RecoveryPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryPassword(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "042647-302313-590458-071500-554323-116567-412181-516978";

    #[test]
    fn a_good_password_gives_its_secret_and_never_its_digits() {
        let password: RecoveryPassword = GOOD.parse().unwrap();
        assert_eq!(&password.secret()[..2], &(42647_u32 / 11).to_le_bytes()[..2]);
        assert_eq!(format!("{password:?}"), "RecoveryPassword(hidden)");
    }

    #[test]
    fn the_wrong_group_is_named_without_its_digits() {
        let cases = [
            ("042647-302313", RecoveryPasswordError::Groups { found: 2 }),
            (&GOOD.replace("590458", "590459"), RecoveryPasswordError::Checksum { group: 3 }),
            (&GOOD.replace("590458", "720896"), RecoveryPasswordError::Checksum { group: 3 }),
            (&GOOD.replace("590458", "59045"), RecoveryPasswordError::Digits { group: 3 }),
            (&GOOD.replace("590458", "５９０４５８"), RecoveryPasswordError::Digits { group: 3 }),
        ];
        for (text, expected) in cases {
            let error = text.parse::<RecoveryPassword>().unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("5904"));
        }
    }
}
