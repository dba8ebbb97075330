//! How the upload limit moves: one more for each round that went well while somebody waited, half when the store says it is busy.
//!
//! Pure: neither clock nor lock. A *round* lasts until the limit is halved; what was sent in a round before tells nothing of the limit
//! that holds now, so one burst of "busy" halves it once, however many requests hear of it and however late.

/// Between two halvings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round(u64);

/// The limit, and how many permits are in use to hold it: given away or free.
#[derive(Debug)]
pub(super) struct Limit {
    most: usize,
    now: usize,
    permits: usize,
    waiting: usize,
    round: Round,
    /// Requests of this round that went well since the limit moved last.
    well: usize,
}

impl Limit {
    /// Begins with half of the most: near enough to it for a store that takes all, and one halving from what a small one takes.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let now = most.div_ceil(2);
        Self { most, now, permits: now, waiting: 0, round: Round(0), well: 0 }
    }

    /// The limit, from 1 to the most.
    pub(super) fn now(&self) -> usize {
        self.now
    }

    /// Permits in use.
    pub(super) fn permits(&self) -> usize {
        self.permits
    }

    /// The round in which a request begins now.
    pub(super) fn round(&self) -> Round {
        self.round
    }

    /// Somebody waits for a permit.
    pub(super) fn waits(&mut self) {
        self.waiting += 1;
    }

    /// Somebody has got one, or waits no more.
    pub(super) fn waits_no_more(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A request of that round has ended; `busy` if the store said so meanwhile, to this request or to another.
    pub(super) fn answered(&mut self, round: Round, busy: bool) {
        if round != self.round {
            return;
        }
        if busy {
            self.now = (self.now / 2).max(1);
            self.round = Round(self.round.0 + 1);
            self.well = 0;
            return;
        }
        // without anybody waiting, more would not be used: nothing is learned of what the store takes
        if self.waiting == 0 || self.now == self.most {
            return;
        }
        self.well += 1;
        if self.well >= self.now {
            self.now += 1;
            self.well = 0;
        }
    }

    /// Permits that are to go out of use.
    pub(super) fn surplus(&self) -> usize {
        self.permits.saturating_sub(self.now)
    }

    /// Permits that are to come into use.
    pub(super) fn missing(&self) -> usize {
        self.now.saturating_sub(self.permits)
    }

    /// So many went out of use.
    pub(super) fn retired(&mut self, count: usize) {
        self.permits = self.permits.saturating_sub(count);
    }

    /// So many came into use.
    pub(super) fn added(&mut self, count: usize) {
        self.permits += count;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_limit_begins_at_half_and_climbs_one_for_each_round_that_went_well() {
        let mut limit = Limit::new(8);
        assert_eq!(limit.now(), 4);
        limit.waits();
        let mut moved = Vec::new();
        for _ in 0..4 + 5 + 6 + 7 + 50 {
            limit.answered(limit.round(), false);
            moved.push(limit.now());
        }
        assert_eq!([moved[2], moved[3], moved[7], moved[8], moved[21], moved[71]], [4, 5, 5, 6, 8, 8]);
    }

    #[test]
    fn nothing_is_learned_while_nobody_waits() {
        let mut limit = Limit::new(8);
        for _ in 0..100 {
            limit.answered(limit.round(), false);
        }
        assert_eq!(limit.now(), 4);
    }

    #[test]
    fn a_burst_of_busy_halves_once_and_the_next_round_once_more() {
        let mut limit = Limit::new(64);
        let before = limit.round();
        for _ in 0..32 {
            limit.answered(before, true);
        }
        assert_eq!(limit.now(), 16);
        limit.waits();
        for _ in 0..100 {
            limit.answered(before, false);
        }
        assert_eq!(limit.now(), 16, "what was sent before tells nothing of the limit that holds now");
        for expected in [8, 4, 2, 1, 1] {
            limit.answered(limit.round(), true);
            assert_eq!(limit.now(), expected);
        }
        limit.answered(limit.round(), false);
        assert_eq!(limit.now(), 2, "it climbs again");
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_most(most in 0_usize..100, steps in prop::collection::vec((0_u8..4, any::<bool>()), 0..400)) {
            let mut limit = Limit::new(most);
            let mut old = limit.round();
            for (step, busy) in steps {
                let before = limit.now();
                match step {
                    0 => limit.waits(),
                    1 => limit.waits_no_more(),
                    2 => limit.answered(old, busy),
                    _ => {
                        old = limit.round();
                        limit.answered(old, busy);
                        prop_assert!(!busy || limit.now() == (before / 2).max(1));
                    }
                }
                prop_assert!((1..=most.max(1)).contains(&limit.now()));
                prop_assert!(limit.now() <= before + 1);
                prop_assert_eq!(limit.permits() + limit.missing(), limit.now() + limit.surplus());
            }
        }
    }
}
