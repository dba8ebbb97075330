//! What the requests to one account know together of whether it answers: an outage is one story, not one for each request.
//!
//! In go the failures and answers of all requests; out comes whose turn it is to ask. While the store is known to be down, one request
//! at a time tries it and the others wait, each no longer than it would have tried by itself; the turn passes on after each failure, so
//! that a single request with bad luck does not stand for the store. The first request that keeps failing is told to the operator once,
//! and so is the first answer after it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Failures of one request in a row, with no answer to any other in between, after which the store is taken for down.
const DOWN: u32 = 3;

/// What is known of one account.
pub(super) struct Outage {
    account: String,
    /// How long a request tries, for the operator.
    patience: Duration,
    health: Mutex<Health>,
    down: watch::Sender<bool>,
    probe: tokio::sync::Mutex<()>,
}

/// The right to ask while the store is down. It lasts until it is dropped.
pub(super) struct Turn<'a>(#[allow(dead_code, reason = "held for its drop")] tokio::sync::MutexGuard<'a, ()>);

/// Failures of one request in a row.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u32,
    since: Option<Instant>,
    /// The answers to all requests when the first of these failed.
    answers: u64,
}

/// The store as its requests see it. Pure: times are passed in.
#[derive(Debug, Default)]
struct Health {
    answers: u64,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    since: Instant,
    failures: u32,
}

impl Health {
    /// A request was not answered, or with "later". Whether the store is to be taken for down from now on.
    fn failed(&mut self, request: &mut Failures, now: Instant) -> bool {
        if request.answers != self.answers || request.since.is_none() {
            *request = Failures { count: 0, since: Some(now), answers: self.answers };
        }
        request.count = request.count.saturating_add(1);
        if let Some(down) = &mut self.down {
            down.failures = down.failures.saturating_add(1);
            return false;
        }
        let begins = request.count >= DOWN;
        if begins {
            self.down = Some(Down { since: request.since.unwrap_or(now), failures: request.count });
        }
        begins
    }

    /// A request was answered. How long the store was down, if this ends it.
    fn answered(&mut self, now: Instant) -> Option<Duration> {
        self.answers += 1;
        Some(now.saturating_duration_since(self.down.take()?.since))
    }
}

impl Outage {
    /// Nothing is known yet.
    pub(super) fn new(account: &str, patience: Duration) -> Self {
        let down = watch::Sender::new(false);
        Self { account: account.to_owned(), patience, health: Mutex::default(), down, probe: tokio::sync::Mutex::default() }
    }

    /// Waits until this request may ask: at once while the store answers (without a turn: all may), by turns while it is down. At the
    /// end of its patience each may ask once more.
    pub(super) async fn turn(&self, patience: Duration) -> Option<Turn<'_>> {
        let mut down = self.down.subscribe();
        let turn = async {
            tokio::select! {
                biased;
                _ = down.wait_for(|down| !down) => None,
                turn = self.probe.lock() => Some(Turn(turn)),
            }
        };
        timeout(patience, turn).await.ok().flatten()
    }

    /// A request was not answered, or with "later"; `last` is what came. How many in a row were, since the store is down.
    pub(super) fn failed(&self, request: &mut Failures, last: &str) -> u32 {
        let mut health = self.health();
        if health.failed(request, Instant::now()) {
            self.down.send_replace(true);
            let (account, seconds) = (&self.account, self.patience.as_secs());
            tracing::warn!(
                code = last,
                "the store does not answer; the drives of account {account} pause, waiting up to {seconds} s"
            );
        }
        health.down.as_ref().map_or(0, |down| down.failures)
    }

    /// A request was answered, whatever the answer says.
    pub(super) fn answered(&self) {
        let mut health = self.health();
        if let Some(lasted) = health.answered(Instant::now()) {
            self.down.send_replace(false);
            let (account, seconds) = (&self.account, lasted.as_secs());
            tracing::info!("the store answers again after {seconds} s; the drives of account {account} go on");
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_mins(5);

    #[test]
    fn the_third_failure_in_a_row_begins_an_outage_and_the_first_answer_ends_it() {
        let (mut health, begun) = (Health::default(), Instant::now());
        let (mut one, mut two) = (Failures::default(), Failures::default());
        assert!(!health.failed(&mut one, begun));
        assert!(!health.failed(&mut two, begun + SECOND));
        assert!(!health.failed(&mut one, begun + SECOND * 2));
        assert!(!health.failed(&mut two, begun + SECOND * 3), "two requests with two failures each");
        assert!(health.failed(&mut one, begun + SECOND * 4));
        for second in 5..50 {
            let request = if second % 2 == 0 { &mut one } else { &mut two };
            assert!(!health.failed(request, begun + SECOND * second), "the story is told once");
        }
        assert_eq!(health.down.as_ref().unwrap().failures, 48);
        assert_eq!(health.answered(begun + SECOND * 60), Some(SECOND * 60), "from the first failure of the one that told");
        assert_eq!(health.answered(begun + SECOND * 61), None);
        assert!(!health.failed(&mut one, begun + SECOND * 70), "a new story begins from nothing");
        assert!(!health.failed(&mut one, begun + SECOND * 71));
        assert!(health.failed(&mut one, begun + SECOND * 72));
        assert_eq!(health.answered(begun + SECOND * 75), Some(SECOND * 5));
    }

    #[test]
    fn a_single_request_that_fails_among_others_is_no_outage() {
        let (mut health, mut unlucky, now) = (Health::default(), Failures::default(), Instant::now());
        for _ in 0..100 {
            assert!(!health.failed(&mut unlucky, now));
            assert!(!health.failed(&mut unlucky, now));
            assert_eq!(health.answered(now), None);
        }
    }

    fn down() -> Outage {
        let (outage, mut request) = (Outage::new("acct", LONG), Failures::default());
        assert_eq!([(); 3].map(|()| outage.failed(&mut request, "503")), [0, 0, 3]);
        outage
    }

    #[tokio::test]
    async fn while_the_store_answers_nobody_waits() {
        let outage = Outage::new("acct", LONG);
        outage.failed(&mut Failures::default(), "503");
        assert!(outage.turn(LONG).await.is_none());
        assert!(outage.turn(Duration::ZERO).await.is_none());
    }

    #[tokio::test]
    async fn while_it_is_down_one_asks_and_the_others_wait_for_their_turn() {
        let outage = down();
        let first = outage.turn(LONG).await;
        assert!(first.is_some());
        let mut others = [Box::pin(outage.turn(LONG)), Box::pin(outage.turn(LONG))];
        assert!(others.iter_mut().all(|other| other.now_or_never().is_none()));
        drop(first);
        let [second, third] = &mut others;
        assert!(third.now_or_never().is_none(), "the one that waits longer goes first");
        let turn = second.await;
        assert!(turn.is_some() && third.now_or_never().is_none());
        outage.answered();
        assert!(third.await.is_none(), "all may ask, though the turn has not been given back");
        assert!(outage.turn(LONG).await.is_none());
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_with_its_turn_passes_it_on() {
        let outage = down();
        let mut holder = Box::pin(async {
            let _turn = outage.turn(LONG).await;
            std::future::pending::<()>().await;
        });
        assert!(holder.as_mut().now_or_never().is_none());
        let mut next = Box::pin(outage.turn(LONG));
        assert!(next.as_mut().now_or_never().is_none());
        drop(holder);
        assert!(next.await.is_some());
    }

    #[tokio::test]
    async fn at_the_end_of_its_patience_a_request_asks_without_a_turn() {
        let outage = down();
        let _turn = outage.turn(LONG).await;
        assert!(outage.turn(Duration::from_millis(1)).await.is_none());
    }
}
