//! Bodies that are certain to come are hashed together, nobody waits for ever, and nothing is lost without being told.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::transfer::Budget;

const SHARE: u64 = 4096;

async fn body(budget: &Budget, bytes: &'static [u8]) -> Body {
    let share = budget.reserve(SHARE).await.unwrap().cut(SHARE).unwrap();
    Body { bytes: Bytes::from_static(bytes), share }
}

/// A queue with bodies of these lengths.
async fn queue(lengths: &[usize], coming: usize) -> Queue {
    let budget = Budget::new(SHARE * 1000);
    let mut queue = Queue { coming, ..Queue::default() };
    for &length in lengths {
        let share = budget.reserve(SHARE).await.unwrap().cut(SHARE).unwrap();
        let body = Body { bytes: Bytes::from(vec![0; length]), share };
        queue.push(Waiting { body, answer: oneshot::channel().0 });
    }
    queue
}

/// How many bodies the next batch has.
fn next(queue: &mut Queue) -> Option<usize> {
    queue.next(2).map(|batch| batch.len())
}

#[tokio::test]
async fn what_is_there_is_taken_when_nothing_more_is_coming() {
    assert_eq!(next(&mut queue(&[], 0).await), None);
    assert_eq!(next(&mut queue(&[100], 0).await), Some(1));
    assert_eq!(next(&mut queue(&[100; 5], 0).await), Some(5));
    assert_eq!(next(&mut queue(&[100; 15], 1).await), None);
}

#[tokio::test]
async fn a_batch_that_fills_the_lanes_waits_for_nobody() {
    assert_eq!(next(&mut queue(&[100; 16], 1).await), Some(16));
    let mut lengths = vec![100; 16];
    lengths[3] = 900;
    assert_eq!(next(&mut queue(&lengths, 1).await), None, "fifteen lanes would be empty most of the time");
    lengths.extend([100; 200]);
    assert_eq!(next(&mut queue(&lengths, 1).await), Some(MOST_BODIES));
}

#[tokio::test]
async fn a_batch_has_no_more_bytes_than_the_largest_ranges_in_all_lanes() {
    let mut queue = queue(&[4 << 20; 20], 1).await;
    assert_eq!(next(&mut queue), Some(16));
    assert_eq!(next(&mut queue), None, "four are left and one is coming");
    queue.coming = 0;
    assert_eq!(next(&mut queue), Some(4));
    assert_eq!(queue.bytes, 0);
}

#[tokio::test]
async fn no_more_batches_are_under_way_than_there_are_cores() {
    let mut queue = queue(&[100; 200], 0).await;
    assert_eq!((next(&mut queue), next(&mut queue), next(&mut queue)), (Some(64), Some(64), None));
    queue.running -= 1;
    assert_eq!(next(&mut queue), Some(64));
}

#[tokio::test]
async fn each_gets_its_own_digest_and_all_that_were_coming_are_one_batch() {
    static SIZES: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    fn counting(bodies: &[&[u8]]) -> Vec<Digest> {
        SIZES.lock().unwrap().push(bodies.len());
        Digest::of_many(bodies)
    }
    let texts: [&[u8]; 4] = [b"north", b"east", b"south", b"west"];
    let (budget, runtime) = (Budget::new(1 << 20), Handle::current());
    let hasher = Hasher { of_many: counting, ..Hasher::new(2) };
    let coming = texts.map(|_| hasher.coming(&runtime));
    let mut asked = Vec::new();
    for (text, coming) in texts.into_iter().zip(coming) {
        let (hasher, body) = (hasher.clone(), body(&budget, text).await);
        asked.push(tokio::spawn(async move { hasher.digest(body, Some(coming)).await }));
    }
    for (text, asked) in texts.into_iter().zip(asked) {
        let (body, digest) = asked.await.unwrap().unwrap();
        assert_eq!((&*body.bytes, digest), (text, Digest::of(text)));
    }
    assert_eq!(*SIZES.lock().unwrap(), [4]);
    assert_eq!(budget.free(), budget.bytes());
}

#[tokio::test]
async fn a_body_that_is_announced_and_never_comes_does_not_stop_the_others() {
    let (budget, hasher) = (Budget::new(1 << 20), Hasher::new(1));
    let _never = hasher.coming(&Handle::current());
    let (_, digest) = hasher.digest(body(&budget, b"waits").await, None).await.unwrap();
    assert_eq!(digest, Digest::of(b"waits"));
}

#[tokio::test]
async fn a_panic_is_told_gives_the_share_back_and_frees_the_core() {
    static FIRST: AtomicBool = AtomicBool::new(true);
    fn breaking(bodies: &[&[u8]]) -> Vec<Digest> {
        assert!(!FIRST.swap(false, Ordering::Relaxed), "breaks off");
        Digest::of_many(bodies)
    }
    let budget = Budget::new(1 << 20);
    let hasher = Hasher { of_many: breaking, ..Hasher::new(1) };
    assert_eq!(hasher.digest(body(&budget, b"lost").await, None).await.unwrap_err(), HashingLost);
    let (body, digest) = hasher.digest(body(&budget, b"found").await, None).await.unwrap();
    assert_eq!(digest, Digest::of(b"found"));
    drop(body);
    assert_eq!(budget.free(), budget.bytes());
}

#[tokio::test]
async fn who_stops_waiting_leaves_nothing_behind() {
    let (budget, hasher) = (Budget::new(1 << 20), Hasher::new(1));
    let held = hasher.coming(&Handle::current());
    let asked = {
        let (hasher, body) = (hasher.clone(), body(&budget, b"nobody asks any more").await);
        tokio::spawn(async move { hasher.digest(body, None).await })
    };
    while hasher.queue().waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    assert_eq!(budget.free(), budget.bytes() - SHARE, "the body still has its share");
    drop(held);
    // on the only core, so behind the batch that dropped it
    let last = hasher.digest(body(&budget, b"last").await, None).await.unwrap();
    assert_eq!(last.1, Digest::of(b"last"));
    drop(last);
    assert_eq!(budget.free(), budget.bytes());
}

#[test]
fn a_runtime_that_ends_leaves_nothing_behind() {
    let (budget, hasher) = (Budget::new(1 << 20), Hasher::new(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let held = hasher.coming(runtime.handle());
    let (hashing, body) = (hasher.clone(), runtime.block_on(body(&budget, b"too late")));
    let asked = runtime.spawn(async move { hashing.digest(body, None).await });
    runtime.block_on(tokio::task::yield_now());
    assert_eq!(hasher.queue().waiting.len(), 1);
    drop((runtime, asked));
    drop(held);
    let queue = hasher.queue();
    assert_eq!((queue.waiting.len(), queue.coming, queue.running), (0, 0, 0));
    assert_eq!(budget.free(), budget.bytes());
}
