//! The name book at work beside other drives: on a thread of its own, until all names are settled or somebody asks to stop.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::account::Account;
use super::broken::{Broken, blocking};
use super::names::{self, NameIndex, NameOptions, NamesError, Survey};
use crate::store::Store;
use crate::transfer::{Stop, TransferError};

/// Settles the name of every entry. The wish to stop is looked for at each entry read, each answer of the store and each bucket; dropping
/// the future ends the work as well.
pub(super) async fn settle(
    account: Account,
    store: Arc<dyn Store>,
    options: NameOptions,
    stop: Stop,
) -> Result<Result<(Survey, NameIndex), NamesError>, Broken> {
    // the thread is told by it when nobody waits for its answer any more
    let (waiting, gone) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let settled = blocking(move || {
        runtime.block_on(async {
            let entries = || account.catalogue.entries().map(|entry| unless(&stop).and_then(|()| Ok(entry?)));
            let mut settling = pin!(names::settle(entries, &store, account.records.as_ref(), &options));
            let settled = poll_fn(|context| match unless(&stop) {
                Ok(()) => settling.as_mut().poll(context).map(Some),
                Err(_) => Poll::Ready(None),
            });
            tokio::select! {
                biased;
                _ = gone => None,
                // an error may be the wish to stop, met inside
                settled = settled => settled.filter(|settled| settled.is_ok() || !stop.asked()),
            }
        })
    });
    let settled = settled.await?;
    drop(waiting);
    settled.ok_or_else(Broken::stopped)
}

fn unless(stop: &Stop) -> Result<(), TransferError> {
    if stop.asked() { Err(TransferError::Stopped) } else { Ok(()) }
}
