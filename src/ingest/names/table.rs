//! What is known of each name: a hash table of fixed slots in an [`Area`].
//!
//! | bytes | slot |
//! |---|---|
//! | 0 to 15 | hash of container and name; 0 is an empty slot |
//! | 16 to 23 | number of the last entry that has the name, plus 1; 0 if none has |
//! | 24 to 29 | 0 not known whether the store has it, 1 it has not, else 2 plus the place of its version |
//! | 30 to 31 | the first number not yet found taken for this name; 0 is 2 |
//!
//! Open addressing with linear probing, at most four fifths full. The hashes are salted, so nobody can choose names that fall together.

use super::area::{Area, ScratchError};
use crate::manifest::EntryNumber;
use crate::volume::fields::array_at;

/// Bytes of a slot.
const SLOT: u64 = 32;

/// What is known of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) key: u128,
    pub(super) owner: Option<EntryNumber>,
    pub(super) existing: Existing,
    pub(super) next: u16,
}

/// What is known of the blob of that name in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Unknown,
    Absent,
    /// There, its version at this place of the versions.
    At(u64),
}

impl Slot {
    fn empty(key: u128) -> Self {
        Self { key, owner: None, existing: Existing::Unknown, next: 0 }
    }

    /// Whether a new blob cannot have the name.
    pub(super) fn taken(&self) -> bool {
        self.owner.is_some() || matches!(self.existing, Existing::At(_))
    }

    fn encode(&self) -> [u8; 32] {
        let existing = match self.existing {
            Existing::Unknown => 0,
            Existing::Absent => 1,
            Existing::At(place) => place + 2,
        };
        let high = existing | (u64::from(self.next) << 48);
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.key.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.owner.map_or(0, |owner| owner.saturating_add(1)).to_le_bytes());
        bytes[24..].copy_from_slice(&high.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; 32]) -> Option<Self> {
        let key = u128::from_le_bytes(array_at(bytes, 0)?);
        let owner = u64::from_le_bytes(array_at(bytes, 16)?).checked_sub(1);
        let high = u64::from_le_bytes(array_at(bytes, 24)?);
        let existing = match high & ((1 << 48) - 1) {
            0 => Existing::Unknown,
            1 => Existing::Absent,
            place => Existing::At(place - 2),
        };
        let next = u16::from_le_bytes(array_at(bytes, 30)?);
        (key != 0).then_some(Self { key, owner, existing, next })
    }
}

/// See the module.
pub(super) struct Table {
    area: Area,
    slots: u64,
    used: u64,
}

impl Table {
    /// An empty table with room for `names`; grows beyond.
    pub(super) fn new(mut area: Area, names: u64) -> Result<Self, ScratchError> {
        // three quarters full with these names, so that a few more do not make it grow
        let slots = names.saturating_add(names / 3).saturating_add(16);
        area.extend(slots.saturating_mul(SLOT))?;
        Ok(Self { area, slots, used: 0 })
    }

    /// A table kept in a file; `used` as [`Table::used`] said.
    pub(super) fn open(area: Area, used: u64) -> Self {
        Self { slots: area.length() / SLOT, area, used }
    }

    /// How many names it knows.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// The area behind it.
    pub(super) fn into_area(self) -> Area {
        self.area
    }

    /// What is known of a name; an empty slot if nothing is.
    pub(super) fn get(&self, key: u128) -> Result<Slot, ScratchError> {
        Ok(self.find(key)?.1.unwrap_or(Slot::empty(key)))
    }

    /// Keeps what is known of a name.
    pub(super) fn put(&mut self, slot: &Slot) -> Result<(), ScratchError> {
        let (mut place, found) = self.find(slot.key)?;
        if found.is_none() {
            if (self.used + 1) * 5 > self.slots * 4 {
                self.grow()?;
                place = self.find(slot.key)?.0;
            }
            self.used += 1;
        }
        self.area.write(place * SLOT, &slot.encode())
    }

    /// The place of the key, or the empty place where it belongs. Ends: a fifth of the places is empty.
    fn find(&self, key: u128) -> Result<(u64, Option<Slot>), ScratchError> {
        let mut place = home(key, self.slots);
        loop {
            match self.at(place)? {
                None => return Ok((place, None)),
                Some(slot) if slot.key == key => return Ok((place, Some(slot))),
                Some(_) => place = (place + 1) % self.slots,
            }
        }
    }

    fn at(&self, place: u64) -> Result<Option<Slot>, ScratchError> {
        let mut bytes = [0; 32];
        self.area.read(place * SLOT, &mut bytes)?;
        Ok(Slot::decode(&bytes))
    }

    fn grow(&mut self) -> Result<(), ScratchError> {
        let mut grown = Self::new(self.area.sibling(), self.slots.saturating_mul(2))?;
        for place in 0..self.slots {
            if let Some(slot) = self.at(place)? {
                grown.put(&slot)?;
            }
        }
        self.area.replace(grown.area)?;
        self.slots = grown.slots;
        Ok(())
    }
}

/// Where a key belongs: its upper half scaled to the number of slots.
fn home(key: u128, slots: u64) -> u64 {
    let scaled = (key >> 64) * u128::from(slots);
    // the upper half is below 2^64, so the product's upper half is below `slots`
    u64::try_from(scaled >> 64).unwrap_or(0)
}
