//! The MD5 of a whole blob, where the configuration wants it as a property: made in the blob's order while its ranges pass by.
//!
//! In go the ranges of one block blob, as the reader sends them; out comes the MD5 if none was left out. It costs a pass of one lane over
//! the content, and a blob that an earlier run had begun is read from its beginning again.

use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::Transfer;
use super::entry::{Pass, Work};
use crate::ledger::RangeStatus;
use crate::manifest::{BlobKind, Digest};

/// See the module.
pub(super) struct Whole(Option<Md5>);

impl Whole {
    /// For a time through the ranges of this work; nothing is computed where nothing is wanted.
    pub(super) fn of(transfer: &Transfer, work: &Work) -> Self {
        let wanted = wanted(transfer, work.entry.kind) && work.pass == Pass::Store;
        Self(wanted.then(Md5::new))
    }

    /// The next range.
    pub(super) fn add(&mut self, body: &Result<Bytes, RangeStatus>) {
        match (body, &mut self.0) {
            (Ok(bytes), Some(hash)) => hash.update(bytes),
            // without it there is no whole blob
            (Err(_), hash) => *hash = None,
            (Ok(_), None) => {}
        }
    }

    /// A range that is stored already is not read.
    pub(super) fn pass_over(&mut self) {
        self.0 = None;
    }

    /// After the last range.
    pub(super) fn finish(self) -> Option<Digest> {
        Some(Digest(self.0?.finalize().into()))
    }
}

/// Whether whole blobs of this kind get their MD5. A page blob's property would be out of date with the next page written.
pub(super) fn wanted(transfer: &Transfer, kind: BlobKind) -> bool {
    transfer.set_content_md5 && kind == BlobKind::Block
}

impl Work {
    /// The blob carries the MD5 of its whole content, unless its properties file gives one; a difference is worth a remark.
    pub(super) fn has_whole_md5(&mut self, md5: Option<Digest>) {
        let Some(md5) = md5 else { return };
        match self.attributes.content_md5 {
            None => std::sync::Arc::make_mut(&mut self.attributes).content_md5 = Some(md5.0),
            Some(given) if given == md5.0 => {}
            // of a blob of one range it is remarked on before
            Some(_) if self.entry.range_count > 1 => self.remarks.push(super::prepare::OTHER_MD5.to_owned()),
            Some(_) => {}
        }
    }
}
