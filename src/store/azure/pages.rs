//! Page blobs: the number by which a work knows its own, writes that ask for it, and the end.
//!
//! In go pieces that were verified and the end of a blob; refused is whatever concerns another blob than the one this process created or
//! took up. The sequence number is what tells: its creator sets it, and a Put Page may ask for it.

use bytes::Bytes;
use sha2::Digest as _;

use super::answer::Answer;
use super::attributes::{SEQUENCE, has_metadata, mark_of, with_condition, with_metadata};
use super::{AzureStore, put, stored};
use crate::manifest::{Attributes, Digest};
use crate::store::{BlobHead, Condition, ETag, StoreError, Stored, StoredKind, Target};

/// Bits of a sequence number that are drawn for each creation.
const DRAWN: u32 = 21;

/// The sequence number of a page blob that this work creates now: 53 bits, as the service takes 63 and the emulator rounds what is longer.
///
/// 32 are made of the work: a later process knows its blob by them, even when the mark has gone. The others are drawn: a writer that
/// goes on with an earlier creation of the same work can neither write to this one nor end it, though it lacks that writer's ranges.
pub(super) fn draw_sequence(target: &Target) -> String {
    ((number_of(target) << DRAWN) | (fastrand::u64(..) >> (u64::BITS - DRAWN))).to_string()
}

/// Whether a page blob carries a sequence number of this work.
pub(super) fn is_of(answer: &Answer, target: &Target) -> bool {
    let number = answer.header(SEQUENCE).and_then(|sequence| sequence.parse::<u64>().ok());
    number.is_some_and(|number| number >> DRAWN == number_of(target))
}

/// 32 bits of the hash of a work's mark.
fn number_of(target: &Target) -> u64 {
    let hash = sha2::Sha256::digest(target.mark());
    hash.iter().take(4).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl AzureStore {
    /// Writes up to 4 MiB of the page blob that was created with this sequence number, and of no other.
    pub(super) async fn put_page(
        &self,
        target: &Target,
        sequence: &str,
        (offset, body): (u64, Bytes),
        digest: &Digest,
    ) -> Result<u64, StoreError> {
        let end = offset + (body.len() as u64).saturating_sub(1);
        let call = put(&target.path)
            .query("comp", "page")
            .header("x-ms-page-write", "update")?
            .header("x-ms-if-sequence-number-eq", sequence)?
            .header("x-ms-range", &format!("bytes={offset}-{end}"))?
            .body(body, digest)?;
        Ok(self.client.send(&call).await?.refusals)
    }

    /// The blob's headers, if it is the page blob that this work created, and that this process created or took up.
    pub(super) async fn own_pages(&self, target: &Target) -> Result<(BlobHead, Answer), StoreError> {
        let found = self.client.head(&target.path).await?;
        let created = self.fresh().get(&target.path).cloned();
        let same = |answer: &Answer| created.is_none_or(|sequence| answer.header(SEQUENCE) == Some(&sequence));
        let own = found.filter(|(head, answer)| head.incomplete == Some(target.mark()) && same(answer));
        own.ok_or(StoreError::ConditionFailed)
    }

    /// Goes on with a page blob that an earlier process of this work created: from now on it counts as created here.
    ///
    /// A request of that process that is still on its way writes verified content to where this one would write the same, and a last one
    /// that takes the mark away was sent when every range was there.
    pub(super) async fn adopt_pages(&self, target: &Target, length: u64) -> Result<Option<ETag>, StoreError> {
        let Some((head, answer)) = self.client.head(&target.path).await? else { return Ok(None) };
        let own = head.kind == StoredKind::Page && head.incomplete == Some(target.mark()) && is_of(&answer, target);
        let Some(sequence) = answer.header(SEQUENCE).filter(|_| own && head.length == length) else { return Ok(None) };
        self.fresh().insert(target.path.clone(), sequence.to_owned());
        Ok(Some(head.etag))
    }

    /// Removes the mark by writing the metadata without it.
    pub(super) async fn unmark(&self, target: &Target, attributes: &Attributes, seen: ETag) -> Result<Stored, StoreError> {
        let call = put(&target.path).query("comp", "metadata");
        let call = with_condition(with_metadata(call, attributes)?, &Condition::Matches(seen))?;
        let failure = match self.client.send(&call).await {
            Ok(success) => return stored(&success),
            Err(failure) => failure,
        };
        if failure.maybe_done
            && let Some((head, answer)) = self.client.head(&target.path).await?
            && mark_of(&answer).is_none()
            && has_metadata(&answer, attributes)
        {
            return Ok(Stored { etag: head.etag, line_refusals: 0 });
        }
        Err(failure.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn target(session: &str, entry: u64) -> Target {
        Target { path: "cust/x".parse().unwrap(), session: session.to_owned(), entry }
    }

    fn carrying(sequence: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(SEQUENCE, sequence.parse().unwrap());
        Answer { status: 200, headers, body: Bytes::new() }
    }

    #[test]
    fn a_number_tells_the_work_and_each_creation() {
        let (first, second) = (draw_sequence(&target("s1", 1)), draw_sequence(&target("s1", 1)));
        assert!(first != second || first != draw_sequence(&target("s1", 1)), "drawn anew");
        for sequence in [&first, &second] {
            assert!(sequence.parse::<u64>().unwrap() < 1 << 53);
            assert!(is_of(&carrying(sequence), &target("s1", 1)));
            assert!(!is_of(&carrying(sequence), &target("s1", 2)) && !is_of(&carrying(sequence), &target("s2", 1)));
        }
        assert!(!is_of(&carrying("0"), &target("s1", 1)) && !is_of(&carrying("x"), &target("s1", 1)));
    }

    #[test]
    fn the_number_of_a_work_is_the_same_in_every_process() {
        // the first four bytes of the SHA-256 of `s1-1`
        assert_eq!(number_of(&target("s1", 1)), 0x5461_b684);
    }
}
