//! What a service can do wrong, and what becomes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dockside::manifest::{Attributes, Digest};
use dockside::store::{
    Condition, Credentials, ETag, Intended, PageEnd, RetryPolicy, Store, StoreConfig, StoreError, StoreUrl, Stored, open_with,
};

use crate::mock_http::{MockHttp, Reply, Request};
use crate::store_suite::{attributes, filled, path, range, target};

/// In Base64 as keys are; no message may show it.
pub(crate) const KEY: &str = "aHVzaGh1c2hodXNo";
const SIGNATURE: &str = "hush%2Bsignature";

pub(crate) fn quick() -> RetryPolicy {
    RetryPolicy {
        attempts: 4,
        total: Duration::from_mins(1),
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(2),
        attempt: Duration::from_secs(20),
        slowest: 1_000_000,
    }
}

pub(crate) fn store_at(url: &str, policy: &RetryPolicy, setting: (&str, &str)) -> Arc<dyn Store> {
    let credentials = Credentials::Given(vec![(setting.0.to_owned(), setting.1.to_owned().into())]);
    let place = StoreUrl::parse("azure://acct").unwrap();
    open_with(&StoreConfig { account: "acct".to_owned(), url: place, endpoint: Some(url.to_owned()), credentials }, 2, policy)
        .unwrap()
}

async fn served(script: Vec<Reply>) -> (MockHttp, Arc<dyn Store>) {
    let mock = MockHttp::start(script).await;
    let store = store_at(&mock.url(), &quick(), ("AZURE_STORAGE_ACCOUNT_KEY", KEY));
    (mock, store)
}

async fn put(store: &dyn Store, condition: Condition) -> Result<Stored, StoreError> {
    let body = filled(1, 10);
    store.put(&target("cust/one", 1), body.clone(), &Digest::of(&body), &attributes(), &condition).await
}

fn methods(mock: &MockHttp) -> Vec<String> {
    mock.requests().into_iter().map(|request| request.method).collect()
}

/// The headers of the blob that `put` makes.
fn ours(reply: Reply) -> Reply {
    reply
        .with("x-ms-blob-type", "BlockBlob")
        .with("content-type", "image/tiff")
        .with("content-encoding", "gzip")
        .with("content-language", "en")
        .with("cache-control", "max-age=3600")
        .with("x-ms-meta-survey_site", "harbour-4")
        .with("x-ms-meta-empty", "")
}

#[tokio::test]
async fn a_busy_store_is_asked_again_when_it_wants_and_with_a_fresh_signature() {
    let busy = Reply::error(503, "ServerBusy").with("Retry-After", "1");
    let (mock, store) = served(vec![busy, Reply::ok(201)]).await;
    let begun = Instant::now();
    assert_eq!(put(&*store, Condition::Absent).await.unwrap().line_refusals, 0);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let requests = mock.requests();
    assert_eq!(requests.len(), 2);
    let [first, second] = [&requests[0], &requests[1]].map(|request: &Request| {
        assert!(request.header("authorization").starts_with("SharedKey acct:"));
        assert_eq!(request.header("content-md5"), Digest::of(&filled(1, 10)).base64());
        assert_eq!((request.header("if-none-match"), request.body.len()), ("*", 10));
        (
            request.header("date").to_owned(),
            request.header("authorization").to_owned(),
            request.header("x-ms-client-request-id").to_owned(),
        )
    });
    assert!(first.0 != second.0 && first.1 != second.1 && first.2 != second.2);
}

#[tokio::test]
async fn a_cut_listing_is_asked_for_again() {
    let page = "<EnumerationResults><Blobs><Blob><Name>a</Name><Properties><Etag>0x1</Etag></Properties></Blob></Blobs></EnumerationResults>";
    let (mock, store) = served(vec![Reply::Cut { status: 200, body: page.into() }, Reply::ok(200).with_body(page)]).await;
    let listed = store.list(&"cust".parse().unwrap(), None).await.unwrap();
    assert_eq!((listed.blobs.len(), mock.requests().len()), (1, 2));
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_looking() {
    let digest = Digest::of(&filled(1, 10));
    let found = |length: &str, md5: &str| ours(Reply::ok(200)).with("content-length", length).with("content-md5", md5);
    let conflict = Reply::error(409, "BlobAlreadyExists");
    let script = vec![Reply::Lost, conflict.clone(), found("10", &digest.base64())];
    let (mock, store) = served(script).await;
    assert_eq!(put(&*store, Condition::Absent).await.unwrap().etag, ETag("\"0x1\"".to_owned()));
    assert_eq!(methods(&mock), ["PUT", "PUT", "HEAD"]);
    // somebody else's blob, by its content or its attributes
    let other =
        Reply::ok(200).with("x-ms-blob-type", "BlockBlob").with("content-length", "10").with("content-md5", &digest.base64());
    for answer in
        [found("10", &Digest::of(b"x").base64()), found("11", &digest.base64()), other, Reply::error(404, "BlobNotFound")]
    {
        let (_mock, store) = served(vec![Reply::Lost, conflict.clone(), answer]).await;
        let refused = put(&*store, Condition::Absent).await;
        assert!(matches!(refused, Err(StoreError::AlreadyExists)), "{refused:?}");
    }
    // nothing was lost: nothing to settle
    let (mock, store) = served(vec![conflict]).await;
    assert!(matches!(put(&*store, Condition::Absent).await, Err(StoreError::AlreadyExists)));
    assert_eq!(methods(&mock), ["PUT"]);
}

#[tokio::test]
async fn a_lost_commit_is_settled_by_its_blocks() {
    let bodies = [filled(1, 10), filled(2, 20)];
    let blocks = [range(0, &bodies[0]), range(10, &bodies[1])];
    let list = |blocks: &[&dockside::manifest::Range]| {
        let block = |range: &&dockside::manifest::Range| {
            format!("<Block><Name>{}</Name><Size>{}</Size></Block>", range.digest.block_id(), range.bytes.length())
        };
        let blocks: String = blocks.iter().map(block).collect();
        Reply::ok(200).with_body(&format!("<BlockList><CommittedBlocks>{blocks}</CommittedBlocks></BlockList>"))
    };
    let script = |answer| {
        vec![Reply::Lost, Reply::error(412, "ConditionNotMet"), ours(Reply::ok(200)).with("content-length", "30"), answer]
    };
    let condition = Condition::Matches(ETag("\"0x0\"".to_owned()));
    let (mock, store) = served(script(list(&[&blocks[0], &blocks[1]]))).await;
    store.commit(&target("cust/one", 1), &blocks, &attributes(), &condition).await.unwrap();
    assert_eq!(methods(&mock), ["PUT", "PUT", "HEAD", "GET"]);
    let body = String::from_utf8(mock.requests()[0].body.clone()).unwrap();
    assert_eq!(body.matches("<Latest>").count(), 2);
    let (_mock, store) = served(script(list(&[&blocks[1], &blocks[0]]))).await;
    let refused = store.commit(&target("cust/one", 1), &blocks, &attributes(), &condition).await;
    assert!(matches!(refused, Err(StoreError::ConditionFailed)), "{refused:?}");
}

#[tokio::test]
async fn a_lost_end_of_a_page_blob_is_settled() {
    let marked = |mark: &str| ours(Reply::ok(200)).with("content-length", "512").with("x-ms-meta-dockside_incomplete", mark);
    // the mock's helper says BlockBlob first; the first header of a name counts
    let pages = |reply: Reply| match reply {
        Reply::Answer { status, mut headers, body } => {
            headers.retain(|(name, _)| name != "x-ms-blob-type");
            Reply::Answer { status, headers, body }.with("x-ms-blob-type", "PageBlob")
        }
        other => other,
    };
    let done = pages(ours(Reply::ok(200)).with("content-length", "512"));
    let script = vec![pages(marked("s1-1")), Reply::Lost, Reply::error(412, "ConditionNotMet"), done];
    let (mock, store) = served(script).await;
    let one = target("cust/one", 1);
    store.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
    assert_eq!(methods(&mock), ["HEAD", "PUT", "PUT", "HEAD"]);
    assert_eq!(mock.requests()[1].header("if-match"), "\"0x1\"");
    assert!(!mock.requests()[1].headers.contains_key("x-ms-meta-dockside_incomplete"));
    let (mock, store) = served(vec![pages(marked("s1-2"))]).await;
    let refused = store.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await;
    assert!(matches!(refused, Err(StoreError::ConditionFailed)), "{refused:?}");
    assert_eq!(methods(&mock), ["HEAD"]);
}

#[tokio::test]
async fn a_damaged_line_is_counted_and_then_given_up() {
    let damaged = || Reply::error(400, "Md5Mismatch");
    let (_mock, store) = served(vec![damaged(), Reply::ok(201)]).await;
    assert_eq!(put(&*store, Condition::Absent).await.unwrap().line_refusals, 1);
    let (_mock, store) = served(vec![damaged(), damaged(), Reply::ok(201)]).await;
    let body = filled(1, 10);
    assert_eq!(store.stage(&target("cust/one", 1), &range(0, &body), body).await.unwrap(), 2);
    let (mock, store) = served(vec![damaged()]).await;
    assert!(matches!(put(&*store, Condition::Absent).await, Err(StoreError::ChecksumRefused { attempts: 3 })));
    assert_eq!(mock.requests().len(), 3);
}

#[tokio::test]
async fn a_signature_is_renewed_once_and_a_missing_right_is_final() {
    let unsigned = || Reply::error(403, "AuthenticationFailed");
    let (_mock, store) = served(vec![unsigned(), Reply::ok(201)]).await;
    put(&*store, Condition::Absent).await.unwrap();
    for (reply, requests) in [(unsigned(), 2), (Reply::error(403, "AuthorizationFailure"), 1)] {
        let (mock, store) = served(vec![reply]).await;
        assert!(matches!(put(&*store, Condition::Absent).await, Err(StoreError::Forbidden { .. })));
        assert_eq!(mock.requests().len(), requests);
    }
}

#[tokio::test]
async fn a_store_that_hangs_is_given_up() {
    let mock = MockHttp::start(vec![Reply::Hang]).await;
    let policy = RetryPolicy { attempt: Duration::from_millis(50), ..quick() };
    let store = store_at(&mock.url(), &policy, ("AZURE_STORAGE_ACCOUNT_KEY", KEY));
    let refused = put(&*store, Condition::Absent).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { attempts: 4, .. })), "{refused:?}");
    assert_eq!(mock.requests().len(), 4);
}

#[tokio::test]
async fn a_store_that_asks_for_more_than_the_total_is_given_up_at_once() {
    let (mock, store) = served(vec![Reply::error(503, "ServerBusy").with("Retry-After", "3600")]).await;
    let refused = put(&*store, Condition::Absent).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { attempts: 1, ref last }) if last == "503 ServerBusy"), "{refused:?}");
    assert_eq!(mock.requests().len(), 1);
}

#[tokio::test]
async fn no_message_shows_a_signature_or_key() {
    let nobody = {
        let mock = MockHttp::start(Vec::new()).await;
        mock.url()
    };
    let mock =
        MockHttp::start(vec![Reply::error(403, "AuthorizationFailure").with_body("<Error><Code>sig=hush</Code></Error>")]).await;
    let lost = MockHttp::start(vec![Reply::Lost]).await;
    let token = format!("sv=2020-01-01&sig={SIGNATURE}");
    for setting in
        [("AZURE_STORAGE_SAS_TOKEN", token.as_str()), ("AZURE_STORAGE_ACCOUNT_KEY", KEY), ("AZURE_STORAGE_TOKEN", "hush.bearer")]
    {
        for url in [&nobody, &mock.url(), &lost.url()] {
            let store = store_at(url, &quick(), setting);
            let error = put(&*store, Condition::Absent).await.unwrap_err();
            let shown = format!("{error} {error:?} {store:?} {}", store.url());
            for secret in ["hush", KEY, "sig=", &STANDARD.encode("hush")] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
    assert!(mock.requests()[0].target.contains("sig=hush%2Bsignature"));
}

#[tokio::test]
async fn large_page_ranges_are_split_and_zeros_skipped_on_a_fresh_blob() {
    let (mock, store) = served(vec![Reply::ok(201)]).await;
    let one = target("cust/one", 1);
    let mut body = vec![0; 9 << 20];
    body[0] = 1;
    body[(8 << 20) + 5] = 1;
    let body = Bytes::from(body);
    let range = range(512, &body);
    let refused = store.write_pages(&one, &range, body.clone()).await;
    assert!(matches!(refused, Err(StoreError::ConditionFailed)), "a blob that this process did not create: {refused:?}");
    assert!(mock.requests().is_empty());
    store.create_pages(&one, 10 << 20, &Attributes::default(), &Condition::Absent).await.unwrap();
    store.write_pages(&one, &range, body).await.unwrap();
    let requests = mock.requests();
    let ranges: Vec<_> = requests.iter().map(|request| request.header("x-ms-range")).collect();
    assert_eq!(ranges, ["", "bytes=512-4194815", "bytes=8389120-9437695"]);
    assert_eq!(requests[0].header("x-ms-meta-dockside_incomplete"), "s1-1");
    let sequence = requests[0].header("x-ms-blob-sequence-number");
    assert!(sequence.parse::<u64>().unwrap() < 1 << 63);
    assert!(requests[1..].iter().all(|request| request.header("x-ms-if-sequence-number-eq") == sequence));
    assert_eq!(requests[2].header("content-md5"), Digest::of(&requests[2].body).base64());
}

#[tokio::test]
async fn a_lost_answer_to_a_removal_is_settled() {
    let (mock, store) = served(vec![Reply::Lost, Reply::error(404, "BlobNotFound"), Reply::error(404, "BlobNotFound")]).await;
    store.delete(&path("cust/one"), &ETag("\"0x1\"".to_owned())).await.unwrap();
    assert_eq!(methods(&mock), ["DELETE", "DELETE", "HEAD"]);
}

#[tokio::test]
async fn a_blob_that_is_read_is_whole_and_no_longer_than_allowed() {
    let one = path("cust/one");
    let text = Reply::ok(200).with_body("twelve bytes");
    let (mock, store) = served(vec![Reply::Cut { status: 200, body: b"twelve bytes".to_vec() }, text.clone()]).await;
    let read = store.read(&one, 12).await.unwrap().unwrap();
    assert_eq!(
        (read.0, &read.1[..], methods(&mock)),
        (ETag("\"0x1\"".to_owned()), &b"twelve bytes"[..], vec!["GET".to_owned(); 2])
    );
    // to ask again would not make it shorter
    let (mock, store) = served(vec![text]).await;
    let refused = store.read(&one, 11).await;
    assert!(matches!(refused, Err(StoreError::Rejected { ref code, .. }) if code.contains("11 bytes")), "{refused:?}");
    assert_eq!(mock.requests().len(), 1);
    // what an error has to say is not the blob
    let gone = Reply::error(404, "BlobNotFound").with_body("<Error><Code>BlobNotFound</Code></Error>");
    let (_mock, store) = served(vec![Reply::error(503, "ServerBusy").with_body("a long excuse"), gone]).await;
    assert_eq!(store.read(&one, 4).await.unwrap(), None);
    let (_mock, store) = served(vec![Reply::error(403, "AuthorizationFailure").with_body("a long excuse")]).await;
    assert!(matches!(store.read(&one, 4).await, Err(StoreError::Forbidden { .. })));
}

#[tokio::test]
async fn a_lost_answer_to_keeping_a_name_is_settled_by_its_mark() {
    let found = |mark: &str| {
        let empty = Reply::ok(200).with("x-ms-blob-type", "BlockBlob").with("content-length", "0");
        empty.with("content-type", "application/octet-stream").with("x-ms-meta-dockside_incomplete", mark)
    };
    let script = |mark| vec![Reply::Lost, Reply::error(409, "BlobAlreadyExists"), found(mark)];
    let one = target("cust/one", 1);
    let (mock, store) = served(script("s1-1")).await;
    assert_eq!(store.clear_foreign(&one).await.unwrap(), ETag("\"0x1\"".to_owned()));
    let sent = &mock.requests()[0];
    assert_eq!((sent.header("if-none-match"), sent.header("x-ms-meta-dockside_incomplete")), ("*", "s1-1"));
    let (_mock, store) = served(script("s1-2")).await;
    let refused = store.clear_foreign(&one).await;
    assert!(matches!(refused, Err(StoreError::AlreadyExists)), "{refused:?}");
    // nothing was lost: whose ever it is, it was there before
    let (mock, store) = served(vec![Reply::error(409, "BlobAlreadyExists")]).await;
    assert!(matches!(store.clear_foreign(&one).await, Err(StoreError::AlreadyExists)));
    assert_eq!(methods(&mock), ["PUT"]);
}

#[tokio::test]
async fn a_name_that_is_only_kept_is_never_taken_for_what_was_to_be_stored() {
    let nothing = Digest::of(&[]);
    let kept = Reply::ok(200).with("x-ms-blob-type", "BlockBlob").with("content-length", "0");
    let kept = kept.with("content-type", "application/octet-stream").with("content-md5", &nothing.base64());
    let intended = Intended::Whole { length: 0, md5: nothing };
    let one = target("cust/one", 1);
    for (reply, found) in [(kept.clone(), true), (kept.with("x-ms-meta-dockside_incomplete", "s1-1"), false)] {
        let (_mock, store) = served(vec![reply]).await;
        let answer = store.carried_out(&one, &intended, &Attributes::default(), &Condition::Absent).await.unwrap();
        assert_eq!(answer.is_some(), found);
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_taken_for_an_empty_one() {
    let (one, blocks) = (target("cust/one", 1), [range(0, &filled(1, 10))]);
    let (_mock, store) = served(vec![Reply::error(503, "ServerBusy")]).await;
    assert!(matches!(store.take_up(&one, &blocks, &[true]).await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(store.take_up_pages(&one, 512).await, Err(StoreError::Unavailable { .. })));
    let found = store.carried_out(&one, &Intended::Blocks(&blocks), &attributes(), &Condition::Absent).await;
    assert!(matches!(found, Err(StoreError::Unavailable { .. })), "{found:?}");
    assert!(matches!(store.read(&one.path, 9).await, Err(StoreError::Unavailable { .. })));
    // a block of that id and another size is none of ours
    let other = format!("<Block><Name>{}</Name><Size>11</Size></Block>", blocks[0].digest.block_id());
    let list = format!("<BlockList><UncommittedBlocks>{other}</UncommittedBlocks></BlockList>");
    let (_mock, store) = served(vec![Reply::ok(200).with_body(&list)]).await;
    assert_eq!(store.take_up(&one, &blocks, &[true]).await.unwrap(), [false]);
}
