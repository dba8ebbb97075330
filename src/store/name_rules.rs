//! Which names a kind of store can hold, as far as names alone tell: known without asking it, and so in an offline dry run too.

use super::StoreError;
use super::azure::{Endpoint, usual_endpoint};
use crate::manifest::BlobPath;

/// The rules of one kind of store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameRules {
    /// Every legal blob name (memory).
    Any,
    /// A folder: every segment has a file name, but `a` and `a/b` exclude each other.
    Folder,
    /// Azure: what cannot stand in a URL without becoming another name is refused.
    Azure(AzureNames),
}

/// How names become URLs of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureNames(Endpoint);

impl NameRules {
    /// The rules of an account at its usual address; `None` if its name makes no address.
    pub fn of_account(account: &str) -> Option<Self> {
        Endpoint::parse(&usual_endpoint(account)).ok().map(Self::at)
    }

    /// The rules of an account at this address.
    pub(super) fn at(endpoint: Endpoint) -> Self {
        Self::Azure(AzureNames(endpoint))
    }

    /// Whether the store can hold a blob of this name; [`StoreError::NameConflict`] says why not.
    pub fn check(&self, path: &BlobPath) -> Result<(), StoreError> {
        match self {
            Self::Any | Self::Folder => Ok(()),
            Self::Azure(AzureNames(endpoint)) => endpoint.request(path.container(), Some(path.name()), &[]).map(drop),
        }
    }

    /// Whether a blob's name cannot also be the beginning of another's, up to a `/`.
    pub fn is_tree(&self) -> bool {
        match self {
            Self::Folder => true,
            Self::Any | Self::Azure(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_is_refused_where_it_would_arrive_as_a_slash() {
        let path: BlobPath = "abc/a\\b".parse().unwrap();
        let azure = NameRules::of_account("acct").unwrap();
        assert!(azure.check(&path).unwrap_err().to_string().contains('\\'));
        assert!(azure.check(&"abc/a/b".parse().unwrap()).is_ok());
        assert!(NameRules::Folder.check(&path).is_ok());
        assert!(NameRules::Folder.is_tree() && !azure.is_tree() && !NameRules::Any.is_tree());
    }
}
