//! Attributes of a blob as headers of requests, and the comparison with what a blob carries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::Answer;
use super::client::Call;
use super::xml::{kind_of, quoted};
use crate::manifest::Attributes;
use crate::store::{BlobHead, Condition, StoreError, StoredKind};

/// The mark of a page blob that is being written, and of an empty blob that keeps a name; its value is [`crate::store::Target::mark`].
pub(super) const MARK: &str = "dockside_incomplete";
/// A page blob's number, which its creator sets and a write of pages may ask for.
pub(super) const SEQUENCE: &str = "x-ms-blob-sequence-number";
/// What the service makes of a blob without a type.
const UNTYPED: &str = "application/octet-stream";
const METADATA: &str = "x-ms-meta-";

/// The properties that are plain text: header of a write, header of an answer, value.
fn properties(attributes: &Attributes) -> [(&'static str, &'static str, Option<&str>); 4] {
    [
        ("x-ms-blob-content-type", "content-type", attributes.content_type.as_deref()),
        ("x-ms-blob-content-encoding", "content-encoding", attributes.content_encoding.as_deref()),
        ("x-ms-blob-content-language", "content-language", attributes.content_language.as_deref()),
        ("x-ms-blob-cache-control", "cache-control", attributes.cache_control.as_deref()),
    ]
}

/// Adds properties and metadata to a request.
pub(super) fn with_attributes<'a>(mut call: Call<'a>, attributes: &Attributes) -> Result<Call<'a>, StoreError> {
    for (header, _, value) in properties(attributes) {
        if let Some(value) = value {
            call = call.header(header, value)?;
        }
    }
    if let Some(md5) = attributes.content_md5 {
        call = call.header("x-ms-blob-content-md5", &STANDARD.encode(md5))?;
    }
    with_metadata(call, attributes)
}

/// Adds metadata to a request.
pub(super) fn with_metadata<'a>(mut call: Call<'a>, attributes: &Attributes) -> Result<Call<'a>, StoreError> {
    for (name, value) in &attributes.metadata {
        let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !name.bytes().next().is_some_and(first) || !plain || name.eq_ignore_ascii_case(MARK) {
            return Err(StoreError::Rejected { status: 400, code: "InvalidMetadata".to_owned() });
        }
        call = call.header(&format!("{METADATA}{name}"), value)?;
    }
    Ok(call)
}

/// Adds what must hold to a request.
pub(super) fn with_condition<'a>(call: Call<'a>, condition: &Condition) -> Result<Call<'a>, StoreError> {
    match condition {
        Condition::Absent => call.header("if-none-match", "*"),
        Condition::Matches(seen) => call.header("if-match", &seen.0),
        Condition::Any => Ok(call),
    }
}

/// What the headers of a HEAD tell.
pub(super) fn head_of(answer: &Answer) -> Option<BlobHead> {
    let kind = kind_of(answer.header("x-ms-blob-type")?);
    let length = answer.header("content-length")?.parse().ok()?;
    // on other blobs the name is just metadata of the customer
    let markable = kind == StoredKind::Page || (kind == StoredKind::Block && length == 0);
    Some(BlobHead {
        etag: quoted(answer.header("etag")?),
        kind,
        length,
        md5: answer.header("content-md5").and_then(|md5| STANDARD.decode(md5).ok()?.try_into().ok()),
        incomplete: mark_of(answer).filter(|_| markable).map(str::to_owned),
    })
}

/// The mark of a blob that is not finished.
pub(super) fn mark_of(answer: &Answer) -> Option<&str> {
    answer.headers.get(format!("{METADATA}{MARK}"))?.to_str().ok()
}

/// Whether a blob carries exactly this metadata, its mark apart.
pub(super) fn has_metadata(answer: &Answer, attributes: &Attributes) -> bool {
    let mark = format!("{METADATA}{MARK}");
    let there = answer.headers.keys().filter(|name| name.as_str().starts_with(METADATA) && name.as_str() != mark).count();
    let same = |(name, value): &(String, String)| {
        answer.header(&format!("{METADATA}{}", name.to_ascii_lowercase())) == Some(value.trim())
    };
    there == attributes.metadata.len() && attributes.metadata.iter().all(same)
}

/// Whether a blob carries exactly these properties and metadata; the MD5 property is compared apart.
pub(super) fn has_attributes(answer: &Answer, attributes: &Attributes) -> bool {
    properties(attributes).into_iter().all(|(_, header, value)| {
        let expected = value.or((header == "content-type").then_some(UNTYPED));
        answer.header(header) == expected.map(str::trim)
    }) && has_metadata(answer, attributes)
}
