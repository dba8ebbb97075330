//! Drops listed blobs that no entry can meet: a bit set of the roots that entries have, of fixed size.
//!
//! It never drops one that matters. With a million entries it lets about 1 of 1,000 others pass, with 50 million three of five.

/// Bits: 8 MiB.
const BITS: u64 = 1 << 26;

/// See the module.
pub(super) struct Sieve {
    words: Vec<u64>,
}

impl Sieve {
    pub(super) fn new() -> Self {
        Self { words: vec![0; crate::volume::fields::index(BITS / 64)] }
    }

    /// Remembers a root.
    pub(super) fn add(&mut self, root: u128) {
        for (word, bit) in places(root) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether the root may have been added.
    pub(super) fn may_hold(&self, root: u128) -> bool {
        places(root).into_iter().all(|(word, bit)| self.words.get(word).is_none_or(|word| word & bit != 0))
    }
}

/// Two bits chosen by parts of the hash that are not used for the bucket.
fn places(root: u128) -> [(usize, u64); 2] {
    [root >> 64, root >> 96].map(|part| {
        let bit = u64::try_from(part & u128::from(BITS - 1)).unwrap_or(0);
        (crate::volume::fields::index(bit / 64), 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::names::rule::Keys;

    #[test]
    fn it_holds_what_was_added_and_little_else() {
        let keys = Keys::new();
        let root = |number: u32| keys.root("abc", &number.to_string());
        let mut sieve = Sieve::new();
        (0..1_000).for_each(|number| sieve.add(root(number)));
        assert!((0..1_000).all(|number| sieve.may_hold(root(number))));
        assert!((1_000..11_000).filter(|number| sieve.may_hold(root(*number))).count() < 10);
    }
}
