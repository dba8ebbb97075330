//! The credential of an account: asked for each attempt, exchanged while requests are under way when the service does not take it.
//!
//! In go what the settings say and, if they stand in a file, a way to read them anew. Each credential has a number: a request that was
//! refused with an older one than is in use now repeats with that, and only one that was refused with the newest has the file read.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use object_store::azure::{AzureCredentialProvider, MicrosoftAzureBuilder};

/// What signs, as settings say it.
pub(in crate::store) struct Signing {
    pub(in crate::store) builder: MicrosoftAzureBuilder,
    /// When it ends, if it tells.
    pub(in crate::store) ends: Option<Timestamp>,
}

/// Reads the settings anew: what they say now, or `None` if nothing new can be had.
pub(in crate::store) type Reread = Box<dyn Fn() -> Option<Signing> + Send + Sync>;

/// Where credentials come from.
pub(super) struct CredentialSource {
    current: Mutex<Current>,
    reread: Option<Reread>,
}

struct Current {
    signing: Signing,
    provider: AzureCredentialProvider,
    number: u64,
}

/// A credential in use.
pub(super) struct Credential {
    pub(super) provider: AzureCredentialProvider,
    number: u64,
}

/// A provider without what it has cached.
fn provider(builder: &MicrosoftAzureBuilder) -> Result<AzureCredentialProvider, object_store::Error> {
    Ok(Arc::clone(builder.clone().build()?.credentials()))
}

impl CredentialSource {
    pub(super) fn new(signing: Signing, reread: Option<Reread>) -> Result<Self, object_store::Error> {
        let provider = provider(&signing.builder)?;
        Ok(Self { current: Mutex::new(Current { signing, provider, number: 0 }), reread })
    }

    /// The one to sign with.
    pub(super) fn current(&self) -> Credential {
        let current = self.lock();
        Credential { provider: Arc::clone(&current.provider), number: current.number }
    }

    /// When it ends, if it tells.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.lock().signing.ends
    }

    /// Whether there is a newer one than the one that was refused: by then somebody has read it, or it is read now. The file is small and
    /// local; whoever needs a credential waits the moment that it takes.
    pub(super) fn is_renewed(&self, refused: &Credential) -> bool {
        let mut current = self.lock();
        if current.number != refused.number {
            return true;
        }
        let Some(signing) = self.reread.as_ref().and_then(|read| read()) else { return false };
        let Ok(provider) = provider(&signing.builder) else { return false };
        *current = Current { signing, provider, number: current.number + 1 };
        true
    }

    /// Forgets cached tokens.
    pub(super) fn forget_tokens(&self) {
        let mut current = self.lock();
        if let Ok(provider) = provider(&current.signing.builder) {
            current.provider = provider;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signing(hidden, ends {:?})", self.ends)
    }
}
