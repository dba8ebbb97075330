//! A recovery password from a file or standard input, and the bounded, wiped reading behind it (job files need it too).
//!
//! In: a path, or `-`. Out: a [`RecoveryPassword`]. Refuses: what is longer than a password with some white space can be, what is
//! no text, and what is no password, naming the group and never the digits.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::{RecoveryPassword, RecoveryPasswordError};

/// Bytes of a key file. A password has 55; the rest is room for white space.
const KEY_FILE_BYTES: usize = 4_096;

/// A key file gives no recovery password.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the key file {path}")]
    Read {
        /// The file, or `standard input`.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is longer than any password.
    #[error("{path} is no key file: it is longer than {KEY_FILE_BYTES} bytes")]
    TooLong {
        /// The file, or `standard input`.
        path: String,
    },
    /// It is not UTF-8.
    #[error("{path} is no key file: it has to hold the recovery password alone, as plain text")]
    NotText {
        /// The file, or `standard input`.
        path: String,
    },
    /// It holds no recovery password.
    #[error("{path} holds no recovery password")]
    Malformed {
        /// The file, or `standard input`.
        path: String,
        /// The group that is wrong.
        #[source]
        source: RecoveryPasswordError,
    },
}

/// Reads a recovery password from a file, or from standard input if `path` is `-`. White space around it is allowed.
pub fn read_key_file(path: &Path) -> Result<RecoveryPassword, KeyFileError> {
    if path.as_os_str() == "-" {
        return key_from(io::stdin().lock(), "standard input");
    }
    let shown = path.display().to_string();
    match File::open(path) {
        Ok(file) => key_from(file, &shown),
        Err(source) => Err(KeyFileError::Read { path: shown, source }),
    }
}

fn key_from(reader: impl Read, shown: &str) -> Result<RecoveryPassword, KeyFileError> {
    let path = || shown.to_owned();
    let bytes = read_wiped(reader, KEY_FILE_BYTES).map_err(|source| KeyFileError::Read { path: path(), source })?;
    let bytes = bytes.ok_or_else(|| KeyFileError::TooLong { path: path() })?;
    let text = str::from_utf8(&bytes).map_err(|_| KeyFileError::NotText { path: path() })?;
    // Windows editors put a byte order mark in front
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.parse().map_err(|source| KeyFileError::Malformed { path: path(), source })
}

/// Reads all of a file that may hold a secret: `None` if it has more than `limit` bytes. The memory is taken once, so that no
/// outgrown buffer stays behind, and wiped on drop.
pub fn read_wiped(mut reader: impl Read, limit: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut buffer = Zeroizing::new(vec![0; limit.saturating_add(1)]);
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok((filled <= limit).then_some(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "042647-302313-590458-071500-554323-116567-412181-516978";

    #[test]
    fn a_key_file_may_have_white_space_and_a_byte_order_mark() {
        for text in [GOOD.to_owned(), format!("{GOOD}\r\n"), format!("\u{feff} {GOOD}\n\n")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("key");
            std::fs::write(&path, &text).unwrap();
            let key = read_key_file(&path).unwrap();
            assert_eq!(key.secret(), GOOD.parse::<RecoveryPassword>().unwrap().secret());
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused_without_its_content() {
        let mistyped = GOOD.replace("590458", "590459");
        let long = format!("{GOOD}{}", " ".repeat(KEY_FILE_BYTES));
        for text in [mistyped.as_bytes(), long.as_bytes(), b"590458\xff", b""] {
            let error = key_from(text, "key.txt").unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("key.txt") && !shown.contains("59045"), "{shown}");
        }
        assert!(matches!(
            key_from(mistyped.as_bytes(), "k"),
            Err(KeyFileError::Malformed { source: RecoveryPasswordError::Checksum { group: 3 }, .. })
        ));
        assert!(matches!(read_key_file(Path::new("/nowhere/key")), Err(KeyFileError::Read { .. })));
    }

    #[test]
    fn the_limit_is_exact() {
        assert_eq!(read_wiped(&[7; 8][..], 8).unwrap().unwrap().len(), 8);
        assert!(read_wiped(&[7; 9][..], 8).unwrap().is_none());
    }
}
