//! What a later process finds in a folder: hidden files to go on with, blobs that are done though nobody heard of it, small blobs to read.
//!
//! In go a target and what is known of it; out come ranges that are there and versions of blobs. Files with two names, links, and
//! anything that is not exactly what was intended are refused; of a visible blob the whole content is read back, in bounded pieces.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::attributes::{self, Draft, Version};
use super::dir::{Dir, Kind, Meta, io_failed};
use super::part::Part;
use super::publish::{Place, kept_name};
use super::{Inner, part_key, part_name};
use crate::manifest::{Attributes, BlobPath, ByteRange, Range};
use crate::store::{Condition, ETag, Intended, StoreError, Target};
use crate::volume::fields::index;

/// Bytes read at a time.
const PIECE: u64 = 1 << 20;

/// An intention that outlives its call, as file systems are asked on other threads.
pub(super) struct Goal {
    length: u64,
    ranges: Vec<Range>,
    version: Version,
}

impl Goal {
    /// `None` if no file can be that.
    pub(super) fn new(intended: &Intended<'_>, attributes: &Attributes) -> Option<Self> {
        let (length, mut ranges) = match *intended {
            Intended::Whole { length, md5 } => (length, vec![Range { bytes: ByteRange::new(0, length)?, digest: md5 }]),
            Intended::Blocks(blocks) => (blocks.last().map_or(0, |block| block.bytes.end()), blocks.to_vec()),
            Intended::Pages { length, ranges } => (length, ranges.to_vec()),
        };
        ranges.sort_by_key(|range| range.bytes.offset());
        let version = Version::new(attributes, matches!(intended, Intended::Pages { .. }));
        Some(Self { length, ranges, version })
    }

    /// The file under the name, if it is what was intended and stays so while it is looked at.
    fn reached(mut self, place: &Place, path: &BlobPath, before: &Condition) -> Result<Option<(File, Version)>, StoreError> {
        let Some(meta) = place.blob()? else { return Ok(None) };
        if *before == Condition::Matches(meta.etag()) || meta.length() != self.length {
            return Ok(None);
        }
        (self.version.length, self.version.modified, self.version.name) = (meta.length(), meta.modified(), kept_name(path));
        if !attributes::exactly(&place.dir, &place.file, &meta, &self.version)? {
            return Ok(None);
        }
        let Some(file) = place.dir.read(&place.file)? else { return Ok(None) };
        let same = self.is_content_of(&file).map_err(|source| io_failed("reading", place.dir.shown(&place.file), source))?;
        let still = place.blob()?.is_some_and(|now| now.etag() == meta.etag());
        Ok((same && still).then_some((file, self.version)))
    }

    /// Whether the file has every range with its hash, and zeros between them.
    fn is_content_of(&self, file: &File) -> io::Result<bool> {
        let mut place = 0;
        for range in &self.ranges {
            if !zeros(file, place, range.bytes.offset())? || md5_of(file, range.bytes)? != range.digest.0 {
                return Ok(false);
            }
            place = place.max(range.bytes.end());
        }
        zeros(file, place, self.length)
    }
}

/// Calls `each` for pieces of a file until it has enough; says whether it wanted all.
fn pieces(file: &File, mut place: u64, end: u64, mut each: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
    let mut piece = vec![0; index(end.saturating_sub(place).min(PIECE))];
    while place < end {
        piece.truncate(index(PIECE.min(end - place)));
        file.read_exact_at(&mut piece, place)?;
        if !each(&piece) {
            return Ok(false);
        }
        place += piece.len() as u64;
    }
    Ok(true)
}

fn zeros(file: &File, place: u64, end: u64) -> io::Result<bool> {
    pieces(file, place, end, |piece| piece.iter().all(|byte| *byte == 0))
}

fn md5_of(file: &File, bytes: ByteRange) -> io::Result<[u8; 16]> {
    let mut hash = Md5::new();
    pieces(file, bytes.offset(), bytes.end(), |piece| {
        hash.update(piece);
        true
    })?;
    Ok(hash.finalize().into())
}

/// What an earlier process left of a blob in progress. After a crash between link and unlink the file has two names: then it is the
/// visible blob, and none to be written to.
fn left(folder: &Dir, name: &str) -> Result<Option<Meta>, StoreError> {
    Ok(folder.stat(name)?.filter(|meta| meta.kind() == Kind::File && meta.links() == 1))
}

impl Inner {
    fn known(&self, target: &Target) -> Result<Option<Arc<Part>>, StoreError> {
        let key = part_key(target)?;
        Ok(self.parts().get(&key).cloned())
    }

    fn adopt(&self, target: &Target, part: Part) -> Result<Arc<Part>, StoreError> {
        let (key, part) = (part_key(target)?, Arc::new(part));
        self.parts().insert(key, Arc::clone(&part));
        Ok(part)
    }

    pub(super) fn take_up(&self, target: &Target, ranges: &[Range], synced: &[bool]) -> Result<Vec<bool>, StoreError> {
        let folder = self.needed(target.path.container())?;
        let name = part_name(target)?;
        let part = match (self.known(target)?, left(&folder, &name)?) {
            (Some(part), _) => part,
            (None, Some(meta)) => {
                let synced = ranges.iter().zip(synced).filter(|(_, synced)| **synced).map(|(range, _)| *range);
                self.adopt(target, Part::with_blocks(name, meta.length(), synced))?
            }
            (None, None) => return Ok(vec![false; ranges.len()]),
        };
        Ok(part.has(ranges))
    }

    pub(super) fn take_up_pages(&self, target: &Target, length: u64) -> Result<Option<ETag>, StoreError> {
        let Some(folder) = self.container(target.path.container())? else { return Ok(None) };
        let name = part_name(target)?;
        let Some(meta) = left(&folder, &name)?.filter(|meta| meta.length() == length) else { return Ok(None) };
        match self.known(target)? {
            Some(part) if !part.is_pages() => return Ok(None),
            Some(_) => {}
            None => drop(self.adopt(target, Part::with_pages(name, length))?),
        }
        Ok(Some(meta.etag()))
    }

    pub(super) fn sync(&self, target: &Target) -> Result<(), StoreError> {
        match self.known(target)? {
            Some(part) => part.make_durable(&self.needed(target.path.container())?),
            None => Ok(()),
        }
    }

    pub(super) fn carried_out(&self, target: &Target, goal: Goal, before: &Condition) -> Result<Option<ETag>, StoreError> {
        let Some(place) = self.place(&target.path)? else { return Ok(None) };
        let Some((file, version)) = goal.reached(&place, &target.path, before)? else { return Ok(None) };
        // the process that made it visible may have ended before its name was durable
        file.sync_data().map_err(|source| io_failed("syncing", place.dir.shown(&place.file), source))?;
        place.dir.sync()?;
        // a crash behind the rename or the link leaves attributes of the old blob, and the hidden name
        if let Err(error) = self.tidy(target, &place, &version).and_then(|()| self.discard(target)) {
            tracing::debug!(%error, "something hidden stays beside a stored blob");
        }
        // a name less is a change of the file, and so of its version
        Ok(place.blob()?.map(|meta| meta.etag()))
    }

    fn tidy(&self, target: &Target, place: &Place, version: &Version) -> Result<(), StoreError> {
        let (folder, name) = (self.needed(target.path.container())?, format!("{}-attr", part_name(target)?));
        attributes::tidy(&Draft { folder: &folder, name: &name }, &place.dir, &place.file, version)
    }

    pub(super) fn read(&self, path: &BlobPath, limit: usize) -> Result<Option<(ETag, Bytes)>, StoreError> {
        let Some(place) = self.place(path)? else { return Ok(None) };
        let Some(_) = place.blob()? else { return Ok(None) };
        let Some(file) = place.dir.read(&place.file)? else { return Ok(None) };
        // of the open file: the name may be another's by now
        let failed = |source| io_failed("reading", place.dir.shown(&place.file), source);
        let meta = Meta::of(&file).map_err(|errno| failed(errno.into()))?;
        let mut bytes = Vec::new();
        file.take((limit as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > limit { Err(StoreError::over(limit)) } else { Ok(Some((meta.etag(), bytes.into()))) }
    }
}
