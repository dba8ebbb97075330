//! What a store can answer that is final, and what it means for the run.

use std::io;

/// A final answer of a store. Never holds a credential: URLs are shown without their query.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A blob of that name exists (409, or a create-only link that found a file).
    #[error("a blob of that name exists already")]
    AlreadyExists,
    /// The blob is not the one seen before (412).
    #[error("the blob has changed since it was looked at")]
    ConditionFailed,
    /// No such container.
    #[error("container {container} does not exist")]
    ContainerMissing {
        /// Its name.
        container: String,
    },
    /// Credentials refused, or none.
    #[error("the store refuses access: {reason}")]
    Forbidden {
        /// The store's code, or what is missing.
        reason: String,
    },
    /// Somebody holds a lease on the blob.
    #[error("the blob is leased by somebody else")]
    LeasePresent,
    /// The blob is of another type than the request.
    #[error("a blob of another type has that name")]
    WrongKind,
    /// The store computed another MD5 of the body than we did, twice: the line is bad.
    #[error("the store received other bytes than were sent, {attempts} times")]
    ChecksumRefused {
        /// Requests made.
        attempts: u32,
    },
    /// The folder cannot hold both `a` and `a/b`, or the name is no name there.
    #[error("the store cannot hold this name: {reason}")]
    NameConflict {
        /// Why.
        reason: String,
    },
    /// A staged block is gone at the commit.
    #[error("the store has lost a staged block")]
    BlockMissing,
    /// Blocks of another tool with another id length are staged under the name.
    #[error("blocks of another tool are staged under this name")]
    ForeignBlocks,
    /// No space left in the store.
    #[error("no space is left in the store")]
    NoSpace,
    /// The store does not answer, or answers only errors that pass.
    #[error("the store did not answer after {attempts} attempts: {last}")]
    Unavailable {
        /// Requests made.
        attempts: u32,
        /// What the last one brought.
        last: String,
    },
    /// The store refuses this request for a reason of its own.
    #[error("the store refuses the request: {status} {code}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The store's error code.
        code: String,
    },
    /// The store does not understand a request of ours: a defect of this program, or a server that is none of the kind configured.
    #[error("the store does not understand the request: {status} {code}")]
    Misunderstood {
        /// HTTP status.
        status: u16,
        /// The store's error code.
        code: String,
    },
    /// What answers at the store's address is something else.
    #[error("what answers is not the store's service: {status} without a code of its own")]
    NotTheService {
        /// HTTP status.
        status: u16,
    },
    /// A local store failed.
    #[error("{action} {path} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file; a path of the store, escaped.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// This store passes no write on: it serves a dry run.
    #[error("this store refuses every write")]
    WriteRefused,
}

/// What an error means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// This entry fails or takes another way; others go on.
    Entry,
    /// The drive is held before the first write, interrupted later.
    Access,
    /// The run ends as interrupted and can be repeated.
    Interrupts,
    /// A defect of this program.
    Internal,
}

impl StoreError {
    /// A blob that was to be read whole has more bytes than that.
    pub(super) fn over(limit: usize) -> Self {
        Self::Rejected { status: 200, code: format!("a blob of more than {limit} bytes") }
    }

    /// What it means for the run. No `_` arm: a new error must decide.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::AlreadyExists
            | Self::ConditionFailed
            | Self::LeasePresent
            | Self::WrongKind
            | Self::ChecksumRefused { .. }
            | Self::NameConflict { .. }
            | Self::BlockMissing
            | Self::ForeignBlocks
            | Self::Rejected { .. } => ErrorClass::Entry,
            Self::ContainerMissing { .. } | Self::Forbidden { .. } => ErrorClass::Access,
            Self::NoSpace | Self::Unavailable { .. } | Self::NotTheService { .. } | Self::Io { .. } => ErrorClass::Interrupts,
            Self::WriteRefused | Self::Misunderstood { .. } => ErrorClass::Internal,
        }
    }
}
