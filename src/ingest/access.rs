//! The way to the job's store: opened before a drive is unlocked, so that a missing credential holds the drive early.

use std::sync::Arc;

use crate::store::{OpenError, Store};

/// The job's store, or why it cannot be used.
#[derive(Clone, Debug)]
pub enum Access {
    /// It can be asked.
    Open(Arc<dyn Store>),
    /// The account has no credential, or one that cannot be used: drives are held.
    Closed(AccessError),
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
