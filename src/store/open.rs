//! From the config's words to a store: which kind, where, with which credential.
//!
//! In go an account's section of the config and the environment or a credentials file; out comes a store that has sent nothing yet.
//! Refuses by name what is not supported, a line that would cross a network unencrypted, and an account without a credential.

mod credentials;
mod expiry;
mod renewal;
mod url;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{ClientConfigKey, ClientOptions};

use super::azure::{AzureStore, Endpoint, EndpointError, Reread, RetryPolicy, Settings, Signing, usual_endpoint};
use super::{FolderStore, Store};

pub use self::credentials::Credentials;
use self::credentials::Given;
use self::renewal::Renewal;
pub use self::url::{StoreUrl, StoreUrlError};

/// The emulator's account, whose key is public and comes from `object_store`.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
/// Where the emulator answers if nothing else is said.
const EMULATOR: &str = "http://127.0.0.1:10000";

/// Where an account's blobs go, as the config means it.
#[derive(Clone)]
pub struct StoreConfig {
    /// The account as the job names it.
    pub account: String,
    /// The kind of store and its place.
    pub url: StoreUrl,
    /// Where the account answers, if not at its usual host.
    pub endpoint: Option<String>,
    /// Where its credential is.
    pub credentials: Credentials,
}

/// Why there is no store. Never shows a value of a credential.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing is configured that could sign a request: the drive is held.
    #[error("no credential is configured for account {account}")]
    NoCredential {
        /// The account.
        account: String,
    },
    /// What is configured belongs to another account.
    #[error("the configured credential is for account {named}, not for {account}")]
    OtherAccount {
        /// The account asked for.
        account: String,
        /// The account the credential names.
        named: String,
    },
    /// What is configured cannot be used.
    #[error("the credential of account {account} is malformed or incomplete (set: {keys})")]
    Credential {
        /// The account.
        account: String,
        /// Names of the settings that were found, without values.
        keys: String,
    },
    /// The endpoint is no endpoint.
    #[error("the endpoint of account {account} cannot be used")]
    Endpoint {
        /// The account.
        account: String,
        /// Why.
        #[source]
        source: EndpointError,
    },
    /// Plain HTTP to another machine.
    #[error("{endpoint} is not on this machine and not encrypted; only https:// is accepted there")]
    PlainHttp {
        /// The endpoint.
        endpoint: String,
    },
    /// A setting of `object_store` that would be ignored or is unsafe.
    #[error("the setting {key} is not supported")]
    Unsupported {
        /// Its name.
        key: String,
    },
    /// The credentials file cannot be read.
    #[error("reading the credentials file {path} failed")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The credentials file is open to everybody.
    #[error(
        "the credentials file {path} has mode {mode:04o}; it must not be writable by its group nor open to others (chmod 0600)"
    )]
    FileMode {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A line of the credentials file is no known `KEY=VALUE`. The line itself is not shown: it may be a key.
    #[error("line {line} of the credentials file {path}: {problem}")]
    FileLine {
        /// The file.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be set up, check proxy and certificate settings")]
    Client,
}

impl OpenError {
    /// Whether the desk must act and the drive waits (held), rather than the config being wrong (a usage error).
    pub fn is_missing_credential(&self) -> bool {
        match self {
            Self::NoCredential { .. } | Self::OtherAccount { .. } => true,
            Self::Credential { .. }
            | Self::Endpoint { .. }
            | Self::PlainHttp { .. }
            | Self::Unsupported { .. }
            | Self::File { .. }
            | Self::FileMode { .. }
            | Self::FileLine { .. }
            | Self::Client => false,
        }
    }
}

/// Opens a store. Nothing is sent and nothing is created. `uploads` is how many requests will run at once.
pub fn open(config: &StoreConfig, uploads: usize) -> Result<Arc<dyn Store>, OpenError> {
    open_with(config, uploads, &RetryPolicy::default())
}

/// The same with bounds of its own for repeated requests.
pub fn open_with(config: &StoreConfig, uploads: usize, policy: &RetryPolicy) -> Result<Arc<dyn Store>, OpenError> {
    match &config.url {
        StoreUrl::Folder(root) => Ok(Arc::new(FolderStore::new(root))),
        StoreUrl::Azure { account } => Ok(Arc::new(azure(config, account, uploads, policy)?)),
    }
}

fn azure(config: &StoreConfig, account: &str, uploads: usize, policy: &RetryPolicy) -> Result<AzureStore, OpenError> {
    let given = config.credentials.load()?;
    let emulator = given.is_emulator();
    check(&given, account, emulator)?;
    let endpoint = endpoint(config, &given, account, emulator)?;
    let options = options(&given, &endpoint, uploads);
    let usual = endpoint.shown() == usual_endpoint(account);
    let elsewhere = if usual { String::new() } else { format!("?endpoint={}", endpoint.shown()) };
    let url = format!("azure://{account}{elsewhere}");
    let signing = signing(&given, account, &options)?;
    let reread = reread(config, account, &options, given);
    let settings = Settings { account: account.to_owned(), endpoint, url, signing, reread, options, policy: policy.clone() };
    AzureStore::new(settings).map_err(|_| OpenError::Client)
}

/// What signs for the account by these settings.
fn signing(given: &Given, account: &str, options: &ClientOptions) -> Result<Signing, OpenError> {
    // only its credential provider is used: the container is a formality
    let mut builder = MicrosoftAzureBuilder::new().with_client_options(options.clone()).with_container_name("unused");
    for (key, value) in given.credential_settings() {
        builder = builder.with_config(key, value);
    }
    let builder = builder.with_account(account);
    let probe = builder.clone().build();
    probe.map_err(|_| OpenError::Credential { account: account.to_owned(), keys: given.names() })?;
    Ok(Signing { builder, ends: given.ends() })
}

/// A file may be changed while a run goes on; the environment may not.
fn reread(config: &StoreConfig, account: &str, options: &ClientOptions, given: Given) -> Option<Reread> {
    match &config.credentials {
        Credentials::File(_) => {
            let renewal = Renewal::new(account, config.credentials.clone(), options.clone(), given);
            Some(Box::new(move || renewal.changed()))
        }
        Credentials::Environment | Credentials::Given(_) => None,
    }
}

/// Whether the settings can sign for this account and ask for nothing unsupported.
fn check(given: &Given, account: &str, emulator: bool) -> Result<(), OpenError> {
    if let Some(key) = given.unsupported() {
        return Err(OpenError::Unsupported { key });
    }
    if let Some(named) = given.get(AzureConfigKey::AccountName).filter(|named| *named != account) {
        return Err(OpenError::OtherAccount { account: account.to_owned(), named: named.to_owned() });
    }
    let public = emulator && account == EMULATOR_ACCOUNT;
    if !public && !given.has_credential() {
        return Err(OpenError::NoCredential { account: account.to_owned() });
    }
    if !given.is_sendable() {
        return Err(OpenError::Credential { account: account.to_owned(), keys: given.names() });
    }
    Ok(())
}

fn endpoint(config: &StoreConfig, given: &Given, account: &str, emulator: bool) -> Result<Endpoint, OpenError> {
    let text = match config.endpoint.as_deref().or_else(|| given.get(AzureConfigKey::Endpoint)) {
        Some(text) => text.to_owned(),
        // the emulator has the account in the path
        None if emulator => format!("{}/{account}", given.emulator_url().unwrap_or(EMULATOR).trim_end_matches('/')),
        None => usual_endpoint(account),
    };
    let endpoint = Endpoint::parse(&text).map_err(|source| OpenError::Endpoint { account: account.to_owned(), source })?;
    if endpoint.is_exposed() {
        return Err(OpenError::PlainHttp { endpoint: endpoint.shown().to_owned() });
    }
    Ok(endpoint)
}

/// The HTTP client's options. Time-outs are ours: each attempt is bounded by what it carries.
fn options(given: &Given, endpoint: &Endpoint, uploads: usize) -> ClientOptions {
    let mut options = ClientOptions::new()
        .with_user_agent(HeaderValue::from_static(concat!("dockside/", env!("CARGO_PKG_VERSION"))))
        .with_pool_max_idle_per_host(uploads.max(1));
    for (key, value) in given.client_settings() {
        if !matches!(key, ClientConfigKey::AllowHttp | ClientConfigKey::Timeout | ClientConfigKey::ReadTimeout) {
            options = options.with_config(key, value);
        }
    }
    options.with_timeout_disabled().with_allow_http(endpoint.is_plain())
}

impl fmt::Debug for StoreConfig {
    /// An endpoint is shown only if it is one: somebody may have put a signature into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.as_deref().map(Endpoint::parse);
        let endpoint = endpoint.as_ref().map(|parsed| parsed.as_ref().map(Endpoint::shown));
        let credentials = &self.credentials;
        write!(f, "StoreConfig({self}, endpoint {endpoint:?}, credentials {credentials:?})")
    }
}

impl fmt::Display for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {} at {}", self.account, self.url)
    }
}

/// A path for messages.
fn shown(path: &Path) -> String {
    crate::foreign::Shown(&path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests;
