//! What exists in the target containers: learnt by listing or by asking name by name, whichever is fewer requests.
//!
//! In go the containers with their numbers of entries; out come the pages of the listings and a [`ContainerSurvey`] each. A container
//! is listed page by page until its end. Once as many pages are taken as it has entries, the rest is asked name by name, so that never
//! more than twice the smaller number of requests is made. A container that does not exist looks empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::NamesError;
use crate::manifest::{BlobPath, ContainerName};
use crate::store::{BlobHead, ErrorClass, ListedBlob, Store, StoreError};

/// What is known of one target container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSurvey {
    /// Its name.
    pub name: ContainerName,
    /// Entries of the manifest that go there.
    pub entries: u64,
    /// Whether it exists; if not, it must be created before the first write.
    pub exists: bool,
    /// Whether it was listed to the end; else names are asked one by one.
    pub listed: bool,
}

/// Takes the pages of listings.
pub(super) type TakePage<'a> = &'a mut (dyn FnMut(&ContainerName, &[ListedBlob]) -> Result<(), NamesError> + Send);

/// Looks into every container.
pub(super) async fn survey(
    store: &Arc<dyn Store>,
    containers: BTreeMap<ContainerName, u64>,
    take: TakePage<'_>,
) -> Result<Vec<ContainerSurvey>, NamesError> {
    let mut surveys = Vec::with_capacity(containers.len());
    for (name, entries) in containers {
        surveys.push(list(store, name, entries, take).await?);
    }
    Ok(surveys)
}

async fn list(
    store: &Arc<dyn Store>,
    name: ContainerName,
    entries: u64,
    take: TakePage<'_>,
) -> Result<ContainerSurvey, NamesError> {
    let mut survey = ContainerSurvey { name, entries, exists: true, listed: true };
    let mut token = None;
    for pages in 1_u64.. {
        let page = match store.list(&survey.name, token).await {
            Ok(page) => page,
            Err(StoreError::ContainerMissing { .. }) => {
                survey.exists = false;
                break;
            }
            Err(source) => return Err(NamesError::Store { container: survey.name, source }),
        };
        take(&survey.name, &page.blobs)?;
        token = page.next;
        if token.is_none() {
            break;
        }
        if pages >= entries {
            survey.listed = false;
            break;
        }
    }
    Ok(survey)
}

/// Asks for each name, `at_once` requests at a time. The answers come in any order.
pub(super) async fn heads(
    store: &Arc<dyn Store>,
    paths: Vec<BlobPath>,
    at_once: usize,
) -> Result<Vec<(BlobPath, Option<BlobHead>)>, NamesError> {
    let ask = |path: BlobPath| {
        let store = Arc::clone(store);
        async move { head(&store, &path).await.map(|head| (path, head)) }
    };
    futures_util::stream::iter(paths).map(ask).buffer_unordered(at_once.max(1)).try_collect().await
}

/// Asks for one name. A name that the store refuses to look up counts as absent: the request that would make the blob visible demands
/// that it is, and fails that entry alone.
pub(super) async fn head(store: &Arc<dyn Store>, path: &BlobPath) -> Result<Option<BlobHead>, NamesError> {
    match store.head(path).await {
        Ok(head) => Ok(head),
        // it went away since it was listed
        Err(StoreError::ContainerMissing { .. }) => Ok(None),
        Err(error) if error.class() == ErrorClass::Entry => Ok(None),
        Err(source) => Err(NamesError::Store { container: path.container().clone(), source }),
    }
}
