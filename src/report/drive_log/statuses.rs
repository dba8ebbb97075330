//! The recorded ends of an entry's ranges, fetched in chunks: memory does not depend on how many there are.

use crate::ledger::{LedgerError, RangeStatus, Records};
use crate::manifest::Entry;

/// Ranges asked for at once.
const CHUNK: u64 = 4_096;

/// How each range of an entry ended, in order; `None` where nothing is recorded. Ends after an error.
pub struct Statuses<'a> {
    records: &'a dyn Records,
    next: u64,
    left: u64,
    chunk: std::vec::IntoIter<Option<RangeStatus>>,
}

impl<'a> Statuses<'a> {
    /// The ranges of this entry.
    pub fn of(records: &'a dyn Records, entry: &Entry) -> Self {
        Self { records, next: entry.first_range, left: entry.range_count, chunk: Vec::new().into_iter() }
    }

    fn fetch(&mut self) -> Result<(), LedgerError> {
        let count = self.left.min(CHUNK);
        let mut chunk = self.records.ranges(self.next, usize::try_from(count).unwrap_or(usize::MAX))?;
        // records that answer less know nothing of the rest
        chunk.resize(usize::try_from(count).unwrap_or(usize::MAX), None);
        self.next = self.next.saturating_add(count);
        self.left -= count;
        self.chunk = chunk.into_iter();
        Ok(())
    }
}

impl Iterator for Statuses<'_> {
    type Item = Result<Option<RangeStatus>, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.chunk.len() == 0
            && self.left > 0
            && let Err(error) = self.fetch()
        {
            self.left = 0;
            return Some(Err(error));
        }
        self.chunk.next().map(Ok)
    }
}

impl std::fmt::Debug for Statuses<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statuses").field("next", &self.next).field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::block_blob;
    use super::*;
    use crate::ledger::{EntryOutcome, NameDecision};
    use crate::manifest::EntryNumber;

    /// Says `Completed` of every even range below the limit, and fails beyond `broken`.
    struct Even {
        limit: u64,
        broken: u64,
    }

    impl Records for Even {
        fn set_name(&self, _: EntryNumber, _: &NameDecision) -> Result<(), LedgerError> {
            Ok(())
        }

        fn name(&self, _: EntryNumber) -> Result<Option<NameDecision>, LedgerError> {
            Ok(None)
        }

        fn set_range(&self, _: u64, _: RangeStatus) -> Result<(), LedgerError> {
            Ok(())
        }

        fn ranges(&self, first: u64, count: usize) -> Result<Vec<Option<RangeStatus>>, LedgerError> {
            assert!(count as u64 <= CHUNK);
            if first >= self.broken {
                let source = std::io::ErrorKind::UnexpectedEof.into();
                return Err(LedgerError::Scratch { action: "reading", path: "ranges".to_owned(), source });
            }
            let end = self.limit.min(first + count as u64);
            Ok((first..end).map(|range| (range % 2 == 0).then_some(RangeStatus::Completed)).collect())
        }

        fn set_outcome(&self, _: &Entry, _: &EntryOutcome) -> Result<(), LedgerError> {
            Ok(())
        }

        fn outcome(&self, _: EntryNumber) -> Result<Option<EntryOutcome>, LedgerError> {
            Ok(None)
        }
    }

    #[test]
    fn every_range_has_an_answer_across_chunks() {
        let entry = Entry { first_range: 3, range_count: 9_000, ..block_blob("c/a", r"\a", 1) };
        let records = Even { limit: 8_900, broken: u64::MAX };
        let found: Vec<_> = Statuses::of(&records, &entry).map(Result::unwrap).collect();
        assert_eq!(found.len(), 9_000);
        assert_eq!(found.iter().flatten().count(), 4_448);
        assert_eq!((found[0], found[1]), (None, Some(RangeStatus::Completed)));
    }

    #[test]
    fn an_error_is_the_last_answer() {
        let entry = Entry { first_range: 0, range_count: 9_000, ..block_blob("c/a", r"\a", 1) };
        let found: Vec<_> = Statuses::of(&Even { limit: u64::MAX, broken: 4_096 }, &entry).collect();
        assert_eq!(found.len(), 4_097);
        assert!(found.last().is_some_and(Result::is_err));
    }
}
