//! Events: text or JSON lines on stderr, above the progress bars.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::report::Board;

/// Starts logging. `DOCKSIDE_LOG` filters (default `dockside=info`, as in `dockside=debug`), `DOCKSIDE_LOG_FORMAT=json` makes each event a line
/// of JSON. Foreign text is escaped before it gets here.
pub(crate) fn start(board: &Board) {
    let filter = EnvFilter::try_from_env("DOCKSIDE_LOG").unwrap_or_else(|_| EnvFilter::new("dockside=info"));
    let json = std::env::var("DOCKSIDE_LOG_FORMAT").is_ok_and(|format| format == "json");
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(board.log_writer()).with_target(false);
    let started = if json { log.json().finish().try_init() } else { log.with_ansi(false).finish().try_init() };
    if started.is_err() {
        eprintln!("dockside: warning: logging was started before");
    }
}
