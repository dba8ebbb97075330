//! A store for tests that counts its calls and fails at one of them.
//!
//! In go a store, the number of the call, and what it shall answer; the fault may strike before the call is passed on, or after, as
//! when an answer is lost.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    BlobHead, Busy, Condition, ETag, Intended, ListPage, NameRules, PageEnd, PageToken, StagedBlock, Store, StoreError, Stored,
    Target,
};
use crate::manifest::{Attributes, BlobPath, ContainerName, Digest, Range};

/// Whether the call that fails has its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing reaches the store.
    Before,
    /// The call has been begun; how far it came is not known.
    During,
    /// The store has done it, the answer is lost.
    After,
}

/// A store that fails at its n-th call.
pub struct FailingStore {
    inner: Arc<dyn Store>,
    at: u64,
    fault: Fault,
    error: Box<dyn Fn() -> StoreError + Send + Sync>,
    calls: AtomicU64,
}

impl FailingStore {
    /// Fails once, at call number `at`, counted from 0; `u64::MAX` never.
    pub fn new(inner: Arc<dyn Store>, at: u64, fault: Fault, error: impl Fn() -> StoreError + Send + Sync + 'static) -> Self {
        Self { inner, at, fault, error: Box::new(error), calls: AtomicU64::new(0) }
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    async fn pass<T>(&self, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        let strikes = self.calls.fetch_add(1, Ordering::SeqCst) == self.at;
        if strikes && self.fault == Fault::Before {
            return Err((self.error)());
        }
        let mut call = pin!(call);
        if strikes && self.fault == Fault::During {
            let begun = poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
            let _ = begun.await;
            return Err((self.error)());
        }
        let answer = call.await;
        if strikes { Err((self.error)()) } else { answer }
    }
}

#[async_trait]
impl Store for FailingStore {
    fn url(&self) -> String {
        self.inner.url()
    }

    fn hides_incomplete_pages(&self) -> bool {
        self.inner.hides_incomplete_pages()
    }

    fn name_rules(&self) -> NameRules {
        self.inner.name_rules()
    }

    fn busy(&self) -> Busy {
        self.inner.busy()
    }

    async fn room_for(&self, path: &BlobPath) -> Result<(), StoreError> {
        self.pass(self.inner.room_for(path)).await
    }

    async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError> {
        self.pass(self.inner.container_exists(container)).await
    }

    async fn create_container(&self, container: &ContainerName) -> Result<(), StoreError> {
        self.pass(self.inner.create_container(container)).await
    }

    async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError> {
        self.pass(self.inner.list(container, from)).await
    }

    async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
        self.pass(self.inner.head(path)).await
    }

    async fn put(
        &self,
        target: &Target,
        body: Bytes,
        digest: &Digest,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        self.pass(self.inner.put(target, body, digest, attributes, condition)).await
    }

    async fn stage(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        self.pass(self.inner.stage(target, range, body)).await
    }

    async fn staged(&self, target: &Target) -> Result<Vec<StagedBlock>, StoreError> {
        self.pass(self.inner.staged(target)).await
    }

    async fn commit(
        &self,
        target: &Target,
        blocks: &[Range],
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        self.pass(self.inner.commit(target, blocks, attributes, condition)).await
    }

    async fn create_pages(
        &self,
        target: &Target,
        length: u64,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<(), StoreError> {
        self.pass(self.inner.create_pages(target, length, attributes, condition)).await
    }

    async fn write_pages(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        self.pass(self.inner.write_pages(target, range, body)).await
    }

    async fn finish_pages(
        &self,
        target: &Target,
        attributes: &Attributes,
        condition: &Condition,
        end: PageEnd,
    ) -> Result<Stored, StoreError> {
        self.pass(self.inner.finish_pages(target, attributes, condition, end)).await
    }

    async fn delete(&self, path: &BlobPath, seen: &ETag) -> Result<(), StoreError> {
        self.pass(self.inner.delete(path, seen)).await
    }

    async fn discard(&self, target: &Target) -> Result<(), StoreError> {
        self.pass(self.inner.discard(target)).await
    }

    async fn take_up(&self, target: &Target, ranges: &[Range], synced: &[bool]) -> Result<Vec<bool>, StoreError> {
        self.pass(self.inner.take_up(target, ranges, synced)).await
    }

    async fn take_up_pages(&self, target: &Target, length: u64) -> Result<Option<ETag>, StoreError> {
        self.pass(self.inner.take_up_pages(target, length)).await
    }

    async fn sync(&self, target: &Target) -> Result<(), StoreError> {
        self.pass(self.inner.sync(target)).await
    }

    async fn carried_out(
        &self,
        target: &Target,
        intended: &Intended<'_>,
        attributes: &Attributes,
        before: &Condition,
    ) -> Result<Option<ETag>, StoreError> {
        self.pass(self.inner.carried_out(target, intended, attributes, before)).await
    }

    async fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        self.pass(self.inner.read(path, limit)).await
    }

    async fn clear_foreign(&self, target: &Target) -> Result<ETag, StoreError> {
        self.pass(self.inner.clear_foreign(target)).await
    }

    async fn hold(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError> {
        self.pass(self.inner.hold(path, holder)).await
    }

    async fn let_go(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError> {
        self.pass(self.inner.let_go(path, holder)).await
    }
}

impl fmt::Debug for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FailingStore({:?} call {} of {:?})", self.fault, self.at, self.inner)
    }
}
