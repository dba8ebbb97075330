//! A folder as a store: our own writer, since `object_store`'s neither syncs nor keeps attributes nor finds parts after a crash.
//!
//! ```text
//! <root>/<container>/<segments of the name>               a blob
//! <root>/<container>/…/.dockside-attr-<file>.json         its attributes, only if it has any
//! <root>/<container>/.dockside-part-<session>-<entry>     a blob in progress
//! ```
//!
//! Nothing is visible before it is complete and synced, page blobs included. Symbolic links below the root are never followed; a name
//! that would need one is [`StoreError::NameConflict`], and so is `a` beside `a/b`. Names differ by case; on a file system that
//! disagrees the second of two such names meets the first. Files are made with mode 0640, folders with 0750, less the umask.

mod attributes;
mod dir;
mod names;
mod part;
mod publish;
mod resume;
mod walk;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use self::attributes::Version;
use self::dir::Dir;
use self::part::Part;
use self::publish::{Finished, Place, publish};
use self::resume::Goal;
use super::{
    BlobHead, Condition, ETag, Intended, ListPage, NameRules, PageEnd, PageToken, StagedBlock, Store, StoreError, Stored,
    StoredKind, Target,
};
use crate::manifest::{Attributes, BlobPath, ByteRange, ContainerName, Digest, Range};

/// A folder as a store.
#[derive(Clone)]
pub struct FolderStore {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    /// Blobs that this process has in progress, begun or taken up, by the path of their hidden file.
    parts: Mutex<HashMap<String, Arc<Part>>>,
}

/// A blob in progress, and the folder of its container.
struct Work {
    folder: Dir,
    part: Arc<Part>,
    key: String,
}

impl FolderStore {
    /// A store below this folder. Nothing is touched yet; the folder itself is created with the first container, those above it never.
    pub fn new(root: &Path) -> Self {
        // only a current folder that is gone can fail here; the path as given then fails at its first use
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Self { inner: Arc::new(Inner { root, parts: Mutex::default() }) }
    }

    /// File system calls block: they run on tokio's threads for that.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|error| {
            let path = self.inner.root.display().to_string();
            Err(StoreError::Io { action: "working in", path, source: std::io::Error::other(error) })
        })
    }
}

impl Inner {
    fn parts(&self) -> MutexGuard<'_, HashMap<String, Arc<Part>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn container(&self, container: &ContainerName) -> Result<Option<Dir>, StoreError> {
        match Dir::root(&self.root)? {
            Some(root) => root.child(container.as_str()),
            None => Ok(None),
        }
    }

    fn needed(&self, container: &ContainerName) -> Result<Dir, StoreError> {
        let missing = || StoreError::ContainerMissing { container: container.as_str().to_owned() };
        self.container(container)?.ok_or_else(missing)
    }

    fn place(&self, path: &BlobPath) -> Result<Option<Place>, StoreError> {
        match self.container(path.container())? {
            Some(folder) => Place::find(&folder, path),
            None => Ok(None),
        }
    }

    /// The target's blob in progress; one is begun if this process knows none.
    fn work(&self, target: &Target) -> Result<Work, StoreError> {
        let folder = self.needed(target.path.container())?;
        let (name, key) = (part_name(target)?, part_key(target)?);
        let part = Arc::clone(self.parts().entry(key.clone()).or_insert_with(|| Arc::new(Part::new(name))));
        Ok(Work { folder, part, key })
    }

    /// Makes the blob in progress visible and forgets it.
    fn publish(
        &self,
        work: &Work,
        file: &std::fs::File,
        target: &Target,
        version: Version,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        let finished = Finished { folder: &work.folder, part: work.part.name(), file, version };
        let stored = publish(finished, &target.path, condition)?;
        self.parts().remove(&work.key);
        Ok(stored)
    }

    fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
        let Some(place) = self.place(path)? else { return Ok(None) };
        let Some(meta) = place.blob()? else { return Ok(None) };
        let version = attributes::of_blob(&place.dir, &place.file, &meta)?.unwrap_or_default();
        let kind = if version.is_page() { StoredKind::Page } else { StoredKind::Block };
        let md5 = version.md5();
        Ok(Some(BlobHead { etag: meta.etag(), kind, length: meta.length(), md5, incomplete: version.incomplete }))
    }

    fn delete(&self, path: &BlobPath, seen: &ETag) -> Result<(), StoreError> {
        self.needed(path.container())?;
        let place = self.place(path)?.ok_or(StoreError::ConditionFailed)?;
        place.check(&Condition::Matches(seen.clone()))?;
        place.dir.remove(&place.file)?;
        place.dir.remove(&names::attributes_of(&place.file))?;
        place.dir.sync()
    }

    fn discard(&self, target: &Target) -> Result<(), StoreError> {
        let Some(folder) = self.container(target.path.container())? else { return Ok(()) };
        let name = part_name(target)?;
        self.parts().remove(&part_key(target)?);
        folder.remove(&name)?;
        folder.remove(&format!("{name}-attr"))
    }
}

/// The hidden file of a target. Session ids are ours, but a name of a file is never built from what was not looked at.
fn part_name(target: &Target) -> Result<String, StoreError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !(1..=64).contains(&target.session.len()) || !target.session.bytes().all(plain) {
        return Err(StoreError::Rejected { status: 400, code: "InvalidSession".to_owned() });
    }
    Ok(format!("{}-part-{}-{}", names::OURS, target.session, target.entry))
}

/// The path of that file in the store.
fn part_key(target: &Target) -> Result<String, StoreError> {
    Ok(format!("{}/{}", target.path.container(), part_name(target)?))
}

#[async_trait]
impl Store for FolderStore {
    fn url(&self) -> String {
        let root = &self.inner.root;
        url::Url::from_file_path(root).map_or_else(|()| format!("file://{}", root.display()), String::from)
    }

    fn hides_incomplete_pages(&self) -> bool {
        true
    }

    fn name_rules(&self) -> NameRules {
        NameRules::Folder
    }

    async fn room_for(&self, path: &BlobPath) -> Result<(), StoreError> {
        let path = path.clone();
        self.blocking(move |inner| match inner.container(path.container())? {
            Some(folder) => publish::room_for(&folder, &path),
            None => Ok(()),
        })
        .await
    }

    async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError> {
        let container = container.clone();
        self.blocking(move |inner| inner.container(&container).map(|folder| folder.is_some())).await
    }

    async fn create_container(&self, container: &ContainerName) -> Result<(), StoreError> {
        let container = container.clone();
        self.blocking(move |inner| Dir::make_root(&inner.root)?.make_child(container.as_str()).map(drop)).await
    }

    async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError> {
        let container = container.clone();
        self.blocking(move |inner| walk::list(&container, inner.needed(&container)?, from.as_ref())).await
    }

    async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
        let path = path.clone();
        self.blocking(move |inner| inner.head(&path)).await
    }

    async fn put(
        &self,
        target: &Target,
        body: Bytes,
        digest: &Digest,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        let (target, digest, condition) = (target.clone(), *digest, condition.clone());
        let version = Version::new(attributes, false);
        self.blocking(move |inner| {
            let work = inner.work(&target)?;
            let whole = ByteRange::new(0, body.len() as u64).map(|bytes| Range { bytes, digest });
            let blocks: Vec<Range> = whole.into_iter().filter(|range| range.bytes.length() > 0).collect();
            blocks.iter().try_for_each(|range| work.part.write(&work.folder, range, &body))?;
            let file = work.part.seal(&work.folder, &blocks)?;
            inner.publish(&work, &file, &target, version, &condition)
        })
        .await
    }

    async fn stage(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        let (target, range) = (target.clone(), *range);
        self.blocking(move |inner| {
            let work = inner.work(&target)?;
            work.part.write(&work.folder, &range, &body).map(|()| 0)
        })
        .await
    }

    async fn staged(&self, target: &Target) -> Result<Vec<StagedBlock>, StoreError> {
        let key = part_key(target)?;
        let part = self.inner.parts().get(&key).cloned();
        Ok(part.map(|part| part.staged()).unwrap_or_default())
    }

    async fn commit(
        &self,
        target: &Target,
        blocks: &[Range],
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        let (target, blocks, condition) = (target.clone(), blocks.to_vec(), condition.clone());
        let version = Version::new(attributes, false);
        self.blocking(move |inner| {
            let work = inner.work(&target)?;
            let file = work.part.seal(&work.folder, &blocks)?;
            inner.publish(&work, &file, &target, version, &condition)
        })
        .await
    }

    async fn create_pages(
        &self,
        target: &Target,
        length: u64,
        _attributes: &Attributes,
        condition: &Condition,
    ) -> Result<(), StoreError> {
        let (target, condition) = (target.clone(), condition.clone());
        self.blocking(move |inner| {
            let work = inner.work(&target)?;
            // where the way to the name is not there yet, nothing is
            match inner.place(&target.path)? {
                Some(place) => place.check(&condition)?,
                None if matches!(condition, Condition::Matches(_)) => return Err(StoreError::ConditionFailed),
                None => {}
            }
            work.part.create(&work.folder, length)
        })
        .await
    }

    async fn write_pages(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        self.stage(target, range, body).await
    }

    async fn finish_pages(
        &self,
        target: &Target,
        attributes: &Attributes,
        condition: &Condition,
        end: PageEnd,
    ) -> Result<Stored, StoreError> {
        let (target, condition) = (target.clone(), condition.clone());
        let mut version = Version::new(attributes, true);
        if end == PageEnd::Incomplete {
            version.incomplete = Some(target.mark());
        }
        self.blocking(move |inner| {
            let work = inner.work(&target)?;
            let file = work.part.seal_pages(&work.folder)?;
            inner.publish(&work, &file, &target, version, &condition)
        })
        .await
    }

    async fn delete(&self, path: &BlobPath, seen: &ETag) -> Result<(), StoreError> {
        let (path, seen) = (path.clone(), seen.clone());
        self.blocking(move |inner| inner.delete(&path, &seen)).await
    }

    async fn discard(&self, target: &Target) -> Result<(), StoreError> {
        let target = target.clone();
        self.blocking(move |inner| inner.discard(&target)).await
    }

    async fn take_up(&self, target: &Target, ranges: &[Range], synced: &[bool]) -> Result<Vec<bool>, StoreError> {
        let (target, ranges, synced) = (target.clone(), ranges.to_vec(), synced.to_vec());
        self.blocking(move |inner| inner.take_up(&target, &ranges, &synced)).await
    }

    async fn take_up_pages(&self, target: &Target, length: u64) -> Result<Option<ETag>, StoreError> {
        let target = target.clone();
        self.blocking(move |inner| inner.take_up_pages(&target, length)).await
    }

    async fn sync(&self, target: &Target) -> Result<(), StoreError> {
        let target = target.clone();
        self.blocking(move |inner| inner.sync(&target)).await
    }

    async fn carried_out(
        &self,
        target: &Target,
        intended: &Intended<'_>,
        attributes: &Attributes,
        before: &Condition,
    ) -> Result<Option<ETag>, StoreError> {
        let Some(goal) = Goal::new(intended, attributes) else { return Ok(None) };
        let (target, before) = (target.clone(), before.clone());
        self.blocking(move |inner| inner.carried_out(&target, goal, &before)).await
    }

    async fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        let path = path.clone();
        self.blocking(move |inner| inner.read(&path, limit)).await
    }

    async fn clear_foreign(&self, _target: &Target) -> Result<ETag, StoreError> {
        // another tool's hidden files have other names
        Err(StoreError::ForeignBlocks)
    }

    async fn hold(&self, _: &BlobPath, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn let_go(&self, _: &BlobPath, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

impl fmt::Debug for FolderStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FolderStore({})", self.url())
    }
}
