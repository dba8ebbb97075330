//! A random manifest, written as XML in a random style, comes back from the catalogue as it was.

use proptest::prelude::*;

use super::super::super::{BlobKind, ByteRange, Digest, Disposition, Range};
use super::*;

#[derive(Clone, Debug)]
struct Side {
    path: String,
    digest: [u8; 16],
}

#[derive(Clone, Debug)]
struct Blob {
    name: String,
    file: String,
    disposition: Option<Disposition>,
    page: bool,
    ranges: Vec<(u64, u64, [u8; 16])>,
    metadata: Option<Side>,
    properties: Option<Side>,
    // where in the blob its list of ranges stands
    list_first: bool,
}

#[derive(Clone, Debug)]
struct List {
    metadata: Option<Side>,
    properties: Option<Side>,
    defaults_last: bool,
    blobs: Vec<Blob>,
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;").replace('\u{7f}', "&#x7F;")
}

impl Side {
    fn xml(&self, element: &str) -> String {
        format!("<{element} Hash=\"{}\">{}</{element}>", Digest(self.digest), escape(&self.path))
    }
}

impl Blob {
    fn length(&self) -> u64 {
        self.ranges.last().map_or(0, |(offset, length, _)| offset + length)
    }

    fn xml(&self) -> String {
        let name = if self.page { "PageRange" } else { "Block" };
        let range = |(offset, length, md5): &(u64, u64, [u8; 16])| {
            format!("\n<{name} Hash='{}' Offset='{offset}' Length='{length}' />", Digest(*md5))
        };
        let ranges = format!("<{name}List>{}</{name}List>", self.ranges.iter().map(range).collect::<String>());
        let mut children = vec![
            format!("<BlobPath>{}</BlobPath>", escape(&self.name)),
            format!("<FilePath><![CDATA[{}]]></FilePath>", self.file.replace("]]>", "]]]]><![CDATA[>")),
            format!("<Length>{}</Length>", self.length()),
        ];
        children.extend(self.disposition.map(|d| format!("<ImportDisposition>{}</ImportDisposition>", d.as_str())));
        children.insert(if self.list_first { 0 } else { children.len() }, ranges);
        children.extend(self.metadata.as_ref().map(|side| side.xml("MetadataPath")));
        children.extend(self.properties.as_ref().map(|side| side.xml("PropertiesPath")));
        format!("<Blob>{}</Blob>\n", children.join("\n<!--gap-->"))
    }
}

impl List {
    fn xml(&self) -> String {
        let defaults: String = [("MetadataPath", &self.metadata), ("PropertiesPath", &self.properties)]
            .into_iter()
            .filter_map(|(element, side)| Some(side.as_ref()?.xml(element)))
            .collect();
        let blobs: String = self.blobs.iter().map(Blob::xml).collect();
        let parts = if self.defaults_last { [blobs, defaults] } else { [defaults, blobs] };
        format!("<BlobList Id=\"x\">{}</BlobList>", parts.concat())
    }
}

/// Any text that XML can carry; line ends are `\n` there.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        proptest::collection::vec(any::<char>(), 0..12).prop_map(|chars| {
            chars.into_iter().filter(|c| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..)).collect()
        }),
    ]
}

fn side() -> impl Strategy<Value = Option<Side>> {
    let path = prop_oneof![Just("\\m".to_owned()), text()];
    proptest::option::of((path, 0..3_u8).prop_map(|(path, digest)| Side { path, digest: [digest; 16] }))
}

fn ranges() -> impl Strategy<Value = (bool, Vec<(u64, u64, [u8; 16])>)> {
    let one = (0..4_u64, 1..8192_u64, any::<[u8; 16]>());
    (any::<bool>(), proptest::collection::vec(one, 0..6)).prop_map(|(page, list)| {
        let mut at = 0;
        let place = |(gap, length, md5): (u64, u64, [u8; 16])| {
            let (offset, length) = if page { (at + gap * 512, length * 512) } else { (at, length) };
            at = offset + length;
            (offset, length, md5)
        };
        (page, list.into_iter().map(place).collect())
    })
}

fn a_blob() -> impl Strategy<Value = Blob> {
    let disposition = proptest::option::of(prop_oneof![
        Just(Disposition::Rename),
        Just(Disposition::NoOverwrite),
        Just(Disposition::Overwrite)
    ]);
    (text(), text(), disposition, ranges(), side(), side(), any::<bool>()).prop_map(
        |(name, file, disposition, (page, ranges), metadata, properties, list_first)| Blob {
            name,
            file,
            disposition,
            page,
            ranges,
            metadata,
            properties,
            list_first,
        },
    )
}

fn a_list() -> impl Strategy<Value = List> {
    (side(), side(), any::<bool>(), proptest::collection::vec(a_blob(), 0..5))
        .prop_map(|(metadata, properties, defaults_last, blobs)| List { metadata, properties, defaults_last, blobs })
}

fn compare(lists: &[List], catalogue: &Catalogue) {
    let entries: Vec<_> = catalogue.entries().map(Result::unwrap).collect();
    let blobs: Vec<(&List, &Blob)> = lists.iter().flat_map(|list| list.blobs.iter().map(move |blob| (list, blob))).collect();
    assert_eq!(entries.len(), blobs.len());
    let side = |number: Option<u32>| number.map(|n| catalogue.side_file(n).unwrap()).map(|s| (s.path.into_raw(), s.digest.0));
    let model = |side: &Option<Side>| side.as_ref().map(|side| (side.path.clone(), side.digest));
    for ((number, entry), (list, blob)) in (0..).zip(&entries).zip(blobs) {
        assert_eq!(&catalogue.entry(number).unwrap(), entry);
        assert_eq!((entry.number, entry.length), (number, blob.length()));
        assert_eq!((entry.blob_path.raw(), entry.file_path.raw()), (blob.name.as_str(), blob.file.as_str()));
        assert_eq!(entry.disposition, blob.disposition.unwrap_or_default());
        assert_eq!(entry.kind == BlobKind::Page, blob.page);
        assert_eq!(side(entry.list_metadata), model(&list.metadata));
        assert_eq!(side(entry.list_properties), model(&list.properties));
        assert_eq!(side(entry.own_metadata), model(&blob.metadata));
        assert_eq!(side(entry.own_properties), model(&blob.properties));
        let ranges: Vec<Range> = catalogue.ranges(entry.first_range, entry.range_count).map(Result::unwrap).collect();
        let range = |(offset, length, md5): &(u64, u64, [u8; 16])| Range {
            bytes: ByteRange::new(*offset, *length).unwrap(),
            digest: Digest(*md5),
        };
        assert_eq!(ranges, blob.ranges.iter().map(range).collect::<Vec<_>>());
    }
}

proptest! {
    #[test]
    fn a_manifest_comes_back_as_it_was(lists in proptest::collection::vec(a_list(), 0..4), wide in any::<bool>()) {
        let text = manifest(&lists.iter().map(List::xml).collect::<String>());
        let text = if wide { text.replace("\n<!--gap-->", "\r\n<!-- - -->\t") } else { text };
        let folder = tempfile::tempdir().unwrap();
        let catalogue = read(text.as_bytes(), &md5(text.as_bytes()), &drive(), &ManifestLimits::default(), folder.path()).unwrap();
        compare(&lists, &catalogue);
        let ranges = lists.iter().flat_map(|list| &list.blobs).flat_map(|blob| &blob.ranges);
        prop_assert_eq!(catalogue.summary().content_bytes, ranges.map(|(_, length, _)| length).sum::<u64>());
        prop_assert_eq!(catalogue.summary().manifest_bytes, text.len() as u64);
    }
}
