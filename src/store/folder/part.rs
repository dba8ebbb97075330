//! A blob in progress: one hidden file in the container's folder, ranges written at their offset, holes left as holes.
//!
//! In go ranges in any order and from several threads; out comes a file that is complete and synced, or
//! [`StoreError::BlockMissing`] if the list names a range that was never written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::dir::{Dir, io_failed};
use crate::manifest::{Digest, Range};
use crate::store::{StagedBlock, StoreError};
use crate::volume::fields::index;

/// Granularity of holes: small enough to keep the zeros of a sparse file out, large enough to write the rest in long runs.
const PIECE: u64 = 64 * 1_024;

/// A blob in progress, as this process knows it.
#[derive(Debug)]
pub(super) struct Part {
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    created: bool,
    /// Whether it is a page blob: it begins as holes and each range is written where it belongs, so that nothing need be kept of them.
    pages: bool,
    /// Bytes that an earlier process left: of these nothing is known but what is in `done`.
    old: u64,
    /// Whether the file's name is durable.
    listed: bool,
    /// Offsets written to, or begun: only the first time may zeros be left out.
    touched: BTreeSet<u64>,
    done: BTreeMap<u64, Range>,
}

impl Part {
    pub(super) fn new(name: String) -> Self {
        Self { name, state: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A block blob that an earlier process began: a file of so many bytes, with what of it is known to be durable.
    pub(super) fn with_blocks(name: String, length: u64, synced: impl Iterator<Item = Range>) -> Self {
        let inside = synced.filter(|range| range.bytes.end() <= length);
        let done = inside.map(|range| (range.bytes.offset(), range)).collect();
        Self { name, state: Mutex::new(State { created: true, old: length, done, ..State::default() }) }
    }

    /// A page blob that an earlier process began.
    pub(super) fn with_pages(name: String, length: u64) -> Self {
        Self { name, state: Mutex::new(State { created: true, pages: true, old: length, ..State::default() }) }
    }

    pub(super) fn is_pages(&self) -> bool {
        self.lock().pages
    }

    /// Which of these ranges are there, each at its place: equal ranges are told apart, since only what was written survives a crash.
    pub(super) fn has(&self, ranges: &[Range]) -> Vec<bool> {
        let state = self.lock();
        ranges.iter().map(|range| state.done.get(&range.bytes.offset()) == Some(range)).collect()
    }

    /// Makes durable what was written so far.
    pub(super) fn make_durable(&self, folder: &Dir) -> Result<(), StoreError> {
        let (created, listed) = {
            let state = self.lock();
            (state.created, state.listed)
        };
        if !created {
            return Ok(());
        }
        let file = folder.write(&self.name)?;
        file.sync_data().map_err(|source| io_failed("syncing", folder.shown(&self.name), source))?;
        if !listed {
            folder.sync()?;
            self.lock().listed = true;
        }
        Ok(())
    }

    /// Creates the file of a page blob at its full length: all holes.
    pub(super) fn create(&self, folder: &Dir, length: u64) -> Result<(), StoreError> {
        let file = folder.create(&self.name)?;
        *self.lock() = State { created: true, pages: true, ..State::default() };
        file.set_len(length).map_err(|source| io_failed("creating", folder.shown(&self.name), source))
    }

    /// Writes one range. May be called for several ranges at once.
    pub(super) fn write(&self, folder: &Dir, range: &Range, body: &[u8]) -> Result<(), StoreError> {
        let (file, first) = self.open(folder, range.bytes.offset())?;
        let before = if first { Before::Hole } else { Before::Unknown };
        write_sparse(&file, body, range.bytes.offset(), before)
            .map_err(|source| io_failed("writing", folder.shown(&self.name), source))?;
        let mut state = self.lock();
        if !state.pages {
            state.done.insert(range.bytes.offset(), *range);
        }
        Ok(())
    }

    fn open(&self, folder: &Dir, offset: u64) -> Result<(File, bool), StoreError> {
        let mut state = self.lock();
        let file = if state.created { folder.write(&self.name)? } else { folder.create(&self.name)? };
        state.created = true;
        let first = offset >= state.old && (state.pages || state.touched.insert(offset));
        Ok((file, first))
    }

    /// The ranges that are there, as blocks.
    pub(super) fn staged(&self) -> Vec<StagedBlock> {
        let block = |range: &Range| StagedBlock { id: range.digest.block_id(), length: range.bytes.length() };
        self.lock().done.values().map(block).collect()
    }

    /// Ends a block blob: exactly these ranges one behind the other, synced.
    pub(super) fn seal(&self, folder: &Dir, blocks: &[Range]) -> Result<File, StoreError> {
        let mut length = 0;
        for block in blocks {
            if block.bytes.offset() != length {
                return Err(StoreError::Rejected { status: 400, code: "InvalidBlockList".to_owned() });
            }
            length = block.bytes.end();
        }
        let file = if blocks.is_empty() { self.open(folder, 0)?.0 } else { self.existing(folder)? };
        let missing: Vec<Range> = {
            let state = self.lock();
            blocks.iter().filter(|block| state.done.get(&block.bytes.offset()) != Some(block)).copied().collect()
        };
        missing.iter().try_for_each(|block| self.copy(folder, &file, block))?;
        self.sync(folder, file, length)
    }

    /// Ends a file whose length is known: synced.
    pub(super) fn seal_pages(&self, folder: &Dir) -> Result<File, StoreError> {
        let file = self.existing(folder)?;
        let metadata = file.metadata().map_err(|source| io_failed("looking at", folder.shown(&self.name), source))?;
        self.sync(folder, file, metadata.len())
    }

    fn existing(&self, folder: &Dir) -> Result<File, StoreError> {
        if self.lock().created { folder.write(&self.name) } else { Err(StoreError::BlockMissing) }
    }

    fn sync(&self, folder: &Dir, file: File, length: u64) -> Result<File, StoreError> {
        file.set_len(length)
            .and_then(|()| file.sync_data())
            .map_err(|source| io_failed("syncing", folder.shown(&self.name), source))?;
        Ok(file)
    }

    /// A block that was written at another place only: the list may name one content at several places, as on Azure.
    fn copy(&self, folder: &Dir, file: &File, block: &Range) -> Result<(), StoreError> {
        let same = |range: &&Range| range.digest == block.digest && range.bytes.length() == block.bytes.length();
        let source = self.lock().done.values().find(same).copied().ok_or(StoreError::BlockMissing)?;
        let mut body = vec![0; index(source.bytes.length())];
        file.read_exact_at(&mut body, source.bytes.offset())
            .map_err(|source| io_failed("reading", folder.shown(&self.name), source))?;
        if Digest::of(&body) != block.digest {
            return Err(StoreError::BlockMissing);
        }
        self.write(folder, block, &body)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a place that is written to.
#[derive(Clone, Copy)]
enum Before {
    /// Nothing was ever written there.
    Hole,
    /// Something may have been.
    Unknown,
}

impl Before {
    /// Whether zeros need not be written: zeros are what is read there.
    fn is_zero(self, file: &File, offset: u64, length: usize) -> io::Result<bool> {
        if matches!(self, Self::Hole) {
            return Ok(true);
        }
        let mut there = vec![0; length];
        match file.read_exact_at(&mut there, offset) {
            Ok(()) => Ok(there.iter().all(|byte| *byte == 0)),
            // beyond its end, or across it: it is written rather than guessed
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Writes what is not zero, and zeros where something else is, in runs of whole pieces; pieces lie at multiples of [`PIECE`] in the file.
fn write_sparse(file: &File, body: &[u8], offset: u64, before: Before) -> io::Result<()> {
    let (mut rest, mut place) = (body, offset);
    let (mut run, mut run_place): (&[u8], u64) = (&body[..0], offset);
    while !rest.is_empty() {
        let length = index(PIECE - place % PIECE).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        if piece.iter().all(|byte| *byte == 0) && before.is_zero(file, place, length)? {
            file.write_all_at(run, run_place)?;
            (run, run_place) = (&behind[..0], place + length as u64);
        } else {
            // the run and the piece lie side by side in the body
            let begin = index(run_place - offset);
            run = body.get(begin..begin + run.len() + length).unwrap_or_default();
        }
        (rest, place) = (behind, place + length as u64);
    }
    file.write_all_at(run, run_place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read as _;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn zeros_stay_holes() {
        let mut file = tempfile::tempfile().unwrap();
        let mut body = vec![0; 8 << 20];
        body[5 << 20] = 1;
        write_sparse(&file, &body, 4_096, Before::Hole).unwrap();
        file.set_len(body.len() as u64 + 4_096).unwrap();
        assert!(file.metadata().unwrap().blocks() * 512 <= 2 * PIECE);
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert!(read[4_096..] == body && read[..4_096].iter().all(|byte| *byte == 0));
    }

    proptest! {
        #[test]
        fn any_mix_of_zeros_replaces_what_was_there(
            runs in prop::collection::vec((0_u8..3, 1_usize..100_000), 1..8), offset in 0_u64..200_000, old in 0_u64..500_000
        ) {
            let body: Vec<u8> = runs.iter().flat_map(|(byte, length)| std::iter::repeat_n(*byte, *length)).collect();
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&vec![7; index(old)], 0).unwrap();
            write_sparse(&file, &body, offset, Before::Unknown).unwrap();
            file.set_len(offset + body.len() as u64).unwrap();
            let mut read = vec![9; body.len()];
            file.read_exact_at(&mut read, offset).unwrap();
            prop_assert!(read == body);
        }

        #[test]
        fn any_mix_of_zeros_comes_back(runs in prop::collection::vec((0_u8..3, 1_usize..100_000), 1..8), offset in 0_u64..200_000) {
            let body: Vec<u8> = runs.iter().flat_map(|(byte, length)| std::iter::repeat_n(*byte, *length)).collect();
            let file = tempfile::tempfile().unwrap();
            write_sparse(&file, &body, offset, Before::Hole).unwrap();
            file.set_len(offset + body.len() as u64).unwrap();
            let mut read = vec![9; body.len()];
            file.read_exact_at(&mut read, offset).unwrap();
            prop_assert!(read == body);
        }
    }
}
