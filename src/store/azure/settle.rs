//! A conditional write whose first answer was lost and whose repetition met a blob: ours, or somebody else's?
//!
//! In go the failure and what would lie there had the write succeeded; out comes the version of the blob if it is exactly that, else
//! the failure as it was. Content is compared by MD5 or by block ids made of the content, never by length alone.

use http::Method;

use super::answer::Answer;
use super::attributes::{SEQUENCE, has_attributes, head_of, mark_of};
use super::client::{Call, Client, Failure};
use super::pages;
use super::xml::block_list;
use crate::manifest::{Attributes, BlobPath, Range};
use crate::store::{BlobHead, StagedBlock, StoreError, Stored, StoredKind, Target};

/// What would lie there.
pub(super) enum Expected<'a> {
    /// One request's body with this MD5 property.
    Whole { length: u64, md5: [u8; 16] },
    /// These blocks in this order.
    Blocks(&'a [Range]),
    /// The page blob that this very request created.
    Pages { length: u64, mark: &'a str, sequence: &'a str },
    /// A page blob that this work created and finished.
    Finished { length: u64, target: &'a Target },
    /// The empty blob by which this work keeps a name.
    Kept { mark: &'a str },
}

impl Client {
    /// Asks for a blob's headers. `None` if there is no such blob or container.
    pub(super) async fn head(&self, path: &BlobPath) -> Result<Option<(BlobHead, Answer)>, StoreError> {
        let call = Call::new(Method::HEAD, path.container(), Some(path.name()));
        match self.send(&call).await {
            Ok(success) => {
                let head = head_of(&success.answer);
                let head =
                    head.ok_or_else(|| StoreError::Rejected { status: 200, code: "an answer that is no blob's".to_owned() })?;
                Ok(Some((head, success.answer)))
            }
            // 404 of either kind; a HEAD sets no condition that could fail
            Err(Failure { error: StoreError::ConditionFailed | StoreError::ContainerMissing { .. }, .. }) => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }

    /// The answer to a failed conditional write, after the store has been asked if it is in doubt.
    pub(super) async fn settle(
        &self,
        failure: Failure,
        path: &BlobPath,
        attributes: &Attributes,
        expected: &Expected<'_>,
    ) -> Result<Stored, StoreError> {
        let conflict = matches!(failure.error, StoreError::AlreadyExists | StoreError::ConditionFailed | StoreError::WrongKind);
        if !failure.maybe_done || !conflict {
            return Err(failure.error);
        }
        let Some((head, answer)) = self.head(path).await? else { return Err(failure.error) };
        if has_attributes(&answer, attributes) && self.is_expected(path, &head, &answer, attributes, expected).await? {
            return Ok(Stored { etag: head.etag, line_refusals: failure.refusals });
        }
        Err(failure.error)
    }

    /// Whether the blob is exactly that, its properties and metadata apart.
    pub(super) async fn is_expected(
        &self,
        path: &BlobPath,
        head: &BlobHead,
        answer: &Answer,
        attributes: &Attributes,
        expected: &Expected<'_>,
    ) -> Result<bool, StoreError> {
        match expected {
            Expected::Whole { length, md5 } => Ok(is_done(head, answer) && head.length == *length && head.md5 == Some(*md5)),
            Expected::Pages { length, mark, sequence } => {
                let same = mark_of(answer) == Some(mark) && answer.header(SEQUENCE) == Some(sequence);
                Ok(head.kind == StoredKind::Page && head.length == *length && same)
            }
            Expected::Finished { length, target } => {
                let own = pages::is_of(answer, target) && mark_of(answer).is_none();
                Ok(head.kind == StoredKind::Page && head.length == *length && own)
            }
            Expected::Kept { mark } => Ok(head.kind == StoredKind::Block && head.incomplete.as_deref() == Some(mark)),
            Expected::Blocks(blocks) => {
                let length: u64 = blocks.iter().map(|block| block.bytes.length()).sum();
                if !is_done(head, answer) || head.length != length || head.md5 != attributes.content_md5 {
                    return Ok(false);
                }
                let there = self.blocks(path, "committed", "CommittedBlocks").await?;
                let same = |(there, block): (&StagedBlock, &Range)| {
                    there.id == block.digest.block_id() && there.length == block.bytes.length()
                };
                Ok(there.len() == blocks.len() && there.iter().zip(*blocks).all(same))
            }
        }
    }

    /// One of a blob's block lists; empty if there is no such blob.
    pub(super) async fn blocks(&self, path: &BlobPath, which: &str, element: &str) -> Result<Vec<StagedBlock>, StoreError> {
        let call =
            Call::new(Method::GET, path.container(), Some(path.name())).query("comp", "blocklist").query("blocklisttype", which);
        match self.send(&call).await {
            Ok(success) => {
                let blocks = block_list(&success.answer.body, element);
                blocks.ok_or_else(|| StoreError::Rejected { status: 200, code: "an answer that is no block list".to_owned() })
            }
            Err(Failure { error: StoreError::ConditionFailed, .. }) => Ok(Vec::new()),
            Err(failure) => Err(failure.error),
        }
    }
}

/// Whether it is a block blob with content of its own, and not one that only keeps the name.
fn is_done(head: &BlobHead, answer: &Answer) -> bool {
    head.kind == StoredKind::Block && mark_of(answer).is_none()
}
