//! What an answer of the service means: done, to be repeated, or final.
//!
//! `x-ms-error-code` decides, not the status alone; where it is missing (a proxy, a cut answer) the status does. Sources: the
//! service's REST reference, tried on the emulator.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;

use super::retry::retry_after;
use super::xml;
use crate::store::StoreError;

/// An answer that was read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What to do about an answer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It succeeded.
    Done,
    /// It may pass: repeat, not before the time the store asks for.
    Again(Option<Duration>),
    /// The line damaged the body: repeat at once.
    Damaged,
    /// The signature was not taken: once more with a fresh credential.
    Unsigned(StoreError),
    /// That is the answer.
    Final(StoreError),
}

impl Answer {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The service's error code; letters and digits only, whoever wrote it.
    pub(super) fn code(&self) -> String {
        let code = self.header("x-ms-error-code").map(str::to_owned).or_else(|| xml::error_code(&self.body)).unwrap_or_default();
        code.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
    }

    /// What to do about it. `container` is the one the request was for, `done` whether the status says that it is done.
    pub(super) fn verdict(&self, container: &str, done: bool) -> Verdict {
        if done {
            return Verdict::Done;
        }
        let code = self.code();
        let asked = || self.header("retry-after").and_then(|value| retry_after(value, SystemTime::now()));
        match (self.status, code.as_str()) {
            // another success than the asked one is none of the service's
            (200..300 | 408 | 429 | 500 | 502 | 503 | 504, _)
            | (_, "ServerBusy" | "InternalError" | "OperationTimedOut" | "ContainerBeingDeleted" | "BlobBeingRehydrated") => {
                Verdict::Again(asked())
            }
            (400, "Md5Mismatch" | "Crc64Mismatch") => Verdict::Damaged,
            (403, "AuthenticationFailed") | (401, _) => Verdict::Unsigned(self.forbidden(&code)),
            _ => Verdict::Final(self.refusal(code, container)),
        }
    }

    /// Whether it shows that the service is there and at work. What is said of one blob alone ("later") does.
    pub(super) fn is_alive(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Again(_) => matches!(self.code().as_str(), "ContainerBeingDeleted" | "BlobBeingRehydrated"),
            Verdict::Final(error) => !matches!(error, StoreError::NotTheService { .. }),
            Verdict::Done | Verdict::Damaged | Verdict::Unsigned(_) => true,
        }
    }

    /// Whether it asks for fewer requests at the same time.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.status, 429 | 503)
    }

    fn forbidden(&self, code: &str) -> StoreError {
        let code = if code.is_empty() { "no reason given" } else { code };
        StoreError::Forbidden { reason: format!("{} {code}", self.status) }
    }

    fn refusal(&self, code: String, container: &str) -> StoreError {
        let missing = || StoreError::ContainerMissing { container: container.to_owned() };
        match (self.status, code.as_str()) {
            // a token that may create but not overwrite tells an existing blob by 403
            (409, "BlobAlreadyExists") | (403, "UnauthorizedBlobOverwrite") => StoreError::AlreadyExists,
            (409, "InvalidBlobType") => StoreError::WrongKind,
            (409 | 412, code) if code.starts_with("Lease") => StoreError::LeasePresent,
            (404, "ContainerNotFound") => missing(),
            (300..400, _) | (404, "") => StoreError::NotTheService { status: self.status },
            (404 | 412, _) => StoreError::ConditionFailed,
            (400, "InvalidBlobOrBlock") => StoreError::ForeignBlocks,
            (400, "InvalidBlockList") => StoreError::BlockMissing,
            (400, "InvalidHeaderValue" | "OutOfRangeInput" | "InvalidQueryParameterValue" | "BlockListTooLong")
            | (411 | 413 | 416, _) => StoreError::Misunderstood { status: self.status, code },
            (507, _) | (_, "InsufficientStorage" | "AccountCapacityExceeded" | "QuotaExceeded") => StoreError::NoSpace,
            (403, code) => self.forbidden(code),
            (409, "AccountBeingCreated") => self.forbidden(&code),
            (status, "") => StoreError::Rejected { status, code: "without a code".to_owned() },
            (status, _) => StoreError::Rejected { status, code },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ErrorClass;

    fn answer(status: u16, code: &str) -> Answer {
        let mut headers = HeaderMap::new();
        if !code.is_empty() {
            headers.insert("x-ms-error-code", code.parse().unwrap());
        }
        Answer { status, headers, body: Bytes::new() }
    }

    fn refused(status: u16, code: &str) -> String {
        match answer(status, code).verdict("cust", status == 201) {
            Verdict::Final(error) => format!("{error:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn each_code_has_its_meaning() {
        let cases = [
            (201, "", "Done"),
            (200, "", "Again(None)"),
            (204, "", "Again(None)"),
            (302, "", "NotTheService { status: 302 }"),
            (404, "", "NotTheService { status: 404 }"),
            (400, "InvalidHeaderValue", "Misunderstood { status: 400, code: \"InvalidHeaderValue\" }"),
            (413, "RequestBodyTooLarge", "Misunderstood { status: 413, code: \"RequestBodyTooLarge\" }"),
            (409, "BlobBeingRehydrated", "Again(None)"),
            (409, "BlobAlreadyExists", "AlreadyExists"),
            (403, "UnauthorizedBlobOverwrite", "AlreadyExists"),
            (409, "InvalidBlobType", "WrongKind"),
            (412, "LeaseIdMissing", "LeasePresent"),
            (409, "LeaseAlreadyPresent", "LeasePresent"),
            (412, "ConditionNotMet", "ConditionFailed"),
            (404, "BlobNotFound", "ConditionFailed"),
            (404, "ContainerNotFound", "ContainerMissing { container: \"cust\" }"),
            (400, "InvalidBlobOrBlock", "ForeignBlocks"),
            (400, "InvalidBlockList", "BlockMissing"),
            (507, "", "NoSpace"),
            (409, "SnapshotsPresent", "Rejected { status: 409, code: \"SnapshotsPresent\" }"),
            (400, "", "Rejected { status: 400, code: \"without a code\" }"),
            (403, "AuthorizationFailure", "Forbidden { reason: \"403 AuthorizationFailure\" }"),
            (403, "InsufficientAccountPermissions", "Forbidden { reason: \"403 InsufficientAccountPermissions\" }"),
            (400, "Md5Mismatch", "Damaged"),
            (503, "ServerBusy", "Again(None)"),
            (409, "ContainerBeingDeleted", "Again(None)"),
            (429, "", "Again(None)"),
        ];
        for (status, code, expected) in cases {
            assert_eq!(refused(status, code), expected, "{status} {code}");
        }
    }

    #[test]
    fn an_outage_is_told_from_an_answer() {
        let alive = |status, code| {
            let answer = answer(status, code);
            answer.is_alive(&answer.verdict("cust", status == 201))
        };
        for (status, code) in
            [(201, ""), (409, "BlobAlreadyExists"), (403, "AuthenticationFailed"), (409, "ContainerBeingDeleted")]
        {
            assert!(alive(status, code), "{status} {code}");
        }
        for (status, code) in [(503, "ServerBusy"), (500, "OperationTimedOut"), (429, ""), (502, ""), (302, "")] {
            assert!(!alive(status, code), "{status} {code}");
        }
        assert!(answer(503, "ServerBusy").is_busy() && answer(429, "").is_busy() && !answer(500, "InternalError").is_busy());
    }

    #[test]
    fn a_failed_signature_is_told_from_a_missing_right() {
        assert!(
            matches!(answer(403, "AuthenticationFailed").verdict("c", false), Verdict::Unsigned(error) if error.class() == ErrorClass::Access)
        );
        assert!(matches!(answer(403, "AccountIsDisabled").verdict("c", false), Verdict::Final(StoreError::Forbidden { .. })));
    }

    #[test]
    fn the_code_is_found_in_the_body_and_never_trusted_as_text() {
        let body = Bytes::from(
            "\u{feff}<?xml version=\"1.0\"?><Error><Code>Container\u{1b}NotFound</Code><Message>sig=hush</Message></Error>",
        );
        let answer = Answer { status: 404, headers: HeaderMap::new(), body };
        assert_eq!(answer.code(), "ContainerNotFound");
    }

    #[test]
    fn retry_after_is_heard() {
        let mut answer = answer(503, "ServerBusy");
        answer.headers.insert("retry-after", "3".parse().unwrap());
        assert!(matches!(answer.verdict("c", false), Verdict::Again(Some(pause)) if pause == Duration::from_secs(3)));
    }
}
