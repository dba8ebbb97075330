//! When the next line of progress is due: not sooner than 10 seconds after the last one, and only for 5 % more or after a minute.

use std::time::Duration;

const AT_MOST_EVERY: Duration = Duration::from_secs(10);
const AT_LEAST_EVERY: Duration = Duration::from_mins(1);
const STEP_PERMILLE: u64 = 50;

/// Remembers the last line; knows no clock.
#[derive(Debug, Default)]
pub(super) struct Pace {
    time: Duration,
    permille: u64,
}

impl Pace {
    /// Whether a line is due at this time of the run, with that much done. If so, it counts as written.
    pub(super) fn due(&mut self, time: Duration, permille: u64) -> bool {
        let since = time.saturating_sub(self.time);
        let more = permille.saturating_sub(self.permille);
        let due = since >= AT_MOST_EVERY && (more >= STEP_PERMILLE || since >= AT_LEAST_EVERY);
        if due {
            *self = Self { time, permille };
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_every_ten_seconds_at_most_and_every_minute_at_least() {
        let mut pace = Pace::default();
        let due = [(1, 900), (9, 990), (10, 40), (12, 50), (13, 500), (22, 510), (30, 520), (82, 521), (83, 600), (92, 600)];
        let lines: Vec<_> = due.into_iter().filter(|(time, done)| pace.due(Duration::from_secs(*time), *done)).collect();
        assert_eq!(lines, [(12, 50), (22, 510), (82, 521), (92, 600)]);
    }
}
