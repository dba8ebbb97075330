//! What a later process asks of the service: is a write done that nobody heard of, and what does a small blob say?
//!
//! In go an intention or a name; out come versions. Content is told by its MD5 property, by block ids made of the content or by a page
//! blob's number, never by length alone.

use bytes::Bytes;
use http::Method;

use super::attributes::{MARK, has_attributes, with_condition};
use super::client::{Call, Failure};
use super::settle::Expected;
use super::{AzureStore, as_list, put, stored, xml};
use crate::manifest::{Attributes, BlobPath, Digest};
use crate::store::{Condition, ETag, Intended, StoreError, Target};

impl AzureStore {
    /// The version of what lies there, if that is exactly what was intended.
    pub(super) async fn done(
        &self,
        target: &Target,
        intended: &Intended<'_>,
        attributes: &Attributes,
        before: &Condition,
    ) -> Result<Option<ETag>, StoreError> {
        let Some((head, answer)) = self.client.head(&target.path).await? else { return Ok(None) };
        if *before == Condition::Matches(head.etag.clone()) || !has_attributes(&answer, attributes) {
            return Ok(None);
        }
        let list;
        let expected = match *intended {
            Intended::Blocks(blocks) => Expected::Blocks(blocks),
            Intended::Pages { length, .. } => Expected::Finished { length, target },
            Intended::Whole { length, md5 } => match as_list(length, &md5, attributes) {
                Some(blocks) => {
                    list = blocks;
                    Expected::Blocks(&list)
                }
                None => Expected::Whole { length, md5: md5.0 },
            },
        };
        let done = self.client.is_expected(&target.path, &head, &answer, attributes, &expected).await?;
        Ok(done.then_some(head.etag))
    }

    /// A blob's version and content, read in one request.
    pub(super) async fn content(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        let call = Call::new(Method::GET, path.container(), Some(path.name())).limit(limit);
        match self.client.send(&call).await {
            Ok(success) => {
                let etag = stored(&success)?.etag;
                Ok(Some((etag, success.answer.body)))
            }
            // 404 of either kind, as nothing is asked that could fail
            Err(Failure { error: StoreError::ConditionFailed | StoreError::ContainerMissing { .. }, .. }) => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }

    /// Takes a free name with an empty blob that carries the mark: what is staged there and not in its list, of whatever length its ids
    /// are, is gone then. By a list, since some servers take staged blocks for a blob when all is to be put at once.
    pub(super) async fn keep_name(&self, target: &Target) -> Result<ETag, StoreError> {
        let mark = target.mark();
        let body = xml::commit_body(std::iter::empty());
        let digest = Digest::of(&body);
        let call = put(&target.path).query("comp", "blocklist").body(body, &digest)?;
        let call = with_condition(call.header(&format!("x-ms-meta-{MARK}"), &mark)?, &Condition::Absent)?;
        let kept = self.write(call, &target.path, &Attributes::default(), &Expected::Kept { mark: &mark }).await?;
        Ok(kept.etag)
    }
}
