//! The suite in memory, the dry run and the store that fails.

use std::sync::Arc;

use dockside::manifest::{Attributes, Digest};
use dockside::store::failing::{FailingStore, Fault};
use dockside::store::{Condition, DryRun, ETag, Intended, MemoryStore, NameRules, PageEnd, Store, StoreError};

use crate::store_suite::{Suite, attributes, filled, path, range, target};

#[tokio::test]
async fn memory_keeps_every_promise() {
    let store = Arc::new(MemoryStore::new());
    let reader = Arc::clone(&store);
    let read = move |path| {
        let content = reader.content(&path).unwrap();
        Box::pin(async move { content }) as futures_util::future::BoxFuture<'static, Vec<u8>>
    };
    let again = Arc::clone(&store);
    let reopen = Box::new(move || Arc::clone(&again) as Arc<dyn Store>);
    Suite { store, reopen, read: Box::new(read), refuses_backslash: false }.run().await;
}

/// Every write of the trait, in an order that a real store would take.
async fn write_everything(store: &dyn Store, seen: &ETag) -> Result<(), StoreError> {
    let container = "cust".parse().unwrap();
    store.create_container(&container).await?;
    let body = filled(1, 512);
    let (one, two, three) = (target("cust/one", 1), target("cust/two", 2), target("cust/three", 3));
    store.put(&one, body.clone(), &Digest::of(&body), &attributes(), &Condition::Absent).await?;
    store.stage(&two, &range(0, &body), body.clone()).await?;
    store.commit(&two, &[range(0, &body)], &attributes(), &Condition::Absent).await?;
    store.create_pages(&three, 512, &attributes(), &Condition::Absent).await?;
    store.write_pages(&three, &range(0, &body), body).await?;
    store.finish_pages(&three, &attributes(), &Condition::Absent, PageEnd::Complete).await?;
    store.discard(&three).await?;
    store.sync(&three).await?;
    store.delete(&path("cust/old"), seen).await
}

#[tokio::test]
async fn a_dry_run_reads_and_never_writes() {
    let memory = Arc::new(MemoryStore::new());
    let container = "cust".parse().unwrap();
    memory.create_container(&container).await.unwrap();
    let body = filled(9, 3);
    let old = target("cust/old", 9);
    let etag = memory.put(&old, body.clone(), &Digest::of(&body), &Attributes::default(), &Condition::Absent).await.unwrap().etag;
    let counted = Arc::new(FailingStore::new(memory.clone(), u64::MAX, Fault::Before, || StoreError::WriteRefused));
    let dry = DryRun::before(counted.clone());
    write_everything(&dry, &etag).await.unwrap();
    assert_eq!((counted.calls(), memory.names()), (0, vec!["cust/old".to_owned()]));
    assert_eq!(dry.head(&old.path).await.unwrap(), memory.head(&old.path).await.unwrap());
    assert_eq!(dry.list(&container, None).await.unwrap().blobs.len(), 1);
    assert_eq!(dry.read(&old.path, 3).await.unwrap().unwrap().1, body);
    assert_eq!(counted.calls(), 3);
    // where nothing is written nothing was begun: even what taking up and finding out may tidy stays as it is
    let done = Intended::Whole { length: 3, md5: Digest::of(&body) };
    assert_eq!(dry.carried_out(&old, &done, &Attributes::default(), &Condition::Absent).await.unwrap(), None);
    assert_eq!(dry.take_up(&old, &[range(0, &body)], &[true]).await.unwrap(), [false]);
    assert_eq!(dry.take_up_pages(&old, 512).await.unwrap(), None);
    dry.clear_foreign(&target("cust/new", 10)).await.unwrap();
    assert_eq!((counted.calls(), memory.names().len()), (3, 1));
    let other = "other".parse().unwrap();
    assert!(!dry.container_exists(&other).await.unwrap());
    dry.create_container(&other).await.unwrap();
    assert!(dry.container_exists(&other).await.unwrap() && dry.list(&other, None).await.unwrap().blobs.is_empty());
    assert!(!memory.container_exists(&other).await.unwrap());
    let offline = DryRun::offline("azure://acct".to_owned(), NameRules::Any);
    write_everything(&offline, &etag).await.unwrap();
    assert!(offline.container_exists(&"any".parse().unwrap()).await.unwrap());
    assert_eq!(offline.head(&old.path).await.unwrap(), None);
}

#[tokio::test]
async fn a_failing_store_fails_once_at_its_call() {
    for fault in [Fault::Before, Fault::After] {
        let mut calls = 0;
        loop {
            let memory = Arc::new(MemoryStore::new());
            memory.create_container(&"cust".parse().unwrap()).await.unwrap();
            let body = filled(9, 3);
            let (old, none) = (target("cust/old", 9), Attributes::default());
            let etag = memory.put(&old, body.clone(), &Digest::of(&body), &none, &Condition::Any).await.unwrap().etag;
            let store = FailingStore::new(memory, calls, fault, || StoreError::NoSpace);
            match write_everything(&store, &etag).await {
                Ok(()) => break,
                Err(StoreError::NoSpace) => assert_eq!(store.calls(), calls + 1),
                Err(other) => panic!("{other:?}"),
            }
            calls += 1;
        }
        assert_eq!(calls, 10);
    }
}
