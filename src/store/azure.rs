//! Azure Blob Storage: block blobs with ids made of the content, page blobs with a mark until they are complete.
//!
//! On `object_store`'s HTTP client and authorizer; the requests are our own, since its own uploads choose their block bounds and
//! cannot commit on a condition. Every body travels with its MD5. Facts of the service: its REST reference and the emulator.

mod answer;
mod attributes;
mod client;
mod credential;
mod outage;
mod pages;
mod resume;
mod retry;
mod settle;
mod url;
mod xml;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use object_store::client::{ClientOptions, HttpConnector as _, ReqwestConnector};

use self::attributes::{MARK, SEQUENCE, with_attributes, with_condition};
use self::client::{Call, Client, Failure, Success};
use self::credential::CredentialSource;
use self::outage::Outage;
use self::settle::Expected;
use self::xml::quoted;
use super::{
    BlobHead, Busy, Condition, ETag, Intended, ListPage, NameRules, PageEnd, PageToken, StagedBlock, Store, StoreError, Stored,
    Target,
};
use crate::manifest::{Attributes, BlobPath, ByteRange, ContainerName, Digest, Range};
use crate::volume::fields::index;

pub(super) use self::credential::{Reread, Signing};
pub use self::retry::RetryPolicy;
pub(super) use self::url::Endpoint;
pub use self::url::EndpointError;
pub(super) use self::url::usual_endpoint;

/// Seconds of a lease, the most that ends by itself: who is killed is not waited for longer.
const LEASE: &str = "60";
/// Bytes of one Put Page.
const PAGES: usize = 4 << 20;

/// A storage account.
pub struct AzureStore {
    client: Client,
    url: String,
    /// Page blobs that this process created or took up and is writing: what no process of this work wrote there is zero. The sequence
    /// number of each ([`pages::draw_sequence`]) tells it from any other blob that gets its name.
    fresh: Mutex<HashMap<BlobPath, String>>,
}

/// What an account needs.
pub(super) struct Settings {
    pub(super) account: String,
    pub(super) endpoint: Endpoint,
    pub(super) url: String,
    pub(super) signing: Signing,
    /// Reads it anew, if it stands in a file.
    pub(super) reread: Option<Reread>,
    pub(super) options: ClientOptions,
    pub(super) policy: RetryPolicy,
}

impl AzureStore {
    /// A store that sends nothing yet. Fails if credentials are malformed or the TLS library has no root certificates.
    pub(super) fn new(settings: Settings) -> Result<Self, object_store::Error> {
        let Settings { account, endpoint, url, signing, reread, options, policy } = settings;
        let http = ReqwestConnector::default().connect(&options)?;
        let credentials = CredentialSource::new(signing, reread)?;
        let outage = Outage::new(&account, policy.total);
        let client = Client { http, endpoint, account, credentials, policy, busy: Busy::default(), outage };
        Ok(Self { client, url, fresh: Mutex::default() })
    }

    fn fresh(&self) -> MutexGuard<'_, HashMap<BlobPath, String>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a conditional write and settles what stays in doubt.
    async fn write(
        &self,
        call: Call<'_>,
        path: &BlobPath,
        attributes: &Attributes,
        expected: &Expected<'_>,
    ) -> Result<Stored, StoreError> {
        match self.client.send(&call).await {
            Ok(success) => stored(&success),
            Err(failure) => self.client.settle(failure, path, attributes, expected).await,
        }
    }
}

/// A write to a blob.
fn put(path: &BlobPath) -> Call<'_> {
    Call::new(Method::PUT, path.container(), Some(path.name()))
}

/// The blocks of a body that cannot be put in one request, since its MD5 property is to be another than its MD5: Put Blob would compare
/// the two, a list does not.
fn as_list(length: u64, digest: &Digest, attributes: &Attributes) -> Option<Vec<Range>> {
    attributes.content_md5.filter(|md5| *md5 != digest.0)?;
    let bytes = ByteRange::new(0, length).filter(|_| length > 0);
    Some(bytes.map(|bytes| Range { bytes, digest: *digest }).into_iter().collect())
}

/// A request about the lease of a blob.
fn lease<'a>(path: &'a BlobPath, action: &str) -> Result<Call<'a>, StoreError> {
    put(path).query("comp", "lease").header("x-ms-lease-action", action)
}

/// What a write made visible.
fn stored(success: &Success) -> Result<Stored, StoreError> {
    let etag = success.answer.header("etag").map(quoted);
    let etag =
        etag.ok_or_else(|| StoreError::Rejected { status: success.answer.status, code: "an answer without ETag".to_owned() })?;
    Ok(Stored { etag, line_refusals: success.refusals })
}

#[async_trait]
impl Store for AzureStore {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn hides_incomplete_pages(&self) -> bool {
        false
    }

    fn name_rules(&self) -> NameRules {
        NameRules::at(self.client.endpoint.clone())
    }

    fn busy(&self) -> Busy {
        self.client.busy.clone()
    }

    fn access_ends(&self) -> Option<Timestamp> {
        self.client.credentials.ends()
    }

    async fn room_for(&self, _path: &BlobPath) -> Result<(), StoreError> {
        // `/` in a name is a character like others
        Ok(())
    }

    async fn container_exists(&self, container: &ContainerName) -> Result<bool, StoreError> {
        let call = Call::new(Method::HEAD, container, None).query("restype", "container");
        match self.client.send(&call).await {
            Ok(_) => Ok(true),
            Err(Failure { error: StoreError::ContainerMissing { .. } | StoreError::ConditionFailed, .. }) => Ok(false),
            Err(failure) => Err(failure.error),
        }
    }

    async fn create_container(&self, container: &ContainerName) -> Result<(), StoreError> {
        let call = Call::new(Method::PUT, container, None).query("restype", "container");
        match self.client.send(&call).await {
            Ok(_) => Ok(()),
            Err(Failure { error: StoreError::Rejected { status: 409, code }, .. }) if code == "ContainerAlreadyExists" => Ok(()),
            Err(failure) => Err(failure.error),
        }
    }

    async fn list(&self, container: &ContainerName, from: Option<PageToken>) -> Result<ListPage, StoreError> {
        let call = Call::new(Method::GET, container, None)
            .query("restype", "container")
            .query("comp", "list")
            .query("maxresults", "5000");
        let call = match from {
            Some(token) => call.query("marker", token.0),
            None => call,
        };
        let missing = |error| match error {
            StoreError::ConditionFailed => StoreError::ContainerMissing { container: container.as_str().to_owned() },
            other => other,
        };
        let success = self.client.send(&call).await.map_err(|failure| missing(failure.error))?;
        let page = xml::list_page(&success.answer.body);
        page.ok_or_else(|| StoreError::Rejected { status: 200, code: "an answer that is no listing".to_owned() })
    }

    async fn head(&self, path: &BlobPath) -> Result<Option<BlobHead>, StoreError> {
        Ok(self.client.head(path).await?.map(|(head, _)| head))
    }

    async fn put(
        &self,
        target: &Target,
        body: Bytes,
        digest: &Digest,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        let path = &target.path;
        let length = body.len() as u64;
        if let Some(blocks) = as_list(length, digest, attributes) {
            let mut refusals = 0;
            for block in &blocks {
                refusals += self.stage(target, block, body.clone()).await?;
            }
            let stored = self.commit(target, &blocks, attributes, condition).await?;
            return Ok(Stored { line_refusals: stored.line_refusals + refusals, ..stored });
        }
        // the MD5 that is compared becomes the property
        let plain = Attributes { content_md5: None, ..attributes.clone() };
        let call = put(path).header("x-ms-blob-type", "BlockBlob")?.body(body, digest)?;
        let call = with_condition(with_attributes(call, &plain)?, condition)?;
        self.write(call, path, attributes, &Expected::Whole { length, md5: digest.0 }).await
    }

    async fn stage(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        let call =
            put(&target.path).query("comp", "block").query("blockid", range.digest.block_id()).body(body, &range.digest)?;
        Ok(self.client.send(&call).await?.refusals)
    }

    async fn staged(&self, target: &Target) -> Result<Vec<StagedBlock>, StoreError> {
        self.client.blocks(&target.path, "uncommitted", "UncommittedBlocks").await
    }

    async fn commit(
        &self,
        target: &Target,
        blocks: &[Range],
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Stored, StoreError> {
        let ids: Vec<String> = blocks.iter().map(|block| block.digest.block_id()).collect();
        let body = xml::commit_body(ids.iter().map(String::as_str));
        let digest = Digest::of(&body);
        let call = put(&target.path).query("comp", "blocklist").body(body, &digest)?;
        let call = with_condition(with_attributes(call, attributes)?, condition)?;
        self.write(call, &target.path, attributes, &Expected::Blocks(blocks)).await
    }

    async fn create_pages(
        &self,
        target: &Target,
        length: u64,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<(), StoreError> {
        let path = &target.path;
        let call = put(path).header("x-ms-blob-type", "PageBlob")?.header("x-ms-blob-content-length", &length.to_string())?;
        let call = with_condition(with_attributes(call, attributes)?, condition)?;
        let mark = target.mark();
        let sequence = pages::draw_sequence(target);
        let call = call.header(&format!("x-ms-meta-{MARK}"), &mark)?.header(SEQUENCE, &sequence)?;
        if let Err(failure) = self.client.send(&call).await {
            let expected = Expected::Pages { length, mark: &mark, sequence: &sequence };
            self.client.settle(failure, path, attributes, &expected).await?;
        }
        self.fresh().insert(path.clone(), sequence);
        Ok(())
    }

    async fn write_pages(&self, target: &Target, range: &Range, body: Bytes) -> Result<u64, StoreError> {
        let sequence = self.fresh().get(&target.path).cloned().ok_or(StoreError::ConditionFailed)?;
        let mut refusals = 0;
        let mut place = 0;
        while place < body.len() {
            let piece = body.slice(place..body.len().min(place + PAGES));
            let (offset, length) = (range.bytes.offset() + place as u64, piece.len());
            if piece.iter().any(|byte| *byte != 0) {
                let digest = if length == index(range.bytes.length()) { range.digest } else { Digest::of(&piece) };
                refusals += self.put_page(target, &sequence, (offset, piece), &digest).await?;
            }
            place += length;
        }
        Ok(refusals)
    }

    async fn finish_pages(
        &self,
        target: &Target,
        attributes: &Attributes,
        _condition: &Condition,
        end: PageEnd,
    ) -> Result<Stored, StoreError> {
        // the condition was used up by the creation: what counts now is that the blob is still the one created
        let (head, _) = self.own_pages(target).await?;
        let stored = match end {
            PageEnd::Complete => self.unmark(target, attributes, head.etag).await?,
            PageEnd::Incomplete => Stored { etag: head.etag, line_refusals: 0 },
        };
        self.fresh().remove(&target.path);
        Ok(stored)
    }

    async fn delete(&self, path: &BlobPath, seen: &ETag) -> Result<(), StoreError> {
        let call = Call::new(Method::DELETE, path.container(), Some(path.name()));
        let call = with_condition(call, &Condition::Matches(seen.clone()))?;
        match self.client.send(&call).await {
            Ok(_) => Ok(()),
            Err(Failure { error: StoreError::ConditionFailed, maybe_done: true, .. }) => match self.client.head(path).await? {
                None => Ok(()),
                Some(_) => Err(StoreError::ConditionFailed),
            },
            Err(failure) => Err(failure.error),
        }
    }

    async fn discard(&self, target: &Target) -> Result<(), StoreError> {
        // staged blocks belong to the name and expire by themselves
        self.fresh().remove(&target.path);
        Ok(())
    }

    async fn take_up(&self, target: &Target, ranges: &[Range], _synced: &[bool]) -> Result<Vec<bool>, StoreError> {
        match self.staged(target).await {
            Ok(staged) => Ok(StagedBlock::among(staged, ranges)),
            // a blob that has no blocks: the first write says what that means
            Err(StoreError::WrongKind) => Ok(vec![false; ranges.len()]),
            Err(error) => Err(error),
        }
    }

    async fn take_up_pages(&self, target: &Target, length: u64) -> Result<Option<ETag>, StoreError> {
        self.adopt_pages(target, length).await
    }

    async fn sync(&self, _target: &Target) -> Result<(), StoreError> {
        // what the service has answered is durable
        Ok(())
    }

    async fn carried_out(
        &self,
        target: &Target,
        intended: &Intended<'_>,
        attributes: &Attributes,
        before: &Condition,
    ) -> Result<Option<ETag>, StoreError> {
        self.done(target, intended, attributes, before).await
    }

    async fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        self.content(path, limit).await
    }

    async fn clear_foreign(&self, target: &Target) -> Result<ETag, StoreError> {
        self.keep_name(target).await
    }

    async fn hold(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError> {
        // who has the lease already gets it again, for another minute
        let call = lease(path, "acquire")?.header("x-ms-proposed-lease-id", holder)?.header("x-ms-lease-duration", LEASE)?;
        self.client.send(&call).await.map(drop).map_err(StoreError::from)
    }

    async fn let_go(&self, path: &BlobPath, holder: &str) -> Result<(), StoreError> {
        let call = lease(path, "release")?.header("x-ms-lease-id", holder)?;
        self.client.send(&call).await.map(drop).map_err(StoreError::from)
    }
}

impl fmt::Debug for AzureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AzureStore({})", self.url)
    }
}
