//! Requests to the service: built, signed, bounded in time, judged and repeated.
//!
//! In goes a [`Call`]; out comes an [`Answer`] that succeeded, or a [`Failure`] that is final. Every attempt is a fresh request with a
//! fresh signature (a signed date is good for 15 minutes, and the authorizer adds to what it is given). No message holds a URL's
//! query, a header or a body: that is where credentials are.

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use object_store::azure::{AzureAuthorizer, AzureCredentialProvider, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpError, HttpRequest, HttpRequestBody};
use tokio::time::{Instant, sleep, timeout};

use super::answer::{Answer, Verdict};
use super::retry::RetryPolicy;
use super::url::Endpoint;
use crate::foreign::Shown;
use crate::manifest::{ContainerName, Digest};
use crate::store::StoreError;

/// Bytes of an answer: a listing of 5,000 long names, a list of 100,000 blocks.
const ANSWER: usize = 64 << 20;
/// Attempts of a request whose body arrives damaged.
const DAMAGED: u32 = 3;

/// Attempts after which somebody who watches should hear of it.
const ALARMING: u32 = 3;

/// One request, as often as it takes.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) container: &'a ContainerName,
    pub(super) name: Option<&'a str>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl<'a> Call<'a> {
    /// A request without headers and body.
    pub(super) fn new(method: Method, container: &'a ContainerName, name: Option<&'a str>) -> Self {
        Self { method, container, name, query: Vec::new(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// With a pair in the query.
    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// With a header. Only visible ASCII passes: the signature of an account key panics on anything else.
    pub(super) fn header(mut self, name: &str, value: &str) -> Result<Self, StoreError> {
        let refused = || StoreError::Rejected { status: 400, code: "InvalidHeaderValue".to_owned() };
        let name: HeaderName = name.parse().map_err(|_| refused())?;
        let visible = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let value = HeaderValue::from_str(value.trim()).ok().filter(|_| visible).ok_or_else(refused)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// The status by which the service says that this is done.
    fn done(&self) -> u16 {
        let properties =
            self.query.iter().any(|(key, value)| *key == "comp" && matches!(value.as_str(), "metadata" | "properties"));
        match self.method {
            Method::PUT if !properties => 201,
            Method::DELETE => 202,
            _ => 200,
        }
    }

    /// What it is about, for a log.
    fn shown(&self) -> String {
        let path = self.name.map_or_else(|| self.container.to_string(), |name| format!("{}/{name}", self.container));
        Shown(&path).to_string()
    }

    /// With a body and its MD5, which the service compares.
    pub(super) fn body(self, body: Bytes, digest: &Digest) -> Result<Self, StoreError> {
        let mut call = self.header("content-md5", &digest.base64())?;
        call.body = body;
        Ok(call)
    }
}

/// An answer that succeeded.
pub(super) struct Success {
    pub(super) answer: Answer,
    /// How often the service refused the body for its checksum before.
    pub(super) refusals: u64,
}

/// A request that failed for good.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Whether an attempt before may have succeeded without our hearing of it.
    pub(super) maybe_done: bool,
    pub(super) refusals: u64,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, maybe_done: false, refusals: 0 }
    }
}

/// Where credentials come from; asked for each attempt, renewed when the service does not take one.
pub(super) struct CredentialSource {
    builder: MicrosoftAzureBuilder,
    current: Mutex<AzureCredentialProvider>,
}

impl CredentialSource {
    pub(super) fn new(builder: MicrosoftAzureBuilder) -> Result<Self, object_store::Error> {
        let current = Mutex::new(Arc::clone(builder.clone().build()?.credentials()));
        Ok(Self { builder, current })
    }

    fn current(&self) -> AzureCredentialProvider {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets cached tokens.
    fn renew(&self) {
        if let Ok(store) = self.builder.clone().build() {
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(store.credentials());
        }
    }
}

/// Sends requests to one account.
pub(super) struct Client {
    pub(super) http: HttpClient,
    pub(super) endpoint: Endpoint,
    pub(super) account: String,
    pub(super) credentials: CredentialSource,
    pub(super) policy: RetryPolicy,
}

/// What one attempt brought.
enum Attempt {
    Answer(Answer),
    /// No whole answer: whether the request was carried out is unknown.
    Broken(String),
    Refused(StoreError),
}

/// What happened to a request so far.
struct Tally {
    begun: Instant,
    attempts: u32,
    refusals: u32,
    maybe_done: bool,
    renewed: bool,
}

/// What to do after an attempt.
enum Next {
    Give(Answer),
    Stop(StoreError),
    Repeat { asked: Option<Duration>, last: String },
    RepeatNow,
}

impl Client {
    /// Sends a request until it is answered for good or the policy gives up.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Success, Failure> {
        let mut tally = Tally { begun: Instant::now(), attempts: 0, refusals: 0, maybe_done: false, renewed: false };
        loop {
            tally.attempts += 1;
            let attempt = self.attempt(call).await;
            let fail = |tally: &Tally, error| {
                let refusals = u64::from(tally.refusals);
                Err(Failure { error, maybe_done: tally.maybe_done, refusals })
            };
            match self.next(attempt, call, &mut tally) {
                Next::Give(answer) => return Ok(Success { answer, refusals: u64::from(tally.refusals) }),
                Next::Stop(error) => return fail(&tally, error),
                Next::RepeatNow => {}
                Next::Repeat { asked, last } => {
                    let pause = self.policy.pause(tally.attempts, tally.begun.elapsed(), asked, fastrand::f64());
                    let Some(pause) = pause else {
                        return fail(&tally, StoreError::Unavailable { attempts: tally.attempts, last });
                    };
                    let (blob, attempt) = (call.shown(), tally.attempts);
                    if attempt < ALARMING {
                        tracing::debug!(%blob, attempt, ?pause, code = last, "the request is repeated");
                    } else {
                        tracing::warn!(%blob, attempt, ?pause, code = last, "the store does not answer, trying on");
                    }
                    sleep(pause).await;
                }
            }
        }
    }

    fn next(&self, attempt: Attempt, call: &Call<'_>, tally: &mut Tally) -> Next {
        let answer = match attempt {
            Attempt::Refused(error) => return Next::Stop(error),
            Attempt::Broken(last) => {
                tally.maybe_done = true;
                return Next::Repeat { asked: None, last };
            }
            Attempt::Answer(answer) => answer,
        };
        match answer.verdict(call.container.as_str(), call.done()) {
            Verdict::Done => Next::Give(answer),
            Verdict::Final(error) => Next::Stop(error),
            Verdict::Again(asked) => {
                tally.maybe_done |= matches!(answer.status, 200..300 | 408 | 500..);
                Next::Repeat { asked, last: format!("{} {}", answer.status, answer.code()).trim_end().to_owned() }
            }
            Verdict::Damaged => {
                tally.refusals += 1;
                let attempts = tally.refusals;
                if attempts < DAMAGED { Next::RepeatNow } else { Next::Stop(StoreError::ChecksumRefused { attempts }) }
            }
            Verdict::Unsigned(error) if tally.renewed => Next::Stop(error),
            Verdict::Unsigned(_) => {
                tally.renewed = true;
                self.credentials.renew();
                Next::RepeatNow
            }
        }
    }

    async fn attempt(&self, call: &Call<'_>) -> Attempt {
        let request = match self.request(call).await {
            Ok(request) => request,
            Err(attempt) => return attempt,
        };
        let bound = self.policy.bound(call.body.len());
        match timeout(bound, self.exchange(request)).await {
            Ok(Ok(answer)) => {
                let (id, status) = (answer.header("x-ms-request-id").unwrap_or("none"), answer.status);
                tracing::debug!(method = %call.method, blob = %Shown(call.name.unwrap_or_default()), status, request = %Shown(id), "answered");
                Attempt::Answer(answer)
            }
            Ok(Err(last)) => Attempt::Broken(last),
            Err(_) => Attempt::Broken(format!("no answer within {} seconds", bound.as_secs())),
        }
    }

    /// A fresh request, signed now.
    async fn request(&self, call: &Call<'_>) -> Result<HttpRequest, Attempt> {
        let uri = self.endpoint.request(call.container, call.name, &call.query).map_err(Attempt::Refused)?;
        let mut request = HttpRequest::new(HttpRequestBody::from(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = call.headers.clone();
        let headers = request.headers_mut();
        if call.method == Method::PUT {
            headers.insert(http::header::CONTENT_LENGTH, call.body.len().into());
        }
        // for the service's logs only: nothing secret, nothing to guess
        let id = format!("dockside-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert("x-ms-client-request-id", id);
        }
        // a token may have to be fetched, with retries of object_store's own; this bounds them
        let credential = match timeout(self.policy.total, self.credentials.current().get_credential()).await {
            Ok(found) => found.map_err(|error| credential_failed(&error))?,
            Err(_) => return Err(Attempt::Broken("no credential in time".to_owned())),
        };
        AzureAuthorizer::new(&credential, &self.account)
            .try_authorize(&mut request)
            .map_err(|_| Attempt::Refused(StoreError::Forbidden { reason: "the credential cannot sign".to_owned() }))?;
        Ok(request)
    }

    async fn exchange(&self, request: HttpRequest) -> Result<Answer, String> {
        let response = self.http.execute(request).await.map_err(|error| cause(&error))?;
        let (parts, body) = response.into_parts();
        let mut stream = body.bytes_stream();
        let mut body = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| cause(&error))?;
            if body.len() + chunk.len() > ANSWER {
                return Err("an answer without end".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.freeze() })
    }
}

/// The innermost cause of a failed exchange, without the URL.
fn cause(error: &HttpError) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    format!("{:?}: {}", error.kind(), Shown(&last.to_string()))
}

/// Why there is no credential: the network may pass, everything else is for the operator. The text of the error stays here, as
/// it repeats what a token service said.
fn credential_failed(error: &object_store::Error) -> Attempt {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<HttpError>() {
            return Attempt::Broken(format!("no token could be fetched: {}", cause(error)));
        }
        source = inner.source();
    }
    Attempt::Refused(StoreError::Forbidden { reason: "no token could be had with the configured credential".to_owned() })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} at {})", self.account, self.endpoint.shown())
    }
}
