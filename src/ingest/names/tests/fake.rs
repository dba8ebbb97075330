//! A store that only answers what exists, and counts; and records in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::version;
use crate::ledger::{EntryOutcome, LedgerError, NameDecision, NameFate, RangeStatus, Records};
use crate::manifest::{Attributes, BlobKind, BlobPath, ContainerName, Digest, Disposition, Entry, Range};
use crate::store::{
    BlobHead, Condition, ETag, Intended, ListPage, ListedBlob, NameRules, PageEnd, PageToken, StagedBlock, Store, StoreError,
    Stored, Target,
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Fake {
    /// Paths `container/name`.
    pub(super) blobs: Mutex<BTreeSet<String>>,
    /// Containers that do not exist.
    pub(super) missing: Vec<&'static str>,
    /// Blobs of a page.
    pub(super) page: usize,
    /// Fails every request.
    pub(super) forbidden: bool,
    /// Refuses to be asked about single names.
    pub(super) heads_rejected: bool,
    /// Requests for pages.
    pub(super) lists: AtomicU64,
    /// Requests for single names.
    pub(super) heads: AtomicU64,
}

impl Fake {
    pub(super) fn new(blobs: impl IntoIterator<Item = String>, page: usize) -> Self {
        Self { blobs: Mutex::new(blobs.into_iter().collect()), page, ..Self::default() }
    }

    pub(super) fn requests(&self) -> (u64, u64) {
        (self.lists.load(Ordering::Relaxed), self.heads.load(Ordering::Relaxed))
    }

    fn answers(&self, container: &ContainerName) -> Result<(), StoreError> {
        if self.forbidden {
            return Err(StoreError::Forbidden { reason: "AuthorizationFailure".to_owned() });
        }
        if self.missing.contains(&container.as_str()) {
            return Err(StoreError::ContainerMissing { container: container.to_string() });
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Fake {
    fn url(&self) -> String {
        "fake:".to_owned()
    }

    fn hides_incomplete_pages(&self) -> bool {
        true
    }

    fn name_rules(&self) -> NameRules {
        NameRules::Any
    }

    async fn room_for(&self, _path: &BlobPath) -> Result<(), StoreError> {
        Ok(())
    }

    async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError> {
        Ok(self.answers(container).is_ok())
    }

    async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.answers(container)?;
        let prefix = format!("{container}/");
        let from = from.map_or(prefix.clone(), |token| token.0);
        let blobs = self.blobs.lock().unwrap();
        let mut rest = blobs.range(from..).take_while(|path| path.starts_with(&prefix));
        let blobs = rest.by_ref().take(self.page).map(|path| {
            let (etag, kind) = version(path);
            ListedBlob { name: path[prefix.len()..].to_owned(), etag, kind }
        });
        let blobs = blobs.collect();
        Ok(ListPage { blobs, next: rest.next().cloned().map(PageToken) })
    }

    async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
        self.heads.fetch_add(1, Ordering::Relaxed);
        self.answers(path.container())?;
        if self.heads_rejected {
            return Err(StoreError::Rejected { status: 400, code: "InvalidUri".to_owned() });
        }
        tokio::task::yield_now().await;
        let path = format!("{}/{}", path.container(), path.name());
        let (etag, kind) = version(&path);
        Ok(self.blobs.lock().unwrap().contains(&path).then_some(BlobHead { etag, kind, length: 0, md5: None, incomplete: None }))
    }

    async fn create_container(&self, _: &ContainerName) -> Result<(), StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn put(&self, _: &Target, _: Bytes, _: &Digest, _: &Attributes, _: &Condition) -> Result<Stored, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn stage(&self, _: &Target, _: &Range, _: Bytes) -> Result<u64, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn staged(&self, _: &Target) -> Result<Vec<StagedBlock>, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn commit(&self, _: &Target, _: &[Range], _: &Attributes, _: &Condition) -> Result<Stored, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn create_pages(&self, _: &Target, _: u64, _: &Attributes, _: &Condition) -> Result<(), StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn write_pages(&self, _: &Target, _: &Range, _: Bytes) -> Result<u64, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn finish_pages(&self, _: &Target, _: &Attributes, _: &Condition, _: PageEnd) -> Result<Stored, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn delete(&self, _: &BlobPath, _: &ETag) -> Result<(), StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn discard(&self, _: &Target) -> Result<(), StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn take_up(&self, _: &Target, _: &[Range], _: &[bool]) -> Result<Vec<bool>, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn take_up_pages(&self, _: &Target, _: u64) -> Result<Option<ETag>, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn sync(&self, _: &Target) -> Result<(), StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn carried_out(&self, _: &Target, _: &Intended<'_>, _: &Attributes, _: &Condition) -> Result<Option<ETag>, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn read(&self, _: &BlobPath, _: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn clear_foreign(&self, _: &Target) -> Result<ETag, StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn hold(&self, _: &BlobPath, _: &str) -> Result<(), StoreError> {
        Err(StoreError::WriteRefused)
    }

    async fn let_go(&self, _: &BlobPath, _: &str) -> Result<(), StoreError> {
        Err(StoreError::WriteRefused)
    }
}

/// An entry of an empty blob.
pub(in crate::ingest::names) fn entry(number: u64, path: &str, disposition: Disposition) -> Entry {
    Entry {
        number,
        line: number,
        blob_path: path.into(),
        file_path: "x".into(),
        length: 0,
        disposition,
        kind: BlobKind::Block,
        first_range: 0,
        range_count: 0,
        list_metadata: None,
        own_metadata: None,
        list_properties: None,
        own_properties: None,
    }
}

/// Names in a map, nothing else.
#[derive(Default)]
pub(in crate::ingest::names) struct Names(pub(super) Mutex<BTreeMap<u64, NameDecision>>);

impl Records for Names {
    fn set_name(&self, entry: u64, name: &NameDecision) -> Result<(), LedgerError> {
        let before = self.0.lock().unwrap().insert(entry, name.clone());
        let fails = matches!(name.fate, NameFate::Illegal { .. });
        assert!(before.is_none() || fails, "entry {entry} is decided once, if it does not fail");
        Ok(())
    }

    fn name(&self, entry: u64) -> Result<Option<NameDecision>, LedgerError> {
        Ok(self.0.lock().unwrap().get(&entry).cloned())
    }

    fn set_range(&self, _: u64, _: RangeStatus) -> Result<(), LedgerError> {
        Ok(())
    }

    fn ranges(&self, _: u64, _: usize) -> Result<Vec<Option<RangeStatus>>, LedgerError> {
        Ok(Vec::new())
    }

    fn set_outcome(&self, _: &Entry, _: &EntryOutcome) -> Result<(), LedgerError> {
        Ok(())
    }

    fn outcome(&self, _: u64) -> Result<Option<EntryOutcome>, LedgerError> {
        Ok(None)
    }
}
