//! What one transaction has to do: the net effect of the writes it takes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::ledger::db::op::{EndedRow, IntentRow, Key, Note, Op, Queued, Waiter};
use crate::manifest::EntryNumber;

/// Who waits, and the place of its claim among the batch's claims if that is what it waits for.
pub(super) type Waiters = Vec<(Option<Waiter>, Option<usize>)>;

#[derive(Default)]
pub(super) struct Batch {
    pub(super) stages: Vec<StageRow>,
    pub(super) claims: Vec<ClaimRow>,
    /// In the order of their ids, so that two writers take what they share in the same order.
    pub(super) sessions: BTreeMap<Arc<str>, Changes>,
    pub(super) forgotten: Vec<Arc<str>>,
    /// How many of the claims came before an entry's end.
    ends: HashMap<Key, usize>,
}

/// Changes of a session's row, in order.
pub(super) enum StageRow {
    Stage { session: Arc<str>, stage: String, code: Option<String>, cause: Option<String>, at: i64 },
    Note { session: Arc<str>, note: Note, at: i64 },
}

pub(super) struct ClaimRow {
    pub(super) key: Key,
    pub(super) store_url: Arc<str>,
    pub(super) path: Arc<str>,
    pub(super) at: i64,
    /// The entry ended behind it: nobody waits for the claim any more.
    pub(super) over: bool,
}

/// What changes of one session's entries.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) ended: BTreeMap<EntryNumber, EndedRow>,
    /// `None`: the intent goes.
    pub(super) intents: BTreeMap<EntryNumber, Option<IntentRow>>,
    pub(super) cleared: Vec<EntryNumber>,
    /// First, count, and whether the store has them; in order.
    pub(super) acknowledged: Vec<(u64, u64, bool)>,
    pub(super) bytes: u64,
}

impl Batch {
    pub(super) fn of(taken: Vec<Queued>) -> (Self, Waiters) {
        let mut batch = Self::default();
        let waiters = taken.into_iter().map(|queued| (queued.waiter, batch.add(queued.op))).collect();
        batch.end_claims();
        (batch, waiters)
    }

    /// Nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.claims.is_empty() && self.sessions.is_empty()
    }

    fn of_session(&mut self, session: Arc<str>) -> &mut Changes {
        self.sessions.entry(session).or_default()
    }

    fn add(&mut self, op: Op) -> Option<usize> {
        match op {
            Op::Stage { session, stage, code, cause, at } => {
                self.stages.push(StageRow::Stage { session, stage, code, cause, at });
            }
            Op::Note { session, note, at } => self.stages.push(StageRow::Note { session, note, at }),
            Op::Claim { key, store_url, path, at } => {
                self.claims.push(ClaimRow { key, store_url, path, at, over: false });
                return Some(self.claims.len() - 1);
            }
            Op::Cleared(Key { session, entry }) => self.of_session(session).cleared.push(entry),
            Op::Intend(Key { session, entry }, row) => {
                self.of_session(session).intents.insert(entry, Some(row));
            }
            Op::Ended(key, row) => {
                self.ends.insert(key.clone(), self.claims.len());
                let Key { session, entry } = key;
                let changes = self.of_session(session);
                changes.intents.insert(entry, None);
                changes.ended.insert(entry, row);
            }
            Op::Acknowledge { session, runs, taken } => {
                self.of_session(session).acknowledged.extend(runs.into_iter().map(|(first, count)| (first, count, taken)));
            }
            Op::Advance { session, bytes } => {
                let changes = self.of_session(session);
                changes.bytes = changes.bytes.saturating_add(bytes);
            }
            Op::Forget(session) => self.forgotten.push(session),
            Op::Flush => {}
        }
        None
    }

    /// A caller that was dropped while it waited for a claim may have ended its entry since.
    fn end_claims(&mut self) {
        for (place, claim) in self.claims.iter_mut().enumerate() {
            claim.over = self.ends.get(&claim.key).is_some_and(|claims_before| place < *claims_before);
        }
    }
}
