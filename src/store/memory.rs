//! A store in memory, for tests: all semantics of Azure (staged blocks, conditions, page blobs visible with their mark, `ETags`).
//!
//! In go the calls of [`Store`]; what is there can be looked at with [`MemoryStore::content`] and [`MemoryStore::attributes`].

mod intended;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    BlobHead, Condition, ETag, Intended, ListPage, ListedBlob, NameRules, PageEnd, PageToken, StagedBlock, Store, StoreError,
    Stored, StoredKind, Target,
};
use crate::manifest::{Attributes, BlobPath, ContainerName, Digest, Range};
use crate::volume::fields::index;

/// Blobs of a listing's page: few, so that tests see several pages.
const PAGE: usize = 100;

/// A store in memory.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    containers: BTreeMap<String, Container>,
    versions: u64,
    /// Holders of blobs, who never let go by themselves.
    held: HashMap<String, String>,
}

#[derive(Default)]
struct Container {
    blobs: BTreeMap<String, Blob>,
    staged: HashMap<String, BTreeMap<String, Bytes>>,
}

#[derive(Clone)]
struct Blob {
    etag: ETag,
    kind: StoredKind,
    content: Content,
    attributes: Attributes,
    md5: Option<[u8; 16]>,
    /// The mark of a page blob that is not finished.
    incomplete: Option<String>,
}

#[derive(Clone)]
enum Content {
    Blocks(Vec<(String, Bytes)>),
    Pages(Vec<u8>),
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Blocks(blocks) => blocks.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect(),
            Self::Pages(bytes) => bytes.clone(),
        }
    }

    fn length(&self) -> u64 {
        match self {
            Self::Blocks(blocks) => blocks.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
            Self::Pages(bytes) => bytes.len() as u64,
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A visible blob's bytes.
    pub fn content(&self, path: &BlobPath) -> Option<Vec<u8>> {
        self.lock().blob(path).map(|blob| blob.content.bytes())
    }

    /// A visible blob's attributes.
    pub fn attributes(&self, path: &BlobPath) -> Option<Attributes> {
        self.lock().blob(path).map(|blob| blob.attributes.clone())
    }

    /// Every visible blob as `container/name`, in order.
    pub fn names(&self) -> Vec<String> {
        let state = self.lock();
        state
            .containers
            .iter()
            .flat_map(|(container, content)| content.blobs.keys().map(move |name| format!("{container}/{name}")))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn blob(&self, path: &BlobPath) -> Option<&Blob> {
        self.containers.get(path.container().as_str())?.blobs.get(path.name())
    }

    fn container(&mut self, name: &ContainerName) -> Result<&mut Container, StoreError> {
        self.containers.get_mut(name.as_str()).ok_or_else(|| StoreError::ContainerMissing { container: name.as_str().to_owned() })
    }

    fn check(&self, path: &BlobPath, condition: &Condition) -> Result<(), StoreError> {
        let there = self.blob(path).map(|blob| &blob.etag);
        match condition {
            Condition::Any => Ok(()),
            Condition::Absent if there.is_none() => Ok(()),
            Condition::Absent => Err(StoreError::AlreadyExists),
            Condition::Matches(seen) if there == Some(seen) => Ok(()),
            Condition::Matches(_) => Err(StoreError::ConditionFailed),
        }
    }

    fn version(&mut self) -> ETag {
        self.versions += 1;
        ETag(format!("\"{:x}\"", self.versions))
    }

    /// Makes a blob visible; what was staged under its name goes.
    fn show(&mut self, path: &BlobPath, mut blob: Blob) -> Result<Stored, StoreError> {
        let etag = self.version();
        blob.etag = etag.clone();
        let container = self.container(path.container())?;
        container.staged.remove(path.name());
        container.blobs.insert(path.name().to_owned(), blob);
        Ok(Stored { etag, line_refusals: 0 })
    }

    /// The page blob that this work is writing.
    fn pages(&mut self, target: &Target) -> Result<&mut Blob, StoreError> {
        let blob = self.container(target.path.container())?.blobs.get_mut(target.path.name());
        let blob = blob.ok_or(StoreError::ConditionFailed)?;
        if blob.kind != StoredKind::Page {
            return Err(StoreError::WrongKind);
        }
        if blob.incomplete.as_ref() == Some(&target.mark()) { Ok(blob) } else { Err(StoreError::ConditionFailed) }
    }
}

fn new_blob(kind: StoredKind, content: Content, attributes: &Attributes) -> Blob {
    let attributes = attributes.clone();
    Blob { etag: ETag(String::new()), kind, content, md5: attributes.content_md5, attributes, incomplete: None }
}

#[async_trait]
impl Store for MemoryStore {
    fn url(&self) -> String {
        "memory:".to_owned()
    }

    fn hides_incomplete_pages(&self) -> bool {
        false
    }

    fn name_rules(&self) -> NameRules {
        NameRules::Any
    }

    async fn room_for(&self, _path: &BlobPath) -> Result<(), StoreError> {
        Ok(())
    }

    async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError> {
        Ok(self.lock().containers.contains_key(container.as_str()))
    }

    async fn create_container(&self, container: &ContainerName) -> Result<(), StoreError> {
        self.lock().containers.entry(container.as_str().to_owned()).or_default();
        Ok(())
    }

    async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError> {
        let mut state = self.lock();
        let blobs = &state.container(container)?.blobs;
        let from = from.map_or_else(String::new, |token| token.0);
        let mut rest = blobs.range(from..);
        let page = rest.by_ref().take(PAGE);
        let listed = |(name, blob): (&String, &Blob)| ListedBlob { name: name.clone(), etag: blob.etag.clone(), kind: blob.kind };
        let blobs = page.map(listed).collect();
        Ok(ListPage { blobs, next: rest.next().map(|(name, _)| PageToken(name.clone())) })
    }

    async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
        Ok(self.lock().blob(path).map(|blob| BlobHead {
            etag: blob.etag.clone(),
            kind: blob.kind,
            length: blob.content.length(),
            md5: blob.md5,
            incomplete: blob.incomplete.clone(),
        }))
    }

    async fn put(
        &self,
        target: &Target,
        body: Bytes,
        digest: &Digest,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        if Digest::of(&body) != *digest {
            return Err(StoreError::ChecksumRefused { attempts: 1 });
        }
        let mut state = self.lock();
        state.container(target.path.container())?;
        state.check(&target.path, condition)?;
        let mut blob = new_blob(StoredKind::Block, Content::Blocks(vec![(String::new(), body)]), attributes);
        blob.md5 = attributes.content_md5.or(Some(digest.0));
        state.show(&target.path, blob)
    }

    async fn stage(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        if Digest::of(&body) != range.digest {
            return Err(StoreError::ChecksumRefused { attempts: 1 });
        }
        let mut state = self.lock();
        if state.blob(&target.path).is_some_and(|blob| blob.kind != StoredKind::Block) {
            return Err(StoreError::WrongKind);
        }
        let container = state.container(target.path.container())?;
        container.staged.entry(target.path.name().to_owned()).or_default().insert(range.digest.block_id(), body);
        Ok(0)
    }

    async fn staged(&self, target: &Target) -> Result<Vec<StagedBlock>, StoreError> {
        let mut state = self.lock();
        let staged = state.container(target.path.container())?.staged.get(target.path.name());
        let block = |(id, bytes): (&String, &Bytes)| StagedBlock { id: id.clone(), length: bytes.len() as u64 };
        Ok(staged.map(|blocks| blocks.iter().map(block).collect()).unwrap_or_default())
    }

    async fn commit(
        &self,
        target: &Target,
        blocks: &[Range],
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        let mut state = self.lock();
        state.container(target.path.container())?;
        state.check(&target.path, condition)?;
        let old = state.blob(&target.path).and_then(|blob| match &blob.content {
            Content::Blocks(blocks) => Some(blocks.clone()),
            Content::Pages(_) => None,
        });
        if old.is_none() && state.blob(&target.path).is_some() {
            return Err(StoreError::WrongKind);
        }
        let staged = state.container(target.path.container())?.staged.get(target.path.name());
        let find = |range: &Range| {
            let id = range.digest.block_id();
            let committed = || old.iter().flatten().find(|(old, _)| *old == id).map(|(_, bytes)| bytes);
            let bytes = staged.and_then(|blocks| blocks.get(&id)).or_else(committed)?;
            (bytes.len() as u64 == range.bytes.length()).then(|| (id, bytes.clone()))
        };
        let list: Option<Vec<_>> = blocks.iter().map(find).collect();
        let list = list.ok_or(StoreError::BlockMissing)?;
        state.show(&target.path, new_blob(StoredKind::Block, Content::Blocks(list), attributes))
    }

    async fn create_pages(
        &self,
        target: &Target,
        length: u64,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.container(target.path.container())?;
        state.check(&target.path, condition)?;
        if !length.is_multiple_of(512) {
            return Err(StoreError::Rejected { status: 400, code: "InvalidHeaderValue".to_owned() });
        }
        let mut blob = new_blob(StoredKind::Page, Content::Pages(vec![0; index(length)]), attributes);
        blob.incomplete = Some(target.mark());
        state.show(&target.path, blob).map(drop)
    }

    async fn write_pages(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        if Digest::of(&body) != range.digest {
            return Err(StoreError::ChecksumRefused { attempts: 1 });
        }
        let mut state = self.lock();
        let version = state.version();
        let blob = state.pages(target)?;
        let Content::Pages(pages) = &mut blob.content else { return Err(StoreError::WrongKind) };
        let place =
            pages.get_mut(index(range.bytes.offset())..index(range.bytes.end())).filter(|place| place.len() == body.len());
        let place = place.ok_or_else(|| StoreError::Rejected { status: 416, code: "InvalidPageRange".to_owned() })?;
        place.copy_from_slice(&body);
        blob.etag = version;
        Ok(0)
    }

    async fn finish_pages(
        &self,
        target: &Target,
        attributes: &Attributes,
        _condition: &Condition,
        end: PageEnd,
    ) -> Result<Stored, StoreError> {
        let mut state = self.lock();
        let version = state.version();
        let blob = state.pages(target)?;
        if end == PageEnd::Complete {
            blob.incomplete = None;
            blob.attributes = attributes.clone();
            blob.etag = version;
        }
        Ok(Stored { etag: blob.etag.clone(), line_refusals: 0 })
    }

    async fn delete(&self, path: &BlobPath, seen: &ETag) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.container(path.container())?;
        state.check(path, &Condition::Matches(seen.clone()))?;
        state.container(path.container())?.blobs.remove(path.name());
        Ok(())
    }

    async fn discard(&self, _target: &Target) -> Result<(), StoreError> {
        // as on Azure: staged blocks belong to the name, not to the writer
        Ok(())
    }

    async fn take_up(&self, target: &Target, ranges: &[Range], _synced: &[bool]) -> Result<Vec<bool>, StoreError> {
        Ok(StagedBlock::among(self.staged(target).await?, ranges))
    }

    async fn take_up_pages(&self, target: &Target, length: u64) -> Result<Option<ETag>, StoreError> {
        let mut state = self.lock();
        // the mark is the work's own, and nothing else can set it here
        let own = state.pages(target).ok().filter(|blob| blob.content.length() == length);
        Ok(own.map(|blob| blob.etag.clone()))
    }

    async fn sync(&self, _target: &Target) -> Result<(), StoreError> {
        Ok(())
    }

    async fn carried_out(
        &self,
        target: &Target,
        intended: &Intended<'_>,
        attributes: &Attributes,
        before: &Condition,
    ) -> Result<Option<ETag>, StoreError> {
        let state = self.lock();
        let done = state.blob(&target.path).filter(|blob| *before != Condition::Matches(blob.etag.clone()));
        Ok(done.filter(|blob| intended::is(blob, intended, attributes)).map(|blob| blob.etag.clone()))
    }

    async fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        let state = self.lock();
        let Some(blob) = state.blob(path) else { return Ok(None) };
        if blob.content.length() > limit as u64 {
            return Err(StoreError::over(limit));
        }
        Ok(Some((blob.etag.clone(), blob.content.bytes().into())))
    }

    async fn clear_foreign(&self, _target: &Target) -> Result<ETag, StoreError> {
        // another tool cannot reach this memory
        Err(StoreError::ForeignBlocks)
    }

    async fn hold(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.blob(path).ok_or(StoreError::ConditionFailed)?;
        let held_by = state.held.entry(format!("{}/{}", path.container(), path.name())).or_insert_with(|| holder.to_owned());
        if held_by == holder { Ok(()) } else { Err(StoreError::LeasePresent) }
    }

    async fn let_go(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError> {
        let mut state = self.lock();
        let name = format!("{}/{}", path.container(), path.name());
        if state.held.get(&name).is_some_and(|held_by| held_by == holder) {
            state.held.remove(&name);
        }
        Ok(())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({} containers)", self.lock().containers.len())
    }
}
