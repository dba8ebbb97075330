//! Statements over many rows at once: a row alone costs many times what it costs among others.
//!
//! Rows go in pieces of 64, 8 and 1, so that a handful of statements, prepared once, serve every number of rows.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};

const PIECES: [usize; 3] = [64, 8, 1];

/// A value of a row.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(i64),
    Text(Arc<str>),
    Bytes(Vec<u8>),
}

impl From<u64> for Value {
    /// Entries, ranges and chunks are below what a file can hold.
    fn from(number: u64) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        Self::Text(Arc::clone(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// A statement with a list in it: `head`, the list, `tail`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Listed {
    pub(super) head: &'static str,
    pub(super) tail: &'static str,
    /// Placeholders before the list.
    pub(super) fixed: usize,
    /// Values of one row; rows of several stand in brackets.
    pub(super) columns: usize,
}

/// Texts made once: the parts are constants of this program, the rest are numbers of placeholders.
#[derive(Default)]
pub(super) struct Statements(HashMap<(Listed, usize), Arc<str>>);

impl Statements {
    fn text(&mut self, listed: Listed, rows: usize) -> Arc<str> {
        Arc::clone(self.0.entry((listed, rows)).or_insert_with(|| write_out(listed, rows).into()))
    }

    /// Runs a statement over all rows.
    pub(super) async fn run(&mut self, on: &mut AnyConnection, listed: Listed, values: Values<'_>) -> Result<(), sqlx::Error> {
        for piece in values.pieces(listed) {
            let text = self.text(listed, piece.len() / listed.columns);
            let query = bind(sqlx::query(AssertSqlSafe(text)), values.fixed.iter().chain(piece));
            query.execute(&mut *on).await?;
        }
        Ok(())
    }

    /// Asks for all rows.
    pub(super) async fn ask(
        &mut self,
        on: &mut AnyConnection,
        listed: Listed,
        values: Values<'_>,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        let mut found = Vec::new();
        for piece in values.pieces(listed) {
            let text = self.text(listed, piece.len() / listed.columns);
            let query = bind(sqlx::query(AssertSqlSafe(text)), values.fixed.iter().chain(piece));
            found.extend(query.fetch_all(&mut *on).await?);
        }
        Ok(found)
    }
}

/// The values of a statement: those before the list, and those of its rows one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) fixed: &'a [Value],
    pub(super) rows: &'a [Value],
}

impl<'a> Values<'a> {
    fn pieces(self, listed: Listed) -> impl Iterator<Item = &'a [Value]> {
        let mut rest = self.rows;
        std::iter::from_fn(move || {
            let rows = rest.len() / listed.columns;
            let piece = PIECES.into_iter().find(|piece| *piece <= rows)?;
            let (these, others) = rest.split_at(piece * listed.columns);
            rest = others;
            Some(these)
        })
    }
}

type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

fn bind<'v>(query: Query, values: impl Iterator<Item = &'v Value>) -> Query {
    values.fold(query, |query, value| match value {
        Value::Number(number) => query.bind(*number),
        Value::Text(text) => query.bind(text.to_string()),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    })
}

fn write_out(listed: Listed, rows: usize) -> String {
    let mut text = listed.head.to_owned();
    let (open, close) = if listed.columns > 1 { ("(", ")") } else { ("", "") };
    let mut next = listed.fixed + 1;
    for row in 0..rows {
        text.push_str(if row == 0 { "" } else { ", " });
        text.push_str(open);
        for column in 0..listed.columns {
            // writing to a String cannot fail
            let _ = write!(text, "{}${next}", if column == 0 { "" } else { ", " });
            next += 1;
        }
        text.push_str(close);
    }
    text.push_str(listed.tail);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_through() {
        let insert = Listed { head: "INSERT INTO t (a, b) VALUES ", tail: " ON CONFLICT DO NOTHING", fixed: 0, columns: 2 };
        assert_eq!(write_out(insert, 2), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING");
        let delete = Listed { head: "DELETE FROM t WHERE s = $1 AND e IN (", tail: ")", fixed: 1, columns: 1 };
        assert_eq!(write_out(delete, 3), "DELETE FROM t WHERE s = $1 AND e IN ($2, $3, $4)");
    }

    #[test]
    fn every_row_is_in_one_piece() {
        let listed = Listed { head: "", tail: "", fixed: 0, columns: 2 };
        let rows: Vec<Value> = (0..2 * 147_u64).map(Value::from).collect();
        let sizes: Vec<usize> = Values { fixed: &[], rows: &rows }.pieces(listed).map(|piece| piece.len() / 2).collect();
        assert_eq!(sizes, [64, 64, 8, 8, 1, 1, 1]);
    }
}
