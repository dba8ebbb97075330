//! The way to a decrypted view without the 2^20 hashes of a recovery password, for fuzzing: not a part of the library's interface.
//!
//! In: a locked volume and the key that a password would have been stretched to. Out: the view, or why there is none. What the view
//! relies on is asserted.

use super::keys::Key;
use super::view::Decrypted;
use super::{ProtectorKind, Sealed, master_in};
use crate::volume::bitlocker::Protector;

/// Opens each copy of the metadata as [`Sealed::unlock`] does, with `stretched` in place of every stretched password.
pub fn unlock(sealed: &Sealed, stretched: &[u8; 32]) -> Result<Decrypted, String> {
    let mut why = "no recovery protector opens".to_owned();
    let stretched = Key::new(*stretched);
    for metadata in sealed.copies.iter().flatten() {
        let recovery = metadata.protectors().filter(|entry| Protector::of(entry).kind == ProtectorKind::RecoveryPassword);
        for master in recovery.filter_map(|entry| master_in(entry.body.get(28..)?, &stretched)) {
            match sealed.open_copy(metadata, &master) {
                Ok(view) => {
                    check_layout(&view);
                    return Ok(view);
                }
                Err(reason) => why = reason,
            }
        }
    }
    Err(why)
}

/// Every byte of the view belongs to one part, and every part leads on to the next.
fn check_layout(view: &Decrypted) {
    let layout = &view.layout;
    let sector = u64::from(layout.sector_size);
    let (mut at, mut parts) = (0, 0);
    while at < layout.size {
        let end = layout.part_end(at);
        assert!(end > at && end <= layout.size, "the part at {at} ends at {end} of {}", layout.size);
        assert!(end.is_multiple_of(sector), "a border of parts inside a sector, at {end}");
        (at, parts) = (end, parts + 1);
    }
    assert!(parts <= 12, "{parts} parts");
    assert!(layout.copy.end <= layout.size, "relocated sectors beyond the end");
}
