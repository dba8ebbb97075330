//! The step that makes a blob visible, in an order that a crash at any point leaves consistent.
//!
//! 1. the file's content is synced (before this module is called);
//! 2. the folders on the way are created and synced;
//! 3. attributes, if there are any, are written beside the name and synced, in front of those of the old blob;
//! 4. create-only: `link`, which fails if the name is taken; replace: the `ETag` compared, then `rename`;
//! 5. the folder is synced, the hidden name removed, attributes of the old blob dropped.
//!
//! A crash after 3 leaves attributes that fit no blob and count for nothing; one after 4 leaves a second name of the blob or
//! attributes of the old one, both harmless. A blob is never visible with attributes that are not its own.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use super::attributes::{self, Draft, Version};
use super::dir::{Dir, Kind, Meta, io_failed};
use super::names::{encode, is_hashed};
use crate::manifest::BlobPath;
use crate::store::{Condition, StoreError, Stored};

/// How often the way to a name is built again: the writer of blob `a` removes a folder `a` that is empty, perhaps because the writer
/// of `a/b` is just about to use it.
const WAYS: u32 = 3;

/// Where a blob lies: an open folder and a file name in it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: Dir,
    pub(super) file: String,
}

impl Place {
    /// Where a blob lies or would lie; `None` if a folder on the way is missing.
    pub(super) fn find(root: &Dir, path: &BlobPath) -> Result<Option<Self>, StoreError> {
        Self::walk(root, path, Dir::child)
    }

    /// The same, creating the folders on the way. The container must exist.
    pub(super) fn make(container: &Dir, path: &BlobPath) -> Result<Self, StoreError> {
        let place = Self::walk(container, path, |dir, segment| dir.make_child(segment).map(Some))?;
        place.ok_or_else(|| StoreError::NameConflict { reason: "a folder on the way vanished".to_owned() })
    }

    fn walk(
        container: &Dir,
        path: &BlobPath,
        step: impl Fn(&Dir, &str) -> Result<Option<Dir>, StoreError>,
    ) -> Result<Option<Self>, StoreError> {
        let mut segments: Vec<String> = path.name().split('/').map(encode).collect();
        let file = segments.pop().unwrap_or_default();
        let mut dir = container.again()?;
        for segment in &segments {
            match step(&dir, segment)? {
                Some(child) => dir = child,
                None => return Ok(None),
            }
        }
        Ok(Some(Self { dir, file }))
    }

    /// The blob's file; `None` if the name is free or a folder has it. A link or device in its place is refused.
    pub(super) fn blob(&self) -> Result<Option<Meta>, StoreError> {
        let Some(meta) = self.dir.stat(&self.file)? else { return Ok(None) };
        match meta.kind() {
            Kind::File => Ok(Some(meta)),
            Kind::Folder => Ok(None),
            Kind::Other => {
                let reason = format!("{} is a link or a device", self.dir.shown(&self.file));
                Err(StoreError::NameConflict { reason })
            }
        }
    }

    /// Whether the condition holds now.
    pub(super) fn check(&self, condition: &Condition) -> Result<(), StoreError> {
        let there = self.blob()?.map(|meta| meta.etag());
        match condition {
            Condition::Absent if there.is_some() => Err(StoreError::AlreadyExists),
            Condition::Matches(seen) if there.as_ref() != Some(seen) => Err(StoreError::ConditionFailed),
            Condition::Absent | Condition::Matches(_) | Condition::Any => Ok(()),
        }
    }

    /// A folder has the name: it goes if it is empty (its blobs were removed), else the blob cannot be.
    fn clear(&self) -> Result<(), StoreError> {
        let folder = self.dir.stat(&self.file)?.is_some_and(|meta| meta.kind() == Kind::Folder);
        if folder && !self.dir.remove_empty(&self.file) { Err(self.is_a_folder()) } else { Ok(()) }
    }

    fn is_a_folder(&self) -> StoreError {
        let reason = format!("{} is a folder and cannot be a blob as well", self.dir.shown(&self.file));
        StoreError::NameConflict { reason }
    }
}

/// Whether the folders on the way to a blob are folders or missing, and no folder with anything in it has its name.
pub(super) fn room_for(container: &Dir, path: &BlobPath) -> Result<(), StoreError> {
    let place = Place::walk(container, path, |dir, segment| match dir.child(segment)? {
        None if dir.stat(segment)?.is_some() => Err(dir.not_a_folder(segment)),
        child => Ok(child),
    });
    let Some(place) = place? else { return Ok(()) };
    match place.dir.child(&place.file)? {
        Some(folder) if !folder.is_empty()? => Err(place.is_a_folder()),
        _ => Ok(()),
    }
}

/// The name that must be kept beside a blob, since its file's name does not tell it.
pub(super) fn kept_name(path: &BlobPath) -> Option<String> {
    path.name().split('/').any(|segment| is_hashed(&encode(segment))).then(|| path.name().to_owned())
}

/// A finished file that waits to be seen.
pub(super) struct Finished<'a> {
    /// The container's folder.
    pub(super) folder: &'a Dir,
    /// Its hidden name there.
    pub(super) part: &'a str,
    /// The file itself, synced.
    pub(super) file: &'a File,
    /// What it carries.
    pub(super) version: Version,
}

/// Makes a finished file visible under the blob's name.
pub(super) fn publish(mut finished: Finished, path: &BlobPath, condition: &Condition) -> Result<Stored, StoreError> {
    let Finished { folder, part, file, version } = &mut finished;
    let metadata = file.metadata().map_err(|source| io_failed("looking at", folder.shown(part), source))?;
    version.length = metadata.len();
    version.modified = format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec());
    version.name = kept_name(path);
    for _ in 0..WAYS {
        match attempt(&finished, path, condition) {
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            other => return other,
        }
    }
    attempt(&finished, path, condition)
}

fn attempt(finished: &Finished, path: &BlobPath, condition: &Condition) -> Result<Stored, StoreError> {
    let Finished { folder, part, version, .. } = finished;
    let place = Place::make(folder, path)?;
    place.clear()?;
    place.check(condition)?;
    let draft = format!("{part}-attr");
    let draft = Draft { folder, name: &draft };
    if !version.is_empty() {
        attributes::add(&draft, &place.dir, &place.file, version)?;
    }
    show(folder, part, &place, condition)?;
    if !version.is_empty() && !attributes::has(&place.dir, &place.file, version)? {
        // another writer of the same name, who lost, was between our two steps
        attributes::add(&draft, &place.dir, &place.file, version)?;
    }
    if let Err(error) = attributes::tidy(&draft, &place.dir, &place.file, version) {
        tracing::debug!(%error, "old attributes stay beside a blob");
    }
    let etag = place.blob()?.map(|meta| meta.etag()).ok_or(StoreError::ConditionFailed)?;
    Ok(Stored { etag, line_refusals: 0 })
}

/// Gives the file its name if that is free. Somebody may be faster: with a blob, or with a folder for one that comes to nothing.
fn link(folder: &Dir, part: &str, place: &Place) -> Result<(), StoreError> {
    for _ in 0..=WAYS {
        if folder.link_new(part, &place.dir, &place.file)? {
            return Ok(());
        }
        place.clear()?;
        place.check(&Condition::Absent)?;
    }
    let reason = format!("{} is now a folder, now none", place.dir.shown(&place.file));
    Err(StoreError::NameConflict { reason })
}

fn show(folder: &Dir, part: &str, place: &Place, condition: &Condition) -> Result<(), StoreError> {
    match condition {
        Condition::Absent => {
            link(folder, part, place)?;
            place.dir.sync()?;
            // the file has its second name: what happens to the first cannot undo that
            if let Err(error) = folder.remove(part) {
                tracing::debug!(%error, "the hidden name of a stored blob stays");
            }
            Ok(())
        }
        Condition::Matches(_) => {
            place.check(condition)?;
            folder.rename(part, &place.dir, &place.file)?;
            place.dir.sync()
        }
        Condition::Any => {
            folder.rename(part, &place.dir, &place.file)?;
            place.dir.sync()
        }
    }
}
