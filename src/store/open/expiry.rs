//! When a shared access signature ends: `se` of its query, and `ske`, the end of the delegated key that signed it.
//!
//! In goes the token as it is configured, out comes the earlier of the two. A token that names neither (its end is in a policy of the
//! account), or names it in no form of the service, tells nothing: that is for the service to judge.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;

/// The end of a token, if it tells.
pub(super) fn end_of(token: &str) -> Option<Timestamp> {
    let decoded = percent_decode_str(token).decode_utf8().ok()?;
    let pairs = decoded.trim().trim_start_matches('?').split('&').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, _)| matches!(*key, "se" | "ske")).filter_map(|(_, value)| moment(value)).min()
}

/// ISO 8601 as the service takes it, in UTC: a date, or a date with hours and minutes, also with seconds.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let date: Date = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_read_in_every_form_of_the_service() {
        let cases = [
            ("sv=2022-11-02&se=2026-03-01T04%3A05%3A06Z&sr=c&sig=hush", Some("2026-03-01T04:05:06Z")),
            ("?se=2026-03-01T04:05:06Z", Some("2026-03-01T04:05:06Z")),
            ("se=2026-03-01T04:05Z", Some("2026-03-01T04:05:00Z")),
            ("se=2026-03-01", Some("2026-03-01T00:00:00Z")),
            ("se=2026-03-01T04:05:06.1234567Z", Some("2026-03-01T04:05:06.1234567Z")),
            ("ske=2026-02-01T00:00:00Z&se=2026-03-01T04:05:06Z", Some("2026-02-01T00:00:00Z")),
            ("ske=2026-04-01T00:00:00Z&se=2026-03-01T04:05:06Z", Some("2026-03-01T04:05:06Z")),
            ("sv=2022-11-02&si=policy&sig=hush", None),
            ("se=tomorrow", None),
            ("se=", None),
            ("st=2026-03-01&sse=2026-03-01", None),
            ("%ff", None),
            ("", None),
        ];
        for (token, end) in cases {
            assert_eq!(end_of(token), end.map(|end| end.parse().unwrap()), "{token}");
        }
    }
}
