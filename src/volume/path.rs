//! A path on the drive, as manifests and jobs write it.

use std::fmt;
use std::str::FromStr;

use crate::foreign::Shown;

/// UTF-16 units that NTFS allows in one name.
const SEGMENT_UNITS: usize = 255;
/// UTF-16 units that Windows allows in a whole path.
const PATH_UNITS: usize = 32_767;

/// Names in the root that belong to the file system. The reader refuses its record numbers too; this says so before it looks.
const SYSTEM: [&str; 12] = [
    "$MFT",
    "$MFTMirr",
    "$LogFile",
    "$Volume",
    "$AttrDef",
    "$Bitmap",
    "$Boot",
    "$BadClus",
    "$Secure",
    "$UpCase",
    "$Extend",
    "System Volume Information",
];

/// A relative path on an NTFS volume. Invariants:
///
/// - at least one segment, separated by `\`; one leading `\` is accepted and dropped;
/// - no segment is empty, `.` or `..`; none holds `/`, `:` (drive letter or stream), NUL or another control character;
/// - the first segment is none of the file system's own (`$MFT` and the like, `System Volume Information`);
/// - a segment has at most 255 UTF-16 units, the path at most 32,767.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DrivePath(String);

/// Why a text is no path on a drive.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum DrivePathError {
    /// Nothing, or only a separator.
    #[error("the path is empty")]
    Empty,
    /// An empty segment, `.` or `..`.
    #[error("a segment of the path is empty, `.` or `..`")]
    Segment,
    /// A `/`, `:` or control character.
    #[error("the path holds {0:?}, which no path on a drive may")]
    Character(char),
    /// A file of the file system itself.
    #[error("the path leads to a file of the file system itself")]
    System,
    /// Over 255 UTF-16 units in a segment or 32,767 in all.
    #[error("the path is too long: {units} UTF-16 units where {limit} are allowed")]
    TooLong {
        /// Units found.
        units: usize,
        /// Units allowed there.
        limit: usize,
    },
}

impl DrivePath {
    /// The segments, from the root on.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('\\')
    }

    /// The path without a leading separator.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DrivePath {
    type Err = DrivePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_prefix('\\').unwrap_or(text);
        if path.is_empty() {
            return Err(DrivePathError::Empty);
        }
        let limit = PATH_UNITS;
        let units = path.encode_utf16().count();
        if units > limit {
            return Err(DrivePathError::TooLong { units, limit });
        }
        if let Some(bad) = path.chars().find(|&c| c == '/' || c == ':' || c.is_control()) {
            return Err(DrivePathError::Character(bad));
        }
        for segment in path.split('\\') {
            check_segment(segment)?;
        }
        let first = path.split('\\').next().unwrap_or_default();
        if SYSTEM.iter().any(|name| first.eq_ignore_ascii_case(name)) {
            return Err(DrivePathError::System);
        }
        Ok(Self(path.to_owned()))
    }
}

fn check_segment(segment: &str) -> Result<(), DrivePathError> {
    if matches!(segment, "" | "." | "..") {
        return Err(DrivePathError::Segment);
    }
    let (units, limit) = (segment.encode_utf16().count(), SEGMENT_UNITS);
    if units > limit { Err(DrivePathError::TooLong { units, limit }) } else { Ok(()) }
}

impl fmt::Display for DrivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\\{}", Shown(&self.0))
    }
}

impl fmt::Debug for DrivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_keeps_its_segments() {
        for text in ["\\a b\\ü.txt", "a b\\ü.txt"] {
            let path: DrivePath = text.parse().unwrap();
            assert_eq!(path.segments().collect::<Vec<_>>(), ["a b", "ü.txt"]);
        }
    }

    #[test]
    fn a_path_that_leaves_its_place_is_refused() {
        use DrivePathError as E;
        let cases = [
            ("", E::Empty),
            ("\\", E::Empty),
            ("\\\\server\\share", E::Segment),
            ("a\\..\\..\\b", E::Segment),
            ("a\\.\\b", E::Segment),
            ("a\\", E::Segment),
            ("C:\\x", E::Character(':')),
            ("a\\b:stream", E::Character(':')),
            ("a/b", E::Character('/')),
            ("a\\\0", E::Character('\0')),
            ("$MFT", E::System),
            ("\\$Extend\\x", E::System),
            ("system volume information\\x", E::System),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<DrivePath>().unwrap_err(), expected, "{text:?}");
        }
    }

    #[test]
    fn lengths_count_utf16_units() {
        assert!("😀".repeat(127).parse::<DrivePath>().is_ok());
        assert_eq!("😀".repeat(128).parse::<DrivePath>(), Err(DrivePathError::TooLong { units: 256, limit: 255 }));
        let long = vec!["abcdefg"; 4096].join("\\");
        assert!(long.parse::<DrivePath>().is_ok());
        assert!(matches!((long + "\\x").parse::<DrivePath>(), Err(DrivePathError::TooLong { limit: 32_767, .. })));
    }
}
