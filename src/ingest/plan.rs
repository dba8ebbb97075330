//! The order in which entries are read.
//!
//! For now that of the manifest. An order by place on the disk can stand behind the same interface: a chain of entries with one name is
//! kept by the transfer, which lets each start only when the one before it has ended.

use std::sync::Arc;

use crate::manifest::Catalogue;
use crate::transfer::Plan;

/// All entries, in manifest order.
pub(super) fn in_manifest_order(catalogue: &Arc<Catalogue>) -> Plan {
    let (catalogue, count) = (Arc::clone(catalogue), catalogue.summary().entries);
    Box::new((0..count).map(move |number| catalogue.entry(number)))
}
