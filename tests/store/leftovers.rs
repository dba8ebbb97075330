//! What a process that was killed leaves in a folder, and what the next one makes of it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use bytes::Bytes;
use dockside::manifest::{Attributes, Digest, Range};
use dockside::store::{Condition, FolderStore, Intended, PageEnd, Store, StoreError};

use crate::store_suite::{attributes, filled, range, target};

/// The hidden file of entry 1.
const HIDDEN: &str = "cust/.dockside-part-s1-1";

struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    async fn new() -> Self {
        let root = Self { folder: tempfile::tempdir().unwrap() };
        root.process().create_container(&"cust".parse().unwrap()).await.unwrap();
        root
    }

    /// A process that knows nothing of those before it.
    fn process(&self) -> FolderStore {
        FolderStore::new(self.folder.path())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    async fn put(&self, body: &Bytes, attributes: &Attributes) {
        let (one, digest) = (target("cust/one", 1), Digest::of(body));
        self.process().put(&one, body.clone(), &digest, attributes, &Condition::Absent).await.unwrap();
    }

    /// Whether a put of this body is found under `cust/one`.
    async fn is_done(&self, body: &Bytes, attributes: &Attributes) -> bool {
        let intended = Intended::Whole { length: body.len() as u64, md5: Digest::of(body) };
        let found = self.process().carried_out(&target("cust/one", 1), &intended, attributes, &Condition::Absent).await.unwrap();
        let there = self.process().head(&target("cust/one", 1).path).await.unwrap().map(|head| head.etag);
        assert!(found.is_none() || found == there);
        found.is_some()
    }
}

fn three_blocks() -> ([Bytes; 3], [Range; 3]) {
    let bodies = [filled(1, 100_000), filled(2, 100_000), filled(0, 300_000)];
    let blocks = [range(0, &bodies[0]), range(100_000, &bodies[1]), range(200_000, &bodies[2])];
    (bodies, blocks)
}

#[tokio::test]
async fn only_what_was_durable_and_lies_in_the_file_is_taken_up() {
    let root = Root::new().await;
    let (bodies, blocks) = three_blocks();
    let one = target("cust/one", 1);
    let killed = root.process();
    for number in [0, 1] {
        killed.stage(&one, &blocks[number], bodies[number].clone()).await.unwrap();
    }
    killed.sync(&one).await.unwrap();
    // what was not known to be durable may be anything after a failure of power, even where zeros are due
    let mut there = fs::read(root.at(HIDDEN)).unwrap();
    there[100_000..].fill(9);
    there.resize(350_000, 9);
    fs::write(root.at(HIDDEN), there).unwrap();
    let next = root.process();
    // the third is cut by the end of the file, whatever is said of it; more is said of it than there are ranges
    assert_eq!(next.take_up(&one, &blocks, &[true, false, true, true]).await.unwrap(), [true, false, false]);
    assert_eq!(next.staged(&one).await.unwrap().len(), 1);
    let refused = next.commit(&one, &blocks, &Attributes::default(), &Condition::Absent).await;
    assert!(matches!(refused, Err(StoreError::BlockMissing)), "{refused:?}");
    for number in [1, 2] {
        next.stage(&one, &blocks[number], bodies[number].clone()).await.unwrap();
    }
    next.commit(&one, &blocks, &Attributes::default(), &Condition::Absent).await.unwrap();
    assert!(fs::read(root.at("cust/one")).unwrap() == bodies.concat());
}

#[tokio::test]
async fn a_range_that_nothing_is_said_of_is_not_taken_up() {
    let root = Root::new().await;
    let (bodies, blocks) = three_blocks();
    let one = target("cust/one", 1);
    root.process().stage(&one, &blocks[0], bodies[0].clone()).await.unwrap();
    assert_eq!(root.process().take_up(&one, &blocks, &[]).await.unwrap(), [false; 3]);
}

#[tokio::test]
async fn an_equal_range_elsewhere_does_not_stand_for_one_that_was_not_written() {
    let root = Root::new().await;
    let body = filled(1, 1_000);
    let (one, blocks) = (target("cust/one", 1), [range(0, &body), range(1_000, &body)]);
    root.process().stage(&one, &blocks[0], body.clone()).await.unwrap();
    let next = root.process();
    assert_eq!(next.take_up(&one, &blocks, &[true, false]).await.unwrap(), [true, false]);
    // and a commit copies it, as ever
    next.commit(&one, &blocks, &Attributes::default(), &Condition::Absent).await.unwrap();
    assert!(fs::read(root.at("cust/one")).unwrap() == [body.clone(), body].concat());
}

#[tokio::test]
async fn holes_behind_what_was_there_stay_holes() {
    let root = Root::new().await;
    let (begun, zeros) = (filled(1, 65_536), Bytes::from(vec![0; 8 << 20]));
    let (one, blocks) = (target("cust/one", 1), [range(0, &begun), range(65_536, &zeros)]);
    root.process().stage(&one, &blocks[0], begun.clone()).await.unwrap();
    let next = root.process();
    next.take_up(&one, &blocks, &[true, false]).await.unwrap();
    next.stage(&one, &blocks[1], zeros.clone()).await.unwrap();
    next.commit(&one, &blocks, &Attributes::default(), &Condition::Absent).await.unwrap();
    let metadata = fs::metadata(root.at("cust/one")).unwrap();
    assert_eq!(metadata.len(), 65_536 + (8 << 20));
    assert!(metadata.blocks() * 512 <= 256 * 1_024, "{} blocks", metadata.blocks());
}

#[tokio::test]
async fn a_hidden_file_with_two_names_or_none_of_ours_is_not_taken_up() {
    let root = Root::new().await;
    let (bodies, blocks) = three_blocks();
    root.put(&bodies[0], &Attributes::default()).await;
    // a crash between link and unlink: another entry's blob may have the number of the hidden file's by now
    fs::hard_link(root.at("cust/one"), root.at(HIDDEN)).unwrap();
    let next = root.process();
    let two = target("cust/two", 1);
    assert_eq!(next.take_up(&two, &blocks, &[true; 3]).await.unwrap(), [false; 3]);
    assert_eq!(next.take_up_pages(&two, 100_000).await.unwrap(), None);
    next.stage(&two, &blocks[0], bodies[1].clone()).await.unwrap();
    assert!(fs::read(root.at("cust/one")).unwrap() == bodies[0], "the visible blob is not written to");
    next.discard(&two).await.unwrap();
    symlink(root.at("cust/one"), root.at(HIDDEN)).unwrap();
    assert_eq!(root.process().take_up(&two, &blocks, &[true; 3]).await.unwrap(), [false; 3]);
    assert_eq!(root.process().take_up_pages(&two, 100_000).await.unwrap(), None);
    fs::remove_file(root.at(HIDDEN)).unwrap();
    fs::create_dir(root.at(HIDDEN)).unwrap();
    assert_eq!(root.process().take_up(&two, &blocks, &[true; 3]).await.unwrap(), [false; 3]);
}

#[tokio::test]
async fn zeros_are_written_over_what_an_interrupted_page_blob_holds() {
    let root = Root::new().await;
    let one = target("cust/one", 1);
    root.process().create_pages(&one, 4_096, &attributes(), &Condition::Absent).await.unwrap();
    fs::write(root.at(HIDDEN), vec![9; 4_096]).unwrap();
    let next = root.process();
    assert!(next.take_up_pages(&one, 4_096).await.unwrap().is_some());
    next.write_pages(&one, &range(0, &filled(0, 4_096)), filled(0, 4_096)).await.unwrap();
    next.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
    assert!(fs::read(root.at("cust/one")).unwrap() == vec![0; 4_096]);
}

#[tokio::test]
async fn what_was_begun_anew_is_not_what_was_there_before() {
    let root = Root::new().await;
    let (bodies, blocks) = three_blocks();
    let one = target("cust/one", 1);
    root.process().stage(&one, &blocks[0], bodies[0].clone()).await.unwrap();
    let next = root.process();
    assert_eq!(next.take_up(&one, &blocks, &[true, false, false]).await.unwrap(), [true, false, false]);
    next.discard(&one).await.unwrap();
    assert!(!root.at(HIDDEN).exists());
    assert_eq!(next.take_up(&one, &blocks, &[true; 3]).await.unwrap(), [false; 3]);
}

#[tokio::test]
async fn a_crash_between_link_and_unlink_leaves_a_blob_that_is_done() {
    let root = Root::new().await;
    let body = filled(1, 3 << 20);
    root.put(&body, &attributes()).await;
    fs::hard_link(root.at("cust/one"), root.at(HIDDEN)).unwrap();
    fs::write(root.at("cust/.dockside-part-s1-1-attr"), b"{").unwrap();
    assert!(root.is_done(&body, &attributes()).await);
    assert_eq!(fs::metadata(root.at("cust/one")).unwrap().nlink(), 1);
    assert!(!root.at(HIDDEN).exists() && !root.at("cust/.dockside-part-s1-1-attr").exists());
    assert!(root.is_done(&body, &attributes()).await, "asked a second time");
}

#[tokio::test]
async fn a_blob_is_not_the_write_if_one_byte_or_attribute_differs() {
    let root = Root::new().await;
    let body = filled(1, 3 << 20);
    root.put(&body, &Attributes::default()).await;
    assert!(root.is_done(&body, &Attributes::default()).await);
    assert!(!root.is_done(&body, &attributes()).await, "it has none");
    // the same length; the hidden file stays for who goes on
    fs::write(root.at(HIDDEN), b"begun").unwrap();
    let mut other = body.to_vec();
    other[(3 << 20) - 1] = 2;
    fs::write(root.at("cust/one"), &other).unwrap();
    assert!(!root.is_done(&body, &Attributes::default()).await);
    assert!(root.at(HIDDEN).exists());
    assert!(root.is_done(&Bytes::from(other), &Attributes::default()).await);
    fs::remove_file(root.at("cust/one")).unwrap();
    assert!(!root.is_done(&body, &Attributes::default()).await);
}

#[tokio::test]
async fn attributes_that_belong_to_another_version_do_not_count() {
    let root = Root::new().await;
    let body = filled(1, 100);
    root.put(&body, &attributes()).await;
    assert!(root.is_done(&body, &attributes()).await);
    // somebody replaces the blob by one of the same content, whose attributes the sheet does not hold
    fs::write(root.at("cust/new"), &body).unwrap();
    fs::rename(root.at("cust/new"), root.at("cust/one")).unwrap();
    assert!(!root.is_done(&body, &attributes()).await);
    assert!(root.is_done(&body, &Attributes::default()).await);
}

#[tokio::test]
async fn a_finished_page_blob_has_its_ranges_and_zeros_between_them() {
    let root = Root::new().await;
    let (one, body) = (target("cust/one", 1), filled(5, 512));
    let ranges = [range(512, &body), range(2_048, &body)];
    let process = root.process();
    process.create_pages(&one, 4_096, &attributes(), &Condition::Absent).await.unwrap();
    for range in &ranges {
        process.write_pages(&one, range, body.clone()).await.unwrap();
    }
    process.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
    let next = root.process();
    let ask = async |ranges: &[Range]| {
        let intended = Intended::Pages { length: 4_096, ranges };
        next.carried_out(&one, &intended, &attributes(), &Condition::Absent).await.unwrap().is_some()
    };
    assert!(ask(&ranges).await);
    assert!(ask(&[ranges[1], ranges[0]]).await, "whatever their order");
    assert!(!ask(&ranges[..1]).await, "what lies elsewhere was not intended");
    assert!(!ask(&[range(512, &filled(6, 512)), ranges[1]]).await);
}

#[tokio::test]
async fn a_long_name_is_found_by_its_sheet() {
    let root = Root::new().await;
    let (one, body) = (target(&format!("cust/{}", "ü".repeat(1_000)), 1), filled(1, 10));
    let (none, digest) = (Attributes::default(), Digest::of(&body));
    let stored = root.process().put(&one, body.clone(), &digest, &none, &Condition::Absent).await.unwrap();
    let intended = Intended::Whole { length: 10, md5: digest };
    let found = root.process().carried_out(&one, &intended, &none, &Condition::Absent).await.unwrap();
    assert_eq!(found, Some(stored.etag));
    assert_eq!(root.process().read(&one.path, 10).await.unwrap().unwrap().1, body);
}

#[tokio::test]
async fn a_link_is_not_read_and_another_tools_blocks_are_no_matter() {
    let root = Root::new().await;
    fs::write(root.at("secret"), b"secret").unwrap();
    symlink(root.at("secret"), root.at("cust/one")).unwrap();
    let refused = root.process().read(&target("cust/one", 1).path, 100).await;
    assert!(matches!(refused, Err(StoreError::NameConflict { .. })), "{refused:?}");
    let refused = root.process().clear_foreign(&target("cust/two", 2)).await;
    assert!(matches!(refused, Err(StoreError::ForeignBlocks)), "{refused:?}");
    assert!(!root.at("cust/two").exists());
}
