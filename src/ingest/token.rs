//! Whether the credential lasts as long as the transfer will, told before hours are spent.
//!
//! In go the end that the credential tells (a signed token does), the bytes ahead and the time; out comes one warning, or none. Nothing
//! is refused: the estimate may be wrong, and the token may be replaced meanwhile.

use std::time::Duration;

use jiff::Timestamp;

use crate::report::human;
use crate::store::Store;

/// Bytes a second that a drive is taken to give: it reads 200 MB/s in a line and less out of it, and several share line and cores.
const RATE: u64 = 100_000_000;

/// Why the credential may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concern {
    /// It has ended already.
    Ended,
    /// It ends before the transfer is estimated to.
    EndsBefore {
        /// How long the transfer will take.
        estimate: Duration,
    },
}

/// Warns if the store's credential ends before so many bytes can be stored.
pub(super) fn warn_if_short(store: &dyn Store, account: &str, bytes: u64) {
    let Some(ends) = store.access_ends() else { return };
    match concern(Timestamp::now(), ends, bytes) {
        None => {}
        Some(Concern::Ended) => tracing::warn!(
            account,
            ends = %ends,
            "the access token has ended: give a new one; the run will be refused or interrupted and can be repeated"
        ),
        Some(Concern::EndsBefore { estimate }) => tracing::warn!(
            account,
            ends = %ends,
            estimate = human::duration(estimate),
            "the access token may end before the transfer does: give one that lasts longer; a run that it interrupts can be repeated"
        ),
    }
}

fn concern(now: Timestamp, ends: Timestamp, bytes: u64) -> Option<Concern> {
    let left = Duration::try_from(now.duration_until(ends)).unwrap_or_default();
    if left.is_zero() {
        return Some(Concern::Ended);
    }
    let estimate = Duration::from_secs(bytes.div_ceil(RATE));
    (estimate > left).then_some(Concern::EndsBefore { estimate })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERABYTE: u64 = 1_000_000_000_000;

    #[test]
    fn a_token_is_compared_with_what_lies_ahead() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let told = |ends: &str, bytes| concern(now, ends.parse().unwrap(), bytes);
        // a terabyte takes 10,000 seconds: 2:46:40
        let estimate = Duration::from_secs(10_000);
        assert_eq!(told("2026-03-01T02:46:40Z", TERABYTE), None);
        assert_eq!(told("2026-03-01T02:46:39Z", TERABYTE), Some(Concern::EndsBefore { estimate }));
        assert_eq!(told("2026-03-01T00:00:01Z", 0), None);
        assert_eq!(told("2026-03-01T00:00:00Z", 0), Some(Concern::Ended));
        assert_eq!(told("2001-01-01T00:00:00Z", TERABYTE), Some(Concern::Ended));
        assert_eq!(told("9999-12-30T00:00:00Z", u64::MAX), None);
        assert!(matches!(told("2100-01-01T00:00:00Z", u64::MAX), Some(Concern::EndsBefore { .. })));
    }
}
