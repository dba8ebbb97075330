//! The sections of the configuration, as meant, with defaults and ranges.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Value;

use super::read::Section;
use super::{ConfigError, Machine};
use crate::job::{AccountName, AccountNameError};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// `[stores.<account>]`: where the blobs of an account go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// `azure://<account>` or `file:///path`; which ones there are, the store decides.
    pub url: String,
    /// Another service address than the account's usual one: emulators, private clouds.
    pub endpoint: Option<String>,
    /// A file with lines `NAME=VALUE`, names as in the environment (`AZURE_…`).
    pub credentials_file: Option<PathBuf>,
}

/// `[limits]`: what a drive may ask of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest drive.
    pub max_drive_bytes: u64,
    /// How often the drive's size all listed ranges together may be.
    pub max_amplification: u64,
    /// Bytes of a manifest.
    pub max_manifest_bytes: u64,
    /// Blobs of a manifest.
    pub max_manifest_entries: u64,
    /// Distinct metadata and properties files of a manifest.
    pub max_side_files: u64,
    /// Names in one directory.
    pub max_directory_names: u64,
    /// Runs (fragments) of one file.
    pub max_file_runs: u64,
    /// Recovery protectors that a password is tried on.
    pub max_recovery_protectors: u64,
    /// Failed ranges after which a drive is given up.
    pub max_read_errors: u64,
    /// Seconds spent in failing reads after which a drive is given up.
    pub max_read_error_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_drive_bytes: 4 * TIB,
            max_amplification: 4,
            max_manifest_bytes: 16 * GIB,
            max_manifest_entries: 50_000_000,
            max_side_files: 10_000,
            max_directory_names: 20_000_000,
            max_file_runs: 4_000_000,
            max_recovery_protectors: 16,
            max_read_errors: 64,
            max_read_error_seconds: 600,
        }
    }
}

impl Limits {
    pub(super) fn read(mut section: Section) -> Result<Self, ConfigError> {
        let usual = Self::default();
        let s = &mut section;
        let limits = Self {
            max_drive_bytes: s.bytes("max_drive_bytes", MIB..=256 * TIB)?.unwrap_or(usual.max_drive_bytes),
            max_amplification: s.count("max_amplification", 1..=1_000)?.unwrap_or(usual.max_amplification),
            max_manifest_bytes: s.bytes("max_manifest_bytes", 1_024..=TIB)?.unwrap_or(usual.max_manifest_bytes),
            max_manifest_entries: s.count("max_manifest_entries", 1..=1_000_000_000)?.unwrap_or(usual.max_manifest_entries),
            max_side_files: s.count("max_side_files", 1..=1_000_000)?.unwrap_or(usual.max_side_files),
            max_directory_names: s.count("max_directory_names", 1_000..=1_000_000_000)?.unwrap_or(usual.max_directory_names),
            max_file_runs: s.count("max_file_runs", 1_000..=100_000_000)?.unwrap_or(usual.max_file_runs),
            max_recovery_protectors: s.count("max_recovery_protectors", 1..=64)?.unwrap_or(usual.max_recovery_protectors),
            max_read_errors: s.count("max_read_errors", 1..=1_000_000)?.unwrap_or(usual.max_read_errors),
            max_read_error_seconds: s.count("max_read_error_seconds", 1..=86_400)?.unwrap_or(usual.max_read_error_seconds),
        };
        section.end()?;
        Ok(limits)
    }
}

/// `[transfer]`: what all drives together may take of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes of content in memory, from the disk to the store's answer.
    pub byte_budget: u64,
    /// The most requests to stores at the same time.
    pub uploads: u64,
    /// Seconds for which a request that fails in passing is repeated before the run is interrupted.
    pub retry_seconds: u64,
    /// Whether each blob's whole MD5 is computed and set.
    pub set_content_md5: bool,
}

impl Transfer {
    /// A quarter of the free memory, 64 MiB to 1 GiB; four requests a core (they mostly wait), 4 to 64.
    pub(super) fn defaults(machine: &Machine) -> Self {
        Self {
            byte_budget: (machine.free_memory / 4).clamp(64 * MIB, GIB),
            uploads: machine.cores.saturating_mul(4).clamp(4, 64),
            retry_seconds: 300,
            set_content_md5: false,
        }
    }

    /// The upload limit as a count of slots.
    pub fn upload_slots(&self) -> usize {
        usize::try_from(self.uploads).unwrap_or(usize::MAX).max(1)
    }

    pub(super) fn read(mut section: Section, machine: &Machine) -> Result<Self, ConfigError> {
        let usual = Self::defaults(machine);
        let transfer = Self {
            // the least that holds two ranges of the largest size, one read while one is sent
            byte_budget: section.bytes("byte_budget", 8 * MIB..=TIB)?.unwrap_or(usual.byte_budget),
            uploads: section.count("uploads", 1..=1_024)?.unwrap_or(usual.uploads),
            retry_seconds: section.count("retry_seconds", 1..=86_400)?.unwrap_or(usual.retry_seconds),
            set_content_md5: section.flag("set_content_md5")?.unwrap_or(usual.set_content_md5),
        };
        section.end()?;
        Ok(transfer)
    }
}

/// `[ledger]`: what the database of the state folder keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Days that a session that has ended is kept for, by `dockside ledger prune`.
    pub keep_days: u64,
    /// Bytes free in the state folder below which drives pause.
    pub pause_below: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { keep_days: 90, pause_below: 1 << 30 }
    }
}

impl Ledger {
    pub(super) fn read(mut section: Section) -> Result<Self, ConfigError> {
        let usual = Self::default();
        let ledger = Self {
            keep_days: section.count("keep_days", 0..=36_500)?.unwrap_or(usual.keep_days),
            pause_below: section.bytes("pause_below", 0..=TIB)?.unwrap_or(usual.pause_below),
        };
        section.end()?;
        Ok(ledger)
    }
}

/// All of `[stores]`.
pub(super) fn stores(section: Section) -> Result<BTreeMap<AccountName, StoreConfig>, ConfigError> {
    let mut stores = BTreeMap::new();
    for found in section.sections() {
        let (name, mut store) = found?;
        let account =
            name.parse().map_err(|error: AccountNameError| store.refuse("NAME", &Value::String(name), error.to_string()))?;
        stores.insert(account, read_store(&mut store)?);
        store.end()?;
    }
    Ok(stores)
}

fn read_store(section: &mut Section) -> Result<StoreConfig, ConfigError> {
    let url = section.text("url")?.ok_or_else(|| section.missing("url", "azure://<account> or file:///path"))?;
    check_url(section, "url", &url, &["azure", "file"])?;
    let endpoint = section.text("endpoint")?;
    if let Some(endpoint) = &endpoint {
        check_url(section, "endpoint", endpoint, &["https", "http"])?;
    }
    Ok(StoreConfig { url, endpoint, credentials_file: section.absolute_path("credentials_file")? })
}

/// A URL of one of these schemes, without a credential. Query and user part are where credentials stand, so a URL with either is not
/// even shown.
fn check_url(section: &Section, key: &str, url: &str, schemes: &[&str]) -> Result<(), ConfigError> {
    if url.contains(['?', '@']) {
        return Err(section.refuse_hidden(key, "a URL without user and query: credentials belong in credentials_file".to_owned()));
    }
    let scheme = url.split_once("://").filter(|(_, rest)| !rest.is_empty()).map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
        return Ok(());
    }
    let allowed = schemes.iter().map(|scheme| format!("{scheme}://…")).collect::<Vec<_>>().join(" or ");
    Err(section.refuse(key, &Value::String(url.to_owned()), allowed))
}
