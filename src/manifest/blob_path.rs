//! Names of containers and blobs, by the store's rules.

use std::fmt;
use std::str::FromStr;

use crate::foreign::Shown;

/// Characters of a blob name.
const NAME_CHARACTERS: usize = 1_024;
/// Segments of a blob name.
const NAME_SEGMENTS: usize = 254;

/// A container: 3 to 63 lower-case letters, digits and single hyphens, a letter or digit at both ends; or `$root`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerName(String);

/// A text is no container name.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error(
    "a container has 3 to 63 lower-case letters, digits and single hyphens, with a letter or digit at both ends, or is $root"
)]
pub struct ContainerNameError;

/// Container and name of a blob, both by the store's rules:
///
/// - the name has 1 to 1,024 characters in at most 254 segments; no control characters; no segment is `.` or `..`;
/// - it does not end in `.` or `/`; in `$root` it holds no `/`.
///
/// The name is plain text, never percent-decoded; [the stores](crate::store) encode it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobPath {
    container: ContainerName,
    name: String,
}

/// Why a text is no blob path.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum BlobPathError {
    /// The part before the first `/` is no container.
    #[error(transparent)]
    Container(#[from] ContainerNameError),
    /// No name behind the container.
    #[error("there is no blob name behind the container")]
    NoName,
    /// Too many characters.
    #[error("the blob name has {0} characters, 1,024 are allowed")]
    TooLong(usize),
    /// Too many segments.
    #[error("the blob name has {0} segments, 254 are allowed")]
    TooDeep(usize),
    /// A control character or a code point no request can carry.
    #[error("the blob name holds {0:?}")]
    Character(char),
    /// `.` or `..` as a segment: URL parsers fold it, and the request would reach another blob.
    #[error("a segment of the blob name is `.` or `..`")]
    Dots,
    /// Ends in `.` or `/`.
    #[error("the blob name ends in `.` or `/`")]
    End,
    /// A `/` in the root container.
    #[error("a blob name in $root holds no `/`")]
    RootSlash,
}

impl ContainerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerName {
    type Err = ContainerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        let length = (3..=63).contains(&bytes.len());
        let plain = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        let ends = !text.starts_with('-') && !text.ends_with('-');
        if text == "$root" || (length && plain && ends && !text.contains("--")) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ContainerNameError)
        }
    }
}

impl BlobPath {
    /// A path of a container and a name.
    pub fn new(container: ContainerName, name: &str) -> Result<Self, BlobPathError> {
        check_name(&container, name)?;
        Ok(Self { container, name: name.to_owned() })
    }

    /// The container.
    pub fn container(&self) -> &ContainerName {
        &self.container
    }

    /// The name inside the container, plain text.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn check_name(container: &ContainerName, name: &str) -> Result<(), BlobPathError> {
    use BlobPathError as E;
    if name.is_empty() {
        return Err(E::NoName);
    }
    let characters = name.chars().count();
    if characters > NAME_CHARACTERS {
        return Err(E::TooLong(characters));
    }
    if let Some(bad) = name.chars().find(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(E::Character(bad));
    }
    let segments = name.split('/').count();
    if segments > NAME_SEGMENTS {
        return Err(E::TooDeep(segments));
    }
    if name.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(E::Dots);
    }
    if name.ends_with(['.', '/']) {
        return Err(E::End);
    }
    if container.as_str() == "$root" && segments > 1 {
        return Err(E::RootSlash);
    }
    Ok(())
}

impl FromStr for BlobPath {
    type Err = BlobPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (container, name) = text.split_once('/').unwrap_or((text, ""));
        Self::new(container.parse()?, name)
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContainerName({})", self.0)
    }
}

impl fmt::Display for BlobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.container, Shown(&self.name))
    }
}

impl fmt::Debug for BlobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_splits_at_the_first_slash() {
        let path: BlobPath = "survey/2013/site a.las".parse().unwrap();
        assert_eq!((path.container().as_str(), path.name()), ("survey", "2013/site a.las"));
        for good in ["abc/a%2Fb", "abc/a//b", "abc/\\x", "$root/x", "a-1/ü", "abc/a?b#c"] {
            assert!(good.parse::<BlobPath>().is_ok(), "{good}");
        }
    }

    #[test]
    fn what_would_reach_another_blob_is_refused() {
        use BlobPathError as E;
        let long = format!("abc/{}", "ü".repeat(1_025));
        let deep = format!("abc/{}", vec!["x"; 255].join("/"));
        let cases = [
            ("abc", E::NoName),
            ("abc/", E::NoName),
            ("ab/x", E::Container(ContainerNameError)),
            ("Abc/x", E::Container(ContainerNameError)),
            ("a--b/x", E::Container(ContainerNameError)),
            ("$web/x", E::Container(ContainerNameError)),
            ("/abc/x", E::Container(ContainerNameError)),
            ("abc/../x", E::Dots),
            ("abc/a/./x", E::Dots),
            ("abc/x.", E::End),
            ("abc/x/", E::End),
            ("abc/a\u{7}b", E::Character('\u{7}')),
            ("$root/a/b", E::RootSlash),
            (&long, E::TooLong(1_025)),
            (&deep, E::TooDeep(255)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<BlobPath>().unwrap_err(), expected, "{text:.20}");
        }
    }
}
