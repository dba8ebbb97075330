//! What every store promises to the process that comes after one that was killed. A second store object over the same place stands for
//! that process.

use std::sync::Arc;

use bytes::Bytes;
use dockside::manifest::{Attributes, Digest, Range};
use dockside::store::{Condition, ETag, Intended, PageEnd, Store, StoreError, Target};

use crate::store_suite::{Suite, attributes, filled, path, range, target};

/// Bodies one behind the other, as blocks.
fn chain(bodies: &[Bytes]) -> Vec<Range> {
    let mut offset = 0;
    let mut next = |body: &Bytes| {
        let range = range(offset, body);
        offset += body.len() as u64;
        range
    };
    bodies.iter().map(&mut next).collect()
}

fn whole(body: &Bytes) -> Intended<'static> {
    Intended::Whole { length: body.len() as u64, md5: Digest::of(body) }
}

/// What a blob that is done is asked about, and must not be taken for.
struct Done<'a> {
    target: &'a Target,
    intended: Intended<'a>,
    attributes: &'a Attributes,
    others: &'a [Intended<'a>],
}

impl Suite {
    /// All chapters about the next process.
    pub(crate) async fn run_resume(&self) {
        self.blocks_are_taken_up().await;
        self.nothing_is_taken_up_where_nothing_is().await;
        self.pages_are_taken_up().await;
        self.only_its_own_unfinished_pages_are_taken_up().await;
        self.a_put_is_found_carried_out().await;
        self.a_commit_is_found_carried_out().await;
        self.an_end_of_pages_is_found_carried_out().await;
        self.the_version_before_is_not_the_write().await;
        self.small_blobs_are_read().await;
    }

    async fn blocks_are_taken_up(&self) {
        self.container("next-blocks").await;
        let bodies = [filled(1, 70_000), Bytes::from(vec![0; 90_000]), filled(3, 100), filled(1, 70_000), filled(4, 5)];
        let blocks = chain(&bodies);
        let one = target("next-blocks/one", 1);
        for number in [2, 0] {
            self.store.stage(&one, &blocks[number], bodies[number].clone()).await.unwrap();
        }
        self.store.sync(&one).await.unwrap();
        let next = (self.reopen)();
        let there = next.take_up(&one, &blocks, &[true, false, true, false, false]).await.unwrap();
        assert_eq!(there.len(), blocks.len());
        // the fourth is equal to the first: whether it must be sent is the store's own matter
        assert_eq!([there[0], there[1], there[2], there[4]], [true, false, true, false]);
        let missing = there.iter().enumerate().filter(|(_, there)| !**there).map(|(number, _)| number);
        for number in missing {
            next.stage(&one, &blocks[number], bodies[number].clone()).await.unwrap();
        }
        assert_eq!(next.take_up(&one, &blocks, &[false; 5]).await.unwrap(), [true; 5], "what this process staged itself");
        next.commit(&one, &blocks, &attributes(), &Condition::Absent).await.unwrap();
        assert!((self.read)(one.path.clone()).await == bodies.concat());
        assert_eq!((self.reopen)().take_up(&one, &blocks, &[true; 5]).await.unwrap(), [false; 5], "nothing is staged any more");
    }

    async fn nothing_is_taken_up_where_nothing_is(&self) {
        let blocks = chain(&[filled(1, 10), filled(2, 20)]);
        let missing = self.store.take_up(&target("next-missing/x", 1), &blocks, &[true; 2]).await;
        assert!(matches!(missing, Err(StoreError::ContainerMissing { .. })), "{missing:?}");
        assert_eq!(self.store.take_up_pages(&target("next-missing/x", 1), 512).await.unwrap(), None);
        self.container("next-nothing").await;
        let one = target("next-nothing/one", 1);
        let next = (self.reopen)();
        assert_eq!(next.take_up(&one, &blocks, &[true; 2]).await.unwrap(), [false; 2]);
        assert_eq!(next.take_up(&one, &[], &[]).await.unwrap(), [false; 0]);
        assert_eq!(next.take_up_pages(&one, 512).await.unwrap(), None);
        next.sync(&one).await.unwrap();
        // a visible blob is nothing to take up, nor is one of another kind
        next.put(&one, filled(1, 10), &blocks[0].digest, &attributes(), &Condition::Absent).await.unwrap();
        let two = target("next-nothing/two", 2);
        next.create_pages(&two, 512, &attributes(), &Condition::Absent).await.unwrap();
        next.finish_pages(&two, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
        for target in [&one, &two] {
            assert_eq!((self.reopen)().take_up(target, &blocks, &[true; 2]).await.unwrap(), [false; 2]);
            assert_eq!((self.reopen)().take_up_pages(target, 512).await.unwrap(), None);
        }
        // the name takes what it took before
        next.stage(&one, &blocks[1], filled(2, 20)).await.unwrap();
    }

    async fn pages_are_taken_up(&self) {
        self.container("next-pages").await;
        let one = target("next-pages/one", 1);
        let (first, second, zeros) = (filled(1, 4_096), filled(2, 512), filled(0, 1_024));
        self.store.create_pages(&one, 16_384, &attributes(), &Condition::Absent).await.unwrap();
        self.store.write_pages(&one, &range(0, &first), first.clone()).await.unwrap();
        self.store.sync(&one).await.unwrap();
        let next = (self.reopen)();
        let version = next.take_up_pages(&one, 16_384).await.unwrap().unwrap();
        if !next.hides_incomplete_pages() {
            assert_eq!(next.head(&one.path).await.unwrap().unwrap().etag, version);
        }
        next.write_pages(&one, &range(8_192, &second), second.clone()).await.unwrap();
        next.write_pages(&one, &range(4_096, &zeros), zeros.clone()).await.unwrap();
        next.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
        let mut expected = vec![0; 16_384];
        expected[..4_096].copy_from_slice(&first);
        expected[8_192..][..512].copy_from_slice(&second);
        assert!((self.read)(one.path.clone()).await == expected);
        assert_eq!((self.reopen)().take_up_pages(&one, 16_384).await.unwrap(), None, "it is finished");
    }

    async fn only_its_own_unfinished_pages_are_taken_up(&self) {
        self.container("next-own").await;
        let one = target("next-own/one", 1);
        self.store.create_pages(&one, 1_024, &attributes(), &Condition::Absent).await.unwrap();
        let next = (self.reopen)();
        let strangers = [Target { session: "s2".to_owned(), ..one.clone() }, Target { entry: 2, ..one.clone() }];
        for stranger in strangers {
            assert_eq!(next.take_up_pages(&stranger, 1_024).await.unwrap(), None);
        }
        assert_eq!(next.take_up_pages(&one, 512).await.unwrap(), None, "another length");
        assert!(next.take_up_pages(&one, 1_024).await.unwrap().is_some());
    }

    /// A done write is found by the next process, under the version that a look at the blob shows; others are not.
    async fn found(&self, done: Done<'_>) -> ETag {
        let Done { target, intended, attributes, others } = done;
        let next = (self.reopen)();
        let ask = async |intended: &Intended<'_>, attributes: &Attributes| {
            next.carried_out(target, intended, attributes, &Condition::Absent).await.unwrap()
        };
        for other in others {
            assert_eq!(ask(other, attributes).await, None, "{other:?}");
        }
        let plainer = Attributes { metadata: Vec::new(), ..attributes.clone() };
        let typed = Attributes { content_type: Some("text/plain".to_owned()), ..attributes.clone() };
        for other in [plainer, typed] {
            assert_eq!(ask(&intended, &other).await, None, "{other:?}");
        }
        let found = ask(&intended, attributes).await.unwrap_or_else(|| panic!("{intended:?}"));
        assert_eq!(next.head(&target.path).await.unwrap().unwrap().etag, found);
        let elsewhere = Target { path: path(&format!("{}/none", target.path.container())), ..target.clone() };
        assert_eq!(next.carried_out(&elsewhere, &intended, attributes, &Condition::Absent).await.unwrap(), None);
        found
    }

    async fn a_put_is_found_carried_out(&self) {
        self.container("next-put").await;
        let (body, same_length) = (filled(1, 700), filled(2, 700));
        let other_md5 = Attributes { content_md5: Some([7; 16]), ..attributes() };
        let same_md5 = Attributes { content_md5: Some(Digest::of(&body).0), ..attributes() };
        for (number, given) in [attributes(), other_md5, same_md5].iter().enumerate() {
            let one = target(&format!("next-put/{number}"), number as u64);
            self.store.put(&one, body.clone(), &Digest::of(&body), given, &Condition::Absent).await.unwrap();
            let others = [whole(&same_length), whole(&filled(1, 701)), whole(&Bytes::new()), Intended::Blocks(&[])];
            self.found(Done { target: &one, intended: whole(&body), attributes: given, others: &others }).await;
        }
        let empty = target("next-put/empty", 8);
        let nothing = Bytes::new();
        self.store.put(&empty, nothing.clone(), &Digest::of(&nothing), &attributes(), &Condition::Absent).await.unwrap();
        let others = [whole(&body), Intended::Pages { length: 0, ranges: &[] }];
        self.found(Done { target: &empty, intended: whole(&nothing), attributes: &attributes(), others: &others }).await;
    }

    async fn a_commit_is_found_carried_out(&self) {
        self.container("next-commit").await;
        let bodies = [filled(1, 70_000), filled(2, 300), filled(1, 70_000)];
        let blocks = chain(&bodies);
        let one = target("next-commit/one", 1);
        for (block, body) in blocks.iter().zip(&bodies) {
            self.store.stage(&one, block, body.clone()).await.unwrap();
        }
        let next = (self.reopen)();
        let intended = Intended::Blocks(&blocks);
        let early = next.carried_out(&one, &intended, &attributes(), &Condition::Absent).await.unwrap();
        assert_eq!(early, None, "staged is not stored");
        self.store.commit(&one, &blocks, &attributes(), &Condition::Absent).await.unwrap();
        let changed = chain(&[filled(1, 70_000), filled(3, 300), filled(1, 70_000)]);
        let reordered = chain(&[filled(2, 300), filled(1, 70_000), filled(1, 70_000)]);
        let others =
            [Intended::Blocks(&changed), Intended::Blocks(&reordered), Intended::Blocks(&blocks[..2]), Intended::Blocks(&[])];
        self.found(Done { target: &one, intended, attributes: &attributes(), others: &others }).await;
        let empty = target("next-commit/empty", 2);
        self.store.commit(&empty, &[], &attributes(), &Condition::Absent).await.unwrap();
        self.found(Done { target: &empty, intended: Intended::Blocks(&[]), attributes: &attributes(), others: &others[..1] })
            .await;
    }

    async fn an_end_of_pages_is_found_carried_out(&self) {
        self.container("next-end").await;
        let one = target("next-end/one", 1);
        let body = filled(5, 1_024);
        let ranges = [range(512, &body)];
        let intended = Intended::Pages { length: 4_096, ranges: &ranges };
        let next = (self.reopen)();
        self.store.create_pages(&one, 4_096, &attributes(), &Condition::Absent).await.unwrap();
        self.store.write_pages(&one, &ranges[0], body.clone()).await.unwrap();
        assert_eq!(next.carried_out(&one, &intended, &attributes(), &Condition::Absent).await.unwrap(), None, "not finished");
        self.store.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
        let blocks = [range(0, &filled(5, 4_096))];
        let others = [Intended::Pages { length: 8_192, ranges: &ranges }, Intended::Blocks(&blocks)];
        self.found(Done { target: &one, intended, attributes: &attributes(), others: &others }).await;
        let torn = target("next-end/torn", 2);
        self.store.create_pages(&torn, 4_096, &attributes(), &Condition::Absent).await.unwrap();
        self.store.write_pages(&torn, &ranges[0], body).await.unwrap();
        self.store.finish_pages(&torn, &attributes(), &Condition::Absent, PageEnd::Incomplete).await.unwrap();
        assert_eq!(next.carried_out(&torn, &intended, &attributes(), &Condition::Absent).await.unwrap(), None, "marked");
    }

    async fn the_version_before_is_not_the_write(&self) {
        self.container("next-before").await;
        let (one, body) = (target("next-before/one", 1), filled(1, 600));
        let none = Attributes::default();
        let old = self.store.put(&one, body.clone(), &Digest::of(&body), &none, &Condition::Absent).await.unwrap().etag;
        // the same content and attributes: only the version tells
        let before = Condition::Matches(old.clone());
        let next = (self.reopen)();
        assert_eq!(next.carried_out(&one, &whole(&body), &none, &before).await.unwrap(), None);
        assert_eq!(next.carried_out(&one, &whole(&body), &none, &Condition::Any).await.unwrap(), Some(old));
        let two = target("next-before/one", 2);
        let new = self.store.put(&two, body.clone(), &Digest::of(&body), &none, &before).await.unwrap().etag;
        assert_eq!(next.carried_out(&two, &whole(&body), &none, &before).await.unwrap(), Some(new));
    }

    async fn small_blobs_are_read(&self) {
        self.container("next-read").await;
        let (one, body) = (target("next-read/one", 1), Bytes::from_static(b"what the session left"));
        let stored = self.store.put(&one, body.clone(), &Digest::of(&body), &attributes(), &Condition::Absent).await.unwrap();
        let next: Arc<dyn Store> = (self.reopen)();
        assert_eq!(next.read(&one.path, body.len()).await.unwrap(), Some((stored.etag, body.clone())));
        let refused = next.read(&one.path, body.len() - 1).await;
        assert!(matches!(refused, Err(StoreError::Rejected { .. })), "{refused:?}");
        assert_eq!(next.read(&path("next-read/two"), 100).await.unwrap(), None);
        assert_eq!(next.read(&path("next-readless/two"), 100).await.unwrap(), None);
        let empty = target("next-read/empty", 3);
        let stored = self.store.commit(&empty, &[], &Attributes::default(), &Condition::Absent).await.unwrap();
        assert_eq!(next.read(&empty.path, 0).await.unwrap(), Some((stored.etag, Bytes::new())));
    }
}
