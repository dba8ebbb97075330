//! The XML of the service: listings, block lists, error bodies. Read as a stream of events, written as text.
//!
//! In go bodies that were read to their end; out come blobs, blocks, codes, or `None` for what is not such a document.

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::store::{ETag, ListPage, ListedBlob, PageToken, StagedBlock, StoredKind};

/// Depth of the documents: what nests deeper is none of them.
const DEPTH: usize = 16;

/// An element's end: the names of the elements around it and itself, and its own text.
struct Leaf<'a> {
    path: &'a [String],
    text: &'a str,
    encoded: bool,
}

/// Calls `each` at the end of every element.
fn walk(body: &[u8], mut each: impl FnMut(&Leaf)) -> Option<()> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut path, mut content, mut encoded) = (Vec::<String>::new(), String::new(), false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.name().0.to_owned());
                encoded = start.try_get_attribute("Encoded").ok()?.is_some_and(|value| &*value.value == "true");
                content.clear();
            }
            Event::Empty(empty) => {
                path.push(empty.name().0.to_owned());
                each(&Leaf { path: &path, text: "", encoded: false });
                path.pop();
                content.clear();
            }
            Event::Text(text) => content.push_str(&text),
            Event::CData(text) => content.push_str(&text),
            Event::GeneralRef(name) => match name.resolve_char_ref().ok()? {
                Some(character) => content.push(character),
                None => content.push_str(quick_xml::escape::resolve_xml_entity(&name)?),
            },
            Event::End(_) => {
                each(&Leaf { path: &path, text: &content, encoded });
                path.pop()?;
                content.clear();
                encoded = false;
            }
            Event::DocType(_) => return None,
            Event::Eof => return path.is_empty().then_some(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        if path.len() > DEPTH {
            return None;
        }
    }
}

/// The code of an error body.
pub(super) fn error_code(body: &Bytes) -> Option<String> {
    let mut code = None;
    let whole = walk(body, |leaf| {
        if leaf.path.last().is_some_and(|name| name == "Code") {
            code.get_or_insert_with(|| leaf.text.to_owned());
        }
    });
    // a control character makes the document ill-formed to some parsers and not to others: what was found counts
    whole.map_or(code.clone(), |()| code)
}

/// A page of a listing. `None` if the body is no such document.
pub(super) fn list_page(body: &Bytes) -> Option<ListPage> {
    let mut page = ListPage::default();
    let (mut name, mut etag, mut kind) = (None, None, StoredKind::Block);
    let mut complete = true;
    let mut root = false;
    walk(body, |leaf| {
        let path: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["EnumerationResults"] => root = true,
            [.., "Blob", "Name"] if leaf.encoded => name = percent_decode_str(leaf.text).decode_utf8().ok().map(Into::into),
            [.., "Blob", "Name"] => name = Some(leaf.text.to_owned()),
            [.., "Blob", "Properties", "Etag"] => etag = Some(quoted(leaf.text)),
            [.., "Blob", "Properties", "BlobType"] => kind = kind_of(leaf.text),
            [.., "Blobs", "Blob"] => {
                match (name.take(), etag.take()) {
                    (Some(name), Some(etag)) => page.blobs.push(ListedBlob { name, etag, kind }),
                    _ => complete = false,
                }
                kind = StoredKind::Block;
            }
            ["EnumerationResults", "NextMarker"] if !leaf.text.is_empty() => page.next = Some(PageToken(leaf.text.to_owned())),
            _ => {}
        }
    })?;
    (root && complete).then_some(page)
}

/// The kind as header and listing spell it.
pub(super) fn kind_of(text: &str) -> StoredKind {
    match text {
        "PageBlob" => StoredKind::Page,
        "AppendBlob" => StoredKind::Append,
        _ => StoredKind::Block,
    }
}

/// Listings give versions without quotes, headers with them.
pub(super) fn quoted(etag: &str) -> ETag {
    if etag.ends_with('"') { ETag(etag.to_owned()) } else { ETag(format!("\"{etag}\"")) }
}

/// The blocks of one list (`CommittedBlocks` or `UncommittedBlocks`), in order. `None` if the body is no such document.
pub(super) fn block_list(body: &Bytes, list: &str) -> Option<Vec<StagedBlock>> {
    let (mut blocks, mut id, mut length) = (Vec::new(), None, None);
    let (mut root, mut complete) = (false, true);
    walk(body, |leaf| {
        let path: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["BlockList"] => root = true,
            [_, _, "Block", "Name"] => id = Some(leaf.text.to_owned()),
            [_, _, "Block", "Size"] => length = leaf.text.trim().parse::<u64>().ok(),
            [_, within, "Block"] => match (id.take(), length.take()) {
                (Some(id), Some(length)) if *within == list => blocks.push(StagedBlock { id, length }),
                (Some(_), Some(_)) => {}
                _ => complete = false,
            },
            _ => {}
        }
    })?;
    (root && complete).then_some(blocks)
}

/// The body of Put Block List: these ids in this order, each from wherever its latest copy is. That is safe only because an id is
/// made of the content.
pub(super) fn commit_body<'a>(ids: impl Iterator<Item = &'a str>) -> Bytes {
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for id in ids {
        body.push_str("<Latest>");
        // Base64 needs no escaping
        body.push_str(id);
        body.push_str("</Latest>");
    }
    body.push_str("</BlockList>");
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_gives_names_kinds_and_versions() {
        let body = "\u{feff}<?xml version=\"1.0\"?><EnumerationResults ServiceEndpoint=\"x\" ContainerName=\"c\"><Blobs>\
            <Blob><Name>a &amp; b &#228;</Name><Properties><Etag>0x1</Etag><BlobType>PageBlob</BlobType></Properties></Blob>\
            <Blob><Name Encoded=\"true\">x%EF%BF%BE</Name><Properties><Etag>\"0x2\"</Etag><BlobType>BlockBlob</BlobType></Properties>\
            <Metadata><Name>no</Name></Metadata></Blob></Blobs><NextMarker>m&lt;1</NextMarker></EnumerationResults>";
        let page = list_page(&Bytes::from(body)).unwrap();
        assert_eq!(page.next, Some(PageToken("m<1".to_owned())));
        let found: Vec<_> = page.blobs.iter().map(|blob| (blob.name.as_str(), blob.etag.0.as_str(), blob.kind)).collect();
        assert_eq!(found, [("a & b ä", "\"0x1\"", StoredKind::Page), ("x\u{fffe}", "\"0x2\"", StoredKind::Block)]);
    }

    #[test]
    fn what_is_cut_or_something_else_is_no_listing() {
        for body in ["", "<html></html>", "<EnumerationResults><Blobs><Blob><Name>a</Name>", "<!DOCTYPE x><EnumerationResults/>"]
        {
            assert!(list_page(&Bytes::from(body)).is_none(), "{body}");
        }
        assert!(list_page(&Bytes::from("<a>".repeat(1_000_000))).is_none());
        assert_eq!(
            list_page(&Bytes::from("<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>")),
            Some(ListPage::default())
        );
    }

    #[test]
    fn a_block_list_is_read_by_its_part() {
        let body = Bytes::from(
            "<BlockList><CommittedBlocks><Block><Name>YQ==</Name><Size>3</Size></Block></CommittedBlocks>\
             <UncommittedBlocks><Block><Name>Yg==</Name><Size>4</Size></Block></UncommittedBlocks></BlockList>",
        );
        assert_eq!(block_list(&body, "CommittedBlocks").unwrap(), [StagedBlock { id: "YQ==".to_owned(), length: 3 }]);
        assert_eq!(block_list(&body, "UncommittedBlocks").unwrap(), [StagedBlock { id: "Yg==".to_owned(), length: 4 }]);
    }

    #[test]
    fn a_commit_names_the_latest_copy_of_each_block() {
        let expected =
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><Latest>YQ==</Latest><Latest>YQ==</Latest></BlockList>";
        assert_eq!(commit_body(["YQ==", "YQ=="].into_iter()), expected);
    }
}
