//! What is opened, what is refused, and that no message shows a secret.

use std::os::unix::fs::PermissionsExt as _;

use secrecy::SecretString;

use super::*;

/// Endpoint, settings, name of the refusal.
type Case<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], &'a str);

const KEY: &str = "aHVzaGh1c2hodXNo";

fn config(url: &str, endpoint: Option<&str>, pairs: &[(&str, &str)]) -> StoreConfig {
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), SecretString::from((*value).to_owned()))).collect();
    let url = StoreUrl::parse(url).unwrap();
    StoreConfig { account: "acct".to_owned(), url, endpoint: endpoint.map(str::to_owned), credentials: Credentials::Given(pairs) }
}

fn opened(endpoint: Option<&str>, pairs: &[(&str, &str)]) -> Result<String, String> {
    match open(&config("azure://devstoreaccount1", endpoint, pairs), 4) {
        Ok(store) => Ok(store.url()),
        Err(error) => Err(format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned()),
    }
}

#[test]
fn urls_of_stores_are_read_and_others_refused_by_name() {
    assert_eq!(StoreUrl::parse("azure://acct/"), Ok(StoreUrl::Azure { account: "acct".to_owned() }));
    assert_eq!(StoreUrl::parse("file:///srv/a%20b"), Ok(StoreUrl::Folder("/srv/a b".into())));
    for text in ["s3://bucket", "gs://bucket", "http://x", "https://acct.blob.core.windows.net/?sig=hush"] {
        let error = StoreUrl::parse(text).unwrap_err();
        assert!(error.to_string().contains(text.split(':').next().unwrap()) && !error.to_string().contains("hush"));
    }
    let cases = [
        ("./out", StoreUrlError::NoUrl),
        ("file://out/x", StoreUrlError::Path),
        ("file:///x?y", StoreUrlError::Path),
        ("azure://acct/container", StoreUrlError::Account),
        ("azure://Acct", StoreUrlError::Account),
        ("azure://ab", StoreUrlError::Account),
        ("azure://acct?sig=x", StoreUrlError::Account),
    ];
    for (text, expected) in cases {
        assert_eq!(StoreUrl::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn an_account_opens_with_each_kind_of_credential() {
    let place = Some("http://127.0.0.1:10000/devstoreaccount1");
    let there = Ok("azure://devstoreaccount1?endpoint=http://127.0.0.1:10000/devstoreaccount1".to_owned());
    assert_eq!(opened(None, &[("AZURE_STORAGE_ACCOUNT_KEY", KEY)]), Ok("azure://devstoreaccount1".to_owned()));
    assert_eq!(opened(place, &[("AZURE_STORAGE_SAS_TOKEN", "sv=2020&sig=x")]), there);
    assert_eq!(opened(None, &[("AZURE_STORAGE_USE_EMULATOR", "true")]), there);
    let moved = [("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:7/")];
    assert_eq!(opened(None, &moved), Ok("azure://devstoreaccount1?endpoint=http://127.0.0.1:7/devstoreaccount1".to_owned()));
    assert_eq!(opened(place, &[("AZURE_STORAGE_TOKEN", "abc.def")]), there);
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let key = ("AZURE_STORAGE_ACCOUNT_KEY", KEY);
    let cases: [Case; 8] = [
        (None, &[], "NoCredential"),
        (None, &[("AZURE_STORAGE_USE_EMULATOR", "false")], "NoCredential"),
        (None, &[key, ("AZURE_STORAGE_ACCOUNT_NAME", "other")], "OtherAccount"),
        (Some("http://10.1.2.3"), &[key], "PlainHttp"),
        (Some("https://x.net/?sig=hush"), &[key], "Endpoint"),
        (None, &[key, ("AZURE_SKIP_SIGNATURE", "true")], "Unsupported"),
        (None, &[("AZURE_STORAGE_ACCOUNT_KEY", "hush!")], "Credential"),
        (None, &[("AZURE_STORAGE_TOKEN", "two words")], "Credential"),
    ];
    for (endpoint, pairs, expected) in cases {
        assert_eq!(opened(endpoint, pairs), Err(expected.to_owned()), "{endpoint:?}");
    }
}

#[test]
fn nothing_shows_a_secret() {
    const SECRETS: [&str; 4] = ["hush", KEY, "c2VjcmV0", "%2Bsecret"];
    let kinds: [&[(&str, &str)]; 5] = [
        &[("AZURE_STORAGE_ACCOUNT_KEY", KEY)],
        &[("AZURE_STORAGE_ACCOUNT_KEY", "hush!")],
        &[("AZURE_STORAGE_SAS_TOKEN", "sv=2020&sig=%2Bsecret")],
        &[("AZURE_STORAGE_SAS_TOKEN", "hush")],
        &[("AZURE_STORAGE_TOKEN", "c2VjcmV0 hush"), ("AZURE_SKIP_SIGNATURE", "true")],
    ];
    for endpoint in [None, Some("https://x.net/?sig=hush"), Some("http://u:hush@10.0.0.1")] {
        for pairs in kinds {
            let config = config("azure://acct", endpoint, pairs);
            let result = match open(&config, 1) {
                Ok(store) => format!("{} {store:?}", store.url()),
                Err(error) => format!("{error} {error:?} {:?}", std::error::Error::source(&error)),
            };
            let texts = format!("{config} {config:?} {result}");
            for secret in SECRETS {
                assert!(!texts.contains(secret), "{secret} in {texts}");
            }
        }
    }
}

#[test]
fn a_credentials_file_is_read_unless_it_is_open_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    std::fs::write(&path, format!("AZURE_STORAGE_ACCOUNT_KEY={KEY}\n")).unwrap();
    let with_mode = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let credentials = Credentials::File(path.clone());
        open(&StoreConfig { credentials, ..config("azure://acct", None, &[]) }, 1).map(drop)
    };
    assert!(with_mode(0o600).is_ok() && with_mode(0o440).is_ok());
    for mode in [0o604, 0o660, 0o644] {
        assert!(matches!(with_mode(mode), Err(OpenError::FileMode { mode: found, .. }) if found == mode));
    }
    let missing = Credentials::File(folder.path().join("missing"));
    let config = StoreConfig { credentials: missing, ..config("azure://acct", None, &[]) };
    assert!(matches!(open(&config, 1), Err(OpenError::File { .. })));
}
