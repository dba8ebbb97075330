//! Where blobs go: one trait, three places (a folder, Azure, memory), and what is put around them (a dry run, a store that fails).
//!
//! A run may be killed at any moment. The next run of the same session asks what is there: what was staged or written ([`Store::take_up`],
//! [`Store::take_up_pages`]), and whether a write whose answer nobody heard was carried out ([`Store::carried_out`]).
//!
//! A store repeats what may be repeated (time-outs, 5xx, cut bodies) by itself and answers a [`StoreError`] only when that is final.

mod azure;
mod busy;
mod dry_run;
mod error;
#[doc(hidden)]
pub mod failing;
mod folder;
mod memory;
mod name_rules;
mod open;
mod types;

pub use azure::{AzureStore, EndpointError, RetryPolicy};
pub use busy::Busy;
pub use dry_run::DryRun;
pub use error::{ErrorClass, StoreError};
pub use folder::FolderStore;
pub use memory::MemoryStore;
pub use name_rules::NameRules;
pub use open::{Credentials, OpenError, StoreConfig, StoreUrl, StoreUrlError, open, open_with};
pub use types::{
    BlobHead, Condition, ETag, Intended, ListPage, ListedBlob, PageEnd, PageToken, StagedBlock, Stored, StoredKind, Target,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::manifest::{Attributes, BlobPath, ContainerName, Digest, Range};

/// A place for blobs. All writes name a [`Target`]; a blob becomes visible only by `put`, `commit` or, for page blobs, as below.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The place as a normalised URL, without any credential: part of the session's identity, and what logs and receipts show.
    fn url(&self) -> String;

    /// Whether `put` and `commit` keep blobs invisible until complete, for page blobs too (a folder does, Azure does not).
    fn hides_incomplete_pages(&self) -> bool;

    /// Which names the store can hold, as far as names alone tell.
    fn name_rules(&self) -> NameRules;

    /// How often it has said that it is busy; a store that never says so has nothing to count.
    fn busy(&self) -> Busy {
        Busy::default()
    }

    /// When the configured credential ends, if it tells: a signed token does, a key has no end.
    fn access_ends(&self) -> Option<Timestamp> {
        None
    }

    /// Whether what is there leaves room for a blob of this name: [`StoreError::NameConflict`] if a folder has a blob `a` and is asked
    /// for `a/b`, or the other way round. Blobs of that very name are no matter.
    async fn room_for(&self, path: &BlobPath) -> Result<(), StoreError>;

    /// Whether the container exists.
    async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError>;

    /// Creates the container; `Ok` if it exists already.
    async fn create_container(&self, container: &ContainerName) -> Result<(), StoreError>;

    /// One page of the container's blobs in the store's order, from the token on. A missing container is [`StoreError::ContainerMissing`].
    async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError>;

    /// What is there under this name; `None` if nothing visible is, or the container is missing.
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError>;

    /// Stores a block blob of one range in one request. `digest` is sent along, and becomes the blob's MD5 property unless the
    /// attributes bring one (a folder keeps only that one).
    async fn put(
        &self,
        target: &Target,
        body: Bytes,
        digest: &Digest,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError>;

    /// Stages one block. Harmless to repeat. Answers how often the store refused the bytes for their checksum before it took them.
    async fn stage(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError>;

    /// The blocks staged and not committed, as far as the store knows them.
    async fn staged(&self, target: &Target) -> Result<Vec<StagedBlock>, StoreError>;

    /// Makes the blob visible: exactly these blocks in this order. An empty list is an empty blob.
    async fn commit(
        &self,
        target: &Target,
        blocks: &[Range],
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError>;

    /// Creates a page blob of `length` zeros, carrying the mark `dockside_incomplete` where it is visible at once.
    async fn create_pages(
        &self,
        target: &Target,
        length: u64,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<(), StoreError>;

    /// Writes one page range. Answers how often the store refused the bytes for their checksum before it took them.
    async fn write_pages(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError>;

    /// Ends a page blob: [`PageEnd::Complete`] removes the mark, [`PageEnd::Incomplete`] leaves it and what was written.
    async fn finish_pages(
        &self,
        target: &Target,
        attributes: &Attributes,
        condition: &Condition,
        end: PageEnd,
    ) -> Result<Stored, StoreError>;

    /// Removes a blob, on condition that it is still the one seen.
    async fn delete(&self, path: &BlobPath, seen: &ETag) -> Result<(), StoreError>;

    /// Forgets what was staged and not committed, where that costs nothing (a folder removes its hidden file; Azure lets it expire).
    async fn discard(&self, target: &Target) -> Result<(), StoreError>;

    /// Takes up a block blob that an earlier run of this work began. `synced[i]` says whether that run knew range i to be durable
    /// ([`Store::sync`]), in what is there now: who begins the blob anew, or discards it, must have forgotten before what it knew of
    /// the old one. Answers, in order, which ranges need not be sent again.
    async fn take_up(&self, target: &Target, ranges: &[Range], synced: &[bool]) -> Result<Vec<bool>, StoreError>;

    /// Takes up a page blob that an earlier run of this work began and did not finish: its version, if it is there as this work created
    /// it, with this length. Ranges which that run knew to be durable in it are then there.
    async fn take_up_pages(&self, target: &Target, length: u64) -> Result<Option<ETag>, StoreError>;

    /// Makes durable what was staged or written so far for this target; what it covers may be passed to `take_up` as synced.
    async fn sync(&self, target: &Target) -> Result<(), StoreError>;

    /// Whether an intended write has been carried out: what lies under the name is exactly that, with these attributes, and not the
    /// version seen before it. Answers its version, which is durable then.
    async fn carried_out(
        &self,
        target: &Target,
        intended: &Intended<'_>,
        attributes: &Attributes,
        before: &Condition,
    ) -> Result<Option<ETag>, StoreError>;

    /// Reads a small blob whole; `None` if there is none. One over `limit` bytes is [`StoreError::Rejected`].
    async fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError>;

    /// Clears a free name of the blocks that another tool left under it ([`StoreError::ForeignBlocks`]): an empty blob with the mark
    /// `dockside_incomplete` takes the name, and the commit replaces that version. A name that is taken is
    /// [`StoreError::AlreadyExists`], and nothing is touched. Stores that keep each writer's blocks apart answer `ForeignBlocks`.
    async fn clear_foreign(&self, target: &Target) -> Result<ETag, StoreError>;

    /// Holds a blob for a minute against every other holder, or holds on to it: [`StoreError::LeasePresent`] if another has it. A holder
    /// is a GUID. Stores without leases let everybody hold everything.
    async fn hold(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError>;

    /// Lets go of a blob that is held.
    async fn let_go(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError>;
}
