//! The listing of a container: a walk through its folders in the order of file names, in pages.
//!
//! Memory is bounded: of each folder on the way only the next [`CHUNK`] names are held, and the walk keeps its own stack. A page's
//! token is the path of the last file it gave, so a listing goes on after a restart and past files that came or went.

use std::collections::{BTreeSet, VecDeque};

use super::attributes;
use super::dir::{Dir, Kind};
use super::names::{Segment, decode, encode};
use crate::manifest::{BlobPath, ContainerName};
use crate::store::{ListPage, ListedBlob, PageToken, StoreError, StoredKind};

/// Blobs of a page.
const PAGE: usize = 5_000;
/// Names of one folder held at a time.
const CHUNK: usize = 5_000;
/// Folders below each other: the segments a blob name can have. What lies deeper is no blob.
const DEPTH: usize = 254;

/// A folder on the way.
struct Level {
    dir: Dir,
    /// Its name in the folder above; empty for the container.
    name: String,
    /// Where the next chunk begins.
    after: Option<String>,
    chunk: VecDeque<(String, Option<Kind>)>,
    more: bool,
}

impl Level {
    fn new(dir: Dir, name: &str) -> Self {
        Self { dir, name: name.to_owned(), after: None, chunk: VecDeque::new(), more: true }
    }

    fn next(&mut self) -> Result<Option<(String, Kind)>, StoreError> {
        if self.chunk.is_empty() && self.more {
            self.fill()?;
        }
        let Some((name, kind)) = self.chunk.pop_front() else { return Ok(None) };
        let kind = match kind {
            Some(kind) => kind,
            None => self.dir.stat(&name)?.map_or(Kind::Other, |meta| meta.kind()),
        };
        self.after = Some(name.clone());
        Ok(Some((name, kind)))
    }

    /// The next names in order, the smallest first.
    fn fill(&mut self) -> Result<(), StoreError> {
        let mut names: BTreeSet<(String, Option<Kind>)> = BTreeSet::new();
        let mut more = false;
        let after = self.after.as_deref();
        self.dir.each_name(|name, kind| {
            if after.is_some_and(|after| name.as_str() <= after) || decode(&name).is_none() {
                return;
            }
            names.insert((name, kind));
            if names.len() > CHUNK {
                names.pop_last();
                more = true;
            }
        })?;
        self.chunk = names.into_iter().collect();
        self.more = more;
        Ok(())
    }
}

/// One page of the container's blobs behind the token.
pub(super) fn list(container: &ContainerName, folder: Dir, from: Option<&PageToken>) -> Result<ListPage, StoreError> {
    let mut levels = start(folder, from)?;
    let mut page = ListPage::default();
    while let Some(level) = levels.last_mut() {
        match level.next()? {
            None => {
                levels.pop();
            }
            Some((name, Kind::Folder)) if levels.len() < DEPTH => {
                let child = levels.last().map(|level| level.dir.child(&name)).transpose()?.flatten();
                levels.extend(child.map(|dir| Level::new(dir, &name)));
            }
            Some((name, Kind::File)) => {
                if let Some(blob) = look(container, &levels, &name)? {
                    page.blobs.push(blob);
                }
                if page.blobs.len() == PAGE {
                    page.next = Some(PageToken(path_of(&levels, &name)));
                    return Ok(page);
                }
            }
            Some((_, Kind::Folder | Kind::Other)) => {}
        }
    }
    Ok(page)
}

/// The folders down to the file that the token names, each standing behind its step.
fn start(folder: Dir, from: Option<&PageToken>) -> Result<Vec<Level>, StoreError> {
    let mut levels = vec![Level::new(folder, "")];
    let Some(token) = from else { return Ok(levels) };
    for step in token.0.split('/') {
        let Some(level) = levels.last_mut() else { break };
        level.after = Some(step.to_owned());
        match level.dir.child(step)? {
            Some(dir) if decode(step).is_some() && levels.len() < DEPTH => levels.push(Level::new(dir, step)),
            _ => break,
        }
    }
    Ok(levels)
}

fn path_of(levels: &[Level], file: &str) -> String {
    let folders = levels.iter().skip(1).map(|level| level.name.as_str());
    folders.chain([file]).collect::<Vec<_>>().join("/")
}

/// A file of the walk as a blob; `None` if it went meanwhile or is none.
fn look(container: &ContainerName, levels: &[Level], file: &str) -> Result<Option<ListedBlob>, StoreError> {
    let Some(level) = levels.last() else { return Ok(None) };
    let Some(meta) = level.dir.stat(file)?.filter(|meta| meta.kind() == Kind::File) else { return Ok(None) };
    let versions = attributes::read(&level.dir, file)?;
    let path = path_of(levels, file);
    let Some(name) = name_of(&path).or_else(|| versions.iter().find_map(|version| version.name.clone())) else { return Ok(None) };
    let written = name.split('/').map(encode).collect::<Vec<_>>().join("/");
    if written != path || BlobPath::new(container.clone(), &name).is_err() {
        return Ok(None);
    }
    let page = versions.iter().any(|version| version.fits(&meta) && version.is_page());
    let kind = if page { StoredKind::Page } else { StoredKind::Block };
    Ok(Some(ListedBlob { name, etag: meta.etag(), kind }))
}

/// The blob name that lies at this path; `None` if a segment is known by its hash only.
fn name_of(path: &str) -> Option<String> {
    let segment = |file| match decode(file)? {
        Segment::Known(segment) => Some(segment),
        Segment::Hashed => None,
    };
    Some(path.split('/').map(segment).collect::<Option<Vec<_>>>()?.join("/"))
}
