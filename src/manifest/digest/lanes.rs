//! Many bodies, hashed side by side: which body is in which lane, and until when.
//!
//! The longest bodies begin. All lanes go on together for as many blocks as the shortest of them has left; a body that ends makes room for
//! the next. The last body of all goes to its end alone. So bodies of one length, the usual case, waste nothing, and of others only
//! the last lanes stay empty.

use pulp::Arch;

use super::Digest;
use super::rounds::{self, Block, LANES, START, State};

/// Fewer bodies than this are hashed one by one: with vectors of 16 lanes two bodies take about as long as one alone.
const FEWEST: usize = 2;

/// A body on its way.
struct Lane<'a> {
    /// Which one it is.
    index: usize,
    state: State,
    /// Its whole blocks that are still to come.
    whole: &'a [Block],
    /// Its end: what does not fill a block, the padding and the length.
    end: [Block; 2],
    /// How many blocks of its end are still to come, the last ones.
    end_left: usize,
}

impl<'a> Lane<'a> {
    fn new(index: usize, body: &'a [u8]) -> Self {
        let (whole, rest) = body.as_chunks();
        let (end, end_left) = end(rest, body.len());
        Self { index, state: START, whole, end, end_left }
    }

    /// Blocks that lie in a row.
    fn ahead(&self) -> &[Block] {
        if self.whole.is_empty() { &self.end[2 - self.end_left..] } else { self.whole }
    }

    /// So many of them are done.
    fn skip(&mut self, count: usize) {
        match self.whole.get(count..) {
            Some(left) if !self.whole.is_empty() => self.whole = left,
            _ => self.end_left = self.end_left.saturating_sub(count),
        }
    }

    fn digest(&self) -> Digest {
        let mut bytes = [0; 16];
        for (bytes, part) in bytes.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = part.to_le_bytes();
        }
        Digest(bytes)
    }

    fn finish_alone(&mut self) -> Digest {
        rounds::alone(&mut self.state, self.whole);
        rounds::alone(&mut self.state, &self.end[2 - self.end_left..]);
        self.digest()
    }
}

/// The last blocks of a body: one or two, at the end of the array.
fn end(rest: &[u8], length: usize) -> ([Block; 2], usize) {
    let mut end = [[0; 64]; 2];
    // behind the rest there must be room for one byte of padding and eight of length
    let count = if rest.len() < 64 - 8 { 1 } else { 2 };
    let first = &mut end[2 - count];
    first[..rest.len()].copy_from_slice(rest);
    first[rest.len()] = 0x80;
    let bits = (length as u64).wrapping_mul(8);
    end[1][64 - 8..].copy_from_slice(&bits.to_le_bytes());
    (end, count)
}

/// The MD5 of each body, in their order.
pub(super) fn many(arch: Arch, bodies: &[&[u8]]) -> Vec<Digest> {
    let mut digests = vec![Digest([0; 16]); bodies.len()];
    let mut waiting: Vec<usize> = (0..bodies.len()).collect();
    waiting.sort_by_key(|&index| bodies[index].len());
    let fewest = if rounds::has_lanes(arch) { FEWEST } else { usize::MAX };
    let mut lanes: Vec<Lane<'_>> = Vec::with_capacity(LANES);
    loop {
        while lanes.len() < LANES
            && let Some(index) = waiting.pop()
        {
            lanes.push(Lane::new(index, bodies[index]));
        }
        if lanes.len() < fewest {
            lanes.drain(..).for_each(|mut lane| digests[lane.index] = lane.finish_alone());
        }
        if lanes.is_empty() && waiting.is_empty() {
            return digests;
        }
        go_on(arch, &mut lanes);
        lanes.retain(|lane| {
            let more = lane.end_left > 0;
            if !more {
                digests[lane.index] = lane.digest();
            }
            more
        });
    }
}

/// Takes all lanes as far as they can go together.
fn go_on(arch: Arch, lanes: &mut [Lane<'_>]) {
    let Some(count) = lanes.iter().map(|lane| lane.ahead().len()).min() else { return };
    let mut states = [START; LANES];
    let mut ahead: [&[Block]; LANES] = [&[]; LANES];
    for (at, lane) in lanes.iter().enumerate() {
        (states[at], ahead[at]) = (lane.state, lane.ahead());
    }
    let used = lanes.len();
    rounds::together(arch, &mut states[..used], &ahead[..used], count);
    for (lane, state) in lanes.iter_mut().zip(states) {
        lane.state = state;
        lane.skip(count);
    }
}

#[cfg(test)]
mod tests;
