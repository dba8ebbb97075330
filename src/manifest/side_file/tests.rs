//! Both kinds of side file: what is accepted, and the smallest file that breaks each rule.

use super::SideFileError as E;
use super::*;

fn metadata(children: &str) -> Result<Vec<(String, String)>, E> {
    parse_metadata(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Metadata>{children}</Metadata>").as_bytes())
}

fn properties(children: &str) -> Result<Attributes, E> {
    parse_properties(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Properties>{children}</Properties>").as_bytes())
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn metadata_keeps_case_and_order_and_trims_values() {
    let text =
        "\n  <survey_site> harbour-4\r\n</survey_site><!-- c -->\n  <_A1>a &amp; b&#33;<![CDATA[<c>]]></_A1><Empty/><e></e>";
    assert_eq!(metadata(text), Ok(pairs(&[("survey_site", "harbour-4"), ("_A1", "a & b!<c>"), ("Empty", ""), ("e", "")])));
    assert_eq!(metadata(""), Ok(Vec::new()));
    assert_eq!(parse_metadata("\u{feff}<Metadata/>".as_bytes()), Ok(Vec::new()));
}

#[test]
fn properties_are_what_the_file_sets() {
    let text = "<Content-Type>image/tiff</Content-Type><Content-MD5>DMF1ucDxtqgxw5niaXcmYQ==</Content-MD5><Content-Encoding/>
        <Content-Language>en</Content-Language><Cache-Control> max-age=3600 </Cache-Control>
        <Last-Modified>ü</Last-Modified><Etag>\"0x8\"</Etag><Content-Length>no number</Content-Length>";
    let expected = Attributes {
        content_type: Some("image/tiff".to_owned()),
        content_md5: Some(super::super::Digest::of(b"a").0),
        content_encoding: None,
        content_language: Some("en".to_owned()),
        cache_control: Some("max-age=3600".to_owned()),
        metadata: Vec::new(),
    };
    assert_eq!(properties(text), Ok(expected));
    assert_eq!(properties(""), Ok(Attributes::default()));
}

#[test]
fn what_no_request_can_carry_is_refused() {
    for name in ["a-b", "a.b", "ü", "x:y", "a\u{b7}"] {
        assert_eq!(metadata(&format!("<{name}/>")), Err(E::Name(name.into())), "{name}");
    }
    assert_eq!(metadata("<Dockside_Incomplete/>"), Err(E::Reserved("Dockside_Incomplete".into())), "a page blob's mark");
    assert_eq!(metadata("<a/><B/><A/>"), Err(E::Repeated("A".into())));
    assert_eq!(properties("<Etag/><Etag/>"), Err(E::Repeated("Etag".into())));
    assert_eq!(properties("<ETag/>"), Err(E::Unknown("ETag".into())));
    assert_eq!(properties("<Content-Disposition/>"), Err(E::Unknown("Content-Disposition".into())));
    for value in ["ü", "a\nb", "a&#9;b", "a\u{7f}"] {
        assert_eq!(metadata(&format!("<a>{value}</a>")), Err(E::Value("a".into())), "{value:?}");
        let property = format!("<Content-Type>{value}</Content-Type>");
        assert_eq!(properties(&property), Err(E::Value("Content-Type".into())), "{value:?}");
    }
    for md5 in ["", "0CC175B9C0F1B6A831C399E269772661", "DMF1ucDxtqgxw5niaXcmYQ", "DMF1ucDxtqgxw5niaXcm"] {
        assert_eq!(properties(&format!("<Content-MD5>{md5}</Content-MD5>")), Err(E::ContentMd5), "{md5}");
    }
}

#[test]
fn metadata_is_bounded_by_the_store() {
    let value = "x".repeat(8 * 1024 - 1);
    assert!(metadata(&format!("<a>{value}</a>")).is_ok());
    assert_eq!(metadata(&format!("<ab>{value}</ab>")), Err(E::MetadataTooLong(8 * 1024 + 1)));
}

#[test]
fn only_one_level_of_plain_elements_is_read() {
    assert_eq!(parse_metadata(b"<metadata/>"), Err(E::Root("Metadata")));
    assert_eq!(parse_metadata(b"<Properties/>"), Err(E::Root("Metadata")));
    assert_eq!(metadata("<a>\n<b/></a>"), Err(E::Nested { line: 3, name: "a".into() }));
    let xml = [
        ("<Metadata a='1'/>", "unknown attribute a of a side file"),
        ("<Metadata><x a='1'/></Metadata>", "unknown attribute a of a side file"),
        ("<Metadata>text</Metadata>", "text stands directly inside the root element"),
        ("<Metadata><a></Metadata>", "not well-formed: an end tag that does not fit its start tag"),
        ("<Metadata>", "not well-formed: the file ends inside an element"),
        ("", "not well-formed: there is no root element"),
        ("<Metadata/><Metadata/>", "not well-formed: there is more than one root element"),
        ("<!DOCTYPE x><Metadata/>", "a document type declaration is not allowed"),
        ("<Metadata><a>&b;</a></Metadata>", "a reference to an unknown entity"),
        ("<Metadata><a>&#7;</a></Metadata>", "character U+0007 is not allowed in XML"),
        ("<Metadata><1/></Metadata>", "not well-formed: a tag without a name"),
    ];
    for (text, why) in xml {
        assert_eq!(parse_metadata(text.as_bytes()).unwrap_err().to_string(), format!("line 1: {why}"), "{text}");
    }
    assert!(matches!(parse_metadata(b"<Metadata>\xff</Metadata>"), Err(E::Xml { rule: Rule::NotUtf8, .. })));
}

#[test]
fn a_side_file_is_small() {
    let file = |length: usize| format!("<Metadata>{}</Metadata>", " ".repeat(length - 21));
    assert_eq!(parse_metadata(file(64 << 10).as_bytes()), Ok(Vec::new()));
    assert_eq!(parse_metadata(file((64 << 10) + 1).as_bytes()), Err(E::TooLong((64 << 10) + 1)));
}
