//! The order in which entries are read.
//!
//! For now that of the manifest. An order by place on the disk can stand behind the same interface: a chain of entries with one name is
//! kept by the transfer, which lets each start only when the one before it has ended.

use std::sync::Arc;

use crate::manifest::Catalogue;
use crate::transfer::Plan;

/// All entries, in manifest order.
pub(super) fn in_manifest_order(catalogue: &Arc<Catalogue>) -> Plan {
    let (catalogue, count) = (Arc::clone(catalogue), catalogue.summary().entries);
    Box::new((0..count).map(move |number| catalogue.entry(number)))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::manifest::{Digest, ManifestHash, ManifestLimits, read};

    /// A manifest of block blobs: one for each list of block lengths.
    fn manifest(blobs: &[Vec<u64>]) -> String {
        let mut text = String::from("<DriveManifest Version=\"2014-11-01\"><Drive><DriveId>PLAN1</DriveId><BlobList>");
        for (number, lengths) in blobs.iter().enumerate() {
            let total: u64 = lengths.iter().sum();
            write!(text, "<Blob><BlobPath>abc/{number}</BlobPath><FilePath>\\f</FilePath><Length>{total}</Length><BlockList>")
                .unwrap();
            let mut offset = 0;
            for length in lengths {
                write!(text, "<Block Offset=\"{offset}\" Length=\"{length}\" Hash=\"{}\"/>", Digest::of(b"")).unwrap();
                offset += length;
            }
            text.push_str("</BlockList></Blob>");
        }
        text + "</BlobList></Drive></DriveManifest>"
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_plan_has_each_entry_and_each_byte_of_it_once(
            blobs in prop::collection::vec(prop::collection::vec(1_u64..=(4 << 20), 0..8), 0..40),
        ) {
            let (text, folder) = (manifest(&blobs), tempfile::tempdir().unwrap());
            let hash = ManifestHash::Md5(Digest::of(text.as_bytes()).0);
            let drive = "PLAN1".parse().unwrap();
            let catalogue = read(text.as_bytes(), &hash, &drive, &ManifestLimits::default(), folder.path()).unwrap();
            let catalogue = Arc::new(catalogue);
            let entries: Vec<_> = in_manifest_order(&catalogue).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(entries.len(), blobs.len());
            let mut next_range = 0;
            for (number, (entry, lengths)) in entries.iter().zip(&blobs).enumerate() {
                prop_assert_eq!(entry.number, number as u64);
                prop_assert_eq!(entry.first_range, next_range);
                next_range += entry.range_count;
                let mut covered = 0;
                for range in catalogue.ranges(entry.first_range, entry.range_count) {
                    let range = range.unwrap();
                    prop_assert_eq!(range.bytes.offset(), covered);
                    covered = range.bytes.end();
                }
                prop_assert_eq!(covered, lengths.iter().sum::<u64>());
            }
            prop_assert_eq!(next_range, catalogue.summary().ranges);
        }
    }
}
