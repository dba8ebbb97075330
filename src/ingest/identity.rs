//! Whose a session is: one host and one ledger work on it, and no second one begins it unseen.
//!
//! A blob in the diagnostics place says who began it; it is made on condition that there is none. Where the store has leases, the blob is
//! also held while the run lasts, so that two processes which share a ledger's name by mistake (a copied state folder) do not meet. In go
//! the session and the ledger; out comes the right to write, for as long as [`Tenure`] lives and does not lose it. Refuses a session that
//! another host or ledger has begun, unless it is to be taken over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::Halt;
use super::broken::Broken;
use crate::foreign::Foreign;
use crate::ledger::Kept;
use crate::manifest::{Attributes, BlobPath, Digest};
use crate::report::DriveCode;
use crate::store::{Condition, Store, StoreError, Target};
use crate::transfer::Stop;

/// Bytes of such a blob: a few short fields.
const LIMIT: usize = 16 << 10;
/// How often the blob is looked at again when it changes under our eyes.
const ATTEMPTS: u32 = 3;
/// How long it may take to let go of the session.
const COURTESY: Duration = Duration::from_secs(5);
/// How often a lease of a minute is renewed: two renewals may fail.
const RENEWAL: Duration = Duration::from_secs(15);

/// Who works on a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holder {
    schema: u32,
    session: String,
    /// Name of the host.
    host: Foreign,
    /// Id of the ledger.
    ledger: String,
    /// When it began, in RFC 3339.
    since: Foreign,
}

/// A session that is about to be begun or gone on with.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) store: Arc<dyn Store>,
    /// The blob.
    pub(super) path: BlobPath,
    pub(super) session: String,
    /// Id of this ledger.
    pub(super) ledger: String,
    /// Whether to take it from whoever has it.
    pub(super) take_over: bool,
}

impl Claim {
    /// Takes the session, or says who has it.
    pub(super) async fn take(&self) -> Result<(), Broken> {
        for _ in 0..ATTEMPTS {
            let Some((etag, text)) = self.store.read(&self.path, LIMIT).await.map_err(|e| self.failed(&e))? else {
                match self.write(&Condition::Absent).await {
                    Ok(()) => return Ok(()),
                    Err(StoreError::AlreadyExists) => continue,
                    Err(error) => return Err(self.failed(&error)),
                }
            };
            let holder = serde_json::from_slice::<Holder>(&text).ok();
            if holder.as_ref().is_some_and(|holder| holder.ledger == self.ledger) {
                return Ok(());
            }
            if !self.take_over {
                return Err(self.elsewhere(holder.as_ref()).into());
            }
            match self.write(&Condition::Matches(etag)).await {
                Ok(()) => return Ok(()),
                Err(StoreError::ConditionFailed) => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Err(self.elsewhere(None).into())
    }

    async fn write(&self, condition: &Condition) -> Result<(), StoreError> {
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (session, ledger) = (self.session.clone(), self.ledger.clone());
        let holder = Holder { schema: 1, session, host: host.into(), ledger, since: format!("{:.0}", Timestamp::now()).into() };
        let text = serde_json::to_vec_pretty(&holder).unwrap_or_default();
        let (digest, body) = (Digest::of(&text), Bytes::from(text));
        let target = Target { path: self.path.clone(), session: self.session.clone(), entry: u64::MAX - 3 };
        let attributes = Attributes { content_type: Some("application/json".to_owned()), ..Attributes::default() };
        self.store.put(&target, body, &digest, &attributes, condition).await.map(drop)
    }

    fn elsewhere(&self, holder: Option<&Holder>) -> Halt {
        let who = holder.map_or_else(
            || "another host".to_owned(),
            |holder| format!("host {} (ledger {}) since {}", holder.host, Foreign::from(&*holder.ledger), holder.since),
        );
        let detail = format!("{who} has begun session {} ({}/{})", self.session, self.path.container(), self.path.name());
        Halt::new(DriveCode::SessionElsewhere, detail)
    }

    /// A leased blob is somebody's who runs now, whatever it says.
    fn failed(&self, error: &StoreError) -> Broken {
        match error {
            StoreError::LeasePresent => self.elsewhere(None).into(),
            StoreError::Forbidden { .. } => Halt::of(DriveCode::BlobRequestForbidden, error).into(),
            other => Broken::by_store(other),
        }
    }

    /// Holds the session while the run lasts.
    pub(super) async fn hold(self, records: Arc<Kept>, stop: Stop) -> Result<Tenure, Broken> {
        if let Err(error) = self.store.hold(&self.path, &self.holder_id()).await {
            // it may have been granted without our hearing of it
            self.let_go().await;
            return Err(self.failed(&error));
        }
        // between the claim and the lease somebody may have taken it over
        if !self.is_ours().await {
            self.let_go().await;
            return Err(self.elsewhere(None).into());
        }
        let claim = Arc::new(self);
        let renewing = tokio::spawn(Arc::clone(&claim).renew(records, stop));
        Ok(Tenure { claim, renewing })
    }

    /// A courtesy: a lease ends by itself, and nobody waits for a store that does not answer.
    async fn let_go(&self) {
        let asked = tokio::time::timeout(COURTESY, self.store.let_go(&self.path, &self.holder_id())).await;
        if !matches!(asked, Ok(Ok(()))) {
            tracing::debug!("the session's blob stays held for a minute");
        }
    }

    /// Whether the blob still says that the session is this ledger's. A store that does not answer says nothing against it.
    async fn is_ours(&self) -> bool {
        match self.store.read(&self.path, LIMIT).await {
            Ok(Some((_, text))) => serde_json::from_slice::<Holder>(&text).is_ok_and(|holder| holder.ledger == self.ledger),
            Ok(None) => false,
            Err(_) => true,
        }
    }

    async fn renew(self: Arc<Self>, records: Arc<Kept>, stop: Stop) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let lost = match self.store.hold(&self.path, &self.holder_id()).await {
                // a lease that had lapsed is granted again, whoever had the session meanwhile
                Ok(()) if self.is_ours().await => None,
                Ok(()) => Some("somebody has taken it over".to_owned()),
                Err(error @ (StoreError::LeasePresent | StoreError::ConditionFailed | StoreError::Forbidden { .. })) => {
                    Some(error.to_string())
                }
                // it may pass; the lease then lapses, and is looked at when it is granted again
                Err(_) => None,
            };
            if let Some(why) = lost {
                let cause = format!("the session {} is no longer this run's: {why}", self.session);
                tracing::error!(cause);
                records.lose(cause);
                stop.ask();
                return;
            }
        }
    }

    /// The same for each run of this ledger: a run that was killed is gone on with at once.
    fn holder_id(&self) -> String {
        let digest = Digest::of(format!("{}/{}", self.ledger, self.session).as_bytes()).lower_hex();
        let part = |from, to| digest.get(from..to).unwrap_or_default();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }
}

/// The session is this run's until this ends or is dropped.
#[derive(Debug)]
pub(super) struct Tenure {
    claim: Arc<Claim>,
    renewing: JoinHandle<()>,
}

impl Tenure {
    /// Lets go of the session, so that nobody has to wait for it.
    pub(super) async fn end(self) {
        self.renewing.abort();
        self.claim.let_go().await;
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}
