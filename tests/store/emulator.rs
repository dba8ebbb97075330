//! The suite on Azurite, and how its blobs look to another client.

use std::sync::Arc;

use dockside::manifest::{Attributes, BlobPath, Digest};
use dockside::store::{Condition, Credentials, Intended, PageEnd, Store, StoreConfig, StoreError, StoreUrl, open};
use futures_util::future::BoxFuture;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::path::Path;
use object_store::{Attribute, MultipartUpload as _, ObjectStoreExt as _};

use crate::azurite::{ACCOUNT, Azurite};
use crate::store_suite::{Suite, attributes, filled, path, range, target};

fn config(azurite: &Azurite) -> StoreConfig {
    let pairs = azurite.settings().into_iter().map(|(key, value)| (key, value.into())).collect();
    let url = StoreUrl::parse(&format!("azure://{ACCOUNT}")).unwrap();
    StoreConfig { account: ACCOUNT.to_owned(), url, endpoint: None, credentials: Credentials::Given(pairs) }
}

/// Another client of the same container, which needs the emulator's key: `object_store` knows it.
fn other_client(azurite: &Azurite, container: &str) -> MicrosoftAzure {
    let emulator = MicrosoftAzureBuilder::new().with_use_emulator(true).with_container_name(container).build().unwrap();
    MicrosoftAzureBuilder::new()
        .with_account(ACCOUNT)
        .with_credentials(Arc::clone(emulator.credentials()))
        .with_endpoint(format!("{}/{ACCOUNT}", azurite.url()))
        .with_allow_http(true)
        .with_container_name(container)
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_emulator_keeps_every_promise() {
    let Some(azurite) = Azurite::start() else { return };
    let azurite = Arc::new(azurite);
    let store = open(&config(&azurite), 4).unwrap();
    let reader = Arc::clone(&azurite);
    let read = move |path: BlobPath| {
        let client = other_client(&reader, path.container().as_str());
        Box::pin(async move {
            let blob = client.get(&Path::parse(path.name()).unwrap()).await.unwrap();
            blob.bytes().await.unwrap().to_vec()
        }) as BoxFuture<'static, Vec<u8>>
    };
    let place = config(&azurite);
    let reopen = Box::new(move || open(&place, 4).unwrap());
    let suite = Suite { store: Arc::clone(&store), reopen, read: Box::new(read), refuses_backslash: true };
    suite.run().await;
    attributes_arrive(&azurite, &*store).await;
    kinds_and_leftovers_are_told(&*store).await;
    another_tools_blocks_are_cleared_from_a_free_name_only(&azurite, &*store).await;
    pages_are_told_by_their_number(&*open(&config(&azurite), 4).unwrap(), &*store).await;
    a_wrong_key_is_forbidden(&azurite).await;
}

async fn attributes_arrive(azurite: &Azurite, store: &dyn Store) {
    store.create_container(&"attr".parse().unwrap()).await.unwrap();
    let body = filled(1, 512);
    let (put, list, pages) = (target("attr/put", 1), target("attr/list", 2), target("attr/pages", 3));
    store.put(&put, body.clone(), &Digest::of(&body), &attributes(), &Condition::Absent).await.unwrap();
    assert_eq!(store.head(&put.path).await.unwrap().unwrap().md5, Some(Digest::of(&body).0));
    store.stage(&list, &range(0, &body), body.clone()).await.unwrap();
    store.commit(&list, &[range(0, &body)], &attributes(), &Condition::Absent).await.unwrap();
    assert_eq!(store.head(&list.path).await.unwrap().unwrap().md5, None);
    store.create_pages(&pages, 512, &attributes(), &Condition::Absent).await.unwrap();
    store.finish_pages(&pages, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
    let client = other_client(azurite, "attr");
    for name in ["put", "list", "pages"] {
        let blob = client.get(&Path::from(name)).await.unwrap();
        let found = |attribute: Attribute| blob.attributes.get(&attribute).map(|value| value.as_ref().to_owned());
        assert_eq!(found(Attribute::ContentType).as_deref(), Some("image/tiff"), "{name}");
        assert_eq!(found(Attribute::ContentEncoding).as_deref(), Some("gzip"), "{name}");
        assert_eq!(found(Attribute::ContentLanguage).as_deref(), Some("en"), "{name}");
        assert_eq!(found(Attribute::CacheControl).as_deref(), Some("max-age=3600"), "{name}");
        assert_eq!(found(Attribute::Metadata("survey_site".into())).as_deref(), Some("harbour-4"), "{name}");
        assert_eq!(found(Attribute::Metadata("dockside_incomplete".into())), None, "{name}");
    }
}

async fn kinds_and_leftovers_are_told(store: &dyn Store) {
    let body = filled(1, 512);
    let pages = target("attr/pages", 4);
    let refused = store.stage(&pages, &range(0, &body), body.clone()).await;
    assert!(matches!(refused, Err(StoreError::WrongKind)), "{refused:?}");
    let block = target("attr/put", 5);
    let refused = store.write_pages(&block, &range(0, &body), body.clone()).await;
    assert!(matches!(refused, Err(StoreError::ConditionFailed)), "{refused:?}");
    // the service compares what arrives with what is promised
    let wrong = Digest::of(b"something else");
    let damaged = store.put(&target("attr/damaged", 6), body, &wrong, &Attributes::default(), &Condition::Absent).await;
    assert!(matches!(damaged, Err(StoreError::ChecksumRefused { attempts: 3 })), "{damaged:?}");
    assert_eq!(store.head(&path("attr/damaged")).await.unwrap(), None);
}

async fn another_tools_blocks_are_cleared_from_a_free_name_only(azurite: &Azurite, store: &dyn Store) {
    let (body, one) = (filled(1, 512), target("attr/foreign", 7));
    let leave = async || {
        let mut upload = other_client(azurite, "attr").put_multipart(&Path::from("foreign")).await.unwrap();
        upload.put_part(body.clone().into()).await.unwrap();
    };
    leave().await;
    let refused = store.stage(&one, &range(0, &body), body.clone()).await;
    assert!(matches!(refused, Err(StoreError::ForeignBlocks)), "{refused:?}");
    let kept = store.clear_foreign(&one).await.unwrap();
    let head = store.head(&one.path).await.unwrap().unwrap();
    assert_eq!((head.length, head.incomplete, &head.etag), (0, Some(one.mark()), &kept));
    // it is no empty blob that anybody meant to store
    let empty = Intended::Whole { length: 0, md5: Digest::of(&[]) };
    for intended in [empty, Intended::Blocks(&[])] {
        assert_eq!(store.carried_out(&one, &intended, &Attributes::default(), &Condition::Absent).await.unwrap(), None);
    }
    assert!(matches!(store.clear_foreign(&one).await, Err(StoreError::AlreadyExists)));
    store.stage(&one, &range(0, &body), body.clone()).await.unwrap();
    let stored = store.commit(&one, &[range(0, &body)], &attributes(), &Condition::Matches(kept)).await.unwrap();
    let head = store.head(&one.path).await.unwrap().unwrap();
    assert_eq!((head.length, head.incomplete, &head.etag), (512, None, &stored.etag));
    // over a blob nothing is cleared
    leave().await;
    let two = target("attr/foreign", 8);
    assert!(matches!(store.stage(&two, &range(0, &body), body.clone()).await, Err(StoreError::ForeignBlocks)));
    assert!(matches!(store.clear_foreign(&two).await, Err(StoreError::AlreadyExists)));
    assert_eq!(store.head(&one.path).await.unwrap().unwrap().etag, stored.etag);
}

/// A process that goes on although another one of the same session has begun the blob anew lacks what that one has yet to write.
async fn pages_are_told_by_their_number(stale: &dyn Store, store: &dyn Store) {
    let (one, body) = (target("attr/numbered", 9), filled(1, 512));
    stale.create_pages(&one, 1_024, &attributes(), &Condition::Absent).await.unwrap();
    let seen = store.take_up_pages(&one, 1_024).await.unwrap().unwrap();
    store.create_pages(&one, 1_024, &attributes(), &Condition::Matches(seen)).await.unwrap();
    let late = stale.write_pages(&one, &range(0, &body), body.clone()).await;
    assert!(matches!(late, Err(StoreError::ConditionFailed)), "{late:?}");
    let late = stale.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await;
    assert!(matches!(late, Err(StoreError::ConditionFailed)), "{late:?}");
    store.write_pages(&one, &range(0, &body), body.clone()).await.unwrap();
    store.finish_pages(&one, &attributes(), &Condition::Absent, PageEnd::Complete).await.unwrap();
    // the mark has gone: the number still says whose blob it is
    let ranges = [range(0, &body)];
    let intended = Intended::Pages { length: 1_024, ranges: &ranges };
    assert!(stale.carried_out(&one, &intended, &attributes(), &Condition::Absent).await.unwrap().is_some());
    let two = target("attr/numbered", 10);
    assert_eq!(stale.carried_out(&two, &intended, &attributes(), &Condition::Absent).await.unwrap(), None);
}

async fn a_wrong_key_is_forbidden(azurite: &Azurite) {
    let wrong = vec![("AZURE_STORAGE_ACCOUNT_KEY".to_owned(), "d3Jvbmc=".to_owned().into())];
    let endpoint = Some(format!("{}/{ACCOUNT}", azurite.url()));
    let store = open(&StoreConfig { endpoint, credentials: Credentials::Given(wrong), ..config(azurite) }, 1).unwrap();
    let refused = store.container_exists(&"attr".parse().unwrap()).await;
    assert!(matches!(refused, Err(StoreError::Forbidden { .. })), "{refused:?}");
}
