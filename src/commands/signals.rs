//! Ctrl-C, SIGTERM and SIGHUP (a terminal that is gone): the first asks to finish what is in flight, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};

use crate::transfer::Stop;

/// Passes the first signal on to `stop` and returns at the second.
pub(crate) async fn watch(stop: &Stop) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    for asked_before in [false, true] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        if asked_before {
            break;
        }
        stop.ask();
        tracing::warn!("stopping: what is in flight is finished first; a second signal stops at once");
    }
    Ok(())
}
