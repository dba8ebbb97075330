//! Blocks and page ranges: the smallest list that breaks each rule; limits of the whole manifest.

use super::*;

const MIB: u64 = 1 << 20;

/// `count` blocks of `length` bytes in a row, with ids of 4 bytes if asked for.
fn row(count: u64, length: u64, ids: bool) -> String {
    use base64::Engine as _;
    let id = |n: u64| base64::engine::general_purpose::STANDARD.encode(&n.to_le_bytes()[..4]);
    (0..count).map(|n| block(n * length, length, &if ids { id(n) } else { String::new() })).collect()
}

#[test]
fn good_lists_are_accepted() {
    let same = format!("{}{}", block(0, 5, "TUQ1LwA="), block(5, 5, "TUQ1LwA="));
    let long = "A".repeat(86) + "==";
    for text in [
        blocks(1, &block(0, 1, "")),
        blocks(8 * MIB, &row(2, 4 * MIB, false)),
        blocks(64 * MIB, &row(16, 4 * MIB, false)),
        blocks(68 * MIB, &row(17, 4 * MIB, true)),
        blocks(10, &same),
        blocks(1, &block(0, 1, &long)),
        blocks(1, &block(0, 1, "MD5/DMF1ucDxtqgxw5niaXcmYQ==")),
        blocks(50_000, &row(50_000, 1, true)),
        pages(4096, &format!("{}{}", page(0, 512), page(1024, 512))),
        pages(8 << 40, &page((8 << 40) - 4 * MIB, 4 * MIB)),
    ] {
        assert_eq!(rules(&text), [], "{text:.300}");
    }
}

#[test]
fn a_broken_list_is_one_finding() {
    let two = |first: String, second: String| format!("{first}{second}");
    let length = 4 * MIB + 1;
    let cases = [
        (blocks(0, &block(0, 0, "")), Rule::RangeEmpty),
        (blocks(length, &block(0, length, "")), Rule::RangeTooLong { length, limit: 4 * MIB }),
        (blocks(5, &block(1, 5, "")), Rule::Gap { end: 0, found: 1 }),
        (blocks(10, &two(block(0, 5, ""), block(6, 5, ""))), Rule::Gap { end: 5, found: 6 }),
        (blocks(10, &two(block(0, 5, ""), block(4, 5, ""))), Rule::Overlap { end: 5, found: 4 }),
        (blocks(10, &two(block(0, 5, ""), block(0, 5, ""))), Rule::Overlap { end: 5, found: 0 }),
        (blocks(11, &block(0, 10, "")), Rule::Sum { sum: 10, length: 11 }),
        (blocks(9, &block(0, 10, "")), Rule::Sum { sum: 10, length: 9 }),
        (blocks(1, ""), Rule::Sum { sum: 0, length: 1 }),
        (blocks(10, &two(block(0, 5, "AAAA"), block(5, 5, ""))), Rule::MixedIds),
        (blocks(10, &two(block(0, 5, ""), block(5, 5, "AAAA"))), Rule::MixedIds),
        (blocks(68 * MIB, &row(17, 4 * MIB, false)), Rule::IdsRequired(68 * MIB)),
        (blocks(1, &block(0, 1, "AAA")), Rule::Id),
        (blocks(1, &block(0, 1, "A A=")), Rule::Id),
        (blocks(1, &block(0, 1, "AAB=")), Rule::Id),
        (blocks(1, &block(0, 1, &("A".repeat(87) + "="))), Rule::Id),
        (blocks(1, &block(0, 1, &"A".repeat(92))), Rule::Id),
        (blocks(1, &block(0, 1, "x").replace("\"x\"", "\"\"")), Rule::Id),
        (blocks(10, &two(block(0, 5, "AAAA"), block(5, 5, "AAA="))), Rule::IdLength { expected: 3, found: 2 }),
        (blocks(11, &two(block(0, 5, "AAAA"), block(5, 6, "AAAA"))), Rule::IdReused),
        (blocks(10, &two(block(0, 5, "AAAA"), block(5, 5, "AAAA").replace("0CC1", "0CC2"))), Rule::IdReused),
        (blocks(50_001, &row(50_001, 1, true)), Rule::Blocks(50_000)),
        (pages(513, ""), Rule::Alignment { field: "Length", value: 513 }),
        (pages(1024, &page(1, 512)), Rule::Alignment { field: "Offset", value: 1 }),
        (pages(1024, &page(0, 511)), Rule::Alignment { field: "Length", value: 511 }),
        (pages(1024, &page(0, 0)), Rule::RangeEmpty),
        (pages(8 * MIB, &page(0, 4 * MIB + 512)), Rule::RangeTooLong { length: 4 * MIB + 512, limit: 4 * MIB }),
        (pages(2048, &two(page(0, 1024), page(512, 512))), Rule::Overlap { end: 1024, found: 512 }),
        (pages(2048, &two(page(1024, 512), page(0, 512))), Rule::Order { previous: 1024, found: 0 }),
        (pages(512, &page(512, 512)), Rule::BeyondEnd { end: 1024, length: 512 }),
        (pages((8 << 40) + 512, ""), Rule::BlobTooLong { length: (8 << 40) + 512, limit: 8 << 40 }),
        (blocks(1, &block(u64::MAX, 1, "")), Rule::RangeOverflow),
    ];
    for (text, rule) in cases {
        assert_eq!(rules(&text), [rule], "{text:.400}");
    }
}

#[test]
fn a_broken_range_is_one_finding() {
    let good = block(0, 1, "AAAA");
    let missing = |name| Rule::MissingAttribute { name, of: "Block" };
    let cases = [
        (good.replace("Offset=\"0\"", ""), missing("Offset")),
        (good.replace("Length=\"1\"", ""), missing("Length")),
        (good.replace(&format!("Hash=\"{MD5_A}\""), ""), missing("Hash")),
        (good.replace("Offset=\"0\"", "Offset=\"-0\""), Rule::Number("Offset")),
        (good.replace("Length=\"1\"", "Length=\"\""), Rule::Number("Length")),
        (good.replace(MD5_A, &MD5_A[1..]), Rule::Hash("Block")),
        (good.replace(MD5_A, &MD5_A.repeat(2)), Rule::Hash("Block")),
        (good.replace(" Id=", " id="), Rule::UnknownAttribute { name: "id".into(), of: "Block" }),
        (good.replace("/>", "><X/></Block>"), Rule::UnknownElement { name: "X".into(), inside: "Block" }),
        (good.replace("/>", ">x</Block>"), Rule::StrayText { inside: "Block" }),
        (good.replace("Block", "PageRange"), Rule::UnknownElement { name: "PageRange".into(), inside: "BlockList" }),
    ];
    for (range, rule) in cases {
        assert_eq!(rules(blocks(1, &range))[0], rule, "{range}");
    }
    let id_on_page = page(0, 512).replace("Offset", "Id=\"AAAA\" Offset");
    assert_eq!(rules(pages(512, &id_on_page)), [Rule::UnknownAttribute { name: "Id".into(), of: "PageRange" }]);
}

#[test]
fn ids_of_one_blob_say_nothing_about_the_next() {
    let one = |id| {
        let list = block(0, 1, id);
        format!("<Blob><BlobPath>a</BlobPath><FilePath>a</FilePath><Length>1</Length><BlockList>{list}</BlockList></Blob>")
    };
    let other = one("AAAA").replace("0CC1", "0CC2");
    assert_eq!(rules(manifest(&format!("<BlobList>{}{other}{}</BlobList>", one("AAAA"), one("AAAAAA==")))), []);
}

#[test]
fn the_drive_bounds_the_work() {
    let limits = ManifestLimits { drive_bytes: 1000, ..ManifestLimits::default() };
    assert_eq!(rules_with(blocks(4000, &block(0, 4000, "")), &limits), []);
    assert_eq!(rules_with(blocks(4001, &block(0, 4001, "")), &limits), [Rule::Amplification { sum: 4001, limit: 4000 }]);
}

#[test]
fn entries_and_side_files_are_bounded() {
    let one = |n: usize| {
        let side = format!("<MetadataPath Hash='{MD5_A}'>\\m{n}</MetadataPath>");
        format!("<Blob><BlobPath>a</BlobPath><FilePath>a</FilePath><Length>0</Length><BlockList/>{side}</Blob>")
    };
    let text = |count: usize| manifest(&format!("<BlobList>{}</BlobList>", (0..count).map(one).collect::<String>()));
    let limits = ManifestLimits { entries: 3, ..ManifestLimits::default() };
    assert_eq!(rules_with(text(3), &limits), []);
    assert_eq!(rules_with(text(4), &limits), [Rule::Entries(3)]);
    let limits = ManifestLimits { side_files: 3, ..ManifestLimits::default() };
    assert_eq!(rules_with(text(3), &limits), []);
    assert_eq!(rules_with(text(6), &limits), [Rule::SideFiles(3)]);
}
