//! Single structures for fuzzing: not a part of the library's interface.
//!
//! In: the bytes of one structure, any bytes. Out: what the parsers make of it, in plain types where a second opinion can be had. What
//! the parsers promise to the rest of the reader is asserted, so that a broken promise is found where it is made.

use super::attribute::{Attribute, Body, NonResident, kind};
use super::attribute_list;
use super::directory::check_block;
use super::index::{self, Extent, FileName};
use super::lznt1;
use super::record::Record;
use super::runs::{Bounds, Runs};
use crate::volume::fields::{u32_at, u64_at};

/// Clusters of the volume that runs are compared with.
const CLUSTERS: u64 = 1 << 30;
/// Most runs of a stream.
pub const MOST_RUNS: u64 = 10_000;

/// A stretch of a stream: its first cluster in the stream, on the volume (`None` is a hole), and its clusters.
pub type Span = (u64, Option<u64>, u64);

/// A FILE record as on disk, with everything that it holds.
pub fn record(bytes: &[u8]) {
    let number = u32_at(bytes, 44).unwrap_or_default().into();
    let Ok(record) = Record::parse(number, bytes.to_vec()) else { return };
    let (mut end, mut count) = (0, 0);
    for attribute in record.attributes() {
        count += 1;
        let Ok(attribute) = attribute else { break };
        assert!(attribute.at >= end && attribute.at + 24 <= bytes.len(), "an attribute lies over another");
        end = attribute.at + 24;
        check_attribute(&attribute);
    }
    assert!(count <= bytes.len() / 24 + 1, "{count} attributes in {} bytes", bytes.len());
    let unnamed = record.unnamed(kind::DATA);
    assert!(!matches!(unnamed, Ok(Some(found)) if found.kind != kind::DATA || !found.name.is_empty()), "not what was asked for");
}

fn check_attribute(attribute: &Attribute<'_>) {
    assert!(attribute.name.len().is_multiple_of(2) && attribute.name.len() <= 510, "a name of {} bytes", attribute.name.len());
    match (attribute.body, attribute.kind) {
        (Body::Resident(value), kind::ATTRIBUTE_LIST) => list(value),
        (Body::Resident(value), kind::FILE_NAME) => name(value),
        (Body::Resident(value), kind::INDEX_ROOT) => index_root(value),
        (Body::Resident(_), _) => {}
        (Body::NonResident(part), _) => drop(spans(&part, CLUSTERS)),
    }
    if let Body::NonResident(NonResident { sizes: Some(sizes), .. }) = attribute.body {
        assert!(sizes.initialized <= sizes.content && sizes.content <= sizes.allocated, "sizes in the wrong order");
    }
}

/// Packed runs of one part of `clusters` clusters, on a volume of `volume` clusters; `None` if they are refused.
pub fn run_list(packed: &[u8], clusters: u64, volume: u64) -> Option<Vec<Span>> {
    let part = NonResident { lowest: 0, clusters, unit: 0, sizes: None, runs: packed, runs_at: 0 };
    spans(&part, volume)
}

fn spans(part: &NonResident<'_>, volume: u64) -> Option<Vec<Span>> {
    let bounds = Bounds { clusters: volume, stream: i64::MAX as u64 / 512, runs: MOST_RUNS };
    let mut runs = Runs::default();
    runs.append(&NonResident { lowest: 0, ..*part }, bounds).ok()?;
    let spans: Vec<Span> = runs.iter().map(|span| (span.vcn, span.lcn, span.clusters)).collect();
    let (mut next, mut hint, mut far) = (0, 0, usize::MAX);
    for &(vcn, lcn, clusters) in &spans {
        assert!(vcn == next && clusters > 0, "a gap before cluster {vcn}");
        assert!(lcn.is_none_or(|lcn| lcn.checked_add(clusters).is_some_and(|end| end <= volume)), "a run outside the volume");
        next += clusters;
        for (at, hint) in [(vcn, &mut hint), (next - 1, &mut 0), (vcn + clusters / 2, &mut far)] {
            let found = runs.at(at, hint).map(|span| (span.vcn, span.lcn, span.clusters));
            assert_eq!(found, Some((at, lcn.map(|lcn| lcn + (at - vcn)), next - at)), "what is found is not what is listed");
        }
    }
    assert!(next == part.clusters && next == runs.end() && runs.at(next, &mut 0).is_none(), "{next} clusters mapped");
    Some(spans)
}

/// An attribute list.
fn list(bytes: &[u8]) {
    let mut count = 0;
    for entry in attribute_list::entries(bytes) {
        count += 1;
        let Ok(entry) = entry else { break };
        assert!(entry.at < bytes.len() && entry.name.len() <= 510, "an entry outside its list");
    }
    assert!(count <= bytes.len() / 26 + 1, "{count} entries in {} bytes", bytes.len());
    if let Ok(parts) = attribute_list::parts(bytes, kind::DATA, &[]) {
        assert!(parts.is_sorted_by_key(|part| part.lowest), "parts out of order");
    }
}

fn name(bytes: &[u8]) {
    if let Ok(name) = FileName::parse(bytes) {
        assert!((2..=510).contains(&name.name.len()) && name.name.len().is_multiple_of(2), "a name of {} bytes", name.name.len());
    }
}

/// An index block as on disk.
pub fn index_block(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    let vcn = u64_at(&bytes, 16).unwrap_or_default();
    if let Ok(extent) = check_block(&mut bytes, vcn) {
        entries(&bytes, extent);
    }
}

/// The value of an index root.
pub fn index_root(bytes: &[u8]) {
    if let Ok(extent) = Extent::parse(bytes, 16) {
        entries(bytes, extent);
    }
}

fn entries(node: &[u8], extent: Extent) {
    assert!(extent.start <= extent.end && extent.end <= node.len(), "entries outside their node");
    let mut at = extent.start;
    while let Ok(Some((entry, after))) = index::entry(node, extent, at) {
        assert!(entry.at == at && after >= at + 16 && after <= node.len(), "an entry that does not lead on");
        if let Some(key) = entry.key {
            assert!(key.len() <= after - at - 16 - if entry.child.is_some() { 8 } else { 0 }, "a key over what follows it");
            name(key);
        }
        at = after;
    }
}

/// Expands a compression unit into `output`; whether the input was accepted.
pub fn decompress(input: &[u8], output: &mut [u8]) -> bool {
    lznt1::decompress(input, output).is_ok()
}
