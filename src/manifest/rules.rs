//! Rules of one list of blocks or page ranges, checked as it streams by. In: ranges in the order of the list, then `Length`; out: broken
//! rules. Memory: the ids of one blob, at most as many as blocks are allowed.
//!
//! 64 MB, above which ids are required, is taken as 64 MiB: the manifest's own "4 MB" is 4,194,304 bytes.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::findings::Rule;
use super::{BlobKind, ByteRange, Digest, ManifestLimits};

/// Largest blob whose blocks may go without ids.
const IDS_OPTIONAL_UP_TO: u64 = 64 << 20;
/// Bytes of a block id before it is encoded.
const ID_BYTES: usize = 64;
/// Characters of the longest id: the Base64 of 64 bytes.
const ID_CHARACTERS: usize = 88;
/// Page blobs are made of pages.
const PAGE: u64 = 512;
/// Ids for which the table is kept from blob to blob.
const KEPT_IDS: usize = 1 << 12;

/// A decoded block id, filled up with zeros. All ids of one table have the same length.
type Id = [u8; ID_BYTES];

/// The rules of one list, of either kind.
#[derive(Default)]
pub(super) struct ListRules {
    kind: Option<BlobKind>,
    count: u64,
    sum: u64,
    last: Option<ByteRange>,
    with_id: u64,
    id_length: Option<usize>,
    ids: HashMap<Id, (Digest, u64)>,
    // after a range that could not be read, sums and neighbours say nothing
    incomplete: bool,
}

impl ListRules {
    /// A list begins.
    pub(super) fn begin(&mut self, kind: BlobKind) {
        let mut ids = std::mem::take(&mut self.ids);
        // clearing costs as much as the table is large: one large blob must not slow down all others
        if ids.capacity() > KEPT_IDS {
            ids = HashMap::new();
        }
        ids.clear();
        *self = Self { kind: Some(kind), ids, ..Self::default() };
    }

    /// A range whose attributes were refused.
    pub(super) fn skip(&mut self) {
        self.incomplete = true;
        self.count += 1;
    }

    /// The next range; `id` as text.
    pub(super) fn range(
        &mut self,
        bytes: ByteRange,
        digest: Digest,
        id: Option<&str>,
        limits: &ManifestLimits,
    ) -> Result<(), Rule> {
        self.count += 1;
        self.with_id += u64::from(id.is_some());
        self.sum = self.sum.saturating_add(bytes.length());
        let last = self.last.replace(bytes);
        if self.kind == Some(BlobKind::Page) {
            aligned("Offset", bytes.offset())?;
            aligned("Length", bytes.length())?;
        } else {
            self.count_block(limits)?;
        }
        if bytes.length() == 0 {
            return Err(Rule::RangeEmpty);
        }
        if bytes.length() > limits.block_bytes {
            return Err(Rule::RangeTooLong { length: bytes.length(), limit: limits.block_bytes });
        }
        self.neighbours(last, bytes)?;
        id.map_or(Ok(()), |id| self.id(id, bytes, digest))
    }

    /// At the limit, once; the blocks behind it are not looked at further.
    fn count_block(&mut self, limits: &ManifestLimits) -> Result<(), Rule> {
        if self.count == limits.blocks.saturating_add(1) {
            self.incomplete = true;
            return Err(Rule::Blocks(limits.blocks));
        }
        Ok(())
    }

    fn neighbours(&self, last: Option<ByteRange>, bytes: ByteRange) -> Result<(), Rule> {
        let (previous, end) = last.map_or((0, 0), |last| (last.offset(), last.end()));
        let found = bytes.offset();
        if self.incomplete {
            return Ok(());
        }
        if found < previous {
            return Err(Rule::Order { previous, found });
        }
        if found < end {
            return Err(Rule::Overlap { end, found });
        }
        if found > end && self.kind == Some(BlobKind::Block) {
            return Err(Rule::Gap { end, found });
        }
        Ok(())
    }

    fn id(&mut self, text: &str, bytes: ByteRange, digest: Digest) -> Result<(), Rule> {
        // room for what the decoder may write before it knows better
        let mut decoded = [0; ID_CHARACTERS];
        if text.len() > ID_CHARACTERS {
            return Err(Rule::Id);
        }
        let length = STANDARD.decode_slice(text, &mut decoded).map_err(|_| Rule::Id)?;
        let id: Id = decoded.first_chunk().copied().unwrap_or([0; ID_BYTES]);
        if !(1..=ID_BYTES).contains(&length) {
            return Err(Rule::Id);
        }
        let expected = *self.id_length.get_or_insert(length);
        if length != expected {
            return Err(Rule::IdLength { expected, found: length });
        }
        if self.incomplete {
            return Ok(());
        }
        match self.ids.entry(id) {
            Slot::Vacant(slot) => {
                slot.insert((digest, bytes.length()));
                Ok(())
            }
            Slot::Occupied(slot) if *slot.get() == (digest, bytes.length()) => Ok(()),
            Slot::Occupied(_) => Err(Rule::IdReused),
        }
    }

    /// The blob ends; `length` is its `Length`.
    pub(super) fn finish(&self, length: u64, limits: &ManifestLimits, mut broken: impl FnMut(Rule)) {
        let page = self.kind == Some(BlobKind::Page);
        let limit = if page { limits.page_blob_bytes } else { limits.block_blob_bytes };
        if length > limit {
            broken(Rule::BlobTooLong { length, limit });
        }
        if page {
            self.finish_pages(length, broken);
        } else {
            self.finish_blocks(length, broken);
        }
    }

    fn finish_pages(&self, length: u64, mut broken: impl FnMut(Rule)) {
        if let Err(rule) = aligned("Length", length) {
            broken(rule);
        }
        let end = self.last.map_or(0, |last| last.end());
        if end > length {
            broken(Rule::BeyondEnd { end, length });
        }
    }

    fn finish_blocks(&self, length: u64, mut broken: impl FnMut(Rule)) {
        if self.with_id > 0 && self.with_id < self.count && !self.incomplete {
            broken(Rule::MixedIds);
        }
        if self.with_id == 0 && self.count > 0 && length > IDS_OPTIONAL_UP_TO {
            broken(Rule::IdsRequired(length));
        }
        if self.sum != length && !self.incomplete {
            broken(Rule::Sum { sum: self.sum, length });
        }
    }
}

fn aligned(field: &'static str, value: u64) -> Result<(), Rule> {
    if value.is_multiple_of(PAGE) { Ok(()) } else { Err(Rule::Alignment { field, value }) }
}
