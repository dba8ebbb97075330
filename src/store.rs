//! Where blobs go: one trait, three places (a folder, Azure, memory), and what is put around them (a dry run, a store that fails).
//!
//! A store repeats what may be repeated (time-outs, 5xx, cut bodies) by itself and answers a [`StoreError`] only when that is final.

mod azure;
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
pub use dry_run::DryRun;
pub use error::{ErrorClass, StoreError};
pub use folder::FolderStore;
pub use memory::MemoryStore;
pub use name_rules::NameRules;
pub use open::{Credentials, OpenError, StoreConfig, StoreUrl, StoreUrlError, open, open_with};
pub use types::{BlobHead, Condition, ETag, ListPage, ListedBlob, PageEnd, PageToken, StagedBlock, Stored, StoredKind, Target};

use async_trait::async_trait;
use bytes::Bytes;

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
}
