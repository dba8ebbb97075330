//! The suite in a folder, and what only a folder has: files, links, rights, crashes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use dockside::manifest::{Attributes, BlobPath, Digest};
use dockside::store::{Condition, FolderStore, PageEnd, Store, StoreError, StoredKind};
use futures_util::future::BoxFuture;

use crate::store_suite::{Suite, attributes, filled, path, range, target};

struct Root {
    folder: tempfile::TempDir,
    store: FolderStore,
}

impl Root {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        store.create_container(&"cust".parse().unwrap()).await.unwrap();
        Self { folder, store }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    async fn put(&self, name: &str, entry: u64, body: &Bytes, condition: &Condition) -> Result<(), StoreError> {
        let attributes = Attributes::default();
        self.store.put(&target(name, entry), body.clone(), &Digest::of(body), &attributes, condition).await.map(drop)
    }

    /// Every file and folder below the root, sorted.
    fn files(&self) -> Vec<String> {
        let (mut found, mut folders) = (Vec::new(), vec![self.folder.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path.clone());
                }
                found.push(path.strip_prefix(self.folder.path()).unwrap().display().to_string());
            }
        }
        found.sort();
        found
    }
}

fn plain(path: &BlobPath) -> PathBuf {
    Path::new(path.container().as_str()).join(path.name())
}

#[tokio::test]
async fn a_folder_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("blobs");
    let read = {
        let root = root.clone();
        move |path: BlobPath| {
            let content = fs::read(root.join(plain(&path))).unwrap();
            Box::pin(async move { content }) as BoxFuture<'static, Vec<u8>>
        }
    };
    let store = Arc::new(FolderStore::new(&root));
    assert!(!root.exists());
    let again = root.clone();
    let reopen = Box::new(move || Arc::new(FolderStore::new(&again)) as Arc<dyn Store>);
    Suite { store, reopen, read: Box::new(read), refuses_backslash: false }.run().await;
    let left: Vec<_> = walk(&root).into_iter().filter(|name| name.starts_with(".dockside-part-")).collect();
    // what was begun and not finished by the suite: a refused put, two refused commits, a stranger's and a second page blob
    assert!(left.iter().all(|name| !name.ends_with("-attr")), "{left:?}");
}

fn walk(root: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

#[tokio::test]
async fn a_blob_without_attributes_is_one_file_and_nothing_else() {
    let root = Root::new().await;
    root.put("cust/a/b", 1, &filled(1, 10), &Condition::Absent).await.unwrap();
    assert_eq!(root.files(), ["cust", "cust/a", "cust/a/b"]);
    let mode = |path: &str| fs::metadata(root.at(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("cust/a/b") & !0o640, mode("cust/a") & !0o750), (0, 0));
    assert_eq!(fs::metadata(root.at("cust/a/b")).unwrap().nlink(), 1);
    assert_eq!(root.store.url(), format!("file://{}", root.folder.path().display()));
}

#[tokio::test]
async fn attributes_lie_beside_the_blob_and_go_with_it() {
    let root = Root::new().await;
    let one = target("cust/one", 1);
    let body = filled(1, 10);
    let etag = root.store.put(&one, body.clone(), &Digest::of(&body), &attributes(), &Condition::Absent).await.unwrap().etag;
    let sheet = root.at("cust/.dockside-attr-one.json");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&sheet).unwrap()).unwrap();
    let version = &json["versions"][0];
    assert_eq!(json["versions"].as_array().unwrap().len(), 1);
    assert_eq!((&version["content_type"], &version["length"]), (&"image/tiff".into(), &10.into()));
    assert_eq!(version["metadata"]["survey_site"], "harbour-4");
    root.put("cust/one", 2, &filled(2, 11), &Condition::Matches(etag)).await.unwrap();
    assert_eq!(root.files(), ["cust", "cust/one"]);
}

#[tokio::test]
async fn a_crash_while_replacing_leaves_each_blob_with_its_own_attributes() {
    let root = Root::new().await;
    let one = target("cust/one", 1);
    let body = filled(1, 512);
    root.store.create_pages(&one, 512, &attributes(), &Condition::Absent).await.unwrap();
    let old = root.store.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Incomplete).await.unwrap().etag;
    let sheet = root.at("cust/.dockside-attr-one.json");
    let before = fs::read_to_string(&sheet).unwrap();
    // a second version in front, as it lies there just before the rename
    let both =
        before.replacen("\"versions\":[", "\"versions\":[{\"length\":7,\"modified\":\"1.000000000\",\"content_type\":\"x\"},", 1);
    fs::write(&sheet, both).unwrap();
    let head = root.store.head(&one.path).await.unwrap().unwrap();
    assert_eq!((head.kind, head.incomplete.is_some()), (StoredKind::Page, true));
    // the blob replaced, its old attributes still there: they are not its own
    root.put("cust/one", 2, &body, &Condition::Matches(old)).await.unwrap();
    fs::write(&sheet, before).unwrap();
    let head = root.store.head(&one.path).await.unwrap().unwrap();
    assert_eq!((head.kind, head.incomplete.is_some()), (StoredKind::Block, false));
}

#[tokio::test]
async fn a_part_that_is_still_linked_to_its_blob_is_never_truncated() {
    let root = Root::new().await;
    let body = filled(1, 10);
    root.put("cust/one", 1, &body, &Condition::Absent).await.unwrap();
    // a crash between link and unlink
    fs::hard_link(root.at("cust/one"), root.at("cust/.dockside-part-s1-1")).unwrap();
    root.put("cust/two", 1, &filled(2, 3), &Condition::Absent).await.unwrap();
    assert_eq!(fs::read(root.at("cust/one")).unwrap(), body);
    assert_eq!(fs::metadata(root.at("cust/one")).unwrap().nlink(), 1);
}

#[tokio::test]
async fn a_file_and_a_folder_cannot_share_a_name() {
    let root = Root::new().await;
    root.put("cust/a", 1, &filled(1, 1), &Condition::Absent).await.unwrap();
    root.put("cust/b/c", 2, &filled(1, 1), &Condition::Absent).await.unwrap();
    for name in ["cust/a/b", "cust/b"] {
        let refused = root.put(name, 3, &filled(2, 2), &Condition::Absent).await;
        assert!(matches!(refused, Err(StoreError::NameConflict { .. })), "{name}: {refused:?}");
        assert_eq!(root.store.head(&path(name)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn links_are_never_followed() {
    let root = Root::new().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    symlink(outside.path(), root.at("cust/way")).unwrap();
    symlink(outside.path().join("secret"), root.at("cust/file")).unwrap();
    symlink(outside.path(), root.at("linked")).unwrap();
    for name in ["cust/way/new", "cust/way/secret", "cust/file", "linked/new"] {
        for condition in [Condition::Absent, Condition::Any] {
            let refused = root.put(name, 1, &filled(1, 1), &condition).await;
            assert!(matches!(refused, Err(StoreError::NameConflict { .. })), "{name}: {refused:?}");
        }
        assert!(matches!(root.store.head(&path(name)).await, Err(StoreError::NameConflict { .. })), "{name}");
    }
    assert!(root.store.list(&"cust".parse().unwrap(), None).await.unwrap().blobs.is_empty());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    // a hidden file that somebody turned into a link is replaced, not written through
    symlink(outside.path().join("secret"), root.at("cust/.dockside-part-s1-5")).unwrap();
    root.put("cust/five", 5, &filled(5, 5), &Condition::Absent).await.unwrap();
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn holes_stay_holes() {
    let root = Root::new().await;
    let one = target("cust/one", 1);
    let zeros = Bytes::from(vec![0; 4 << 20]);
    let mut end = vec![0; 4 << 20];
    end[4_000_000] = 1;
    let end = Bytes::from(end);
    let blocks = [range(0, &zeros), range(4 << 20, &end), range(8 << 20, &zeros)];
    for (block, body) in blocks.iter().zip([&zeros, &end, &zeros]) {
        root.store.stage(&one, block, body.clone()).await.unwrap();
    }
    root.store.commit(&one, &blocks, &Attributes::default(), &Condition::Absent).await.unwrap();
    let metadata = fs::metadata(root.at("cust/one")).unwrap();
    assert_eq!(metadata.len(), 12 << 20);
    assert!(metadata.blocks() * 512 <= 256 * 1_024, "{} blocks", metadata.blocks());
    let content = fs::read(root.at("cust/one")).unwrap();
    assert!(content[4 << 20..8 << 20] == end[..] && content[8 << 20..].iter().all(|byte| *byte == 0));
    // a range written anew with zeros where there was something
    let two = target("cust/two", 2);
    root.store.stage(&two, &range(0, &end), end.clone()).await.unwrap();
    root.store.stage(&two, &range(0, &zeros), zeros.clone()).await.unwrap();
    root.store.commit(&two, &[range(0, &zeros)], &Attributes::default(), &Condition::Absent).await.unwrap();
    assert!(fs::read(root.at("cust/two")).unwrap() == zeros);
}

#[tokio::test]
async fn a_large_container_is_listed_in_pages() {
    let root = Root::new().await;
    fs::create_dir_all(root.at("cust/m/n")).unwrap();
    for number in 0..5_300 {
        fs::write(root.at(&format!("cust/m/f{number:05}")), b"").unwrap();
    }
    for name in ["cust/a", "cust/z", "cust/m/n/x", "cust/m/.dockside-part-x-1", "cust/m/.dockside-attr-y.json", "cust/m/a\\b"] {
        fs::write(root.at(name), b"").unwrap();
    }
    let container = "cust".parse().unwrap();
    let first = root.store.list(&container, None).await.unwrap();
    assert_eq!((first.blobs.len(), first.blobs[0].name.as_str()), (5_000, "a"));
    let second = root.store.list(&container, first.next.clone()).await.unwrap();
    assert_eq!(second.next, None);
    let mut names: Vec<_> = first.blobs.iter().chain(&second.blobs).map(|blob| blob.name.clone()).collect();
    assert_eq!(names.last().map(String::as_str), Some("z"));
    assert_eq!(names.len(), 5_303);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5_303);
    // the blob that the token names may go meanwhile
    fs::remove_file(root.at(&format!("cust/{}", first.next.as_ref().unwrap().0))).unwrap();
    assert_eq!(root.store.list(&container, first.next).await.unwrap().blobs.len(), 303);
}

#[tokio::test]
async fn discarding_leaves_nothing() {
    let root = Root::new().await;
    let one = target("cust/one", 1);
    root.store.stage(&one, &range(0, &filled(1, 10)), filled(1, 10)).await.unwrap();
    assert_eq!(root.files(), ["cust", "cust/.dockside-part-s1-1"]);
    root.store.discard(&one).await.unwrap();
    assert_eq!(root.files(), ["cust"]);
    assert!(root.store.staged(&one).await.unwrap().is_empty());
    // what an earlier process left goes as well
    fs::write(root.at("cust/.dockside-part-s1-1"), b"old").unwrap();
    FolderStore::new(root.folder.path()).discard(&one).await.unwrap();
    assert_eq!(root.files(), ["cust"]);
}

#[tokio::test]
async fn rights_and_space_are_told_apart_from_other_failures() {
    if fs::read("/proc/self/status").is_ok_and(|status| String::from_utf8_lossy(&status).contains("\nUid:\t0\t")) {
        // root may write everywhere but to a file system that takes no files
        let store = FolderStore::new(Path::new("/proc"));
        let refused = store.create_container(&"cust".parse().unwrap()).await;
        assert!(refused.is_err());
    }
    let missing = FolderStore::new(Path::new("/nonexistent-dockside/blobs"));
    assert!(!missing.container_exists(&"cust".parse().unwrap()).await.unwrap());
    let refused = missing.create_container(&"cust".parse().unwrap()).await;
    assert!(matches!(refused, Err(StoreError::Io { ref path, .. }) if path.contains("nonexistent-dockside")), "{refused:?}");
    let full = FolderStore::new(Path::new("/dev/full"));
    let refused = full.create_container(&"cust".parse().unwrap()).await;
    assert!(matches!(refused, Err(StoreError::NameConflict { .. })), "{refused:?}");
}

#[tokio::test]
async fn ranges_written_at_once_all_arrive() {
    let root = Root::new().await;
    let one = target("cust/one", 1);
    let bodies: Vec<Bytes> = (0..32).map(|byte| filled(byte, 100_000)).collect();
    let blocks: Vec<_> = bodies.iter().enumerate().map(|(number, body)| range(number as u64 * 100_000, body)).collect();
    let writes = blocks.iter().zip(&bodies).map(|(block, body)| root.store.stage(&one, block, body.clone()));
    futures_util::future::try_join_all(writes).await.unwrap();
    root.store.commit(&one, &blocks, &Attributes::default(), &Condition::Absent).await.unwrap();
    assert!(fs::read(root.at("cust/one")).unwrap() == bodies.concat());
}

#[tokio::test]
async fn a_blob_and_a_folder_that_race_for_a_name_both_end() {
    let root = Root::new().await;
    for round in 0..50_u64 {
        let (flat, deep) = (format!("cust/{round}"), format!("cust/{round}/x"));
        let body = filled(1, 100);
        let (first, second) = futures_util::join!(
            root.put(&flat, round, &body, &Condition::Absent),
            root.put(&deep, 1_000 + round, &body, &Condition::Absent)
        );
        let ended = |answer: &Result<(), StoreError>| matches!(answer, Ok(()) | Err(StoreError::NameConflict { .. }));
        assert!(ended(&first) && ended(&second), "{first:?} {second:?}");
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    }
}
