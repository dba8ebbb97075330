//! The file beside a blob that keeps what a file system cannot: attributes, the page kind, the incomplete mark, a long name.
//!
//! ```text
//! {"schema":1,"versions":[{"length":…,"modified":"seconds.nanoseconds", "name":…, "kind":"page", "incomplete":"session-entry",
//!                          "content_type":…, "content_md5":"Base64", …, "metadata":{…}}]}
//! ```
//!
//! Two files cannot be replaced in one step, so each version says which blob it belongs to: the one of that length and time of
//! modification (both survive `rsync -a`). While a blob is being replaced the file holds the old version and the new one; whichever
//! blob a crash leaves finds its own. A version that fits no blob counts for nothing.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::dir::{Dir, Meta, io_failed};
use super::names::attributes_of;
use crate::manifest::Attributes;
use crate::store::StoreError;

/// Bytes of such a file that are read: names and metadata have limits far below.
const LIMIT: u64 = 256 * 1_024;
/// Versions kept: the new one, the old one, and one that another writer is about to link.
const VERSIONS: usize = 3;

#[derive(Serialize, Deserialize)]
struct Sheet {
    schema: u32,
    versions: Vec<Version>,
}

/// What one version of a blob carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct Version {
    pub(super) length: u64,
    pub(super) modified: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) incomplete: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_md5: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
}

impl Version {
    /// What must be written beside a blob. The blob's length and time are filled in when its file is done.
    pub(super) fn new(attributes: &Attributes, page: bool) -> Self {
        let Attributes { content_type, content_md5, content_encoding, content_language, cache_control, metadata } =
            attributes.clone();
        Self {
            kind: page.then(|| "page".to_owned()),
            content_type,
            content_md5: content_md5.map(|md5| STANDARD.encode(md5)),
            content_encoding,
            content_language,
            cache_control,
            metadata: metadata.into_iter().map(|(name, value)| (name, Value::String(value))).collect(),
            ..Self::default()
        }
    }

    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self { length: self.length, modified: self.modified.clone(), ..Self::default() }
    }

    pub(super) fn is_page(&self) -> bool {
        self.kind.as_deref() == Some("page")
    }

    pub(super) fn md5(&self) -> Option<[u8; 16]> {
        STANDARD.decode(self.content_md5.as_ref()?).ok()?.try_into().ok()
    }

    pub(super) fn fits(&self, blob: &Meta) -> bool {
        self.length == blob.length() && self.modified == blob.modified()
    }

    fn same_blob(&self, other: &Self) -> bool {
        self.length == other.length && self.modified == other.modified
    }
}

/// The versions in the file beside `file`; none if there is no such file or it is not ours to read.
pub(super) fn read(dir: &Dir, file: &str) -> Result<Vec<Version>, StoreError> {
    let name = attributes_of(file);
    let Some(sheet) = dir.read(&name)? else { return Ok(Vec::new()) };
    let mut text = String::new();
    match sheet.take(LIMIT).read_to_string(&mut text) {
        Ok(_) => Ok(serde_json::from_str::<Sheet>(&text).map(|sheet| sheet.versions).unwrap_or_default()),
        Err(source) if source.kind() == std::io::ErrorKind::InvalidData => Ok(Vec::new()),
        Err(source) => Err(io_failed("reading", dir.shown(&name), source)),
    }
}

/// The version that belongs to this blob.
pub(super) fn of_blob(dir: &Dir, file: &str, blob: &Meta) -> Result<Option<Version>, StoreError> {
    Ok(read(dir, file)?.into_iter().find(|version| version.fits(blob)))
}

/// Whether this blob carries exactly this version, which fits it.
pub(super) fn exactly(dir: &Dir, file: &str, blob: &Meta, version: &Version) -> Result<bool, StoreError> {
    Ok(of_blob(dir, file, blob)?.map_or_else(|| version.is_empty(), |found| found == *version))
}

/// Where a new sheet is written before it is moved beside its blob.
pub(super) struct Draft<'a> {
    /// The container's folder.
    pub(super) folder: &'a Dir,
    /// A name there of this writer alone.
    pub(super) name: &'a str,
}

/// Puts a version beside `file`, in front of those that are there, and makes it durable.
pub(super) fn add(draft: &Draft, dir: &Dir, file: &str, version: &Version) -> Result<(), StoreError> {
    let mut versions = read(dir, file)?;
    versions.retain(|old| !old.same_blob(version));
    versions.insert(0, version.clone());
    versions.truncate(VERSIONS);
    replace(draft, dir, file, versions)
}

/// Whether exactly this version is there.
pub(super) fn has(dir: &Dir, file: &str, version: &Version) -> Result<bool, StoreError> {
    Ok(read(dir, file)?.contains(version))
}

/// Drops what belongs to no blob any more, after `version` has become visible.
pub(super) fn tidy(draft: &Draft, dir: &Dir, file: &str, version: &Version) -> Result<(), StoreError> {
    if version.is_empty() {
        return dir.remove(&attributes_of(file));
    }
    if read(dir, file)?.len() > 1 { replace(draft, dir, file, vec![version.clone()]) } else { Ok(()) }
}

fn replace(draft: &Draft, dir: &Dir, file: &str, versions: Vec<Version>) -> Result<(), StoreError> {
    let failed = |source| io_failed("writing", draft.folder.shown(draft.name), source);
    let text = serde_json::to_vec(&Sheet { schema: 1, versions }).map_err(|error| failed(error.into()))?;
    let mut written = draft.folder.create(draft.name)?;
    written.write_all(&text).and_then(|()| written.sync_data()).map_err(failed)?;
    draft.folder.rename(draft.name, dir, &attributes_of(file))?;
    dir.sync()
}
