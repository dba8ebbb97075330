//! Names of jobs and storage accounts, by the service's rules.

use std::fmt;
use std::str::FromStr;

/// A job's name: 2 to 64 lower-case letters, digits, hyphens and underscores, beginning with a letter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobName(String);

/// A text is no job name.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("a job name has 2 to 64 lower-case letters, digits, hyphens and underscores and begins with a letter")]
pub struct JobNameError;

/// A storage account's name: 3 to 24 lower-case letters and digits (`devstoreaccount1` of the emulator is one).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(String);

/// A text is no storage account's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("a storage account has 3 to 24 lower-case letters and digits")]
pub struct AccountNameError;

impl JobName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobName {
    type Err = JobNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = (2..=64).contains(&text.len());
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        if length && first && plain { Ok(Self(text.to_owned())) } else { Err(JobNameError) }
    }
}

impl AccountName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = AccountNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = (3..=24).contains(&text.len());
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if length && plain { Ok(Self(text.to_owned())) } else { Err(AccountNameError) }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobName({self})")
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountName({self})")
    }
}
