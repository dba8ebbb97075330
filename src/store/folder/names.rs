//! Names of blobs as names of files, and back.
//!
//! A blob lies at `<container>/<segments>`, each segment under its own name. A segment that is empty, over 200 bytes, holds a control
//! character or `\`, or begins with `.dockside`, is written as `.dockside-name-` and its percent-encoding; if that is too long for a
//! file name, as `.dockside-name-=` and the SHA-256 of the segment, and the blob's full name stands in its attributes. A name
//! is read back only if it would be written the same way: what others put into the folder under a name of ours is no blob.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Digest as _;

/// How every file of ours begins that is no blob under its own name.
pub(super) const OURS: &str = ".dockside";
/// A segment that cannot stand as it is.
const NAME: &str = ".dockside-name-";
/// A segment known by its hash only.
const HASHED: &str = ".dockside-name-=";
/// Bytes of a segment that may stand as it is: leaves room for the name of its attributes within the usual 255.
const PLAIN: usize = 200;
/// Bytes of an encoded segment, its prefix counted, for the same reason.
const ENCODED: usize = 230;

/// What an encoded segment keeps as it is: RFC 3986's unreserved characters.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The file name of one segment.
pub(super) fn encode(segment: &str) -> String {
    if stands(segment) {
        return segment.to_owned();
    }
    let encoded = format!("{NAME}{}", utf8_percent_encode(segment, KEPT));
    if encoded.len() <= ENCODED {
        return encoded;
    }
    let mut hashed = HASHED.to_owned();
    for byte in sha2::Sha256::digest(segment) {
        // writing to a string cannot fail
        let _ = write!(hashed, "{byte:02x}");
    }
    hashed
}

/// Whether a segment can be a file name as it is.
fn stands(segment: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '\\' | '/');
    !segment.is_empty()
        && segment.len() <= PLAIN
        && !segment.starts_with(OURS)
        && !matches!(segment, "." | "..")
        && !segment.contains(odd)
}

/// What a file or folder name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// This segment of a name.
    Known(String),
    /// A segment that is told by the attributes of the blobs below.
    Hashed,
}

/// The segment that was written under this name; `None` for names that are no blob's.
pub(super) fn decode(file: &str) -> Option<Segment> {
    if is_hashed(file) {
        return Some(Segment::Hashed);
    }
    let segment = match file.strip_prefix(NAME) {
        Some(encoded) => percent_decode_str(encoded).decode_utf8().ok()?.into_owned(),
        None => file.to_owned(),
    };
    (encode(&segment) == file).then_some(Segment::Known(segment))
}

/// Whether a file name holds only the hash of its segment.
pub(super) fn is_hashed(file: &str) -> bool {
    file.strip_prefix(HASHED).is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The file that holds the attributes of the blob stored as `file`.
pub(super) fn attributes_of(file: &str) -> String {
    format!(".dockside-attr-{file}.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_names_stand_and_odd_ones_are_encoded() {
        let cases = [
            ("plan.docx", "plan.docx"),
            ("a b#ü%2F", "a b#ü%2F"),
            ("", ".dockside-name-"),
            ("a\\b", ".dockside-name-a%5Cb"),
            ("a\u{7}", ".dockside-name-a%07"),
            (".dockside-part-x", ".dockside-name-.dockside-part-x"),
            (".docksid", ".docksid"),
        ];
        for (segment, file) in cases {
            assert_eq!(encode(segment), file);
            assert_eq!(decode(file), Some(Segment::Known(segment.to_owned())));
        }
    }

    #[test]
    fn long_names_are_encoded_then_hashed() {
        let encoded = encode(&"x".repeat(201));
        assert_eq!(decode(&encoded), Some(Segment::Known("x".repeat(201))));
        let hashed = encode(&"ü".repeat(1_024));
        assert!(hashed.len() < 100);
        assert_eq!(decode(&hashed), Some(Segment::Hashed));
        assert!(attributes_of(&encoded).len() <= 255);
    }

    #[test]
    fn what_others_named_like_ours_is_no_blob() {
        for file in
            [".dockside-part-s-1", ".dockside-name-plain", ".dockside-name-%2f", ".dockside-name-=12", "a\\b", ".dockside"]
        {
            assert_eq!(decode(file), None, "{file}");
        }
    }

    proptest! {
        #[test]
        fn every_segment_comes_back(segment in "[^/]{0,90}", prefix in "(\\.dockside)?(-name-)?") {
            let segment = format!("{prefix}{segment}");
            prop_assume!(!matches!(segment.as_str(), "." | ".."));
            let file = encode(&segment);
            prop_assert!(attributes_of(&file).len() <= 255);
            let dangerous = |c: char| c == '/' || c.is_control();
            prop_assert!(!file.is_empty() && !file.contains(dangerous));
            if !is_hashed(&file) {
                prop_assert_eq!(decode(&file), Some(Segment::Known(segment)));
            }
        }
    }
}
