//! A store in which somebody else's blobs appear just before a write of ours reaches their names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use dockside::manifest::{Attributes, BlobPath, ContainerName, Digest, Range};
use dockside::store::{
    BlobHead, Condition, ETag, Intended, ListPage, NameRules, PageEnd, PageToken, StagedBlock, Store, StoreError, Stored,
    StoredKind, Target,
};

/// Before which write the other blob appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The first to its name.
    First,
    /// The one that makes the blob visible and final.
    Last,
}

/// See the module.
pub(crate) struct LateStore {
    inner: Arc<dyn Store>,
    moment: Moment,
    /// Names at which a blob of that kind will appear, once.
    waiting: Mutex<BTreeMap<String, StoredKind>>,
    body: &'static [u8],
}

impl LateStore {
    /// Blocks get `body`, pages 512 zeros.
    pub(crate) fn new(inner: Arc<dyn Store>, moment: Moment, waiting: BTreeMap<String, StoredKind>, body: &'static [u8]) -> Self {
        Self { inner, moment, waiting: Mutex::new(waiting), body }
    }

    /// How many have not appeared.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    async fn before(&self, target: &Target, moment: Moment) {
        if moment != self.moment {
            return;
        }
        let name = format!("{}/{}", target.path.container(), target.path.name());
        let kind = self.waiting.lock().unwrap().remove(&name);
        let other = Target { session: "somebodyelse".to_owned(), ..target.clone() };
        let none = Attributes::default();
        match kind {
            Some(StoredKind::Page) => {
                self.inner.create_pages(&other, 512, &none, &Condition::Any).await.unwrap();
                self.inner.finish_pages(&other, &none, &Condition::Any, PageEnd::Complete).await.unwrap();
            }
            Some(_) => {
                let body = Bytes::from_static(self.body);
                let digest = Digest::of(&body);
                self.inner.put(&other, body, &digest, &none, &Condition::Any).await.unwrap();
            }
            None => {}
        }
    }
}

#[async_trait]
impl Store for LateStore {
    fn url(&self) -> String {
        self.inner.url()
    }

    fn hides_incomplete_pages(&self) -> bool {
        self.inner.hides_incomplete_pages()
    }

    fn name_rules(&self) -> NameRules {
        self.inner.name_rules()
    }

    async fn room_for(&self, path: &BlobPath) -> Result<(), StoreError> {
        self.inner.room_for(path).await
    }

    async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError> {
        self.inner.container_exists(container).await
    }

    async fn create_container(&self, container: &ContainerName) -> Result<(), StoreError> {
        self.inner.create_container(container).await
    }

    async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError> {
        self.inner.list(container, from).await
    }

    async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
        self.inner.head(path).await
    }

    async fn put(
        &self,
        target: &Target,
        body: Bytes,
        digest: &Digest,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        self.before(target, self.moment).await;
        self.inner.put(target, body, digest, attributes, condition).await
    }

    async fn stage(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        self.before(target, Moment::First).await;
        self.inner.stage(target, range, body).await
    }

    async fn staged(&self, target: &Target) -> Result<Vec<StagedBlock>, StoreError> {
        self.inner.staged(target).await
    }

    async fn commit(
        &self,
        target: &Target,
        blocks: &[Range],
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        self.before(target, Moment::Last).await;
        self.inner.commit(target, blocks, attributes, condition).await
    }

    async fn create_pages(
        &self,
        target: &Target,
        length: u64,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<(), StoreError> {
        self.before(target, Moment::First).await;
        self.inner.create_pages(target, length, attributes, condition).await
    }

    async fn write_pages(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        self.inner.write_pages(target, range, body).await
    }

    async fn finish_pages(
        &self,
        target: &Target,
        attributes: &Attributes,
        condition: &Condition,
        end: PageEnd,
    ) -> Result<Stored, StoreError> {
        self.before(target, Moment::Last).await;
        self.inner.finish_pages(target, attributes, condition, end).await
    }

    async fn delete(&self, path: &BlobPath, seen: &ETag) -> Result<(), StoreError> {
        self.inner.delete(path, seen).await
    }

    async fn discard(&self, target: &Target) -> Result<(), StoreError> {
        self.inner.discard(target).await
    }

    async fn take_up(&self, target: &Target, ranges: &[Range], synced: &[bool]) -> Result<Vec<bool>, StoreError> {
        self.inner.take_up(target, ranges, synced).await
    }

    async fn take_up_pages(&self, target: &Target, length: u64) -> Result<Option<ETag>, StoreError> {
        self.inner.take_up_pages(target, length).await
    }

    async fn sync(&self, target: &Target) -> Result<(), StoreError> {
        self.inner.sync(target).await
    }

    async fn carried_out(
        &self,
        target: &Target,
        intended: &Intended<'_>,
        attributes: &Attributes,
        before: &Condition,
    ) -> Result<Option<ETag>, StoreError> {
        self.inner.carried_out(target, intended, attributes, before).await
    }

    async fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        self.inner.read(path, limit).await
    }

    async fn clear_foreign(&self, target: &Target) -> Result<ETag, StoreError> {
        self.inner.clear_foreign(target).await
    }

    async fn hold(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError> {
        self.inner.hold(path, holder).await
    }

    async fn let_go(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError> {
        self.inner.let_go(path, holder).await
    }
}

impl fmt::Debug for LateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LateStore({:?})", self.inner)
    }
}
