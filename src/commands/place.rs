//! What the commands about the ledger have in common: where the state folder is, and the ledger open while they work.

use std::future::Future;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::exit::{Exit, Failure};
use crate::config::{Config, state_dir};
use crate::ledger::db::{DbError, Ledger};
use crate::ledger::state::StateDir;

const ANOTHER_PLACE: &str = "name a folder of this machine's that can be written: --state DIR, or state_dir in the configuration";
const CHECK: &str = "see what is left with `dockside ledger check`; put a copy made by `dockside ledger backup` in its place, or move the \
     file away and run the drives again";

/// Where the state folder is.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// State folder: the ledger lies there
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Configuration; /etc/dockside/dockside.toml if it exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        Config::load(self.config.as_deref()).map_err(|error| Failure::usage_of(&error))
    }

    /// The state folder, there and writable.
    pub(crate) fn state(&self, config: &Config) -> Result<StateDir, Failure> {
        let path = state_dir(self.state.as_deref(), config, |name| std::env::var_os(name));
        let path = path.map_err(|error| Failure::usage_of(&error).remedy(ANOTHER_PLACE))?;
        StateDir::open(&path).map_err(|error| Failure::usage_of(&error).remedy(ANOTHER_PLACE))
    }

    /// Does `work` with the ledger open.
    pub(crate) fn with_ledger<T, W>(&self, config: &Config, work: impl FnOnce(Desk) -> W) -> Result<T, Failure>
    where
        W: Future<Output = Result<T, Failure>>,
    {
        let state = self.state(config)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Failure::with(Exit::Internal, format!("the runtime cannot be started: {error}")))?;
        runtime.block_on(async {
            let ledger = Ledger::open(&state).await.map_err(|error| of_ledger(&error))?;
            let done = work(Desk { state, ledger: ledger.clone() }).await;
            let closed = ledger.close().await.map_err(|error| of_ledger(&error));
            done.and_then(|done| closed.map(|()| done))
        })
    }
}

/// The state folder and its ledger.
pub(crate) struct Desk {
    pub(crate) state: StateDir,
    pub(crate) ledger: Ledger,
}

/// A failure of the ledger with its remedy.
pub(crate) fn of_ledger(error: &DbError) -> Failure {
    match error {
        DbError::Network { .. } | DbError::ReadOnly { .. } | DbError::File { .. } => {
            Failure::usage_of(error).remedy(ANOTHER_PLACE)
        }
        DbError::NoSpace { .. } => Failure::new(Exit::Interrupted, error).remedy("make room, then run the same command again"),
        DbError::Busy { .. } => Failure::new(Exit::Interrupted, error).remedy("run the same command again"),
        DbError::Newer { .. } => Failure::usage_of(error).remedy("use the newer version of dockside, or another state folder"),
        DbError::Damaged { .. } | DbError::Record { .. } => Failure::new(Exit::Internal, error).remedy(CHECK),
        DbError::Gone { .. } | DbError::Closed { .. } | DbError::NoSession { .. } | DbError::Failed { .. } => {
            Failure::new(Exit::Internal, error)
        }
    }
}

/// A time of the ledger for a person and for machines: `2026-01-02T03:04:05Z`.
pub(crate) fn moment(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| "?".to_owned(), |moment| format!("{moment:.0}"))
}
