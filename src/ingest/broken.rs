//! Why a drive's line broke, and what that is for the drive: held or refused, to be repeated, or a defect.

use super::Halt;
use super::stage::Cause;
use crate::report::DriveCode;
use crate::store::{ErrorClass, Store, StoreError};
use crate::transfer::{Interruption, TransferError};

/// Why a drive's line broke.
#[derive(Debug)]
pub(super) enum Broken {
    /// Held or refused.
    Halted(Halt),
    /// Can be repeated when the cause is gone: of which kind it is, and what exactly.
    Interrupted(Cause, String),
    /// A defect.
    Internal(String),
}

impl From<Halt> for Broken {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt)
    }
}

impl Broken {
    /// The wish to stop was seen.
    pub(super) fn stopped() -> Self {
        Self::by(Cause::Shutdown, &TransferError::Stopped)
    }

    /// A run that can be repeated: a file of the state folder failed.
    pub(super) fn interrupted(error: &dyn std::error::Error) -> Self {
        Self::by(Cause::StateFolder, error)
    }

    /// A run that can be repeated: the store ended it.
    pub(super) fn by_store(error: &StoreError) -> Self {
        let cause = if matches!(error, StoreError::NoSpace) { Cause::NoSpace } else { Cause::StoreDown };
        Self::by(cause, error)
    }

    fn by(cause: Cause, error: &dyn std::error::Error) -> Self {
        Self::Interrupted(cause, Halt::of(DriveCode::InternalError, error).detail)
    }

    /// A defect of this program.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        Self::Internal(Halt::of(DriveCode::InternalError, error).detail)
    }

    /// Nothing has been written yet: a refused access holds the drive instead of interrupting it.
    pub(super) fn before_the_first_write(store: &dyn Store, error: &StoreError) -> Self {
        let code = match error {
            StoreError::ContainerMissing { .. } | StoreError::Rejected { .. } | StoreError::NameConflict { .. } => {
                DriveCode::ContainerMissing
            }
            StoreError::Forbidden { .. } => DriveCode::BlobRequestForbidden,
            other if other.class() == ErrorClass::Internal => return Self::internal(other),
            other => return Self::by_store(other).at(store),
        };
        Self::Halted(Halt::of(code, error)).at(store)
    }

    /// The transfer ended before its plan. Where the store ended it, its answer says why, without a sentence around it.
    pub(super) fn during_the_transfer(store: &dyn Store, error: &TransferError) -> Self {
        let broken = match (error.interruption(), error) {
            (Interruption::RunAgain, TransferError::Store(source)) => Self::by_store(source),
            (Interruption::RunAgain, TransferError::Stopped) => Self::stopped(),
            (Interruption::RunAgain, other) => Self::interrupted(other),
            (Interruption::Defect, TransferError::Store(source)) => Self::internal(source),
            (Interruption::Defect, other) => Self::internal(other),
        };
        if matches!(error, TransferError::Store(_)) { broken.at(store) } else { broken }
    }

    /// With the store's place in front.
    fn at(self, store: &dyn Store) -> Self {
        let here = |text: String| format!("{}: {text}", store.url());
        match self {
            Self::Halted(halt) => Self::Halted(Halt { detail: here(halt.detail), ..halt }),
            Self::Interrupted(kind, cause) => Self::Interrupted(kind, here(cause)),
            Self::Internal(cause) => Self::Internal(cause),
        }
    }
}

/// Work that blocks, on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Broken> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await.map_err(|panicked| Broken::internal(&panicked))
}
