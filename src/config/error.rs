//! Why a configuration is refused: file, key, value, and what is allowed.

use std::io;

use crate::foreign::Foreign;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {file}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not TOML. The line itself is not shown: it may hold what should not be there.
    #[error("{file}, line {line}: not TOML: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key that no configuration has.
    #[error("{file}: there is no key {key}; known here: {known}")]
    UnknownKey {
        /// The file.
        file: String,
        /// The key with its sections.
        key: Foreign,
        /// The keys there are.
        known: String,
    },
    /// A value of the wrong kind or out of range.
    #[error("{file}: {key} = {value}: allowed is {allowed}")]
    Value {
        /// The file.
        file: String,
        /// The key with its sections.
        key: Foreign,
        /// The value as typed.
        value: Foreign,
        /// What is allowed.
        allowed: String,
    },
    /// A key that must be there.
    #[error("{file}: {key} is missing: {expected}")]
    Missing {
        /// The file.
        file: String,
        /// The key with its sections.
        key: Foreign,
        /// What it has to be.
        expected: &'static str,
    },
    /// No place for the state folder.
    #[error("no state folder: give --state, set state_dir in the configuration, or set HOME")]
    NoStateDir,
}
