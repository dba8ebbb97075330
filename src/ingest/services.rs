//! What every drive of a run shares.

use std::path::PathBuf;
use std::sync::Arc;

use super::Access;
use crate::config::Config;
use crate::job::Job;
use crate::ledger::Watch;
use crate::ledger::db::Ledger;
use crate::ledger::state::StateDir;
use crate::transfer::{Host, Stop};

/// What every drive of a run shares.
#[derive(Clone)]
pub struct Services {
    /// The configuration, validated.
    pub config: Arc<Config>,
    /// The job that announced the drives.
    pub job: Arc<Job>,
    /// The way to the job's store.
    pub access: Access,
    /// The state folder.
    pub state: Arc<StateDir>,
    /// What outlasts a run; `None` for a dry run.
    pub ledger: Option<Ledger>,
    /// Whether to take sessions that another host or ledger has begun.
    pub take_over: bool,
    /// Memory, requests and cores.
    pub host: Host,
    /// How many drives share the host in this run.
    pub drives: u64,
    /// Asked to stop.
    pub stop: Stop,
    /// For tests: told of each call of the ledger.
    #[doc(hidden)]
    pub watch: Option<Watch>,
    /// Set for a dry run.
    pub dry_run: Option<DryRun>,
}

/// Everything is read and checked, nothing is written.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// Do not even ask the store: predict as if its containers were empty.
    pub offline: bool,
    /// Where the predicted log goes; standard output if nowhere.
    pub log: Option<PathBuf>,
}
