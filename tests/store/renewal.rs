//! A credentials file that is changed while a run goes on: the service refuses the old credential, and the new one is used.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use dockside::manifest::Digest;
use dockside::store::{Condition, Credentials, Store, StoreConfig, StoreError, StoreUrl, open_with};
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::faults::quick;
use crate::mock_http::{MockHttp, Reply};
use crate::outage::Logged;
use crate::store_suite::{attributes, filled, target};

/// Two keys in Base64, and tokens; none may be shown.
const OLD: &str = "AZURE_STORAGE_ACCOUNT_KEY=b2xkaHVzaA==\n";
const NEW: &str = "AZURE_STORAGE_ACCOUNT_KEY=bmV3aHVzaA==\n";
const OLD_TOKEN: &str = "AZURE_STORAGE_SAS_TOKEN=sv=1&sig=oldhush\n";
const NEW_TOKEN: &str = "AZURE_STORAGE_SAS_TOKEN=sv=1&sig=newhush\n";
const SECRETS: [&str; 4] = ["b2xkaHVzaA", "bmV3aHVzaA", "hush", "sig="];

struct Bench {
    folder: TempDir,
    mock: MockHttp,
    store: Arc<dyn Store>,
}

impl Bench {
    /// A store whose credentials are in a file, before a service that answers so.
    async fn new(credentials: &str, script: Vec<Reply>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder, credentials, 0o600);
        let mock = MockHttp::start(script).await;
        let config = StoreConfig {
            account: "acct".to_owned(),
            url: StoreUrl::parse("azure://acct").unwrap(),
            endpoint: Some(mock.url()),
            credentials: Credentials::File(file(&folder)),
        };
        let store = open_with(&config, 2, &quick()).unwrap();
        Self { folder, mock, store }
    }

    fn write(&self, credentials: &str) {
        write(&self.folder, credentials, 0o600);
    }

    async fn put(&self) -> Result<(), StoreError> {
        let body = filled(1, 10);
        let to = target("cust/one", 1);
        self.store.put(&to, body.clone(), &Digest::of(&body), &attributes(), &Condition::Any).await.map(drop)
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("credentials")
}

fn write(folder: &TempDir, credentials: &str, mode: u32) {
    fs::write(file(folder), credentials).unwrap();
    fs::set_permissions(file(folder), Permissions::from_mode(mode)).unwrap();
}

fn refused(put: &Result<(), StoreError>) -> bool {
    matches!(put, Err(StoreError::Forbidden { .. }))
}

/// Each way in which the service refuses a credential, ended tokens among them.
const REFUSALS: [(u16, &str); 3] =
    [(403, "AuthenticationFailed"), (403, "AuthorizationFailure"), (403, "AuthorizationPermissionMismatch")];

#[tokio::test]
async fn a_credential_that_is_replaced_while_a_run_goes_on_is_used() {
    for (status, code) in REFUSALS {
        let bench = Bench::new(OLD_TOKEN, vec![Reply::ok(201), Reply::error(status, code), Reply::ok(201)]).await;
        bench.put().await.unwrap();
        bench.write(NEW_TOKEN);
        bench.put().await.unwrap();
        bench.put().await.unwrap();
        let seen: Vec<bool> = bench.mock.requests().iter().map(|request| request.target.contains("newhush")).collect();
        assert_eq!(seen, [false, false, true, true], "{code}");
    }
}

#[tokio::test]
async fn requests_that_were_refused_together_all_go_on_with_the_new_one() {
    let replies = Box::new((Reply::error(403, "AuthorizationFailure"), Reply::ok(201)));
    let bench = Bench::new(OLD_TOKEN, vec![Reply::If("oldhush", replies)]).await;
    bench.write(NEW_TOKEN);
    let ended = join_all((0..8).map(|_| bench.put())).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(bench.mock.requests().len(), 16);
}

#[tokio::test]
async fn what_did_not_change_is_not_tried_again_and_what_is_refused_again_is_final() {
    let refusal = Reply::error(403, "AuthorizationFailure");
    let bench = Bench::new(OLD, vec![refusal]).await;
    assert!(refused(&bench.put().await));
    bench.write(&format!("# a note\n{OLD}"));
    assert!(refused(&bench.put().await));
    assert_eq!(bench.mock.requests().len(), 2, "the same key once more");
    bench.write(NEW);
    assert!(refused(&bench.put().await));
    assert_eq!(bench.mock.requests().len(), 4);
    assert!(refused(&bench.put().await));
    assert_eq!(bench.mock.requests().len(), 5, "the new key has been read already");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_leaves_the_credential_and_is_told_of_once_without_secrets() {
    let cases = [
        ("AZURE_STORAGE_ACCOUNT_KEY=newhush!\n", 0o600, "malformed"),
        ("AZURE_STORAGE_ACCOUNT_KEI=newhush\n", 0o600, "no known key"),
        ("AZURE_STORAGE_ACCOUNT_NAME=other\nAZURE_STORAGE_ACCOUNT_KEY=bmV3aHVzaA==\n", 0o600, "for account other"),
        ("", 0o600, "no credential is configured"),
        (NEW, 0o644, "mode 0644"),
    ];
    for (text, mode, cause) in cases {
        let logged = Logged::default();
        let _guard = logged.start();
        let refusal = Reply::error(403, "AuthorizationFailure");
        let bench = Bench::new(OLD, vec![refusal.clone(), refusal, Reply::ok(201)]).await;
        write(&bench.folder, text, mode);
        let first = bench.put().await;
        let second = bench.put().await;
        assert!(refused(&first) && refused(&second), "{cause}: {first:?} {second:?}");
        bench.put().await.unwrap();
        assert_eq!(bench.mock.requests().len(), 3, "{cause}");
        let told = logged.text();
        assert_eq!((told.matches(cause).count(), told.lines().count()), (1, 1), "{cause}: {told}");
        let shown = format!("{told} {first:?} {:?} {}", bench.store, bench.store.url());
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_leaves_the_credential_and_one_that_is_back_is_used() {
    let refusal = Reply::error(403, "AuthenticationFailed");
    let bench = Bench::new(OLD, vec![refusal.clone(), refusal.clone(), refusal, Reply::ok(201)]).await;
    fs::remove_file(file(&bench.folder)).unwrap();
    assert!(refused(&bench.put().await));
    bench.write(NEW);
    bench.put().await.unwrap();
    assert_eq!(bench.mock.requests().len(), 4);
}

#[tokio::test]
async fn a_token_tells_its_end_and_a_replaced_one_the_new_end() {
    let token = |day| format!("AZURE_STORAGE_SAS_TOKEN=sv=1&se=2031-01-{day}T00%3A00%3A00Z&sig=hush\n");
    let bench = Bench::new(&token("01"), vec![Reply::error(403, "AuthenticationFailed"), Reply::ok(201)]).await;
    assert_eq!(bench.store.access_ends().unwrap().to_string(), "2031-01-01T00:00:00Z");
    bench.write(&token("09"));
    bench.put().await.unwrap();
    assert_eq!(bench.store.access_ends().unwrap().to_string(), "2031-01-09T00:00:00Z");
    for other in [OLD.to_owned(), format!("{OLD}{}", token("01")), format!("AZURE_STORAGE_TOKEN=hush\n{}", token("01"))] {
        assert_eq!(Bench::new(&other, vec![Reply::ok(201)]).await.store.access_ends(), None, "another credential signs");
    }
}
