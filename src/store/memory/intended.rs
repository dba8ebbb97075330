//! Whether a blob in memory is what a write was to make of it.
//!
//! In go the blob, the intention and the attributes; the content is compared, as there is nothing else to go by.

use bytes::Bytes;

use super::{Blob, Content};
use crate::manifest::{Attributes, Digest, Range};
use crate::store::{Intended, StoredKind};
use crate::volume::fields::index;

/// Whether the blob is exactly that.
pub(super) fn is(blob: &Blob, intended: &Intended<'_>, attributes: &Attributes) -> bool {
    let kind = if matches!(intended, Intended::Pages { .. }) { StoredKind::Page } else { StoredKind::Block };
    let content = match (intended, &blob.content) {
        (Intended::Whole { length, md5 }, content) => {
            content.length() == *length
                && blob.md5 == attributes.content_md5.or(Some(md5.0))
                && Digest::of(&content.bytes()) == *md5
        }
        (Intended::Blocks(blocks), Content::Blocks(there)) => {
            let same = |(block, (_, bytes)): (&Range, &(String, Bytes))| Digest::of(bytes) == block.digest;
            there.len() == blocks.len() && blocks.iter().zip(there).all(same)
        }
        (Intended::Pages { length, ranges }, Content::Pages(pages)) => {
            let matches = |range: &Range| {
                let bytes = pages.get(index(range.bytes.offset())..index(range.bytes.end()));
                bytes.is_some_and(|bytes| Digest::of(bytes) == range.digest)
            };
            pages.len() as u64 == *length && ranges.iter().all(matches)
        }
        _ => false,
    };
    content && blob.kind == kind && blob.incomplete.is_none() && blob.attributes == *attributes
}
