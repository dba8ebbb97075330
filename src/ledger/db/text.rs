//! Outcomes, conditions and the statuses of ranges as text, the same for every database; legible to who looks into one.

use std::fmt::Write as _;

use crate::ledger::{EntryOutcome, RangeStatus};
use crate::manifest::{Attributes, BlobPath};
use crate::store::{Condition, ETag};

pub(super) fn outcome_to_text(outcome: &EntryOutcome) -> String {
    // words, texts and numbers: there is nothing that JSON could refuse, and an empty text is refused when read
    serde_json::to_string(outcome).unwrap_or_default()
}

pub(super) fn outcome_from_text(text: &str) -> Result<EntryOutcome, String> {
    serde_json::from_str(text).map_err(|error| format!("has no outcome ({error})"))
}

pub(super) fn attributes_to_text(attributes: &Attributes) -> String {
    // as for an outcome
    serde_json::to_string(attributes).unwrap_or_default()
}

pub(super) fn attributes_from_text(text: &str) -> Result<Attributes, String> {
    serde_json::from_str(text).map_err(|error| format!("has no attributes ({error})"))
}

/// Runs as `Completed*3,Corrupted*1`.
pub(super) fn ranges_to_text(ranges: &[(RangeStatus, u64)]) -> String {
    let mut text = String::with_capacity(ranges.len() * 16);
    for (status, count) in ranges {
        let comma = if text.is_empty() { "" } else { "," };
        // writing to a String cannot fail
        let _ = write!(text, "{comma}{}*{count}", status.as_str());
    }
    text
}

pub(super) fn ranges_from_text(text: &str) -> Result<Vec<(RangeStatus, u64)>, String> {
    let runs = text.split(',').filter(|run| !run.is_empty());
    runs.map(|run| {
        let (word, count) = run.split_once('*')?;
        let status = RangeStatus::ALL.iter().find(|status| status.as_str() == word)?;
        Some((*status, count.parse().ok()?))
    })
    .collect::<Option<Vec<_>>>()
    .ok_or_else(|| "has no statuses of ranges".to_owned())
}

const ABSENT: &str = "absent";
const ANY: &str = "any";
const MATCHES: &str = "etag:";

pub(super) fn condition_to_text(condition: &Condition) -> String {
    match condition {
        Condition::Absent => ABSENT.to_owned(),
        Condition::Any => ANY.to_owned(),
        Condition::Matches(etag) => format!("{MATCHES}{etag}"),
    }
}

pub(super) fn condition_from_text(text: &str) -> Result<Condition, String> {
    match text {
        ABSENT => Ok(Condition::Absent),
        ANY => Ok(Condition::Any),
        other => {
            let etag = other.strip_prefix(MATCHES).ok_or_else(|| "has no condition".to_owned())?;
            Ok(Condition::Matches(ETag(etag.to_owned())))
        }
    }
}

/// A path to the letter: its `Display` is for people.
pub(super) fn path_to_text(path: &BlobPath) -> String {
    format!("{}/{}", path.container(), path.name())
}

pub(super) fn path_from_text(text: &str) -> Result<BlobPath, String> {
    text.parse().map_err(|error| format!("has no path of a blob ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_refused_by_what_is_wrong() {
        assert!(outcome_from_text("").unwrap_err().contains("outcome"));
        assert!(outcome_from_text("{\"status\":\"Completed\"}").unwrap_err().contains("disposition"));
        for text in ["Completed", "Completed*", "Done*3", "Completed*-1", "Completed*3;Failed*1"] {
            assert!(ranges_from_text(text).is_err(), "{text}");
        }
        assert!(condition_from_text("\"0x8D\"").is_err());
        assert!(path_from_text("photos/../x").is_err());
    }

    #[test]
    fn conditions_and_paths_are_kept_to_the_letter() {
        for condition in [Condition::Absent, Condition::Any, Condition::Matches(ETag("\"0x8D, absent\"".to_owned()))] {
            assert_eq!(condition_from_text(&condition_to_text(&condition)), Ok(condition));
        }
        let path = BlobPath::new("photos".parse().unwrap(), "a/\u{200b}b \"c\".jpg").unwrap();
        assert_eq!(path_from_text(&path_to_text(&path)), Ok(path));
    }
}
