//! A session's row: its stage and what was learned of it.

use super::Work;
use super::batch::StageRow;
use crate::ledger::db::history;
use crate::ledger::db::op::Note;

impl Work<'_> {
    /// In order.
    pub(super) async fn stages(&mut self, rows: &[StageRow]) -> Result<(), sqlx::Error> {
        for row in rows {
            match row {
                StageRow::Stage { session, stage, code, cause, at } => {
                    let change = history::Change { stage, code: code.as_deref(), cause: cause.as_deref(), at: *at };
                    history::set_stage(self.on, session, &change).await?;
                }
                StageRow::Note { session, note, at } => self.note(session, *note, *at).await?,
            }
        }
        Ok(())
    }

    async fn note(&mut self, session: &str, note: Note, at: i64) -> Result<(), sqlx::Error> {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let query = match note {
            Note::Stamp(stamp) => sqlx::query("UPDATE sessions SET stamp = $1, updated = $2 WHERE id = $3").bind(stamp),
            Note::NamesSettled(settled) => {
                sqlx::query("UPDATE sessions SET names_settled = $1, updated = $2 WHERE id = $3").bind(i64::from(settled))
            }
            Note::Manifest { entries, ranges, bytes } => {
                sqlx::query("UPDATE sessions SET entries = $1, ranges = $2, bytes = $3, updated = $4 WHERE id = $5")
                    .bind(number(entries))
                    .bind(number(ranges))
                    .bind(number(bytes))
            }
        };
        query.bind(at).bind(session.to_owned()).execute(&mut *self.on).await.map(drop)
    }
}
