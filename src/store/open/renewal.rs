//! A credentials file that is read again while a run goes on, because the service no longer takes what it said.
//!
//! In go the account and what its file said last; out comes what it says now if that is something else and passes the checks of the
//! start (mode, form, account). Only the credential is exchanged: place, proxy and certificates stay as they were. A file that is missing
//! or cannot be used changes nothing; that is told once for each cause, without a word of what stands in it.

use std::sync::{Mutex, PoisonError};

use object_store::client::ClientOptions;

use super::credentials::Given;
use super::{Credentials, OpenError, check, signing};
use crate::store::azure::Signing;

/// What reads a file anew.
pub(super) struct Renewal {
    account: String,
    credentials: Credentials,
    options: ClientOptions,
    last: Mutex<Last>,
}

struct Last {
    given: Given,
    /// The trouble that was told last.
    told: Option<String>,
}

impl Renewal {
    /// For an account whose file said this at the start.
    pub(super) fn new(account: &str, credentials: Credentials, options: ClientOptions, given: Given) -> Self {
        Self { account: account.to_owned(), credentials, options, last: Mutex::new(Last { given, told: None }) }
    }

    /// What the file says now, if it says something else than before.
    pub(super) fn changed(&self) -> Option<Signing> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match self.read(&last.given) {
            Ok(None) => None,
            Ok(Some((given, signing))) => {
                *last = Last { given, told: None };
                tracing::info!("the credentials file of account {} has changed and was read again", self.account);
                Some(signing)
            }
            Err(error) => {
                let trouble = chain(&error);
                if last.told.as_ref() != Some(&trouble) {
                    let account = &self.account;
                    tracing::warn!(cause = %trouble, "the credentials file of account {account} cannot be used, the credential stays as it was");
                    last.told = Some(trouble);
                }
                None
            }
        }
    }

    fn read(&self, last: &Given) -> Result<Option<(Given, Signing)>, OpenError> {
        let given = self.credentials.load()?;
        if given.says_the_same(last) {
            return Ok(None);
        }
        let emulator = given.is_emulator();
        check(&given, &self.account, emulator)?;
        let signing = signing(&given, &self.account, &self.options)?;
        Ok(Some((given, signing)))
    }
}

/// An error with its causes. None of them holds a value of the file.
fn chain(error: &OpenError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
