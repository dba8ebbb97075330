//! The rules of names: which targets are legal, how a number goes into a name, and which names can meet.
//!
//! In go paths of the manifest and names of listings; out come checked paths, numbered names and hashes. Refused are names that break
//! the store's rules, the diagnostics container and names that a number would make too long.
//!
//! A number goes before the last dot of the last segment, or to its end if it has no dot. The rule is applied to the letter: a name
//! that begins with its only dot, such as `.bashrc`, becomes ` (2).bashrc`.
//!
//! Two names can only meet (one entry asks for a name that another was given by renaming) if they have the same *root*: the name
//! without all the markers ` (2)` .. ` (10001)` at the end of the last segment's stem. So names may be settled root by root.

use std::hash::BuildHasher;

use sha2::{Digest as _, Sha256};

use crate::manifest::{BlobPath, ContainerName};

/// Numbers tried for one asked name.
pub(super) const TRIES: u16 = 10_000;
/// The first number tried.
pub(super) const FIRST: u16 = 2;
/// The last number tried.
pub(super) const LAST: u16 = FIRST + TRIES - 1;
/// Characters of a blob name.
const NAME_CHARACTERS: usize = 1_024;

/// The checked target of an entry, or the reason why it is none.
pub(super) fn target(raw: &str, diagnostics: &ContainerName) -> Result<BlobPath, String> {
    let path: BlobPath = raw.parse().map_err(|error: crate::manifest::BlobPathError| error.to_string())?;
    if path.container() == diagnostics {
        return Err("the diagnostics container is no target".to_owned());
    }
    Ok(path)
}

/// The name with a number in it; `None` if that has more than 1,024 characters.
pub(super) fn numbered(name: &str, number: u16) -> Option<String> {
    let (stem, extension) = split(name);
    let numbered = format!("{stem} ({number}){extension}");
    (numbered.chars().count() <= NAME_CHARACTERS).then_some(numbered)
}

/// The number that `name` carries if it was made from `asked` by [`numbered`].
pub(super) fn number_in(asked: &str, name: &str) -> Option<u16> {
    let (stem, extension) = split(name);
    let (bare, number) = marker(stem)?;
    (split(asked) == (bare, extension)).then_some(number)
}

/// Everything before the last dot of the last segment, and the rest from that dot on.
fn split(name: &str) -> (&str, &str) {
    let segment = name.rfind('/').map_or(0, |slash| slash + 1);
    // both are places of an ASCII character or the end, so they are borders of characters
    name.split_at(name.rfind('.').filter(|dot| *dot >= segment).unwrap_or(name.len()))
}

/// The stem without its last marker, and the marker's number.
fn marker(stem: &str) -> Option<(&str, u16)> {
    let (bare, digits) = stem.strip_suffix(')')?.rsplit_once(" (")?;
    let canonical = (1..=5).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse().ok().filter(|number| canonical && (FIRST..=LAST).contains(number))?;
    Some((bare, number))
}

/// Hashes names to 128 bits of SHA-256, with a salt of this run so that nobody can prepare names that fall together.
#[derive(Clone)]
pub(super) struct Keys {
    salt: [u8; 16],
}

impl Keys {
    /// With a new salt. The decisions do not depend on it.
    pub(super) fn new() -> Self {
        let random = || std::hash::RandomState::new().hash_one(0).to_le_bytes();
        let mut salt = [0; 16];
        let (low, high) = salt.split_at_mut(8);
        low.copy_from_slice(&random());
        high.copy_from_slice(&random());
        Self { salt }
    }

    /// With the salt of an earlier run, whose tables are used again.
    pub(super) fn salted(salt: [u8; 16]) -> Self {
        Self { salt }
    }

    /// The salt.
    pub(super) fn salt(&self) -> [u8; 16] {
        self.salt
    }

    /// The hash of a name; never 0.
    pub(super) fn name(&self, container: &str, name: &str) -> u128 {
        self.hash(container, name, "")
    }

    /// The hash of a name's root.
    pub(super) fn root(&self, container: &str, name: &str) -> u128 {
        let (mut stem, extension) = split(name);
        while let Some((bare, _)) = marker(stem) {
            stem = bare;
        }
        self.hash(container, stem, extension)
    }

    fn hash(&self, container: &str, stem: &str, extension: &str) -> u128 {
        let hash = Sha256::new().chain_update(self.salt).chain_update(container).chain_update("/");
        let hash = hash.chain_update(stem).chain_update(extension).finalize();
        let first = crate::volume::fields::array_at(&hash, 0).map_or(0, u128::from_le_bytes);
        first.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_before_the_last_dot_of_the_last_segment() {
        let cases = [
            ("report", "report (2)"),
            ("plan.docx", "plan (2).docx"),
            ("a.tar.gz", "a.tar (2).gz"),
            ("v1.2/readme", "v1.2/readme (2)"),
            ("v1.2/read.me", "v1.2/read (2).me"),
            (".bashrc", " (2).bashrc"),
            ("home/.bashrc", "home/ (2).bashrc"),
            ("a (2).b", "a (2) (2).b"),
            ("ü/漢.字", "ü/漢 (2).字"),
        ];
        for (name, expected) in cases {
            assert_eq!(numbered(name, 2).as_deref(), Some(expected));
            assert_eq!(number_in(name, expected), Some(2));
        }
        assert_eq!(number_in("a", "b (2)"), None);
        assert_eq!(number_in("a", "a (02)"), None);
        assert_eq!(number_in("a", "a"), None);
    }

    #[test]
    fn a_numbered_name_keeps_within_the_limit() {
        assert!(numbered(&"ü".repeat(1_020), 9).is_some());
        assert_eq!(numbered(&"ü".repeat(1_020), 10), None);
    }

    #[test]
    fn names_that_can_meet_have_one_root() {
        let keys = Keys::new();
        let root = |name| keys.root("abc", name);
        for name in ["x/a (2).b", "x/a (2) (10001).b", "x/a (9) (3) (2).b"] {
            assert_eq!(root(name), root("x/a.b"), "{name}");
        }
        for name in ["x/a (1).b", "x/a (02).b", "x/a (10002).b", "x/a(2).b", "x/a (2)", "x/a (2 ).b", "x/a (+2).b", "a.b"] {
            assert_ne!(root(name), root("x/a.b"), "{name}");
        }
        assert_ne!(keys.root("abd", "x/a.b"), root("x/a.b"));
    }

    #[test]
    fn forbidden_targets_say_why() {
        let diagnostics = "waimportexport".parse().unwrap();
        assert!(target("waimportexport/x", &diagnostics).unwrap_err().contains("diagnostics"));
        for bad in ["$web/x", "$logs/x", "abc", "abc/../x", "abc/x.", "/abc/x"] {
            assert!(target(bad, &diagnostics).is_err(), "{bad}");
        }
        assert!(target("$root/x", &diagnostics).is_ok());
    }
}
