//! The URL of a store as a person writes it: `azure://<account>` or `file:///path`.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::foreign::Shown;

/// The kind of a store and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A storage account.
    Azure {
        /// Its name: 3 to 24 lower-case letters and digits.
        account: String,
    },
    /// A folder, by its absolute path.
    Folder(PathBuf),
}

/// Why a text is no store's URL. Shows the scheme, never more: what follows may be a signature.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreUrlError {
    /// No scheme.
    #[error("a store is written azure://<account> or file:///path")]
    NoUrl,
    /// A scheme of another store.
    #[error("stores of the kind {scheme}:// are not supported; known are azure://<account> and file:///path")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// More or less than an account.
    #[error("azure:// is followed by an account alone: 3 to 24 lower-case letters and digits")]
    Account,
    /// No absolute path.
    #[error("file:// is followed by an absolute path, as in file:///srv/blobs")]
    Path,
}

impl StoreUrl {
    /// Reads a store's URL.
    pub fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(StoreUrlError::NoUrl)?;
        match scheme {
            "azure" => {
                let account = rest.strip_suffix('/').unwrap_or(rest);
                let plain = account.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
                if plain && (3..=24).contains(&account.len()) {
                    Ok(Self::Azure { account: account.to_owned() })
                } else {
                    Err(StoreUrlError::Account)
                }
            }
            "file" => folder(text.trim()).ok_or(StoreUrlError::Path),
            other => Err(StoreUrlError::Scheme { scheme: Shown(other).to_string() }),
        }
    }
}

/// A folder's URL; the parser decodes what is percent-encoded and folds `..`.
fn folder(text: &str) -> Option<StoreUrl> {
    let url = Url::parse(text).ok()?;
    if url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    url.to_file_path().ok().map(StoreUrl::Folder)
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Azure { account } => write!(f, "azure://{account}"),
            Self::Folder(path) => write!(f, "file://{}", Shown(&path.to_string_lossy())),
        }
    }
}
