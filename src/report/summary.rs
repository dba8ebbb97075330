//! What an operator reads at the end of a drive: status, counts, time, where the log and the receipt are; or cause and remedy.

use std::fmt;
use std::time::Duration;

use super::human::{self, Align, Table};
use super::{DriveCode, PerOutcome, Receipt, Stopped};
use crate::foreign::Shown;

/// Exceptions shown; the receipt and the log have all.
const SHOWN_FAILURES: usize = 10;

/// A receipt for a person. `Display` writes several lines; text from the drive is escaped.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    receipt: &'a Receipt,
    places: &'a [(&'a str, String)],
}

impl<'a> Summary<'a> {
    /// The summary of a receipt, and where things are: (`"error log"`, path or URL).
    pub fn new(receipt: &'a Receipt, places: &'a [(&'a str, String)]) -> Self {
        Self { receipt, places }
    }

    fn took(&self) -> Duration {
        Duration::try_from(self.receipt.finished.duration_since(self.receipt.started)).unwrap_or_default()
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Receipt { session, status, verified, .. } = self.receipt;
        writeln!(f, "drive {} of job {}: {status}", session.drive_id, Shown(&session.job))?;
        if self.receipt.manifest.is_some() {
            write!(f, "{}", outcomes(&self.receipt.counts, &self.receipt.bytes))?;
            let took = self.took();
            let speed = u32::try_from(took.as_millis().max(1)).map_or(0.0, |millis| per_second(verified.bytes, millis));
            let (ranges, bytes) = (human::nouns(verified.ranges, "range", "ranges"), human::bytes(verified.bytes));
            writeln!(f, "  {ranges} ({bytes}) matched the manifest, in {} ({})", human::duration(took), human::rate(speed))?;
            failures(self.receipt, f)?;
        }
        if !self.receipt.read_errors.is_empty() {
            let ranges = human::nouns(self.receipt.read_errors.len() as u64, "range", "ranges");
            writeln!(f, "  the disk could not give {ranges}")?;
        }
        let mut places = Table::new(&[Align::Left, Align::Left], 2);
        for (what, place) in self.places {
            places.row([format!("{what}:"), place.clone()]);
        }
        write!(f, "{places}")?;
        if *status == DriveCode::Completed {
            return Ok(());
        }
        advice(status.cause(), status.remedy(), f)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leaves = self.status.parse::<DriveCode>().map_or(String::new(), |code| format!(" ({})", code.leaves()));
        writeln!(f, "{}: {}{leaves}", self.source, Shown(&self.status))?;
        advice(&self.cause, &self.remedy, f)
    }
}

/// Cause and remedy; further lines of a cause are indented.
fn advice(cause: &str, remedy: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (label, text) in [("cause: ", cause), ("remedy:", remedy)] {
        for (index, line) in text.lines().enumerate() {
            let label = if index == 0 { label } else { "       " };
            writeln!(f, "  {label} {line}")?;
        }
    }
    Ok(())
}

/// One row for each outcome that occurred, and the sum.
fn outcomes(counts: &PerOutcome, bytes: &PerOutcome) -> Table {
    let rows = [
        ("created", counts.created, bytes.created),
        ("renamed", counts.renamed, bytes.renamed),
        ("skipped", counts.skipped, bytes.skipped),
        ("overwritten", counts.overwritten, bytes.overwritten),
        ("failed", counts.failed, bytes.failed),
    ];
    let mut table = Table::new(&[Align::Left, Align::Right, Align::Right], 2);
    for (name, count, bytes) in rows.into_iter().filter(|(_, count, _)| *count > 0) {
        table.row([name.to_owned(), human::count(count), human::bytes(bytes)]);
    }
    table.row(["entries".to_owned(), human::count(counts.total()), human::bytes(bytes.total())]);
    table
}

/// The first entries that failed, one line each.
fn failures(receipt: &Receipt, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let failed = || receipt.exceptions.iter().filter(|exception| exception.status != "Completed");
    for exception in failed().take(SHOWN_FAILURES) {
        writeln!(f, "  {}: {}: {}", exception.blob_path, Shown(&exception.status), Shown(&exception.detail))?;
    }
    let rest = receipt.counts.failed.saturating_sub(failed().take(SHOWN_FAILURES).count() as u64);
    if rest > 0 {
        writeln!(f, "  and {} more: see the error log", human::count(rest))?;
    }
    Ok(())
}

/// Speed, for showing.
#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
fn per_second(bytes: u64, millis: u32) -> f64 {
    bytes as f64 * 1_000.0 / f64::from(millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::receipt::tests::full;
    use crate::report::{DriveFacts, Receipt};

    #[test]
    fn a_person_reads_numbers_places_and_what_to_do() {
        let places = [("error log", "/state/x_error.xml".to_owned()), ("receipt", "/state/x_receipt.json".to_owned())];
        let text = Summary::new(&full(), &places).to_string();
        let expected = [
            "drive ZX10K7742 of job gulf-survey: CompletedWithErrors",
            "  created  1    512 B",
            "  renamed  1    512 B",
            "  failed   1    512 B",
            "  entries  3  1.5 KiB",
            "  2 ranges (1.0 KiB) matched the manifest, in 53 min 52 s (0 B/s)",
            "  survey/a\\u{202e}.las: FileNotFound: No such folder.",
            "  the disk could not give 1 range",
            "  error log:  /state/x_error.xml",
            "  receipt:    /state/x_receipt.json",
            "  cause:  Some entries, or parts of them, could not be stored; all others are.",
        ];
        assert_eq!(text.lines().take(expected.len()).collect::<Vec<_>>(), expected);
        assert_eq!(text.lines().count(), expected.len() + 1);
    }

    #[test]
    fn a_long_list_of_failures_is_cut() {
        let mut receipt = full();
        let failed = receipt.exceptions[1].clone();
        receipt.exceptions = vec![failed; 15];
        receipt.counts.failed = 12_000;
        let text = Summary::new(&receipt, &[]).to_string();
        assert_eq!(text.matches("FileNotFound").count(), SHOWN_FAILURES);
        assert!(text.contains("  and 11,990 more: see the error log\n"), "{text}");
    }

    #[test]
    fn a_drive_refused_before_its_manifest_has_no_numbers() {
        let Receipt { session, started, finished, .. } = full();
        let receipt = Receipt::before_entries(session, DriveCode::VolumeNotNtfs, DriveFacts::default(), started, finished);
        let text = Summary::new(&receipt, &[]).to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("  remedy: The customer formats"), "{text}");
    }

    #[test]
    fn a_stopped_drive_is_told_with_every_line_of_its_cause() {
        let cause = "2 findings\nline 3: gap".to_owned();
        let text = Stopped::with_code("a\u{1b}.img".into(), DriveCode::ManifestFormatInvalid, Some(cause)).to_string();
        assert!(
            text.starts_with("a\\u{1b}.img: ManifestFormatInvalid (refused)\n  cause:  2 findings\n          line 3: gap\n"),
            "{text}"
        );
        let broken = Stopped::interrupted("a.img".into(), "the store is down".to_owned(), "Run again.".to_owned());
        assert_eq!(broken.to_string(), "a.img: Interrupted\n  cause:  the store is down\n  remedy: Run again.\n");
    }
}
