//! `dockside ingest`: drives or images to blobs, now.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::task::JoinSet;

use super::exit::{Exit, Failure};
use super::{logging, look, place, signals};
use crate::config::{Config, state_dir};
use crate::drive::{DriveId, Source};
use crate::foreign::Shown;
use crate::ingest::{Access, Admitted, DryRun, Ending, Services, ingest};
use crate::job::Job;
use crate::ledger::DbError;
use crate::ledger::db::Ledger;
use crate::ledger::state::StateDir;
use crate::report::Board;
use crate::store::{Credentials, StoreConfig, StoreUrl};
use crate::transfer::{Budget, Hasher, Host, Stop, Uploads};

mod endings;

/// How long a second signal waits for the drives' tasks to be dropped.
const LEAVE_TIME: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  dockside ingest drive.img --job job.json --store file:///srv/blobs
  dockside ingest drive.img --job job.json --dry-run --offline --log predicted.xml
  dockside ingest /dev/sdb /dev/sdc --job job.json --drive-id ZX10K7742 --drive-id ZX10K7743

Several sources run side by side. A session that ran to its receipt is not run again.

Exit codes:
  0  every entry stored (renamed and skipped ones count: it was asked for)
  1  internal error
  2  usage, configuration or job file
  3  drive refused or held
  4  finished, some entries failed: the drive log names them
  5  interrupted: run the same command again
Of several drives the gravest speaks: 1, 2, 5, 3, 4, 0.";

/// Ingest drives or drive images now
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Drive images or block devices
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// The job that announced the drives, as JSON
    #[arg(long, value_name = "FILE")]
    job: PathBuf,
    /// The n-th source's id in the job; may be left out for one source and a job of one drive
    #[arg(long = "drive-id", value_name = "ID")]
    drive_ids: Vec<DriveId>,
    /// Where blobs go: `azure://ACCOUNT` or `file:///FOLDER`; overrides the account's entry in the configuration
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// State folder: logs and receipts are kept there
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Configuration; /etc/dockside/dockside.toml if it exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read and check everything, write nothing, and show the log that a run would write
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: do not ask the store either, predict as if its containers were empty
    #[arg(long, requires = "dry_run")]
    offline: bool,
    /// With --dry-run: write the predicted log to this file (one source)
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    log: Option<PathBuf>,
    /// Take a drive that another host or state folder has begun, for good: what it stored is told from what the store has
    #[arg(long, conflicts_with = "dry_run")]
    take_over: bool,
    /// Results as JSON on standard output
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    check(arguments)?;
    let config = Arc::new(Config::load(arguments.config.as_deref()).map_err(|e| Failure::usage_of(&e))?);
    let job = Arc::new(Job::read(&arguments.job).map_err(|e| Failure::usage_of(&e))?);
    let drives = admit(arguments, &job)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::with(Exit::Internal, format!("the runtime cannot be started: {e}")))?;
    let board = Board::detect();
    logging::start(&board);
    let exit = runtime.block_on(async {
        let services = services(arguments, config, job, drives.len()).await?;
        let ledger = services.ledger.clone();
        let exit = all(arguments, drives, services, &board).await;
        if let Some(Err(error)) = close(ledger).await {
            tracing::warn!(%error, "the ledger could not be closed");
        }
        exit
    });
    // a second signal leaves reading threads behind; nobody waits for them
    runtime.shutdown_background();
    exit
}

async fn close(ledger: Option<Ledger>) -> Option<Result<(), DbError>> {
    Some(ledger?.close().await)
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.log.is_some() && arguments.sources.len() > 1 {
        return Err(Failure::usage("--log takes the log of one source, and there are several"));
    }
    if arguments.json && arguments.dry_run && arguments.log.is_none() {
        return Err(Failure::usage("with --json the predicted log needs a place: --log FILE"));
    }
    if let Some(log) = &arguments.log {
        // found now, not after hours of reading
        let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if log.is_dir() || !folder.is_dir() {
            return Err(Failure::usage(format!("--log {}: give a file in a folder that exists", Shown(&log.to_string_lossy()))));
        }
    }
    Ok(())
}

/// Matches each source to its drive of the job.
fn admit(arguments: &Arguments, job: &Arc<Job>) -> Result<Vec<Admitted>, Failure> {
    let (sources, given) = (&arguments.sources, &arguments.drive_ids);
    let opened = sources.iter().map(|path| look::open_source(path)).collect::<Result<Vec<_>, _>>()?;
    let serials = opened.iter().filter(|source| source.serial().is_some()).count();
    // each source knows its own id, or there is but one to match
    let none_needed = given.is_empty() && (sources.len() == 1 || serials == sources.len());
    if given.len() != sources.len() && !none_needed {
        let list = look::list(job);
        let message = format!(
            "{} source(s) and {} --drive-id: give one for each; job {} has: {list}",
            sources.len(),
            given.len(),
            job.name
        );
        return Err(Failure::usage(message));
    }
    let mut drives: Vec<Admitted> = Vec::with_capacity(opened.len());
    for (index, source) in opened.into_iter().enumerate() {
        let id = look::identify(&source, job, given.get(index))?;
        if drives.iter().any(|other| other.id == id) {
            return Err(Failure::usage(format!("drive {id} is given twice")));
        }
        drives.push(Admitted { source, id, job: Arc::clone(job) });
    }
    Ok(drives)
}

async fn services(arguments: &Arguments, config: Arc<Config>, job: Arc<Job>, drives: usize) -> Result<Services, Failure> {
    let dry_run = arguments.dry_run.then(|| DryRun { offline: arguments.offline, log: arguments.log.clone() });
    let store = store(arguments, &config, &job)?;
    let access = Access::open(&store, &config.transfer, dry_run.as_ref()).map_err(|e| Failure::usage_of(&e))?;
    let state =
        state_dir(arguments.state.as_deref(), &config, |name| std::env::var_os(name)).map_err(|e| Failure::usage_of(&e))?;
    let state = StateDir::open(&state).map_err(|e| Failure::usage_of(&e))?;
    let ledger = match &dry_run {
        Some(_) => None,
        None => Some(Ledger::open(&state).await.map_err(|e| place::of_ledger(&e))?),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let host = Host {
        budget: Budget::new(config.transfer.byte_budget),
        uploads: Uploads::new(config.transfer.upload_slots()),
        hasher: Hasher::new(cores),
    };
    Ok(Services {
        config,
        job,
        access,
        state: Arc::new(state),
        ledger,
        take_over: arguments.take_over,
        host,
        drives: drives as u64,
        stop: Stop::default(),
        watch: None,
        dry_run,
    })
}

/// Where the job's account keeps its blobs: `--store`, else its entry in the configuration, else the account's own service.
fn store(arguments: &Arguments, config: &Config, job: &Job) -> Result<StoreConfig, Failure> {
    let entry = config.stores.get(&job.account);
    let url = match (&arguments.store, entry) {
        (Some(given), _) => given.clone(),
        (None, Some(entry)) => entry.url.clone(),
        (None, None) => format!("azure://{}", job.account),
    };
    let url = StoreUrl::parse(&url)
        .map_err(|e| Failure::usage_of(&e).remedy("see [stores.<account>] in the configuration, or --store"))?;
    let credentials = entry.and_then(|entry| entry.credentials_file.clone());
    Ok(StoreConfig {
        account: job.account.to_string(),
        url,
        endpoint: entry.and_then(|entry| entry.endpoint.clone()),
        credentials: credentials.map_or(Credentials::Environment, Credentials::File),
    })
}

/// Drops the drives' tasks where they stand. With them go their locks and scratch folders; what still reads or writes finds its files gone.
async fn leave<T: 'static>(mut running: JoinSet<T>) {
    running.abort_all();
    let all = async { while running.join_next().await.is_some() {} };
    // a task that computes does not notice; the next run of its session cleans up behind it
    let _ = tokio::time::timeout(LEAVE_TIME, all).await;
}

/// Runs all drives side by side; a second signal leaves them where they are.
async fn all(arguments: &Arguments, drives: Vec<Admitted>, services: Services, board: &Board) -> Result<Exit, Failure> {
    let names: Vec<Arc<Source>> = drives.iter().map(|drive| Arc::clone(&drive.source)).collect();
    let mut running = JoinSet::new();
    for (index, drive) in drives.into_iter().enumerate() {
        let (services, progress) = (services.clone(), board.drive(drive.id.as_str()));
        running.spawn(async move { (index, ingest(drive, services, progress).await) });
    }
    let mut endings: Vec<Option<Ending>> = names.iter().map(|_| None).collect();
    let finished = async {
        while let Some(joined) = running.join_next().await {
            if let Ok((index, ending)) = joined {
                endings[index] = Some(ending);
            }
        }
    };
    tokio::select! {
        () = finished => {}
        watched = signals::watch(&services.stop) => {
            watched.map_err(|e| Failure::with(Exit::Internal, format!("signals cannot be watched: {e}")))?;
            leave(running).await;
            return Err(Failure::with(Exit::Interrupted, "stopped at once").remedy("run the same command again"));
        }
    }
    endings::show(&names, endings, arguments.json, board)
}
