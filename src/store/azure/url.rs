//! The one encoder from a blob's name to a URL, and the proof that the URL stays inside its container.
//!
//! In go a container, a name by the store's rules and a query; out comes the URI of a request. Everything but RFC 3986's unreserved
//! characters and `/` is percent-encoded. The parser that the signature goes through folds `.` and `..` segments and turns `\` into
//! `/`, so its path is compared with the one built here; if they differ, the name is refused. So is a name that holds `\`, however
//! encoded: the service itself stores `a\b` as `a/b`, which may be another entry's blob.

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use crate::manifest::ContainerName;
use crate::store::StoreError;

/// What a path keeps as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
/// What a value of a query keeps as it is: block ids hold `+`, `/` and `=`.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where a storage account answers: scheme, host and, for the emulator, a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Endpoint {
    /// Without a slash at its end, without credential, query or fragment.
    base: String,
    path: String,
    loopback: bool,
    plain: bool,
}

/// Why a text is no endpoint. Never shows the text: it may hold a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No URL at all, or one without a host.
    #[error("the endpoint is no URL with a host")]
    NoUrl,
    /// Another scheme.
    #[error("the endpoint begins with neither https:// nor http://")]
    Scheme,
    /// User, password, query or fragment: credentials have their own place.
    #[error("the endpoint holds a user, a query or a fragment; credentials belong into the environment or the credentials file")]
    Credential,
}

/// Where an account answers in the public cloud.
pub(in crate::store) fn usual_endpoint(account: &str) -> String {
    format!("https://{account}.blob.core.windows.net")
}

impl Endpoint {
    pub(in crate::store) fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text.trim()).map_err(|_| EndpointError::NoUrl)?;
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(EndpointError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::Credential);
        }
        let loopback = match url.host().ok_or(EndpointError::NoUrl)? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let base = url.as_str().trim_end_matches('/').to_owned();
        let path = url.path().trim_end_matches('/').to_owned();
        Ok(Self { base, path, loopback, plain })
    }

    /// The endpoint as a URL, for people and for the store's own URL.
    pub(in crate::store) fn shown(&self) -> &str {
        &self.base
    }

    /// Whether requests would cross a network unencrypted.
    pub(in crate::store) fn is_exposed(&self) -> bool {
        self.plain && !self.loopback
    }

    /// Whether it is an unencrypted one on this machine.
    pub(in crate::store) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The URI of a container or, with a name, of a blob.
    pub(in crate::store) fn request(
        &self,
        container: &ContainerName,
        name: Option<&str>,
        query: &[(&'static str, String)],
    ) -> Result<Uri, StoreError> {
        if name.is_some_and(|name| name.contains('\\')) {
            return Err(StoreError::NameConflict { reason: "the service takes `\\` for `/`".to_owned() });
        }
        let name = name.map(|name| format!("/{}", utf8_percent_encode(name, PATH))).unwrap_or_default();
        let path = format!("/{}{name}", container.as_str());
        let pairs = query.iter().map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, VALUE)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let refused =
            || StoreError::NameConflict { reason: "the name cannot stand in a request without becoming another".to_owned() };
        let text = format!("{}{path}{mark}{query}", self.base);
        let (parsed, built) = (Url::parse(&text).map_err(|_| refused())?, format!("{}{path}", self.path));
        let uri: Uri = text.parse().map_err(|_| refused())?;
        if parsed.path() == built && parsed.as_str() == text && uri.path() == built { Ok(uri) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::BlobPath;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    fn path_of(path: &BlobPath) -> String {
        let endpoint = Endpoint::parse("http://127.0.0.1:10000/acct/").unwrap();
        let query = [("comp", "block".to_owned()), ("blockid", "a+/=".to_owned())];
        let uri = endpoint.request(path.container(), Some(path.name()), &query).unwrap();
        assert_eq!(uri.query(), Some("comp=block&blockid=a%2B%2F%3D"));
        uri.path().to_owned()
    }

    #[test]
    fn odd_names_stay_themselves() {
        let cases = [
            ("abc/a//b", "/acct/abc/a//b"),
            ("abc/a%2Fb", "/acct/abc/a%252Fb"),
            ("abc/%2e%2e/x", "/acct/abc/%252e%252e/x"),
            ("abc/a b#c?d", "/acct/abc/a%20b%23c%3Fd"),
            ("abc//x", "/acct/abc//x"),
            ("$root/x", "/acct/$root/x"),
        ];
        for (path, expected) in cases {
            assert_eq!(path_of(&path.parse().unwrap()), expected);
        }
        let long: BlobPath = format!("abc/{}", "ü".repeat(1_024)).parse().unwrap();
        assert_eq!(path_of(&long), format!("/acct/abc/{}", "%C3%BC".repeat(1_024)));
    }

    #[test]
    fn a_name_that_would_leave_its_container_is_refused() {
        let endpoint = Endpoint::parse("https://acct.blob.core.windows.net").unwrap();
        let container: ContainerName = "cust".parse().unwrap();
        // no BlobPath holds most of these; the encoder does not rely on it
        for name in ["a/../../other/x", "a/./b", "..", ".", "a\\..\\b"] {
            assert!(endpoint.request(&container, Some(name), &[]).is_err(), "{name}");
        }
    }

    #[test]
    fn an_endpoint_with_a_credential_is_refused_without_showing_it() {
        for text in ["https://x.net/?sv=1&sig=hush", "https://u:hush@x.net", "ftp://hush", "hush", "https://x.net/#hush"] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"));
        }
        assert!(Endpoint::parse("http://10.0.0.1").unwrap().is_exposed());
        assert!(!Endpoint::parse("http://[::1]:1").unwrap().is_exposed());
        assert!(!Endpoint::parse("https://10.0.0.1").unwrap().is_exposed());
        assert!(Endpoint::parse("http://127.0.0.1.example.org").unwrap().is_exposed());
    }

    proptest! {
        #[test]
        fn every_legal_name_comes_back_inside_its_container(name in "([a-zü%. /#?+&=:@~]|%2[ef]|%5c|\\PC){1,60}") {
            let Ok(path) = BlobPath::new("cust".parse().unwrap(), &name) else { return Ok(()) };
            prop_assume!(!name.contains('\\'));
            let encoded = path_of(&path);
            let inside = encoded.strip_prefix("/acct/cust/").unwrap();
            prop_assert_eq!(percent_decode_str(inside).decode_utf8().unwrap(), name);
            prop_assert!(!inside.split('/').any(|segment| matches!(segment, "." | "..")));
        }
    }
}
