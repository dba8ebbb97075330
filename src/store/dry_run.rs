//! The store of a dry run: reading requests go to the real one, writes end here.
//!
//! The real store is held behind [`reader::Reader`], which has no method that writes: a write cannot reach it, whatever is added here.
//! Offline there is no real store; every container then exists and is empty.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use self::reader::Reader;
use super::{
    BlobHead, Condition, ETag, Intended, ListPage, NameRules, PageEnd, PageToken, StagedBlock, Store, StoreError, Stored, Target,
};
use crate::manifest::{Attributes, BlobPath, ContainerName, Digest, Range};

mod reader {
    use std::sync::Arc;

    use super::{
        BlobHead, BlobPath, Bytes, ContainerName, ETag, ListPage, NameRules, PageToken, StagedBlock, Store, StoreError, Target,
        Timestamp,
    };

    /// A store of which nothing but the reading requests can be reached.
    #[derive(Debug)]
    pub(super) struct Reader(Arc<dyn Store>);

    impl Reader {
        pub(super) fn new(store: Arc<dyn Store>) -> Self {
            Self(store)
        }

        pub(super) fn hides_incomplete_pages(&self) -> bool {
            self.0.hides_incomplete_pages()
        }

        pub(super) fn name_rules(&self) -> NameRules {
            self.0.name_rules()
        }

        pub(super) fn access_ends(&self) -> Option<Timestamp> {
            self.0.access_ends()
        }

        pub(super) async fn room_for(&self, path: &BlobPath) -> Result<(), StoreError> {
            self.0.room_for(path).await
        }

        pub(super) async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError> {
            self.0.container_exists(container).await
        }

        pub(super) async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError> {
            self.0.list(container, from).await
        }

        pub(super) async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
            self.0.head(path).await
        }

        pub(super) async fn staged(&self, target: &Target) -> Result<Vec<StagedBlock>, StoreError> {
            self.0.staged(target).await
        }

        pub(super) async fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
            self.0.read(path, limit).await
        }
    }
}

/// A store that takes every write and keeps none.
#[derive(Debug)]
pub struct DryRun {
    inner: Option<Reader>,
    url: String,
    rules: NameRules,
    /// Containers that a run would have created.
    created: Mutex<BTreeSet<String>>,
}

impl DryRun {
    /// In front of a store.
    pub fn before(store: Arc<dyn Store>) -> Self {
        let url = store.url();
        let inner = Reader::new(store);
        Self { rules: inner.name_rules(), inner: Some(inner), url, created: Mutex::default() }
    }

    /// Without a store: every container exists and is empty. `url` is what logs show, `rules` are those of the store it stands for.
    pub fn offline(url: String, rules: NameRules) -> Self {
        Self { inner: None, url, rules, created: Mutex::default() }
    }

    fn created(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a write that went nowhere answers.
fn nothing() -> Stored {
    Stored { etag: ETag("\"dry-run\"".to_owned()), line_refusals: 0 }
}

#[async_trait]
impl Store for DryRun {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn hides_incomplete_pages(&self) -> bool {
        self.inner.as_ref().is_none_or(Reader::hides_incomplete_pages)
    }

    fn name_rules(&self) -> NameRules {
        self.rules.clone()
    }

    fn access_ends(&self) -> Option<Timestamp> {
        self.inner.as_ref().and_then(Reader::access_ends)
    }

    async fn room_for(&self, path: &BlobPath) -> Result<(), StoreError> {
        match &self.inner {
            Some(inner) => inner.room_for(path).await,
            None => Ok(()),
        }
    }

    async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError> {
        let created = self.created().contains(container.as_str());
        match &self.inner {
            Some(inner) if !created => inner.container_exists(container).await,
            _ => Ok(true),
        }
    }

    async fn create_container(&self, container: &ContainerName) -> Result<(), StoreError> {
        self.created().insert(container.as_str().to_owned());
        Ok(())
    }

    async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError> {
        let created = self.created().contains(container.as_str());
        match &self.inner {
            Some(inner) => match inner.list(container, from).await {
                Err(StoreError::ContainerMissing { .. }) if created => Ok(ListPage::default()),
                answer => answer,
            },
            None => Ok(ListPage::default()),
        }
    }

    async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
        match &self.inner {
            Some(inner) => inner.head(path).await,
            None => Ok(None),
        }
    }

    async fn put(&self, _: &Target, _: Bytes, _: &Digest, _: &Attributes, _: &Condition) -> Result<Stored, StoreError> {
        Ok(nothing())
    }

    async fn stage(&self, _: &Target, _: &Range, _: Bytes) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn staged(&self, target: &Target) -> Result<Vec<StagedBlock>, StoreError> {
        let created = self.created().contains(target.path.container().as_str());
        match &self.inner {
            Some(inner) if !created => inner.staged(target).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn commit(&self, _: &Target, _: &[Range], _: &Attributes, _: &Condition) -> Result<Stored, StoreError> {
        Ok(nothing())
    }

    async fn create_pages(&self, _: &Target, _: u64, _: &Attributes, _: &Condition) -> Result<(), StoreError> {
        Ok(())
    }

    async fn write_pages(&self, _: &Target, _: &Range, _: Bytes) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn finish_pages(&self, _: &Target, _: &Attributes, _: &Condition, _: PageEnd) -> Result<Stored, StoreError> {
        Ok(nothing())
    }

    async fn delete(&self, _: &BlobPath, _: &ETag) -> Result<(), StoreError> {
        Ok(())
    }

    async fn discard(&self, _: &Target) -> Result<(), StoreError> {
        Ok(())
    }

    async fn take_up(&self, _: &Target, ranges: &[Range], _: &[bool]) -> Result<Vec<bool>, StoreError> {
        Ok(vec![false; ranges.len()])
    }

    async fn take_up_pages(&self, _: &Target, _: u64) -> Result<Option<ETag>, StoreError> {
        Ok(None)
    }

    async fn sync(&self, _: &Target) -> Result<(), StoreError> {
        Ok(())
    }

    async fn carried_out(&self, _: &Target, _: &Intended<'_>, _: &Attributes, _: &Condition) -> Result<Option<ETag>, StoreError> {
        // it may tidy up after what it finds, and a dry run intends nothing
        Ok(None)
    }

    async fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        match &self.inner {
            Some(inner) => inner.read(path, limit).await,
            None => Ok(None),
        }
    }

    async fn clear_foreign(&self, _: &Target) -> Result<ETag, StoreError> {
        Ok(nothing().etag)
    }

    async fn hold(&self, _: &BlobPath, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn let_go(&self, _: &BlobPath, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}
