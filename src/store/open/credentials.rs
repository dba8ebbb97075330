//! Settings of `object_store` by their usual names, from the environment or a file. Values are hidden.
//!
//! The file has lines `KEY=VALUE`; blank lines and lines that begin with `#` are skipped, a value may stand in single or double quotes.
//! An unknown or repeated key is refused: a typing error must not silently mean another credential. A file that others can read, or
//! that its group can change, is refused; its group may read it, since that is how a service gets at a file of root.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use object_store::azure::AzureConfigKey;
use object_store::client::ClientConfigKey;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::expiry::end_of;
use super::{OpenError, shown};

/// Where a credential is.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// The variables `AZURE_*`, `AZURITE_BLOB_STORAGE_URL` and `IDENTITY_ENDPOINT` of this process.
    Environment,
    /// A file with the same names.
    File(PathBuf),
    /// Names and values at hand, as in tests.
    Given(Vec<(String, SecretString)>),
}

/// Bytes of a credentials file.
const FILE: u64 = 64 * 1_024;
/// The variable of the emulator's place, which is no setting of `object_store`'s builder.
const EMULATOR_URL: &str = "azurite_blob_storage_url";

/// Settings that were found, by their name in lower case.
#[derive(Debug, Default)]
pub(super) struct Given {
    values: BTreeMap<String, SecretString>,
}

impl Credentials {
    /// Reads the settings.
    pub(super) fn load(&self) -> Result<Given, OpenError> {
        match self {
            Self::Environment => Ok(Given::from_environment(std::env::vars_os())),
            Self::File(path) => from_file(path),
            Self::Given(pairs) => {
                Ok(Given { values: pairs.iter().map(|(key, value)| (key.to_ascii_lowercase(), value.clone())).collect() })
            }
        }
    }
}

/// Whether a name, in lower case, is a setting we know.
fn is_known(key: &str) -> bool {
    key == EMULATOR_URL || (key.starts_with("azure_") && key.parse::<AzureConfigKey>().is_ok())
}

impl Given {
    fn from_environment(variables: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>) -> Self {
        let text = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((key.into_string().ok()?.to_ascii_lowercase(), SecretString::from(value.into_string().ok()?)))
        };
        // the host of a managed identity names its place without the prefix
        let wanted = |(key, _): &(String, SecretString)| is_known(key) || key == "identity_endpoint";
        Self { values: variables.filter_map(text).filter(wanted).collect() }
    }

    /// A setting under whatever of its names it was given.
    pub(super) fn get(&self, wanted: AzureConfigKey) -> Option<&str> {
        self.settings().find(|(key, _)| *key == wanted).map(|(_, value)| value)
    }

    fn settings(&self) -> impl Iterator<Item = (AzureConfigKey, &str)> {
        self.values.iter().filter_map(|(key, value)| Some((key.parse().ok()?, value.expose_secret().trim())))
    }

    /// Whether a switch is on, as `object_store` reads it.
    pub(super) fn is_true(&self, wanted: AzureConfigKey) -> bool {
        let on = |value: &str| ["1", "true", "on", "yes", "y"].iter().any(|word| value.eq_ignore_ascii_case(word));
        self.get(wanted).is_some_and(on)
    }

    /// Whether it is for the emulator.
    pub(super) fn is_emulator(&self) -> bool {
        self.is_true(AzureConfigKey::UseEmulator)
    }

    /// Whether there is nothing else in it than in another.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let same = |((key, value), (other, of)): ((&String, &SecretString), (&String, &SecretString))| {
            key == other && value.expose_secret() == of.expose_secret()
        };
        self.values.len() == other.values.len() && self.values.iter().zip(&other.values).all(same)
    }

    /// When what signs ends, if it is a token that tells.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        use AzureConfigKey as K;
        // in the order in which `object_store` chooses: a token is the last of those that need no machine
        let before = [K::Token, K::AccessKey, K::ClientSecret, K::FederatedTokenFile];
        let chosen = match self.get(K::CredentialType) {
            Some(kind) if kind != "auto" => kind == "sas_token",
            _ => before.into_iter().all(|key| self.get(key).is_none()),
        };
        end_of(self.get(K::SasKey).filter(|_| chosen)?)
    }

    /// Where the emulator is.
    pub(super) fn emulator_url(&self) -> Option<&str> {
        self.values.get(EMULATOR_URL).map(|value| value.expose_secret().trim())
    }

    /// A setting that would be ignored or is unsafe, by its name.
    pub(super) fn unsupported(&self) -> Option<String> {
        use AzureConfigKey as K;
        // a customer-provided key must be sent with every request, which ours are not; without a signature nothing can be written;
        // a certificate that does not matter makes the rest pointless
        let switches = [K::SkipSignature, K::UseFabricEndpoint, K::Client(ClientConfigKey::AllowInvalidCertificates)];
        let on = |key: &AzureConfigKey| self.is_true(*key);
        let found = self.get(K::EncryptionKey).map(|_| K::EncryptionKey).or_else(|| switches.into_iter().find(on));
        found.map(|key| self.name_of(key))
    }

    fn name_of(&self, wanted: AzureConfigKey) -> String {
        let name = self.values.keys().find(|key| key.parse::<AzureConfigKey>().is_ok_and(|key| key == wanted));
        name.map(|name| name.to_ascii_uppercase()).unwrap_or_default()
    }

    /// The names of everything found.
    pub(super) fn names(&self) -> String {
        self.values.keys().map(|key| key.to_ascii_uppercase()).collect::<Vec<_>>().join(", ")
    }

    /// Whether anything here can sign. A managed identity must be asked for: every machine could have one.
    pub(super) fn has_credential(&self) -> bool {
        use AzureConfigKey as K;
        let named = |(key, value): (AzureConfigKey, &str)| {
            let kinds = [
                K::AccessKey,
                K::SasKey,
                K::Token,
                K::ClientId,
                K::ClientSecret,
                K::FederatedTokenFile,
                K::MsiEndpoint,
                K::ObjectId,
                K::MsiResourceId,
                K::FabricSessionToken,
            ];
            !value.is_empty() && (kinds.contains(&key) || (key == K::CredentialType && value != "auto"))
        };
        self.settings().any(named) || self.is_true(K::UseAzureCli)
    }

    /// Whether what goes into a header can stand in one: the authorizer does not check.
    pub(super) fn is_sendable(&self) -> bool {
        self.get(AzureConfigKey::Token).is_none_or(|token| token.bytes().all(|byte| byte.is_ascii_graphic()))
    }

    /// Settings of `object_store`'s builder, but for place and client.
    pub(super) fn credential_settings(&self) -> impl Iterator<Item = (AzureConfigKey, &str)> {
        use AzureConfigKey as K;
        let other = |key: AzureConfigKey| matches!(key, K::AccountName | K::Endpoint | K::ContainerName | K::Client(_));
        self.settings().filter(move |(key, _)| !other(*key))
    }

    /// Settings of the HTTP client: proxies, certificates, connections.
    pub(super) fn client_settings(&self) -> impl Iterator<Item = (ClientConfigKey, &str)> {
        self.settings().filter_map(|(key, value)| match key {
            AzureConfigKey::Client(key) => Some((key, value)),
            _ => None,
        })
    }
}

fn from_file(path: &Path) -> Result<Given, OpenError> {
    let failed = |source| OpenError::File { path: shown(path), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if mode & 0o027 != 0 {
        return Err(OpenError::FileMode { path: shown(path), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE).read_to_string(&mut text).map_err(failed)?;
    let wrong = |(line, problem): (usize, String)| OpenError::FileLine { path: shown(path), line, problem };
    parse(&text).map_err(wrong)
}

/// The settings of a file's text, or the line that is wrong and how.
fn parse(text: &str) -> Result<Given, (usize, String)> {
    let mut given = Given::default();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |problem: &str| (number + 1, problem.to_owned());
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("is no KEY=VALUE"))?;
        let key = key.strip_prefix("export ").unwrap_or(key).trim();
        // a secret that stands alone may end in `=` and look like a key
        let harmless = key.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let name = if harmless { key } else { "what stands before the =" };
        if !is_known(&key.to_ascii_lowercase()) {
            return Err(wrong(&format!("{name} is no known key")));
        }
        let value = unquoted(value.trim()).ok_or_else(|| wrong("a quote is not closed"))?;
        if given.values.insert(key.to_ascii_lowercase(), SecretString::from(value.to_owned())).is_some() {
            return Err(wrong(&format!("{name} stands twice")));
        }
    }
    Ok(given)
}

/// A value without the quotes around it; `None` if only one of them is there.
fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.strip_suffix(quote);
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_comments_and_quotes_are_read() {
        let given = parse(
            "# note\n\nAZURE_STORAGE_ACCOUNT_NAME = acct\r\nexport AZURE_STORAGE_ACCOUNT_KEY='a=='\nazure_endpoint=\"x\"\n",
        )
        .unwrap();
        assert_eq!(given.get(AzureConfigKey::AccountName), Some("acct"));
        assert_eq!(given.get(AzureConfigKey::AccessKey), Some("a=="));
        assert_eq!(given.get(AzureConfigKey::Endpoint), Some("x"));
        assert!(!format!("{given:?}").contains("a=="));
    }

    #[test]
    fn a_wrong_line_is_named_and_not_shown() {
        let cases = [
            ("AZURE_STORAGE_ACCOUNT_KEI=hush", 1, "AZURE_STORAGE_ACCOUNT_KEI is no known key"),
            ("\nhushhush", 2, "is no KEY=VALUE"),
            ("Hush==", 1, "what stands before the = is no known key"),
            ("AZURE_STORAGE_TOKEN='hush", 1, "a quote is not closed"),
            ("AZURE_STORAGE_TOKEN=hush\nazure_storage_token=hush", 2, "what stands before the = stands twice"),
            ("ACCOUNT_KEY=hush", 1, "ACCOUNT_KEY is no known key"),
        ];
        for (text, line, problem) in cases {
            let (found, told) = parse(text).unwrap_err();
            assert_eq!((found, told.as_str()), (line, problem), "{text}");
            assert!(!told.to_lowercase().contains("hush"));
        }
    }

    #[test]
    fn the_environment_gives_only_what_is_known() {
        let variables = [("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURE_NONSENSE", "x"), ("PATH", "y"), ("token", "hush")];
        let given = Given::from_environment(variables.into_iter().map(|(key, value)| (key.into(), value.into())));
        assert_eq!(given.names(), "AZURE_STORAGE_USE_EMULATOR");
        assert!(given.is_true(AzureConfigKey::UseEmulator) && !given.has_credential());
    }
}
