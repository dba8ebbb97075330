//! The rounds of MD5 (RFC 1321, section 3.4) over lanes: the same step of up to 16 independent bodies in one instruction.
//!
//! In go the states of the bodies and their next blocks, out come the states behind those blocks. MD5 cannot be sped up for one body, since
//! each step needs the one before; the steps of different bodies have nothing to do with each other.
//!
//! ```text
//!            lane 0   lane 1  ...  lane 15
//!  words[0]  body 0   body 1  ...  body 15     first word of each block
//!  words[1]  ...                               second word of each block
//! ```
//!
//! The instructions are those of the machine it runs on, found at run time: one vector of 16 lanes, two of 8 or four of 4. A function
//! that they are to reach must be inlined into the one that was compiled for them, closures of the standard library included: hence the
//! loops by hand.
#![allow(
    clippy::inline_always,
    reason = "a function that stays on its own is compiled without the machine's vector instructions"
)]

use pulp::{Arch, Simd, WithSimd};

/// Bodies that are hashed at the same time.
pub(super) const LANES: usize = 16;

/// What MD5 reads at a time.
pub(super) type Block = [u8; 64];
/// What is known of a body so far.
pub(super) type State = [u32; 4];

/// The state before the first block.
pub(super) const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// For each round how many bits each of four steps turns its sum.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
/// For each round with which word it begins and how far the next one is.
const WORDS: [(usize, usize); 4] = [(0, 1), (1, 5), (5, 3), (0, 7)];

/// What each step adds: the first 32 bits behind the point of the sine of 1, 2, 3 ..., without its sign.
const SINES: [[u32; 4]; 16] = [
    [0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee],
    [0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501],
    [0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be],
    [0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821],
    [0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa],
    [0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8],
    [0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed],
    [0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a],
    [0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c],
    [0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70],
    [0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05],
    [0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665],
    [0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039],
    [0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1],
    [0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1],
    [0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391],
];

/// Whether the machine has vectors wide enough that lanes are worth it.
pub(super) fn has_lanes(arch: Arch) -> bool {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::U32_LANES
        }
    }
    arch.dispatch(Width) >= 4
}

/// Takes each of the states (of at most 16 bodies) over the first `count` blocks of its body, all at the same time.
pub(super) fn together(arch: Arch, states: &mut [State], bodies: &[&[Block]], count: usize) {
    let mut lanes = [[0; LANES]; 4];
    for (lane, state) in states.iter().enumerate() {
        (0..4).for_each(|part| lanes[part][lane] = state[part]);
    }
    arch.dispatch(Together { states: &mut lanes, bodies, count });
    for (lane, state) in states.iter_mut().enumerate() {
        *state = lanes.map(|part| part[lane]);
    }
}

/// Takes one state over blocks.
pub(super) fn alone(state: &mut State, blocks: &[Block]) {
    let mut lanes = state.map(|part| [part]);
    go::<_, 1, 1>(pulp::Scalar, &mut lanes, &[blocks], blocks.len());
    *state = lanes.map(|[part]| part);
}

struct Together<'a> {
    states: &'a mut [[u32; LANES]; 4],
    bodies: &'a [&'a [Block]],
    count: usize,
}

impl WithSimd for Together<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::U32_LANES {
            16 => go::<S, 1, LANES>(simd, self.states, self.bodies, self.count),
            8 => go::<S, 2, LANES>(simd, self.states, self.bodies, self.count),
            4 => go::<S, 4, LANES>(simd, self.states, self.bodies, self.count),
            _ => go::<_, 16, LANES>(pulp::Scalar, self.states, self.bodies, self.count),
        }
    }
}

/// The words of one block of each lane. Aligned, so that no vector of them lies across two lines of the cache.
#[repr(align(64))]
struct Words<const L: usize>([[u32; L]; 16]);

/// `L` lanes in `V` vectors, over `count` blocks.
#[inline(always)]
fn go<S: Simd, const V: usize, const L: usize>(simd: S, states: &mut [[u32; L]; 4], bodies: &[&[Block]], count: usize) {
    let mut state = [simd.splat_u32s(0); 4].map(|zero| [zero; V]);
    for part in 0..4 {
        state[part] = vectors(simd, &states[part]);
    }
    let mut words = Words([[0; L]; 16]);
    for at in 0..count {
        turn_round(&mut words, bodies, at);
        let mut next = state;
        round::<S, V, L, 0>(simd, &mut next, &words);
        round::<S, V, L, 1>(simd, &mut next, &words);
        round::<S, V, L, 2>(simd, &mut next, &words);
        round::<S, V, L, 3>(simd, &mut next, &words);
        for part in 0..4 {
            for v in 0..V {
                state[part][v] = simd.add_u32s(state[part][v], next[part][v]);
            }
        }
    }
    for part in 0..4 {
        S::as_mut_simd_u32s(&mut states[part]).0.copy_from_slice(&state[part]);
    }
}

/// Block `at` of each body, turned from words in a row to lanes in a row.
#[inline(always)]
fn turn_round<const L: usize>(words: &mut Words<L>, bodies: &[&[Block]], at: usize) {
    for (lane, body) in bodies.iter().enumerate().take(L) {
        let block = &body[at];
        for word in 0..16 {
            let from = 4 * word;
            words.0[word][lane] = u32::from_le_bytes([block[from], block[from + 1], block[from + 2], block[from + 3]]);
        }
    }
}

#[inline(always)]
fn vectors<S: Simd, const V: usize, const L: usize>(simd: S, lanes: &[u32; L]) -> [S::u32s; V] {
    let mut vectors = [simd.splat_u32s(0); V];
    vectors.copy_from_slice(S::as_simd_u32s(lanes).0);
    vectors
}

/// The 16 steps of round `R`.
#[inline(always)]
fn round<S: Simd, const V: usize, const L: usize, const R: usize>(simd: S, state: &mut [[S::u32s; V]; 4], words: &Words<L>) {
    let [mut a, mut b, mut c, mut d] = *state;
    for four in 0..4 {
        a = step::<S, V, L, R>(simd, [a, b, c, d], words, 4 * four);
        d = step::<S, V, L, R>(simd, [d, a, b, c], words, 4 * four + 1);
        c = step::<S, V, L, R>(simd, [c, d, a, b], words, 4 * four + 2);
        b = step::<S, V, L, R>(simd, [b, c, d, a], words, 4 * four + 3);
    }
    *state = [a, b, c, d];
}

/// Step `at` of round `R`: what becomes of `a`.
#[inline(always)]
fn step<S: Simd, const V: usize, const L: usize, const R: usize>(
    simd: S,
    [a, b, c, d]: [[S::u32s; V]; 4],
    words: &Words<L>,
    at: usize,
) -> [S::u32s; V] {
    let (first, stride) = WORDS[R];
    let word = vectors::<S, V, L>(simd, &words.0[(first + stride * at) % 16]);
    let sine = simd.splat_u32s(SINES[4 * R + at / 4][at % 4]);
    let turn = TURNS[R][at % 4];
    let (left, right) = (simd.splat_u32s(turn), simd.splat_u32s(32 - turn));
    let mut out = a;
    for v in 0..V {
        let mixed = mix::<S, R>(simd, b[v], c[v], d[v]);
        let sum = simd.add_u32s(simd.add_u32s(a[v], simd.add_u32s(word[v], sine)), mixed);
        let turned = simd.or_u32s(simd.wrapping_dyn_shl_u32s(sum, left), simd.wrapping_dyn_shr_u32s(sum, right));
        out[v] = simd.add_u32s(b[v], turned);
    }
    out
}

/// F, G, H and I of the standard; F and G as selections with one operation less.
#[inline(always)]
fn mix<S: Simd, const R: usize>(simd: S, b: S::u32s, c: S::u32s, d: S::u32s) -> S::u32s {
    match R {
        0 => simd.xor_u32s(d, simd.and_u32s(b, simd.xor_u32s(c, d))),
        1 => simd.xor_u32s(c, simd.and_u32s(d, simd.xor_u32s(b, c))),
        2 => simd.xor_u32s(b, simd.xor_u32s(c, d)),
        _ => simd.xor_u32s(c, simd.or_u32s(b, simd.not_u32s(d))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_step_adds_is_the_sine() {
        for (step, added) in (1_u32..).zip(SINES.as_flattened()) {
            let sine = (f64::from(step).sin().abs() * 4_294_967_296.0).floor();
            assert!((f64::from(*added) - sine).abs() < 0.5, "step {step}");
        }
    }
}
