//! The configuration: where state and stores are, what a drive may ask of this host, how much of the host a transfer may take.
//!
//! In: a TOML file, or none. Three stages: the file's table as typed (`config/read.rs`), each key taken out of it and checked
//! against its range, and [`Config`], in which all values are meant. Refuses: keys that are not known and values out of range; every
//! message names file, key, value and what is allowed. `config/dockside.toml` shows every key with its default.

mod error;
mod machine;
mod options;
mod read;
mod size;

pub use error::ConfigError;
pub use machine::Machine;
pub use options::{Ledger, Limits, StoreConfig, Transfer};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::job::AccountName;
use read::Section;

/// Where the configuration lies if none is named.
pub const DEFAULT_PATH: &str = "/etc/dockside/dockside.toml";

/// Bytes of a configuration file.
const FILE_BYTES: u64 = 1 << 20;

/// The configuration as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The state folder, if the file names one. See [`state_dir`].
    pub state_dir: Option<PathBuf>,
    /// Where the blobs of each account go.
    pub stores: BTreeMap<AccountName, StoreConfig>,
    /// What a drive may ask of this host.
    pub limits: Limits,
    /// What a transfer may take of this host.
    pub transfer: Transfer,
    /// What the ledger keeps.
    pub ledger: Ledger,
}

impl Config {
    /// The configuration of this host: the file named, else [`DEFAULT_PATH`] if it exists, else the defaults.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_or(named, Path::new(DEFAULT_PATH), &Machine::here())
    }

    fn load_or(named: Option<&Path>, usual: &Path, machine: &Machine) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(usual);
        let shown = path.display().to_string();
        match read_text(path) {
            Ok(text) => Self::parse(&text, &shown, machine),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(Self::defaults(machine)),
            Err(source) => Err(ConfigError::Read { file: shown, source }),
        }
    }

    /// The defaults on this machine.
    pub fn defaults(machine: &Machine) -> Self {
        Self {
            state_dir: None,
            stores: BTreeMap::new(),
            limits: Limits::default(),
            transfer: Transfer::defaults(machine),
            ledger: Ledger::default(),
        }
    }

    /// A configuration from its text; `file` is its name for messages.
    pub fn parse(text: &str, file: &str, machine: &Machine) -> Result<Self, ConfigError> {
        let mut top = Section::parse(text, file)?;
        let config = Self {
            state_dir: top.absolute_path("state_dir")?,
            stores: options::stores(top.section("stores")?)?,
            limits: Limits::read(top.section("limits")?)?,
            transfer: Transfer::read(top.section("transfer")?, machine)?,
            ledger: Ledger::read(top.section("ledger")?)?,
        };
        top.end()?;
        Ok(config)
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a configuration has at most 1 MiB"));
    }
    Ok(text)
}

/// The state folder: as named on the command line, else as in the configuration, else `$XDG_STATE_HOME/dockside`, else
/// `$HOME/.local/state/dockside`. `variable` gives the environment's variables; relative values of them are passed over, as the XDG
/// base directory specification asks.
pub fn state_dir(
    named: Option<&Path>,
    config: &Config,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, ConfigError> {
    if let Some(path) = named.or(config.state_dir.as_deref()) {
        return Ok(path.to_owned());
    }
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("dockside")).ok_or(ConfigError::NoStateDir)
}

#[cfg(test)]
mod tests;
