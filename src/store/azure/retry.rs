//! How often, how long and at what distance a request is repeated. Pure but for the dice.

use std::time::{Duration, SystemTime};

/// Bounds of the repetition of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all.
    pub attempts: u32,
    /// Time from the first attempt after which no other is begun.
    pub total: Duration,
    /// Upper bound of the first pause; doubled with each attempt.
    pub first_pause: Duration,
    /// Upper bound of any pause of our own choice.
    pub longest_pause: Duration,
    /// Time that an attempt has apart from its body.
    pub attempt: Duration,
    /// Bytes per second below which a line is taken for dead.
    pub slowest: u32,
}

impl Default for RetryPolicy {
    /// A store that restarts is back within minutes; one that is away for longer is for the operator.
    fn default() -> Self {
        Self {
            attempts: 12,
            total: Duration::from_mins(5),
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
            attempt: Duration::from_secs(30),
            slowest: 128 * 1_024,
        }
    }
}

impl RetryPolicy {
    /// Whether another attempt may follow so many.
    pub(super) fn may_repeat(&self, attempts: u32) -> bool {
        attempts < self.attempts
    }

    /// The pause after so many failures in a row, or `None` if no other attempt shall follow. `asked` is what the store wants at least;
    /// `dice` is from 0 to 1.
    pub(super) fn pause(&self, failures: u32, elapsed: Duration, asked: Option<Duration>, dice: f64) -> Option<Duration> {
        let doubled = self.first_pause.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        // half of it is certain: attempts spread over the time there is, whatever the dice say
        let jittered = doubled.min(self.longest_pause).mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0);
        let pause = asked.map_or(jittered, |asked| asked.saturating_add(jittered));
        (elapsed.saturating_add(pause) < self.total).then_some(pause)
    }

    /// The time one attempt has, by the bytes it carries.
    pub(super) fn bound(&self, bytes: usize) -> Duration {
        let seconds = bytes as u64 / u64::from(self.slowest.max(1));
        self.attempt.saturating_add(Duration::from_secs(seconds))
    }
}

/// What `Retry-After` asks for: seconds, or a date.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_their_bound_and_end() {
        let policy = RetryPolicy { attempts: 9, first_pause: SECOND, longest_pause: SECOND * 10, ..RetryPolicy::default() };
        let pauses: Vec<_> = (1..=6).map(|n| policy.pause(n, Duration::ZERO, None, 1.0).map(|pause| pause.as_secs())).collect();
        assert_eq!(pauses, [Some(1), Some(2), Some(4), Some(8), Some(10), Some(10)]);
        assert!(policy.may_repeat(8) && !policy.may_repeat(9));
        assert_eq!(policy.pause(3, Duration::ZERO, None, 0.0), Some(SECOND * 2), "never below half");
        assert_eq!(policy.pause(3, policy.total, None, 0.0), None);
        assert_eq!(policy.pause(1_000, Duration::ZERO, None, 1.0), Some(SECOND * 10));
    }

    #[test]
    fn the_store_may_ask_for_more_but_not_beyond_the_total() {
        let policy = RetryPolicy { total: SECOND * 60, ..RetryPolicy::default() };
        assert_eq!(policy.pause(1, Duration::ZERO, Some(SECOND * 45), 0.0), Some(SECOND * 45 + policy.first_pause / 2));
        assert_eq!(policy.pause(1, SECOND * 20, Some(SECOND * 45), 0.0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(retry_after(" 7 ", now), Some(SECOND * 7));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(SECOND * 60));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:48:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }

    #[test]
    fn a_large_body_has_more_time() {
        let policy = RetryPolicy { slowest: 1_000_000, attempt: SECOND, ..RetryPolicy::default() };
        assert_eq!(policy.bound(4_000_000), SECOND * 5);
        assert_eq!(RetryPolicy { slowest: 0, ..policy }.bound(0), SECOND);
    }
}
