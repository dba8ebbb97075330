//! What every store promises, told once. Each chapter works in a container of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use dockside::manifest::{Attributes, BlobPath, ByteRange, ContainerName, Digest, Range};
use dockside::store::{Condition, ETag, PageEnd, Store, StoreError, StoredKind, Target};
use futures_util::future::BoxFuture;

/// Reads a visible blob by another way than through the store.
pub(crate) type Reader = Box<dyn Fn(BlobPath) -> BoxFuture<'static, Vec<u8>> + Send + Sync>;

/// Opens the place a second time, as the next process does.
pub(crate) type Reopen = Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>;

/// A store under test.
pub(crate) struct Suite {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) reopen: Reopen,
    pub(crate) read: Reader,
    /// Whether `\` in a name is refused, because the place would take it for `/`.
    pub(crate) refuses_backslash: bool,
}

/// A blob's place.
pub(crate) fn path(text: &str) -> BlobPath {
    text.parse().unwrap()
}

/// A write for a blob.
pub(crate) fn target(text: &str, entry: u64) -> Target {
    Target { path: path(text), session: "s1".to_owned(), entry }
}

/// A range that holds these bytes.
pub(crate) fn range(offset: u64, bytes: &[u8]) -> Range {
    Range { bytes: ByteRange::new(offset, bytes.len() as u64).unwrap(), digest: Digest::of(bytes) }
}

/// A body of one byte.
pub(crate) fn filled(byte: u8, length: usize) -> Bytes {
    Bytes::from(vec![byte; length])
}

/// Attributes of every kind.
pub(crate) fn attributes() -> Attributes {
    Attributes {
        content_type: Some("image/tiff".to_owned()),
        content_md5: None,
        content_encoding: Some("gzip".to_owned()),
        content_language: Some("en".to_owned()),
        cache_control: Some("max-age=3600".to_owned()),
        metadata: vec![("survey_site".to_owned(), "harbour-4".to_owned()), ("Empty".to_owned(), String::new())],
    }
}

/// Names that are legal and awkward.
pub(crate) fn odd_names() -> Vec<String> {
    let plain = [
        "plan.docx",
        "a/b/c",
        "d//e",
        "/f",
        "a%2Fb",
        "%2e%2e/g",
        "h\\i",
        "j k+l",
        "m#n?o&p=q",
        "ü ß 漢",
        ".dockside-part-s1-0",
        "R",
        "r",
        "~_-.x",
    ];
    let long = ["ü".repeat(1_024), format!("{}/x", "y".repeat(300)), "z".repeat(201), format!("{}/end", ["s"; 100].join("/"))];
    plain.into_iter().map(str::to_owned).chain(long).collect()
}

impl Suite {
    /// All chapters.
    pub(crate) async fn run(&self) {
        self.containers().await;
        self.put_on_conditions().await;
        self.blocks_become_a_blob().await;
        self.a_lost_block_is_told().await;
        self.replacing_by_blocks().await;
        self.names_stay_themselves().await;
        self.listings_come_in_pages().await;
        self.pages().await;
        self.pages_that_stay_incomplete().await;
        self.pages_of_somebody_else_are_not_written_to().await;
        self.deleting().await;
        self.md5_properties().await;
        self.bad_metadata().await;
        self.run_resume().await;
    }

    pub(crate) async fn container(&self, name: &str) -> ContainerName {
        let name: ContainerName = name.parse().unwrap();
        self.store.create_container(&name).await.unwrap();
        name
    }

    async fn names(&self, container: &ContainerName) -> Vec<String> {
        let (mut names, mut from) = (Vec::new(), None);
        loop {
            let page = self.store.list(container, from).await.unwrap();
            names.extend(page.blobs.into_iter().map(|blob| blob.name));
            from = page.next;
            if from.is_none() {
                return names;
            }
        }
    }

    async fn put(&self, target: &Target, body: &Bytes, condition: &Condition) -> Result<ETag, StoreError> {
        let stored = self.store.put(target, body.clone(), &Digest::of(body), &attributes(), condition).await?;
        assert_eq!(stored.line_refusals, 0);
        Ok(stored.etag)
    }

    async fn containers(&self) {
        let name: ContainerName = "suite-none".parse().unwrap();
        assert!(!self.store.container_exists(&name).await.unwrap());
        assert!(
            matches!(self.store.list(&name, None).await, Err(StoreError::ContainerMissing { container }) if container == "suite-none")
        );
        assert_eq!(self.store.head(&path("suite-none/x")).await.unwrap(), None);
        let body = filled(1, 10);
        let missing = self.put(&target("suite-none/x", 0), &body, &Condition::Absent).await;
        assert!(matches!(missing, Err(StoreError::ContainerMissing { .. })), "{missing:?}");
        self.store.create_container(&name).await.unwrap();
        self.store.create_container(&name).await.unwrap();
        assert!(self.store.container_exists(&name).await.unwrap());
        assert!(self.names(&name).await.is_empty());
    }

    async fn put_on_conditions(&self) {
        self.container("suite-put").await;
        let (first, second) = (filled(1, 1_000), filled(2, 2_000));
        let one = target("suite-put/one", 1);
        let etag = self.put(&one, &first, &Condition::Absent).await.unwrap();
        let head = self.store.head(&one.path).await.unwrap().unwrap();
        assert_eq!((&head.etag, head.kind, head.length, head.incomplete.is_some()), (&etag, StoredKind::Block, 1_000, false));
        let refused = self.put(&target("suite-put/one", 2), &second, &Condition::Absent).await;
        assert!(matches!(refused, Err(StoreError::AlreadyExists)), "{refused:?}");
        assert_eq!((self.read)(one.path.clone()).await, first);
        let newer = self.put(&target("suite-put/one", 3), &second, &Condition::Matches(etag.clone())).await.unwrap();
        assert_ne!(newer, etag);
        let refused = self.put(&target("suite-put/one", 4), &first, &Condition::Matches(etag)).await;
        assert!(matches!(refused, Err(StoreError::ConditionFailed)), "{refused:?}");
        assert_eq!((self.read)(one.path.clone()).await, second);
        self.put(&target("suite-put/one", 5), &first, &Condition::Any).await.unwrap();
        self.put(&target("suite-put/new", 6), &first, &Condition::Any).await.unwrap();
        assert_eq!((self.read)(one.path).await, first);
        self.put(&target("suite-put/empty", 7), &Bytes::new(), &Condition::Absent).await.unwrap();
        assert_eq!(self.store.head(&path("suite-put/empty")).await.unwrap().unwrap().length, 0);
    }

    async fn blocks_become_a_blob(&self) {
        let container = self.container("suite-blocks").await;
        let bodies = [filled(3, 70_000), Bytes::from(vec![0; 200_000]), filled(5, 100), filled(3, 70_000)];
        let mut offset = 0;
        let mut blocks = Vec::new();
        for body in &bodies {
            blocks.push(range(offset, body));
            offset += body.len() as u64;
        }
        let one = target("suite-blocks/one", 1);
        // in any order, and one twice; the last is equal to the first and need not be sent again
        for number in [2, 1, 0, 1] {
            assert_eq!(self.store.stage(&one, &blocks[number], bodies[number].clone()).await.unwrap(), 0);
        }
        assert_eq!(self.store.head(&one.path).await.unwrap(), None);
        assert!(self.names(&container).await.is_empty());
        let staged: BTreeSet<_> =
            self.store.staged(&one).await.unwrap().into_iter().map(|block| (block.id, block.length)).collect();
        let expected: BTreeSet<_> = blocks.iter().map(|block| (block.digest.block_id(), block.bytes.length())).collect();
        assert_eq!(staged, expected);
        let stored = self.store.commit(&one, &blocks, &attributes(), &Condition::Absent).await.unwrap();
        assert_eq!(self.store.head(&one.path).await.unwrap().unwrap().etag, stored.etag);
        assert_eq!((self.read)(one.path.clone()).await, bodies.concat());
        assert!(self.store.staged(&one).await.unwrap().is_empty());
        let empty = target("suite-blocks/empty", 2);
        self.store.commit(&empty, &[], &Attributes::default(), &Condition::Absent).await.unwrap();
        assert_eq!(self.store.head(&empty.path).await.unwrap().unwrap().length, 0);
        self.store.discard(&empty).await.unwrap();
    }

    async fn a_lost_block_is_told(&self) {
        let container = self.container("suite-lost").await;
        let (one, body, other) = (target("suite-lost/one", 1), filled(1, 500), filled(2, 500));
        self.store.stage(&one, &range(0, &body), body.clone()).await.unwrap();
        let list = [range(0, &body), range(500, &other)];
        let refused = self.store.commit(&one, &list, &Attributes::default(), &Condition::Absent).await;
        assert!(matches!(refused, Err(StoreError::BlockMissing)), "{refused:?}");
        assert!(self.names(&container).await.is_empty());
        self.store.stage(&one, &list[1], other).await.unwrap();
        self.store.commit(&one, &list, &Attributes::default(), &Condition::Absent).await.unwrap();
        let nothing = target("suite-lost/two", 2);
        let refused = self.store.commit(&nothing, &list, &Attributes::default(), &Condition::Absent).await;
        assert!(matches!(refused, Err(StoreError::BlockMissing)), "{refused:?}");
    }

    async fn replacing_by_blocks(&self) {
        self.container("suite-replace").await;
        let (one, old, new) = (target("suite-replace/one", 1), filled(1, 500), filled(2, 700));
        let seen = self.put(&one, &old, &Condition::Absent).await.unwrap();
        let two = target("suite-replace/one", 2);
        let list = [range(0, &new)];
        self.store.stage(&two, &list[0], new.clone()).await.unwrap();
        let refused = self.store.commit(&two, &list, &Attributes::default(), &Condition::Absent).await;
        assert!(matches!(refused, Err(StoreError::AlreadyExists)), "{refused:?}");
        let wrong = Condition::Matches(ETag("\"0x0\"".to_owned()));
        let refused = self.store.commit(&two, &list, &Attributes::default(), &wrong).await;
        assert!(matches!(refused, Err(StoreError::ConditionFailed)), "{refused:?}");
        assert_eq!((self.read)(one.path.clone()).await, old);
        self.store.commit(&two, &list, &Attributes::default(), &Condition::Matches(seen)).await.unwrap();
        assert_eq!((self.read)(one.path).await, new);
    }

    async fn names_stay_themselves(&self) {
        let container = self.container("suite-names").await;
        let mut expected = BTreeSet::new();
        for (number, name) in odd_names().into_iter().enumerate() {
            let blob = BlobPath::new(container.clone(), &name).unwrap();
            let body = Bytes::from(format!("content of {number}"));
            let target = Target { path: blob.clone(), session: "s1".to_owned(), entry: number as u64 };
            let stored =
                self.store.put(&target, body.clone(), &Digest::of(&body), &Attributes::default(), &Condition::Absent).await;
            if self.refuses_backslash && name.contains('\\') {
                assert!(matches!(stored, Err(StoreError::NameConflict { .. })), "{stored:?}");
                continue;
            }
            let stored = stored.unwrap_or_else(|error| panic!("{blob}: {error:?}"));
            let head = self.store.head(&blob).await.unwrap().unwrap();
            assert_eq!((head.etag, head.length), (stored.etag, body.len() as u64), "{blob}");
            expected.insert(name);
        }
        assert_eq!(self.names(&container).await.into_iter().collect::<BTreeSet<_>>(), expected);
        for name in ["plan.doc", "a", "a/b", "d/e", "a/b%2Fc", "h/i"] {
            let blob = BlobPath::new(container.clone(), name).unwrap();
            assert_eq!(self.store.head(&blob).await.unwrap(), None, "{name}");
        }
    }

    async fn listings_come_in_pages(&self) {
        let container = self.container("suite-list").await;
        let mut expected = BTreeSet::new();
        for number in 0..130 {
            let name = format!("f{}/b{number}", number % 7);
            let blob = Target { path: BlobPath::new(container.clone(), &name).unwrap(), session: "s1".to_owned(), entry: number };
            self.store.commit(&blob, &[], &Attributes::default(), &Condition::Absent).await.unwrap();
            expected.insert(name);
        }
        let names = self.names(&container).await;
        assert_eq!(names.len(), 130);
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    async fn pages(&self) {
        let container = self.container("suite-pages").await;
        let one = target("suite-pages/one", 1);
        let length = 8 << 20;
        let parts = [(0, filled(1, 512)), (1 << 20, filled(0, 1 << 20)), (5 << 20, filled(7, 4_096))];
        self.store.create_pages(&one, length, &attributes(), &Condition::Absent).await.unwrap();
        let head = self.store.head(&one.path).await.unwrap();
        if self.store.hides_incomplete_pages() {
            assert_eq!(head, None);
            assert!(self.names(&container).await.is_empty());
        } else {
            assert!(head.unwrap().incomplete.is_some());
        }
        for (offset, body) in &parts {
            let range = range(*offset, body);
            assert_eq!(self.store.write_pages(&one, &range, body.clone()).await.unwrap(), 0);
            self.store.write_pages(&one, &range, body.clone()).await.unwrap();
        }
        let stored = self.store.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
        let head = self.store.head(&one.path).await.unwrap().unwrap();
        assert_eq!(
            (head.etag, head.kind, head.length, head.incomplete.is_some()),
            (stored.etag, StoredKind::Page, length, false)
        );
        let mut expected = vec![0; 8 << 20];
        for (offset, body) in &parts {
            expected[usize::try_from(*offset).unwrap()..][..body.len()].copy_from_slice(body);
        }
        assert!((self.read)(one.path.clone()).await == expected);
        let listed = self.store.list(&container, None).await.unwrap().blobs;
        assert_eq!(listed.iter().map(|blob| blob.kind).collect::<Vec<_>>(), [StoredKind::Page]);
        let refused =
            self.store.create_pages(&target("suite-pages/one", 2), 512, &Attributes::default(), &Condition::Absent).await;
        assert!(matches!(refused, Err(StoreError::AlreadyExists)), "{refused:?}");
    }

    /// Only where page blobs are visible at once can somebody else put another one in the place of one that is being written.
    async fn pages_of_somebody_else_are_not_written_to(&self) {
        self.container("suite-swapped").await;
        let (one, two) = (target("suite-swapped/one", 1), target("suite-swapped/one", 2));
        self.store.create_pages(&one, 512, &attributes(), &Condition::Absent).await.unwrap();
        if let Some(head) = self.store.head(&one.path).await.unwrap() {
            self.store.create_pages(&two, 512, &attributes(), &Condition::Matches(head.etag)).await.unwrap();
            let refused = self.store.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await;
            assert!(matches!(refused, Err(StoreError::ConditionFailed)), "{refused:?}");
        }
    }

    async fn pages_that_stay_incomplete(&self) {
        self.container("suite-torn").await;
        let one = target("suite-torn/one", 1);
        self.store.create_pages(&one, 2_048, &attributes(), &Condition::Absent).await.unwrap();
        self.store.write_pages(&one, &range(512, &filled(9, 512)), filled(9, 512)).await.unwrap();
        let stranger = Target { session: "s2".to_owned(), ..one.clone() };
        let refused = self.store.finish_pages(&stranger, &attributes(), &Condition::Absent, PageEnd::Complete).await;
        assert!(refused.is_err());
        let stored = self.store.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Incomplete).await.unwrap();
        let head = self.store.head(&one.path).await.unwrap().unwrap();
        assert_eq!((head.incomplete.is_some(), head.length, &head.etag), (true, 2_048, &stored.etag));
        let again = target("suite-torn/one", 2);
        self.store.create_pages(&again, 512, &attributes(), &Condition::Matches(stored.etag.clone())).await.unwrap();
        self.store.finish_pages(&again, &attributes(), &Condition::Matches(stored.etag), PageEnd::Complete).await.unwrap();
        let head = self.store.head(&one.path).await.unwrap().unwrap();
        assert_eq!((head.incomplete.is_some(), head.length), (false, 512));
    }

    async fn deleting(&self) {
        let container = self.container("suite-delete").await;
        let one = target("suite-delete/one/two", 1);
        let old = self.put(&one, &filled(1, 5), &Condition::Absent).await.unwrap();
        let new = self.put(&one, &filled(2, 6), &Condition::Matches(old.clone())).await.unwrap();
        assert!(matches!(self.store.delete(&one.path, &old).await, Err(StoreError::ConditionFailed)));
        self.store.delete(&one.path, &new).await.unwrap();
        assert_eq!(self.store.head(&one.path).await.unwrap(), None);
        assert!(self.names(&container).await.is_empty());
        assert!(matches!(self.store.delete(&one.path, &new).await, Err(StoreError::ConditionFailed)));
        // what was a folder may become a blob once it is empty
        self.put(&target("suite-delete/one", 2), &filled(3, 7), &Condition::Absent).await.unwrap();
    }

    async fn md5_properties(&self) {
        self.container("suite-md5").await;
        let given = Attributes { content_md5: Some([7; 16]), ..attributes() };
        let body = filled(1, 100);
        let one = target("suite-md5/one", 1);
        self.store.put(&one, body.clone(), &Digest::of(&body), &given, &Condition::Absent).await.unwrap();
        assert_eq!(self.store.head(&one.path).await.unwrap().unwrap().md5, Some([7; 16]));
        let two = target("suite-md5/two", 2);
        self.store.stage(&two, &range(0, &body), body.clone()).await.unwrap();
        self.store.commit(&two, &[range(0, &body)], &given, &Condition::Absent).await.unwrap();
        assert_eq!(self.store.head(&two.path).await.unwrap().unwrap().md5, Some([7; 16]));
        assert_eq!((self.read)(two.path).await, body);
    }

    async fn bad_metadata(&self) {
        self.container("suite-meta").await;
        let body = filled(1, 10);
        let odd = Attributes { metadata: vec![("x".to_owned(), "line\nbreak ü".to_owned())], ..Attributes::default() };
        let one = target("suite-meta/one", 1);
        // a store that has headers refuses what no header can hold; none may panic
        match self.store.put(&one, body.clone(), &Digest::of(&body), &odd, &Condition::Absent).await {
            Ok(_) | Err(StoreError::Rejected { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}
