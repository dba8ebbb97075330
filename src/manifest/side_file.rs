//! Metadata and properties files. In: the whole file's bytes, whose hash the caller has compared; out: what to set on blobs. Refused:
//! files above 64 KiB, everything but one level of plain elements, names and values that no request can carry.
//!
//! ```text
//! Metadata                          Properties
//!   <any-name>value</any-name> *      Content-Type? Content-MD5? Content-Encoding? Content-Language? Cache-Control?
//!                                     Last-Modified? Etag? Content-Length?       (export only: ignored)
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::entry::Attributes;
use super::findings::{Rule, cut};
use super::reader::flat::{self, Flat};
use crate::foreign::Foreign;

/// Bytes of a side file.
pub const SIDE_FILE_BYTES: u64 = 64 << 10;
/// Bytes of all metadata names and values of a blob: the store's limit.
const METADATA_BYTES: usize = 8 << 10;
/// The metadata name by which a store marks a page blob that is not complete: no customer's.
const RESERVED: &str = "dockside_incomplete";

/// Why a side file cannot be used. Names are cut, values are never repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SideFileError {
    /// Above 64 KiB.
    #[error("the file has {0} bytes, 65,536 are allowed")]
    TooLong(usize),
    /// Not well-formed, another encoding, a DTD, deeper than one level.
    #[error("line {line}: {rule}")]
    Xml {
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        rule: Rule,
    },
    /// The root is another element.
    #[error("the root element is not {0}")]
    Root(&'static str),
    /// An element inside an element.
    #[error("line {line}: an element inside {name}")]
    Nested {
        /// Line, from 1.
        line: u64,
        /// The outer element.
        name: Foreign,
    },
    /// A name that is no metadata name: ASCII letters, digits and underscores, no digit first.
    #[error("{0} is no metadata name: ASCII letters, digits and underscores, no digit first")]
    Name(Foreign),
    /// The name that marks unfinished page blobs.
    #[error("{0} is a metadata name of the store's own use")]
    Reserved(Foreign),
    /// An element that properties do not have.
    #[error("{0} is no property")]
    Unknown(Foreign),
    /// A name that stands twice, regardless of case for metadata.
    #[error("{0} stands more than once")]
    Repeated(Foreign),
    /// A value that no header can carry.
    #[error("the value of {0} is not printable ASCII")]
    Value(Foreign),
    /// `Content-MD5` is not 16 bytes in Base64.
    #[error("Content-MD5 is not the Base64 of 16 bytes")]
    ContentMd5,
    /// More metadata than the store takes.
    #[error("names and values have {0} bytes together, 8,192 are allowed")]
    MetadataTooLong(usize),
}

/// Names and values of a metadata file, in its order. Values are trimmed printable ASCII, at most 8 KiB with the names.
pub fn parse_metadata(bytes: &[u8]) -> Result<Vec<(String, String)>, SideFileError> {
    let mut metadata: Vec<(String, String)> = Vec::new();
    let mut total = 0_usize;
    flat::read(bytes, "Metadata", |Flat { name, value }| {
        if !is_metadata_name(name) {
            return Err(SideFileError::Name(cut(name)));
        }
        if name.eq_ignore_ascii_case(RESERVED) {
            return Err(SideFileError::Reserved(cut(name)));
        }
        let value = header_value(name, value)?;
        total += name.len() + value.len();
        // before the search below, which takes the square of what is kept
        if total > METADATA_BYTES {
            return Err(SideFileError::MetadataTooLong(total));
        }
        if metadata.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(SideFileError::Repeated(cut(name)));
        }
        metadata.push((name.to_owned(), value.to_owned()));
        Ok(())
    })?;
    Ok(metadata)
}

/// The properties of a properties file; its [`Attributes::metadata`] is empty.
pub fn parse_properties(bytes: &[u8]) -> Result<Attributes, SideFileError> {
    const NAMES: [&str; 8] = [
        "Last-Modified",
        "Etag",
        "Content-Length",
        "Content-Type",
        "Content-MD5",
        "Content-Encoding",
        "Content-Language",
        "Cache-Control",
    ];
    let mut seen = Vec::new();
    let mut attributes = Attributes::default();
    flat::read(bytes, "Properties", |Flat { name, value }| {
        let known = NAMES.into_iter().find(|known| *known == name).ok_or_else(|| SideFileError::Unknown(cut(name)))?;
        if seen.contains(&known) {
            return Err(SideFileError::Repeated(cut(name)));
        }
        seen.push(known);
        if matches!(known, "Last-Modified" | "Etag" | "Content-Length") {
            return Ok(());
        }
        let value = header_value(name, value)?;
        if known == "Content-MD5" {
            attributes.content_md5 = Some(content_md5(value)?);
            return Ok(());
        }
        let slot = match known {
            "Content-Type" => &mut attributes.content_type,
            "Content-Encoding" => &mut attributes.content_encoding,
            "Content-Language" => &mut attributes.content_language,
            _ => &mut attributes.cache_control,
        };
        // an empty element sets nothing, as a missing one
        *slot = (!value.is_empty()).then(|| value.to_owned());
        Ok(())
    })?;
    Ok(attributes)
}

fn is_metadata_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

/// The trimmed value, if a header can carry it.
fn header_value<'a>(name: &str, value: &'a str) -> Result<&'a str, SideFileError> {
    let value = value.trim_matches([' ', '\t', '\r', '\n']);
    let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if printable { Ok(value) } else { Err(SideFileError::Value(cut(name))) }
}

fn content_md5(value: &str) -> Result<[u8; 16], SideFileError> {
    let mut decoded = [0; 18];
    match STANDARD.decode_slice(value, &mut decoded) {
        Ok(16) => decoded.first_chunk().copied().ok_or(SideFileError::ContentMd5),
        _ => Err(SideFileError::ContentMd5),
    }
}

#[cfg(test)]
mod tests;
