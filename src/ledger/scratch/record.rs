//! Records as bytes. Numbers are little-endian; a code is 1 + the place in the list of values, 0 is "none".
//!
//! | Byte | Name decision | Outcome |
//! |---|---|---|
//! | 0 | fate | status |
//! | 1 | kind of the existing blob | disposition |
//! | 2, 3 | 0 | metadata, properties |
//! | 4 | 0 | flags: exists after, has "stored as", has detail |
//! | 5 to 7 | 0 | line refusals; 16,777,215 stands for more |
//! | 8 to 15 | place of its text | place of "stored as" |
//! | 16 to 23 | `after` + 1 | place of the detail |
//! | 24 to 27 | length of its text | length of "stored as" |
//! | 28 to 31 | 0 | length of the detail |

use crate::foreign::Foreign;
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome, NameDecision, NameFate, PartStatus};
use crate::store::{ETag, StoredKind};
use crate::volume::fields::{u32_at, u64_at};

/// Bytes of a record.
pub(super) const RECORD: usize = 32;

const AS_ASKED: u8 = 1;
const RENAMED: u8 = 2;
const SKIP: u8 = 3;
const ILLEGAL: u8 = 4;
const NO_FREE_NAME: u8 = 5;

const EXISTS_AFTER: u8 = 1;
const HAS_STORED_AS: u8 = 2;
const HAS_DETAIL: u8 = 4;

/// What three bytes hold.
const MOST_REFUSALS: u64 = 0xFF_FFFF;

const KINDS: &[StoredKind] = &[StoredKind::Block, StoredKind::Page, StoredKind::Append];

/// Where a text lies in the heap.
#[derive(Clone, Copy, Default)]
pub(super) struct TextPlace {
    pub(super) at: u64,
    pub(super) length: u32,
}

/// The code of a value.
pub(super) fn code<T: PartialEq + Copy>(all: &[T], value: T) -> u8 {
    all.iter().zip(1..).find(|(candidate, _)| **candidate == value).map_or(0, |(_, code)| code)
}

/// The value of a code.
pub(super) fn decode<T: Copy>(all: &[T], code: u8) -> Option<T> {
    all.get(usize::from(code).checked_sub(1)?).copied()
}

/// The text that a decision needs kept.
pub(super) fn name_text(name: &NameDecision) -> Option<&str> {
    match &name.fate {
        NameFate::AsAsked { existing: Some((etag, _)) } => Some(&etag.0),
        NameFate::Renamed { name } => Some(name.raw()),
        NameFate::Illegal { reason } => Some(reason),
        NameFate::AsAsked { existing: None } | NameFate::Skip | NameFate::NoFreeName => None,
    }
}

pub(super) fn name_to_bytes(name: &NameDecision, text: Option<TextPlace>) -> [u8; RECORD] {
    let (fate, kind) = match &name.fate {
        NameFate::AsAsked { existing } => (AS_ASKED, existing.as_ref().map_or(0, |(_, kind)| code(KINDS, *kind))),
        NameFate::Renamed { .. } => (RENAMED, 0),
        NameFate::Skip => (SKIP, 0),
        NameFate::Illegal { .. } => (ILLEGAL, 0),
        NameFate::NoFreeName => (NO_FREE_NAME, 0),
    };
    let text = text.unwrap_or_default();
    // entry numbers are below the number of entries, so that one more fits
    let after = name.after.map_or(0, |entry| entry.saturating_add(1));
    pack([fate, kind, 0, 0, 0], [text.at, after], [text.length, 0])
}

pub(super) fn name_text_place(bytes: &[u8; RECORD]) -> TextPlace {
    text_place(bytes, 0)
}

pub(super) fn name_from_bytes(bytes: &[u8; RECORD], text: String) -> Option<NameDecision> {
    let fate = match (bytes[0], bytes[1]) {
        (AS_ASKED, 0) => NameFate::AsAsked { existing: None },
        (AS_ASKED, kind) => NameFate::AsAsked { existing: Some((ETag(text), decode(KINDS, kind)?)) },
        (RENAMED, _) => NameFate::Renamed { name: Foreign::new(text) },
        (SKIP, _) => NameFate::Skip,
        (ILLEGAL, _) => NameFate::Illegal { reason: text },
        (NO_FREE_NAME, _) => NameFate::NoFreeName,
        _ => return None,
    };
    Some(NameDecision { fate, after: u64_at(bytes, 16)?.checked_sub(1) })
}

pub(super) fn outcome_to_bytes(outcome: &EntryOutcome, stored: Option<TextPlace>, detail: Option<TextPlace>) -> [u8; RECORD] {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags =
        flag(outcome.exists_after, EXISTS_AFTER) | flag(stored.is_some(), HAS_STORED_AS) | flag(detail.is_some(), HAS_DETAIL);
    let part = |part: Option<PartStatus>| part.map_or(0, |status| code(PartStatus::ALL, status));
    let codes = [
        code(BlobStatus::ALL, outcome.status),
        code(DispositionStatus::ALL, outcome.disposition),
        part(outcome.metadata),
        part(outcome.properties),
        flags,
    ];
    let (stored, detail) = (stored.unwrap_or_default(), detail.unwrap_or_default());
    let mut bytes = pack(codes, [stored.at, detail.at], [stored.length, detail.length]);
    bytes[5..8].copy_from_slice(&outcome.line_refusals.min(MOST_REFUSALS).to_le_bytes()[..3]);
    bytes
}

/// Places of "stored as" and of the detail.
pub(super) fn outcome_text_places(bytes: &[u8; RECORD]) -> (Option<TextPlace>, Option<TextPlace>) {
    let place = |flag: u8, which: usize| (bytes[4] & flag != 0).then(|| text_place(bytes, which));
    (place(HAS_STORED_AS, 0), place(HAS_DETAIL, 1))
}

pub(super) fn outcome_from_bytes(bytes: &[u8; RECORD], stored: Option<String>, detail: Option<String>) -> Option<EntryOutcome> {
    let part = |code: u8| if code == 0 { Some(None) } else { decode(PartStatus::ALL, code).map(Some) };
    Some(EntryOutcome {
        status: decode(BlobStatus::ALL, bytes[0])?,
        disposition: decode(DispositionStatus::ALL, bytes[1])?,
        stored_as: stored.map(Foreign::new),
        metadata: part(bytes[2])?,
        properties: part(bytes[3])?,
        detail,
        exists_after: bytes[4] & EXISTS_AFTER != 0,
        line_refusals: u32_at(bytes, 4)?.checked_shr(8)?.into(),
    })
}

fn pack(codes: [u8; 5], places: [u64; 2], lengths: [u32; 2]) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..5].copy_from_slice(&codes);
    bytes[8..16].copy_from_slice(&places[0].to_le_bytes());
    bytes[16..24].copy_from_slice(&places[1].to_le_bytes());
    bytes[24..28].copy_from_slice(&lengths[0].to_le_bytes());
    bytes[28..].copy_from_slice(&lengths[1].to_le_bytes());
    bytes
}

/// The `which`th text of a record, 0 or 1.
fn text_place(bytes: &[u8; RECORD], which: usize) -> TextPlace {
    let at = u64_at(bytes, 8 + 8 * which).unwrap_or_default();
    TextPlace { at, length: u32_at(bytes, 24 + 4 * which).unwrap_or_default() }
}
