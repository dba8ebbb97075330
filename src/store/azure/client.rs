//! Requests to the service: built, signed, bounded in time, judged and repeated.
//!
//! In goes a [`Call`]; out comes an [`Answer`] that succeeded, or a [`Failure`] that is final. Every attempt is a fresh request with a
//! fresh signature (a signed date is good for 15 minutes, and the authorizer adds to what it is given). No message holds a URL's
//! query, a header or a body: that is where credentials are.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use object_store::azure::AzureAuthorizer;
use object_store::client::{HttpClient, HttpError, HttpRequest, HttpRequestBody};
use tokio::time::{Instant, sleep, timeout};

use super::answer::{Answer, Verdict};
use super::credential::{Credential, CredentialSource};
use super::outage::{Failures, Outage};
use super::retry::RetryPolicy;
use super::url::Endpoint;
use crate::foreign::Shown;
use crate::manifest::{ContainerName, Digest};
use crate::store::{Busy, StoreError};

/// Bytes of an answer: a listing of 5,000 long names, a list of 100,000 blocks.
const ANSWER: usize = 64 << 20;
/// Attempts of a request whose body arrives damaged.
const DAMAGED: u32 = 3;

/// One request, as often as it takes.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) container: &'a ContainerName,
    pub(super) name: Option<&'a str>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Bytes that a blob may have which is asked for whole.
    limit: Option<usize>,
}

impl<'a> Call<'a> {
    /// A request without headers and body.
    pub(super) fn new(method: Method, container: &'a ContainerName, name: Option<&'a str>) -> Self {
        Self { method, container, name, query: Vec::new(), headers: HeaderMap::new(), body: Bytes::new(), limit: None }
    }

    /// For a blob's content, if it has no more than so many bytes.
    pub(super) fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
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

    /// Whether the service says by this status that it is done.
    fn is_done(&self, status: u16) -> bool {
        let comp = |words: &[&str]| self.query.iter().any(|(key, value)| *key == "comp" && words.contains(&value.as_str()));
        match self.method {
            // taken anew and renewed are told apart, which makes no difference here
            Method::PUT if comp(&["lease"]) => matches!(status, 200 | 201),
            Method::PUT if !comp(&["metadata", "properties"]) => status == 201,
            Method::DELETE => status == 202,
            _ => status == 200,
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

/// Sends requests to one account.
pub(super) struct Client {
    pub(super) http: HttpClient,
    pub(super) endpoint: Endpoint,
    pub(super) account: String,
    pub(super) credentials: CredentialSource,
    pub(super) policy: RetryPolicy,
    pub(super) busy: Busy,
    pub(super) outage: Outage,
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
    failures: Failures,
    refusals: u32,
    maybe_done: bool,
    renewed: bool,
}

impl Tally {
    fn begin() -> Self {
        let begun = Instant::now();
        Self { begun, attempts: 0, failures: Failures::default(), refusals: 0, maybe_done: false, renewed: false }
    }

    /// The end of a request that failed.
    fn failure(&self, error: StoreError) -> Failure {
        Failure { error, maybe_done: self.maybe_done, refusals: u64::from(self.refusals) }
    }
}

/// What to do after an attempt.
enum Next {
    Give(Answer),
    Stop(StoreError),
    /// After a pause: not before the time the store asks for, and the longer the more failed in a row.
    Repeat {
        asked: Option<Duration>,
        failures: u32,
        last: String,
    },
    RepeatNow,
}

impl Client {
    /// Sends a request until it is answered for good or the policy gives up.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Success, Failure> {
        let mut tally = Tally::begin();
        loop {
            // kept over the pause behind a failure: the store is asked once in a pause, by whomever
            let _turn = self.outage.turn(self.policy.total.saturating_sub(tally.begun.elapsed())).await;
            tally.attempts += 1;
            let credential = self.credentials.current();
            let attempt = self.attempt(call, &credential).await;
            match self.next(attempt, call, &credential, &mut tally) {
                Next::Give(answer) => return Ok(Success { answer, refusals: u64::from(tally.refusals) }),
                Next::Stop(error) => return Err(tally.failure(error)),
                Next::RepeatNow => {}
                Next::Repeat { asked, failures, last } => {
                    let pause = self.policy.pause(failures, tally.begun.elapsed(), asked, fastrand::f64());
                    let Some(pause) = pause.filter(|_| self.policy.may_repeat(tally.attempts)) else {
                        return Err(tally.failure(StoreError::Unavailable { attempts: tally.attempts, last }));
                    };
                    let (blob, attempt) = (call.shown(), tally.attempts);
                    tracing::debug!(%blob, attempt, ?pause, code = last, "the request is repeated");
                    sleep(pause).await;
                }
            }
        }
    }

    fn next(&self, attempt: Attempt, call: &Call<'_>, credential: &Credential, tally: &mut Tally) -> Next {
        let answer = match attempt {
            Attempt::Refused(error) => return self.refused(error, credential, tally),
            Attempt::Broken(last) => {
                tally.maybe_done = true;
                let failures = self.outage.failed(&mut tally.failures, &last).max(tally.attempts);
                return Next::Repeat { asked: None, failures, last };
            }
            Attempt::Answer(answer) => answer,
        };
        let verdict = answer.verdict(call.container.as_str(), call.is_done(answer.status));
        let alive = answer.is_alive(&verdict);
        if alive {
            self.outage.answered();
        }
        match verdict {
            Verdict::Done => Next::Give(answer),
            Verdict::Final(error) => self.refused(error, credential, tally),
            Verdict::Again(asked) => self.later(&answer, asked, alive, tally),
            Verdict::Damaged => {
                tally.refusals += 1;
                let attempts = tally.refusals;
                if attempts < DAMAGED { Next::RepeatNow } else { Next::Stop(StoreError::ChecksumRefused { attempts }) }
            }
            Verdict::Unsigned(error) if tally.renewed => Next::Stop(error),
            Verdict::Unsigned(_) => {
                tally.renewed = true;
                if !self.credentials.is_renewed(credential) {
                    self.credentials.forget_tokens();
                }
                Next::RepeatNow
            }
        }
    }

    /// A refusal is final, unless it is of a credential that has been replaced since.
    fn refused(&self, error: StoreError, credential: &Credential, tally: &mut Tally) -> Next {
        if !matches!(error, StoreError::Forbidden { .. }) || tally.renewed {
            return Next::Stop(error);
        }
        tally.renewed = true;
        if self.credentials.is_renewed(credential) { Next::RepeatNow } else { Next::Stop(error) }
    }

    /// An answer that wants the request to be repeated; `alive` if it speaks of this blob alone.
    fn later(&self, answer: &Answer, asked: Option<Duration>, alive: bool, tally: &mut Tally) -> Next {
        if answer.is_busy() {
            self.busy.said();
        }
        tally.maybe_done |= matches!(answer.status, 200..300 | 408 | 500..);
        let last = format!("{} {}", answer.status, answer.code()).trim_end().to_owned();
        let failures = if alive { 0 } else { self.outage.failed(&mut tally.failures, &last) };
        Next::Repeat { asked, failures: failures.max(tally.attempts), last }
    }

    async fn attempt(&self, call: &Call<'_>, credential: &Credential) -> Attempt {
        let request = match self.request(call, credential).await {
            Ok(request) => request,
            Err(attempt) => return attempt,
        };
        let bound = self.policy.bound(call.body.len().saturating_add(call.limit.unwrap_or(0)));
        match timeout(bound, self.exchange(request, call.limit)).await {
            Ok(Ok(answer)) => {
                let (id, status) = (answer.header("x-ms-request-id").unwrap_or("none"), answer.status);
                tracing::debug!(method = %call.method, blob = %Shown(call.name.unwrap_or_default()), status, request = %Shown(id), "answered");
                Attempt::Answer(answer)
            }
            Ok(Err(attempt)) => attempt,
            Err(_) => Attempt::Broken(format!("no answer within {} seconds", bound.as_secs())),
        }
    }

    /// A fresh request, signed now.
    async fn request(&self, call: &Call<'_>, credential: &Credential) -> Result<HttpRequest, Attempt> {
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
        let credential = match timeout(self.policy.total, credential.provider.get_credential()).await {
            Ok(found) => found.map_err(|error| credential_failed(&error))?,
            Err(_) => return Err(Attempt::Broken("no credential in time".to_owned())),
        };
        AzureAuthorizer::new(&credential, &self.account)
            .try_authorize(&mut request)
            .map_err(|_| Attempt::Refused(StoreError::Forbidden { reason: "the credential cannot sign".to_owned() }))?;
        Ok(request)
    }

    async fn exchange(&self, request: HttpRequest, limit: Option<usize>) -> Result<Answer, Attempt> {
        let broken = |error| Attempt::Broken(cause(&error));
        let response = self.http.execute(request).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        // what an error says is no content
        let limit = limit.filter(|_| parts.status == StatusCode::OK);
        let mut stream = body.bytes_stream();
        let mut body = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(broken)?;
            if body.len() + chunk.len() > limit.unwrap_or(ANSWER) {
                return Err(too_long(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.freeze() })
    }
}

/// A blob over its limit is final; any other answer is a fault of the line.
fn too_long(limit: Option<usize>) -> Attempt {
    match limit {
        Some(limit) => Attempt::Refused(StoreError::over(limit)),
        None => Attempt::Broken("an answer without end".to_owned()),
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
