//! A cache bounded in bytes that forgets what was not used for the longest time.

use std::collections::HashMap;
use std::hash::Hash;

/// Values by key. Each has a cost in bytes; their sum never exceeds the limit.
pub(super) struct Cache<K, V> {
    slots: HashMap<K, Slot<V>>,
    clock: u64,
    cost: usize,
    limit: usize,
}

struct Slot<V> {
    value: V,
    cost: usize,
    used: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { slots: HashMap::new(), clock: 0, cost: 0, limit }
    }

    /// The value of `key`, which now counts as used.
    pub(super) fn get<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.clock += 1;
        let slot = self.slots.get_mut(key)?;
        slot.used = self.clock;
        Some(slot.value.clone())
    }

    /// Keeps a value, unless it alone exceeds the limit. Makes room by a search through all slots: costs are such that there are
    /// some hundred of them.
    pub(super) fn put(&mut self, key: K, value: V, cost: usize) {
        if cost > self.limit {
            return;
        }
        self.clock += 1;
        if let Some(old) = self.slots.insert(key, Slot { value, cost, used: self.clock }) {
            self.cost -= old.cost;
        }
        self.cost += cost;
        while self.cost > self.limit {
            let Some(oldest) = self.slots.iter().min_by_key(|(_, slot)| slot.used).map(|(key, _)| key.clone()) else { return };
            if let Some(gone) = self.slots.remove(&oldest) {
                self.cost -= gone.cost;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first_and_the_limit_holds() {
        let mut cache = Cache::new(30);
        cache.put(1, 'a', 10);
        cache.put(2, 'b', 10);
        cache.put(3, 'c', 10);
        assert_eq!(cache.get(&1), Some('a'));
        cache.put(4, 'd', 10);
        assert_eq!((cache.get(&1), cache.get(&2), cache.get(&4)), (Some('a'), None, Some('d')));
        cache.put(4, 'D', 20);
        assert_eq!(cache.cost, 30);
        cache.put(5, 'e', 31);
        assert_eq!(cache.get(&5), None);
    }
}
