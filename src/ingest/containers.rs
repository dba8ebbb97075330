//! Containers that must be there before something is written to them.

use std::sync::Arc;

use crate::manifest::ContainerName;
use crate::store::{Store, StoreError};

/// Creates a container unless it exists. It is asked for first: a credential without the right to create is enough where all is in place.
pub(super) async fn ensure(store: &Arc<dyn Store>, container: &ContainerName) -> Result<(), StoreError> {
    match store.container_exists(container).await {
        Ok(true) => Ok(()),
        // whoever may not ask may still be allowed to create
        Ok(false) | Err(StoreError::Forbidden { .. }) => store.create_container(container).await,
        Err(error) => Err(error),
    }
}
