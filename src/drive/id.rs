//! A drive's serial number, as jobs, manifests and the drive itself give it.

use std::fmt;
use std::str::FromStr;

/// A serial number: all blanks removed, then `[A-Za-z0-9._-]{1,64}`, case kept.
///
/// Sources: the drive (VPD page 80h pads with blanks), the job (`driveId`, without blanks), the manifest (`DriveId`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DriveId(String);

/// Why a text is no drive id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a drive id has 1 to 64 letters, digits, dots, underscores or hyphens")]
pub struct DriveIdError;

impl DriveId {
    /// The id without blanks.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DriveId {
    type Err = DriveIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let fits = (1..=64).contains(&id.len());
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        // `.` and `..` would be names of folders once the id stands in a path
        if fits && plain && id.bytes().any(|b| b != b'.') { Ok(Self(id)) } else { Err(DriveIdError) }
    }
}

impl fmt::Display for DriveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DriveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DriveId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_and_case_stays() {
        assert_eq!("  WD-WX 12ab ".parse::<DriveId>().unwrap().as_str(), "WD-WX12ab");
    }

    #[test]
    fn what_could_leave_a_path_is_refused() {
        for bad in ["", " ", "..", "a/b", "a\\b", "a\u{0}", "ü", &"x".repeat(65)] {
            assert_eq!(bad.parse::<DriveId>(), Err(DriveIdError), "{bad:?}");
        }
    }
}
