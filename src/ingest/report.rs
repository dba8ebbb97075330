//! `Reporting`: composes the logs, uploads them, writes the receipt.
//!
//! The receipt in the state folder comes last: a session has run to its end when it is there, and not before.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::account::Account;
use crate::drive::DriveId;
use crate::ledger::state::StateError;
use crate::manifest::{Attributes, BlobPath, BlobPathError, ByteRange, ContainerName, Digest, Range};
use crate::report::{Counted, Detail, DriveCode, DriveLogError, DriveLogWriter, LogFacts, compose};
use crate::store::{Condition, Store, StoreError, Target};

/// Bytes of a log uploaded at once.
const PIECE: usize = 4 << 20;

/// Reports cannot be made or delivered. The run can be repeated: its outcomes are the same again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    /// The log cannot be composed.
    #[error(transparent)]
    Log(#[from] DriveLogError),
    /// A file of the state folder failed.
    #[error("{action} {} failed", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The state folder failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store does not take it.
    #[error("the store does not take {what}")]
    Upload {
        /// What was sent.
        what: String,
        /// The store's answer.
        #[source]
        source: StoreError,
    },
    /// The name of a report breaks the store's rules: the job's name is too long or odd.
    #[error("a report cannot be stored under the name {name}")]
    Name {
        /// The name.
        name: String,
        /// The rule.
        #[source]
        source: BlobPathError,
    },
    /// A receipt that cannot be written as JSON.
    #[error("the receipt cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// Composes a log of all entries; gives what it was written to, and the SHA-256 as lower-case digits.
pub(super) fn write_log<W: Write>(
    out: W,
    account: Option<&Account>,
    drive: &DriveId,
    detail: Detail,
    status: DriveCode,
) -> Result<(W, String), ReportError> {
    let mut log = DriveLogWriter::new(Counted::new(out), drive, detail)?;
    if let Some(account) = account {
        compose(&mut log, account.entries(), account)?;
    }
    let (out, sum) = log.finish(status)?.finish();
    Ok((out, sum.lower_hex()))
}

/// The place of reports in the store.
pub(super) struct Desk {
    pub(super) store: Arc<dyn Store>,
    pub(super) container: ContainerName,
    pub(super) session: String,
}

impl Desk {
    /// Uploads a file under a name of the diagnostics place, in pieces, replacing what a repeated run left there.
    pub(super) async fn upload(&self, name: &str, file: &Path, slot: u64) -> Result<(), ReportError> {
        let failed = |source| ReportError::File { action: "reading", path: file.to_owned(), source };
        let refused = |source| ReportError::Upload { what: name.to_owned(), source };
        let target = self.target(name, slot)?;
        let attributes = Attributes { content_type: Some("application/xml".to_owned()), ..Attributes::default() };
        let mut source = File::open(file).map_err(failed)?;
        let first = piece(&mut source).map_err(failed)?;
        if first.len() < PIECE {
            let digest = Digest::of(&first);
            self.store.put(&target, first, &digest, &attributes, &Condition::Any).await.map_err(refused)?;
            return Ok(());
        }
        let mut blocks = Vec::new();
        let (mut body, mut offset) = (first, 0);
        while !body.is_empty() {
            let length = body.len() as u64;
            let Some(bytes) = ByteRange::new(offset, length) else { break };
            let range = Range { bytes, digest: Digest::of(&body) };
            self.store.stage(&target, &range, body).await.map_err(refused)?;
            blocks.push(range);
            offset += length;
            body = piece(&mut source).map_err(failed)?;
        }
        self.store.commit(&target, &blocks, &attributes, &Condition::Any).await.map_err(refused)?;
        Ok(())
    }

    /// Uploads a receipt.
    pub(super) async fn receipt(&self, name: &str, text: String) -> Result<(), ReportError> {
        let attributes = Attributes { content_type: Some("application/json".to_owned()), ..Attributes::default() };
        let (body, target) = (Bytes::from(text), self.target(name, 2)?);
        let digest = Digest::of(&body);
        let put = self.store.put(&target, body, &digest, &attributes, &Condition::Any).await;
        put.map(|_| ()).map_err(|source| ReportError::Upload { what: name.to_owned(), source })
    }

    fn target(&self, name: &str, slot: u64) -> Result<Target, ReportError> {
        let path =
            BlobPath::new(self.container.clone(), name).map_err(|source| ReportError::Name { name: name.to_owned(), source })?;
        Ok(Target { path, session: self.session.clone(), entry: u64::MAX - slot })
    }

    /// Where a report can be found.
    pub(super) fn uri(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.store.url().trim_end_matches('/'), self.container)
    }

    /// Uploads one log and says where it is.
    pub(super) async fn log(
        &self,
        name: &str,
        file: &Path,
        sha256: String,
        detail: Detail,
        facts: &mut LogFacts,
    ) -> Result<(), ReportError> {
        let uri = Some(self.uri(name));
        match detail {
            Detail::Error => {
                self.upload(name, file, 0).await?;
                (facts.error_uri, facts.error_sha256) = (uri, Some(sha256));
            }
            Detail::Verbose => {
                self.upload(name, file, 1).await?;
                (facts.verbose_uri, facts.verbose_sha256) = (uri, Some(sha256));
            }
        }
        Ok(())
    }
}

fn piece(source: &mut File) -> io::Result<Bytes> {
    let mut body = Vec::new();
    Read::by_ref(source).take(PIECE as u64).read_to_end(&mut body)?;
    Ok(Bytes::from(body))
}
