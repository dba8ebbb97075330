//! Claims on paths: whose turn it is to write there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::Row as _;

use super::Work;
use super::batch::ClaimRow;
use crate::ledger::db::op::{Claimed, Key};
use crate::ledger::db::rows::{Listed, Value, Values};
use crate::manifest::EntryNumber;

const HOLDERS: Listed = Listed {
    head: "SELECT path, session, entry FROM claims WHERE store_url = $1 AND path IN (",
    tail: ")",
    fixed: 1,
    columns: 1,
};
const RELEASE: Listed = Listed { head: "DELETE FROM claims WHERE session = $1 AND entry IN (", tail: ")", fixed: 1, columns: 1 };
const TAKE: Listed = Listed {
    head: "INSERT INTO claims (store_url, path, session, entry, begun, cleared) VALUES ",
    tail: "",
    fixed: 0,
    columns: 6,
};

/// The claims of one store while a batch's are decided.
#[derive(Default)]
struct Decided<'a> {
    holders: HashMap<Arc<str>, Key>,
    new: BTreeMap<Key, &'a ClaimRow>,
}

impl<'a> Decided<'a> {
    fn decide(&mut self, claim: &'a ClaimRow) -> Claimed {
        match self.holders.get(&claim.path) {
            Some(holder) if *holder != claim.key => Claimed::Other { session: holder.session.to_string(), entry: holder.entry },
            Some(_) => {
                // a claim on another path that was made since is given up; this very one is kept
                if self.new.get(&claim.key).is_some_and(|newer| newer.path != claim.path) {
                    self.give_up(&claim.key);
                }
                Claimed::Ours
            }
            None => {
                self.give_up(&claim.key);
                self.holders.insert(Arc::clone(&claim.path), claim.key.clone());
                self.new.insert(claim.key.clone(), claim);
                Claimed::Ours
            }
        }
    }

    fn give_up(&mut self, key: &Key) {
        if let Some(old) = self.new.remove(key) {
            self.holders.remove(&old.path);
        }
    }
}

impl Work<'_> {
    /// Gives back what ended entries held.
    pub(super) async fn release(
        &mut self,
        session: &Arc<str>,
        entries: impl Iterator<Item = EntryNumber>,
    ) -> Result<(), sqlx::Error> {
        let rows: Vec<Value> = entries.map(Value::from).collect();
        self.statements.run(self.on, RELEASE, Values { fixed: &[Value::from(session)], rows: &rows }).await
    }

    /// Decides the claims in their order. The answers come in the same order.
    pub(super) async fn claims(&mut self, claims: &[ClaimRow]) -> Result<Vec<Claimed>, sqlx::Error> {
        let mut stores: BTreeMap<&Arc<str>, Decided<'_>> = BTreeMap::new();
        for claim in claims {
            stores.entry(&claim.store_url).or_default();
        }
        for (store, decided) in &mut stores {
            let of_this = claims.iter().filter(|claim| claim.store_url == **store);
            let paths: Vec<Value> = of_this.map(|claim| Value::from(&claim.path)).collect();
            let values = Values { fixed: &[Value::from(*store)], rows: &paths };
            for row in self.statements.ask(self.on, HOLDERS, values).await? {
                let session: Arc<str> = row.try_get::<&str, _>(1)?.into();
                let entry = u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(u64::MAX);
                decided.holders.insert(row.try_get::<&str, _>(0)?.into(), Key { session, entry });
            }
        }
        let mut answers = Vec::with_capacity(claims.len());
        for claim in claims {
            let decided = stores.get_mut(&claim.store_url).filter(|_| !claim.over);
            answers.push(decided.map_or(Claimed::Ours, |decided| decided.decide(claim)));
        }
        for decided in stores.into_values() {
            self.take(&decided.new).await?;
        }
        Ok(answers)
    }

    /// Writes new claims; each entry's old one goes.
    async fn take(&mut self, new: &BTreeMap<Key, &ClaimRow>) -> Result<(), sqlx::Error> {
        let mut sessions: BTreeMap<&Arc<str>, Vec<EntryNumber>> = BTreeMap::new();
        for key in new.keys() {
            sessions.entry(&key.session).or_default().push(key.entry);
        }
        for (session, entries) in sessions {
            self.release(session, entries.into_iter()).await?;
        }
        let rows: Vec<Value> = new.values().flat_map(|claim| row(claim)).collect();
        self.statements.run(self.on, TAKE, Values { fixed: &[], rows: &rows }).await
    }
}

fn row(claim: &ClaimRow) -> [Value; 6] {
    [
        Value::from(&claim.store_url),
        Value::from(&claim.path),
        Value::from(&claim.key.session),
        Value::from(claim.key.entry),
        Value::Number(claim.at),
        Value::Number(0),
    ]
}
