//! The way to the job's store: opened before a drive is unlocked, so that a missing credential holds the drive early.

use std::sync::Arc;
use std::time::Duration;

use super::DryRun;
use crate::config::Transfer;
use crate::store::{self, FolderStore, NameRules, OpenError, RetryPolicy, Store, StoreConfig, StoreUrl};

/// The job's store, or why it cannot be used.
#[derive(Clone, Debug)]
pub enum Access {
    /// It can be asked.
    Open(Arc<dyn Store>),
    /// The account has no credential, or one that cannot be used: drives are held.
    Closed(AccessError),
}

impl Access {
    /// The way to a store; one whose credential is missing is closed. For a dry run, no write can pass. Anything else wrong with the
    /// configuration is an error.
    pub fn open(config: &StoreConfig, transfer: &Transfer, dry_run: Option<&DryRun>) -> Result<Self, OpenError> {
        if dry_run.is_some_and(|dry| dry.offline) {
            let (url, rules) = match &config.url {
                StoreUrl::Folder(root) => (FolderStore::new(root).url(), NameRules::Folder),
                StoreUrl::Azure { account } => {
                    (format!("azure://{account}"), NameRules::of_account(account).unwrap_or(NameRules::Any))
                }
            };
            return Ok(Self::Open(Arc::new(store::DryRun::offline(url, rules))));
        }
        let policy = retries(transfer);
        match store::open_with(config, transfer.upload_slots(), &policy) {
            Ok(store) if dry_run.is_some() => Ok(Self::Open(Arc::new(store::DryRun::before(store)))),
            Ok(store) => Ok(Self::Open(store)),
            Err(error) if error.is_missing_credential() => Ok(Self::Closed(AccessError::from(&error))),
            Err(error) => Err(error),
        }
    }
}

/// How long a request is repeated is for the configuration alone to say: a bound on the attempts would be reached long before it, for
/// pauses do not grow beyond half a minute.
fn retries(transfer: &Transfer) -> RetryPolicy {
    RetryPolicy { attempts: u32::MAX, total: Duration::from_secs(transfer.retry_seconds), ..RetryPolicy::default() }
}

/// Why the store cannot be used: in one sentence, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AccessError(String);

impl From<&OpenError> for AccessError {
    fn from(error: &OpenError) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Machine};

    #[test]
    fn nothing_but_retry_seconds_bounds_the_retries() {
        let transfer = Transfer { retry_seconds: 86_400, ..Config::defaults(&Machine::here()).transfer };
        let policy = retries(&transfer);
        assert_eq!((policy.attempts, policy.total), (u32::MAX, Duration::from_hours(24)));
    }
}
