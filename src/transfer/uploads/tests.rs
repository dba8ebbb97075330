//! Slots: none is lost or made up, whatever the store says and whoever gives up.

use super::*;

async fn slots(uploads: &Uploads, store: &Busy, count: usize) -> Vec<Slot> {
    let mut slots = Vec::new();
    for _ in 0..count {
        slots.push(uploads.slot(store.clone()).await.unwrap());
    }
    slots
}

/// Whether a slot can be had at once.
async fn is_free(uploads: &Uploads, store: &Busy) -> bool {
    let slot = uploads.slot(store.clone());
    tokio::select! { biased; slot = slot => slot.is_some(), () = tokio::task::yield_now() => false }
}

#[tokio::test]
async fn slots_come_back_when_they_are_dropped() {
    let (uploads, store) = (Uploads::new(8), Busy::default());
    let held = slots(&uploads, &store, 4).await;
    assert_eq!((uploads.limit(), uploads.held()), (4, 4));
    assert!(!is_free(&uploads, &store).await, "the fifth of four");
    drop(held);
    assert_eq!((uploads.limit(), uploads.held()), (4, 0));
    assert!(is_free(&uploads, &store).await);
}

#[tokio::test]
async fn one_that_gives_up_waiting_takes_nothing() {
    let (uploads, store) = (Uploads::new(1), Busy::default());
    let held = uploads.slot(store.clone()).await.unwrap();
    let waiting = tokio::spawn({
        let (uploads, store) = (uploads.clone(), store.clone());
        async move { uploads.slot(store.clone()).await.is_some() }
    });
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    drop(held);
    assert_eq!((uploads.limit(), uploads.held()), (1, 0));
    assert!(is_free(&uploads, &store).await);
}

#[tokio::test]
async fn a_busy_store_gets_half_at_once_and_nobody_gets_a_slot_above_that() {
    let (uploads, store) = (Uploads::new(16), Busy::default());
    let mut held = slots(&uploads, &store, 8).await;
    (0..3).for_each(|_| store.said());
    held.pop();
    assert_eq!((uploads.limit(), uploads.held()), (4, 7));
    for left in [6, 5, 4] {
        held.pop();
        assert_eq!((uploads.limit(), uploads.held()), (4, left), "each of them heard of the same burst");
        assert!(!is_free(&uploads, &store).await);
    }
    held.pop();
    assert!(is_free(&uploads, &store).await);
    drop(held);
    assert_eq!((uploads.limit(), uploads.held()), (4, 0));
    drop(slots(&uploads, &store, 4).await);
    assert_eq!(uploads.limit(), 4, "what was said before they began is no news");
}

#[tokio::test]
async fn free_places_go_too_when_the_limit_is_halved() {
    let (uploads, store) = (Uploads::new(16), Busy::default());
    let held = uploads.slot(store.clone()).await.unwrap();
    store.said();
    drop(held);
    assert_eq!((uploads.limit(), uploads.held()), (4, 0));
    let held = slots(&uploads, &store, 4).await;
    assert!(!is_free(&uploads, &store).await);
    drop(held);
}

#[tokio::test]
async fn the_limit_climbs_to_the_most_while_drives_wait_and_answers_come() {
    let (uploads, store) = (Uploads::new(6), Busy::default());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (uploads, store) = (uploads.clone(), store.clone());
        tasks.spawn(async move {
            let slot = uploads.slot(store.clone()).await.unwrap();
            tokio::task::yield_now().await;
            assert!(uploads.held() <= uploads.limit());
            drop(slot);
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!((uploads.limit(), uploads.held()), (6, 0));
    let held = slots(&uploads, &store, 6).await;
    assert!(!is_free(&uploads, &store).await);
    drop(held);
}
