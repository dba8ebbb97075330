//! The reader: one thread per drive that goes through the plan, opens files, reads ranges and hands them to the entries' tasks.
//!
//! It owns what must be decided in the plan's order: who waits for whom (entries with one name form a chain), how many entries are open,
//! and when the drive is given up. Tasks tell it by events; it never shares state with them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tracing::Instrument as _;

use super::attributes::{SideFiles, Trouble};
use super::budget::{Share, Window};
use super::entry::{self, Context, Event, Feed, Pass, Work};
use super::hashing::Coming;
use super::piece::{Piece, hashed_in_place};
use super::resume::Kept;
use super::whole::Whole;
use super::{Finished, Plan, Transfer, TransferError, open, prepare};
use crate::foreign::Foreign;
use crate::ledger::{BlobStatus, EntryOutcome, RangeStatus};
use crate::manifest::{Entry, EntryNumber, Range};
use crate::volume::fields::index;
use crate::volume::ntfs::NtfsFile;

/// How often it is looked whether the disk of the records has room again.
const SPACE_IS_LOOKED_FOR: Duration = Duration::from_millis(500);
/// Entries in flight for each upload slot: small files need more tasks than requests, since some wait for their commit.
const ENTRIES_PER_SLOT: usize = 4;

/// The reader of one drive.
pub(super) struct Reader {
    context: Context,
    runtime: Handle,
    events: UnboundedReceiver<Event>,
    again: VecDeque<Work>,
    in_flight: HashSet<EntryNumber>,
    most_in_flight: usize,
    window: Option<Window>,
    /// Held while nothing but the disk keeps the next range back.
    coming: Option<Coming>,
    sides: SideFiles,
    /// The file read last: entries that follow each other often share one.
    last: Option<(Foreign, NtfsFile)>,
    trouble: Trouble,
    fatal: Option<TransferError>,
}

impl Reader {
    /// A reader for one transfer; tasks run on `runtime`.
    pub(super) fn new(transfer: Arc<Transfer>, runtime: Handle) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let sides = SideFiles::new(transfer.files.clone(), Arc::clone(&transfer.catalogue), transfer.scratch.join("side-files"));
        let most_in_flight = transfer.host.uploads.most() * ENTRIES_PER_SLOT;
        let context = Context { transfer, events: sender };
        Self {
            context,
            runtime,
            events,
            again: VecDeque::new(),
            in_flight: HashSet::new(),
            most_in_flight,
            window: None,
            coming: None,
            sides,
            last: None,
            trouble: Trouble::default(),
            fatal: None,
        }
    }

    /// Goes through the whole plan. Whatever happens, no task is left behind.
    pub(super) fn run(mut self, plan: Plan) -> Result<Finished, TransferError> {
        let result = self.all(plan);
        while !self.in_flight.is_empty() {
            if let Some(dropped) = self.next_event() {
                self.in_flight.remove(&dropped.entry.number);
            }
        }
        match (self.fatal.take(), result) {
            // what the store or the records said first is the cause of what followed
            (Some(fatal), _) => Err(fatal),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Ok(Finished { given_up: self.given_up() }),
        }
    }

    fn all(&mut self, plan: Plan) -> Result<(), TransferError> {
        for entry in plan {
            self.begin(&entry?)?;
            self.check_stop()?;
        }
        while !self.in_flight.is_empty() {
            if let Some(work) = self.next_event() {
                self.send_again(work)?;
            }
            self.check_stop()?;
        }
        Ok(())
    }

    fn check_stop(&self) -> Result<(), TransferError> {
        if self.fatal.is_some() || self.context.transfer.stop.asked() { Err(TransferError::Stopped) } else { Ok(()) }
    }

    /// One entry of the plan: waits for room and for its place in its chain, then ends it at once or sends its ranges.
    fn begin(&mut self, entry: &Entry) -> Result<(), TransferError> {
        while self.in_flight.len() >= self.most_in_flight {
            self.serve_event()?;
        }
        let number = entry.number;
        if let Some(outcome) = self.context.transfer.records.outcome(number)? {
            // by an earlier run
            self.context.transfer.meter.entry_ended(outcome.status == BlobStatus::Completed);
            return self.pass_over(entry);
        }
        self.wait_for_space()?;
        let name = self.context.transfer.records.name(number)?;
        let name = name.ok_or_else(|| TransferError::Internal(format!("entry {number} has no name decision")))?;
        while name.after.is_some_and(|before| self.in_flight.contains(&before)) {
            self.serve_event()?;
        }
        let transfer = &self.context.transfer;
        let place = match self.runtime.block_on(prepare::place(transfer, entry, &name))? {
            Ok(place) => place,
            Err(outcome) => return self.context.record(entry, &outcome),
        };
        if self.given_up() {
            return self.unread(entry, &prepare::unread(entry, &place));
        }
        let file = match self.open(entry) {
            Ok(file) => file,
            Err(failure) => {
                let outcome = prepare::unopened(&self.context.transfer, entry, &place, failure);
                return self.context.record(entry, &outcome);
            }
        };
        let work = prepare::work(&self.context.transfer, &mut self.sides, entry.clone(), (place, name), file.len());
        match self.runtime.block_on(work)? {
            Err(outcome) => self.context.record(entry, &outcome),
            Ok(work) => {
                self.in_flight.insert(number);
                self.feed(work, file)
            }
        }
    }

    /// While the disk of the records is almost full nothing new is begun; what is under way ends.
    fn wait_for_space(&mut self) -> Result<(), TransferError> {
        if !self.context.transfer.records.short_of_space() {
            return Ok(());
        }
        tracing::warn!("the disk of the state folder is almost full: the drive pauses until there is room");
        (self.window, self.coming) = (None, None);
        while self.context.transfer.records.short_of_space() {
            self.check_stop()?;
            self.runtime.block_on(tokio::time::sleep(SPACE_IS_LOOKED_FOR));
        }
        tracing::info!("there is room in the state folder: the drive goes on");
        Ok(())
    }

    /// The bytes of an entry that has ended count as progress.
    fn pass_over(&self, entry: &Entry) -> Result<(), TransferError> {
        let transfer = &self.context.transfer;
        for range in transfer.catalogue.ranges(entry.first_range, entry.range_count) {
            transfer.meter.bytes_verified(range?.bytes.length());
        }
        Ok(())
    }

    fn open(&mut self, entry: &Entry) -> Result<NtfsFile, open::Failure> {
        if let Some((path, file)) = self.last.take()
            && path == entry.file_path
        {
            return Ok(file);
        }
        let began = Instant::now();
        let file = open::open(&self.context.transfer.files, &entry.file_path).inspect_err(|failure| {
            if failure.disk {
                self.trouble.add(began);
            }
        })?;
        let opening = &mut self.trouble.opening;
        *opening = opening.saturating_add(file.cost());
        if self.overworked() {
            tracing::error!(
                code = "DiskOperationFailed",
                "opening files takes too much work: nothing more is read from the drive"
            );
        }
        Ok(file)
    }

    /// Ends an entry of which nothing is read any more.
    fn unread(&self, entry: &Entry, outcome: &EntryOutcome) -> Result<(), TransferError> {
        for number in entry.first_range..entry.first_range.saturating_add(entry.range_count) {
            self.context.transfer.records.set_range(number, RangeStatus::IOFailed)?;
        }
        self.context.record(entry, outcome)
    }

    /// Sends every range of an entry to a new task of its own.
    fn feed(&mut self, work: Work, mut file: NtfsFile) -> Result<(), TransferError> {
        let (sender, feed) = mpsc::unbounded_channel();
        let entry = work.entry.clone();
        // a check sends nothing, so it passes nothing over
        let kept = if work.pass == Pass::Store { work.kept.clone() } else { Kept::Nothing };
        let counted = work.counted;
        let mut whole = Whole::of(&self.context.transfer, &work);
        self.runtime.spawn(entry::run(self.context.clone(), work, feed).in_current_span());
        let catalogue = Arc::clone(&self.context.transfer.catalogue);
        for (place, range) in (0..).zip(catalogue.ranges(entry.first_range, entry.range_count)) {
            let (number, range) = (entry.first_range + place, range?);
            if kept.has(&self.context.transfer, place, number)? {
                self.context.transfer.records.set_range(number, RangeStatus::Completed)?;
                if !counted {
                    self.context.transfer.meter.bytes_verified(range.bytes.length());
                }
                whole.pass_over();
                continue;
            }
            while let Ok(event) = self.events.try_recv() {
                // entries that want their ranges sent again wait until this one's are
                let work = self.take(event);
                self.again.extend(work);
            }
            self.check_stop()?;
            let (body, share) = self.read(&entry, &mut file, &range)?;
            whole.add(&body);
            let for_hasher = body.is_ok() && !hashed_in_place(range.bytes.length());
            let coming = for_hasher.then(|| self.context.transfer.host.hasher.coming(&self.runtime));
            // a task that has ended early (its blob could not be created) no longer takes ranges: that is its decision
            if sender.send(Feed::Piece(Piece { number, range, body, share, coming })).is_err() {
                break;
            }
        }
        let _ = sender.send(Feed::End(whole.finish()));
        self.last = Some((entry.file_path, file));
        Ok(())
    }

    /// A range's bytes, or why there are none, with its share of the budget.
    fn read(
        &mut self,
        entry: &Entry,
        file: &mut NtfsFile,
        range: &Range,
    ) -> Result<(Result<Bytes, RangeStatus>, Share), TransferError> {
        if range.bytes.end() > file.len() {
            return Ok((Err(RangeStatus::FileUnexpectedEnd), self.share(0)?));
        }
        if self.given_up() {
            return Ok((Err(RangeStatus::IOFailed), self.share(0)?));
        }
        let (offset, length) = (range.bytes.offset(), range.bytes.length());
        let share = self.share(length)?;
        self.coming.get_or_insert_with(|| self.context.transfer.host.hasher.coming(&self.runtime));
        let mut buffer = vec![0; index(length)];
        let began = Instant::now();
        let Err(error) = file.read_at(offset, &mut buffer) else { return Ok((Ok(Bytes::from(buffer)), share)) };
        let code = RangeStatus::IOFailed;
        tracing::warn!(blob = %entry.blob_path, file = %entry.file_path, offset, length, code = code.as_str(), %error, "range cannot be read");
        self.trouble.add(began);
        if self.given_up() {
            tracing::error!(code = "DiskOperationFailed", "too many reads have failed: nothing more is read from the drive");
        }
        Ok((Err(code), share))
    }

    fn given_up(&self) -> bool {
        let limits = &self.context.transfer;
        let (files, sides) = (self.trouble, self.sides.trouble());
        let failing =
            files.count + sides.count >= limits.max_read_errors.max(1) || files.time + sides.time >= limits.max_read_error_time;
        failing || self.overworked()
    }

    /// Whether opening files has taken more work than the drive's size warrants.
    fn overworked(&self) -> bool {
        let work = self.trouble.opening.saturating_add(self.sides.trouble().opening);
        work > self.context.transfer.max_open_work
    }

    /// The budget's share for a range; waits for the next window when the present one is used up.
    fn share(&mut self, bytes: u64) -> Result<Share, TransferError> {
        loop {
            if let Some(share) = self.window.as_mut().and_then(|window| window.cut(bytes)) {
                return Ok(share);
            }
            // give the rest back before waiting for more: two readers that keep theirs could wait for each other for ever
            self.window = None;
            let wanted = self.context.transfer.window.max(bytes);
            let budget = &self.context.transfer.host.budget;
            self.window = budget.try_reserve(wanted);
            if self.window.is_none() {
                self.coming = None;
                let window = self.runtime.block_on(budget.reserve(wanted));
                self.window = Some(window.map_err(|error| TransferError::Internal(error.to_string()))?);
            }
        }
    }

    /// Waits for an event and does what it asks for.
    fn serve_event(&mut self) -> Result<(), TransferError> {
        if let Some(work) = self.next_event() {
            self.send_again(work)?;
        }
        self.check_stop()
    }

    fn next_event(&mut self) -> Option<Work> {
        if let Some(work) = self.again.pop_front() {
            return Some(work);
        }
        // nothing of the window is needed while waiting, and what is in flight may need it; nor will a range come before the wait is over
        self.window = None;
        self.coming = None;
        let event = self.events.blocking_recv()?;
        self.take(event)
    }

    fn take(&mut self, event: Event) -> Option<Work> {
        match event {
            Event::Ended(number) => {
                self.in_flight.remove(&number);
                None
            }
            Event::Fatal(number, error) => {
                self.in_flight.remove(&number);
                self.fatal.get_or_insert(error);
                None
            }
            Event::Again(work) => {
                if self.fatal.is_some() || self.context.transfer.stop.asked() {
                    self.in_flight.remove(&work.entry.number);
                    return None;
                }
                Some(*work)
            }
        }
    }

    /// Sends the ranges of an entry once more. It has kept its place in flight.
    fn send_again(&mut self, work: Work) -> Result<(), TransferError> {
        let number = work.entry.number;
        if self.given_up() {
            self.in_flight.remove(&number);
            return self.unread(&work.entry, &work.failed(BlobStatus::IOFailed, prepare::GIVEN_UP.to_owned()));
        }
        match self.open(&work.entry) {
            Ok(file) => self.feed(work, file),
            Err(failure) => {
                self.in_flight.remove(&number);
                self.context.record(&work.entry, &work.failed(failure.status, failure.why))
            }
        }
    }
}
