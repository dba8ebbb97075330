//! Bitmaps of entries and ranges: read once, changed in memory, written where they changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::Row as _;

use super::Work;
use crate::ledger::db::bits::{Bits, CHUNK};
use crate::ledger::db::rows::{Listed, Value, Values};

/// Chunks remembered between two batches: 8 MiB of bits, which covers 64 million entries.
const MOST: usize = 16_384;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Table {
    Results,
    Acknowledged,
}

impl Table {
    fn read(self) -> Listed {
        let head = match self {
            Self::Results => "SELECT chunk, bits FROM results WHERE session = $1 AND chunk IN (",
            Self::Acknowledged => "SELECT chunk, bits FROM acknowledged WHERE session = $1 AND chunk IN (",
        };
        Listed { head, tail: ")", fixed: 1, columns: 1 }
    }

    fn write(self) -> Listed {
        let head = match self {
            Self::Results => "INSERT INTO results (session, chunk, bits) VALUES ",
            Self::Acknowledged => "INSERT INTO acknowledged (session, chunk, bits) VALUES ",
        };
        let tail = " ON CONFLICT (session, chunk) DO UPDATE SET bits = excluded.bits";
        Listed { head, tail, fixed: 0, columns: 3 }
    }
}

/// Chunks as they are in the database.
#[derive(Default)]
pub(super) struct BitCache {
    chunks: HashMap<Arc<str>, HashMap<(Table, u64), Bits>>,
}

impl BitCache {
    pub(super) fn forget(&mut self, session: &str) {
        self.chunks.remove(session);
    }

    /// Between two batches: keeps the memory bounded.
    pub(super) fn bound(&mut self) {
        if self.chunks.values().map(HashMap::len).sum::<usize>() > MOST {
            self.chunks.clear();
        }
    }
}

impl Work<'_> {
    /// Puts numbers in or out of a session's set.
    pub(super) async fn put(
        &mut self,
        table: Table,
        session: &Arc<str>,
        numbers: impl Iterator<Item = (u64, bool)>,
    ) -> Result<(), sqlx::Error> {
        let mut by_chunk: BTreeMap<u64, Vec<(u64, bool)>> = BTreeMap::new();
        numbers.for_each(|(number, is_in)| by_chunk.entry(number / CHUNK).or_default().push((number, is_in)));
        self.load(table, session, by_chunk.keys().copied()).await?;
        let known = self.bits.chunks.entry(Arc::clone(session)).or_default();
        let mut rows = Vec::new();
        for (chunk, numbers) in by_chunk {
            let bits = known.entry((table, chunk)).or_insert_with(|| Bits::none(chunk));
            let changed = numbers.into_iter().fold(false, |changed, (number, is_in)| bits.put(number, is_in) || changed);
            if changed {
                rows.extend([Value::from(session), Value::from(chunk), Value::Bytes(bits.to_bytes())]);
            }
        }
        self.statements.run(self.on, table.write(), Values { fixed: &[], rows: &rows }).await
    }

    async fn load(&mut self, table: Table, session: &Arc<str>, chunks: impl Iterator<Item = u64>) -> Result<(), sqlx::Error> {
        let known = self.bits.chunks.entry(Arc::clone(session)).or_default();
        let missing: Vec<Value> = chunks.filter(|chunk| !known.contains_key(&(table, *chunk))).map(Value::from).collect();
        let values = Values { fixed: &[Value::from(session)], rows: &missing };
        for row in self.statements.ask(self.on, table.read(), values).await? {
            let chunk = u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(u64::MAX);
            let bits = Bits::from_bytes(chunk, row.try_get::<&[u8], _>(1)?);
            // never written over: what it said would be lost
            let bits = bits.ok_or_else(|| sqlx::Error::Protocol("a bitmap has not 512 bytes".to_owned()))?;
            known.insert((table, chunk), bits);
        }
        Ok(())
    }
}
