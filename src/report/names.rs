//! Names of the blobs that tell about a drive: `waies/<job>_<driveid>_<timestamp>_<kind>`, in the job's diagnostics place.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::drive::DriveId;

/// The folder of all reports in the diagnostics place.
const FOLDER: &str = "waies";

/// The moment in the name of a log, fixed before it is composed so that a repeated report replaces itself.
/// `Display` writes `yyyyMMdd-HHmmss-fff` in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(Timestamp);

impl Stamp {
    /// This moment.
    pub fn now() -> Self {
        Self(Timestamp::now())
    }

    /// The moment itself.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Stamp {
    fn from(moment: Timestamp) -> Self {
        Self(moment)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = TimeZone::UTC.to_datetime(self.0);
        let (year, month, day) = (utc.year(), utc.month(), utc.day());
        let (hour, minute, second, milli) = (utc.hour(), utc.minute(), utc.second(), utc.millisecond());
        write!(f, "{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{milli:03}")
    }
}

/// The names of one drive's reports, as blobs (`waies/…`) and as files (the last segment).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogNames(String);

impl LogNames {
    /// Names for a job (by the rules for job names), a drive and a moment.
    pub fn new(job: &str, drive: &DriveId, stamp: Stamp) -> Self {
        Self(format!("{FOLDER}/{job}_{drive}_{stamp}"))
    }

    /// The error log.
    pub fn error(&self) -> String {
        format!("{}_error.xml", self.0)
    }

    /// The verbose log.
    pub fn verbose(&self) -> String {
        format!("{}_verbose.xml", self.0)
    }

    /// The copy of the drive's manifest.
    pub fn manifest(&self) -> String {
        format!("{}_manifest.xml", self.0)
    }

    /// The receipt.
    pub fn receipt(&self) -> String {
        format!("{}_receipt.json", self.0)
    }

    /// The blob that says whose a session is.
    pub fn session(job: &str, drive: &DriveId, session: &str) -> String {
        format!("{FOLDER}/{job}_{drive}_{session}_session.json")
    }

    /// The last segment of such a name: the file in the state folder.
    pub fn file_name(blob_name: &str) -> &str {
        blob_name.rsplit_once('/').map_or(blob_name, |(_, file)| file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_published_pattern() {
        let moment: Timestamp = "2013-10-04T13:40:02.5079+02:00".parse().unwrap();
        let names = LogNames::new("gulf-survey", &"ZX10K7742".parse().unwrap(), moment.into());
        assert_eq!(names.error(), "waies/gulf-survey_ZX10K7742_20131004-114002-507_error.xml");
        assert_eq!(names.verbose(), "waies/gulf-survey_ZX10K7742_20131004-114002-507_verbose.xml");
        assert_eq!(names.manifest(), "waies/gulf-survey_ZX10K7742_20131004-114002-507_manifest.xml");
        let receipt = names.receipt();
        assert_eq!(LogNames::file_name(&receipt), "gulf-survey_ZX10K7742_20131004-114002-507_receipt.json");
    }

    #[test]
    fn every_part_has_its_width() {
        let moment: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(Stamp::from(moment).to_string(), "20260102-030405-000");
    }
}
