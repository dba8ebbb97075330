//! Entries: what is about to be written, and how they ended.

use std::sync::Arc;

use super::Work;
use super::batch::Changes;
use super::bits::Table;
use crate::ledger::db::rows::{Listed, Value, Values};

const NO_INTENT: Listed =
    Listed { head: "DELETE FROM intents WHERE session = $1 AND entry IN (", tail: ")", fixed: 1, columns: 1 };
const INTENT: Listed = Listed {
    head: "INSERT INTO intents (session, entry, path, condition, attributes, outcome, begun) VALUES ",
    tail: " ON CONFLICT (session, entry) DO UPDATE SET path = excluded.path, condition = excluded.condition, \
           attributes = excluded.attributes, outcome = excluded.outcome, begun = excluded.begun",
    fixed: 0,
    columns: 7,
};
const NO_EXCEPTION: Listed =
    Listed { head: "DELETE FROM exceptions WHERE session = $1 AND entry IN (", tail: ")", fixed: 1, columns: 1 };
const EXCEPTION: Listed = Listed {
    head: "INSERT INTO exceptions (session, entry, outcome, ranges) VALUES ",
    tail: " ON CONFLICT (session, entry) DO UPDATE SET outcome = excluded.outcome, ranges = excluded.ranges",
    fixed: 0,
    columns: 4,
};
const CLEARED: Listed =
    Listed { head: "UPDATE claims SET cleared = 1 WHERE session = $1 AND entry IN (", tail: ")", fixed: 1, columns: 1 };

impl Work<'_> {
    /// Ends entries, and gives their intents and claims back.
    pub(super) async fn ended(&mut self, session: &Arc<str>, changes: &Changes) -> Result<(), sqlx::Error> {
        let fixed = [Value::from(session)];
        let of_session = |rows| Values { fixed: &fixed, rows };
        let gone: Vec<Value> = changes.intents.iter().filter(|(_, row)| row.is_none()).map(|(e, _)| Value::from(*e)).collect();
        self.statements.run(self.on, NO_INTENT, of_session(&gone)).await?;
        self.release(session, changes.ended.keys().copied()).await?;
        let plain = changes.ended.iter().filter(|(_, row)| row.exception.is_none());
        let plain: Vec<Value> = plain.map(|(entry, _)| Value::from(*entry)).collect();
        self.statements.run(self.on, NO_EXCEPTION, of_session(&plain)).await?;
        self.exceptions(session, changes).await?;
        let bits = changes.ended.iter().map(|(entry, row)| (*entry, row.exception.is_none()));
        self.put(Table::Results, session, bits).await
    }

    async fn exceptions(&mut self, session: &Arc<str>, changes: &Changes) -> Result<(), sqlx::Error> {
        let mut rows = Vec::new();
        for (entry, row) in &changes.ended {
            if let Some((outcome, ranges)) = &row.exception {
                rows.extend([Value::from(session), Value::from(*entry), outcome.clone().into(), ranges.clone().into()]);
            }
        }
        self.statements.run(self.on, EXCEPTION, Values { fixed: &[], rows: &rows }).await
    }

    /// Everything else of a session's entries.
    pub(super) async fn intended(&mut self, session: &Arc<str>, changes: &Changes) -> Result<(), sqlx::Error> {
        let cleared: Vec<Value> = changes.cleared.iter().map(|entry| Value::from(*entry)).collect();
        self.statements.run(self.on, CLEARED, Values { fixed: &[Value::from(session)], rows: &cleared }).await?;
        let mut rows = Vec::new();
        for (entry, row) in changes.intents.iter().filter_map(|(entry, row)| Some((entry, row.as_ref()?))) {
            rows.extend([Value::from(session), Value::from(*entry), row.path.clone().into(), row.condition.clone().into()]);
            rows.extend([row.attributes.clone().into(), row.outcome.clone().into(), Value::Number(row.begun)]);
        }
        self.statements.run(self.on, INTENT, Values { fixed: &[], rows: &rows }).await?;
        let run = |(first, count, taken): &(u64, u64, bool)| {
            let taken = *taken;
            (*first..first.saturating_add(*count)).map(move |range| (range, taken))
        };
        self.put(Table::Acknowledged, session, changes.acknowledged.iter().flat_map(run)).await?;
        if changes.bytes == 0 {
            return Ok(());
        }
        let advance = sqlx::query("UPDATE sessions SET done_bytes = done_bytes + $1 WHERE id = $2");
        let bytes = i64::try_from(changes.bytes).unwrap_or(i64::MAX);
        advance.bind(bytes).bind(session.to_string()).execute(&mut *self.on).await.map(drop)
    }
}
