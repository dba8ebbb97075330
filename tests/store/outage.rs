//! A store that is away for a while: one story for whoever watches, and every request that waited for it gets its answer.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dockside::manifest::Digest;
use dockside::store::{Condition, RetryPolicy, Store, StoreError};
use futures_util::future::join_all;
use tracing_subscriber::fmt::MakeWriter;

use crate::faults::{KEY, quick, store_at};
use crate::mock_http::{MockHttp, Reply};
use crate::store_suite::{attributes, filled, target};

/// What was logged on this thread.
#[derive(Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    /// Takes everything from `dockside=info` up, as a run does, until the guard is dropped.
    pub(crate) fn start(&self) -> tracing::subscriber::DefaultGuard {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_ansi(false).with_writer(self.clone());
        tracing::subscriber::set_default(log.finish())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Logged {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Sixteen blobs at once.
async fn put_all(store: &Arc<dyn Store>) -> Vec<Result<(), StoreError>> {
    let puts = (0..16).map(|entry| async move {
        let body = filled(1, 10);
        let to = target(&format!("cust/{entry}"), entry);
        store.put(&to, body.clone(), &Digest::of(&body), &attributes(), &Condition::Any).await.map(drop)
    });
    join_all(puts).await
}

fn patient() -> RetryPolicy {
    RetryPolicy { attempts: u32::MAX, ..quick() }
}

#[tokio::test]
async fn an_outage_is_told_once_and_every_request_comes_through() {
    for fault in [Reply::error(503, "ServerBusy"), Reply::Lost] {
        let logged = Logged::default();
        let _guard = logged.start();
        let mut script = vec![fault; 100];
        script.push(Reply::ok(201));
        let mock = MockHttp::start(script).await;
        let store = store_at(&mock.url(), &patient(), ("AZURE_STORAGE_ACCOUNT_KEY", KEY));
        let ended = put_all(&store).await;
        assert!(ended.iter().all(Result::is_ok), "{ended:?}");
        assert_eq!(mock.requests().len(), 116);
        let text = logged.text();
        assert_eq!(
            text.matches("the store does not answer; the drives of account acct pause, waiting up to 60 s").count(),
            1,
            "{text}"
        );
        assert_eq!(text.matches("the store answers again after").count(), 1, "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}

#[tokio::test]
async fn a_hiccup_is_no_story() {
    let logged = Logged::default();
    let _guard = logged.start();
    let busy = Reply::error(503, "ServerBusy");
    let mock = MockHttp::start([vec![busy; 16], vec![Reply::ok(201)]].concat()).await;
    // long enough for all sixteen to be there before the first is repeated
    let pause = Duration::from_millis(400);
    let policy = RetryPolicy { first_pause: pause, longest_pause: pause, ..patient() };
    let store = store_at(&mock.url(), &policy, ("AZURE_STORAGE_ACCOUNT_KEY", KEY));
    assert!(put_all(&store).await.iter().all(Result::is_ok));
    assert_eq!((logged.text().as_str(), store.busy().count()), ("", 16));
}

#[tokio::test]
async fn a_store_that_stays_away_ends_every_request_within_its_own_patience() {
    let logged = Logged::default();
    let _guard = logged.start();
    let mock = MockHttp::start(vec![Reply::Lost]).await;
    let policy = RetryPolicy { total: Duration::from_millis(200), ..patient() };
    let store = store_at(&mock.url(), &policy, ("AZURE_STORAGE_ACCOUNT_KEY", KEY));
    for ended in put_all(&store).await {
        // each asked at least once itself: nobody is refused on another's word
        assert!(matches!(ended, Err(StoreError::Unavailable { attempts: 1.., .. })), "{ended:?}");
    }
    assert_eq!(logged.text().lines().count(), 1, "{}", logged.text());
    assert_eq!(store.busy().count(), 0);
}

#[tokio::test]
async fn an_answer_that_refuses_ends_an_outage_too() {
    let logged = Logged::default();
    let _guard = logged.start();
    let mock = MockHttp::start(vec![Reply::Lost, Reply::Lost, Reply::Lost, Reply::error(409, "BlobAlreadyExists")]).await;
    let store = store_at(&mock.url(), &patient(), ("AZURE_STORAGE_ACCOUNT_KEY", KEY));
    let body = filled(1, 10);
    let put = store.put(&target("cust/one", 1), body.clone(), &Digest::of(&body), &attributes(), &Condition::Any).await;
    assert!(matches!(put, Err(StoreError::AlreadyExists)), "{put:?}");
    assert!(logged.text().contains("the store answers again after"));
}
