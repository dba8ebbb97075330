//! Lanes give what the reference gives, whatever the machine, the lengths and the number of bodies.

use proptest::prelude::*;

use super::*;

/// What this machine can be made to work with: its best, what is below that, and no vectors at all.
fn machines() -> Vec<Arch> {
    let mut machines = vec![Arch::new(), Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    machines.extend(pulp::x86::V3::try_new().map(Arch::V3));
    machines
}

/// Compares bodies of these lengths with the crate that hashes one at a time.
fn compare(lengths: &[usize]) {
    let byte = |body: usize, at: usize| u8::try_from((body * 31 + at * 7 + (at >> 8)) % 251).unwrap();
    let bodies: Vec<Vec<u8>> =
        lengths.iter().enumerate().map(|(body, &length)| (0..length).map(|at| byte(body, at)).collect()).collect();
    let slices: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    let expected: Vec<Digest> = slices.iter().map(|body| Digest::of(body)).collect();
    for arch in machines() {
        assert_eq!(many(arch, &slices), expected, "{lengths:?} on {arch:?}");
    }
}

#[test]
fn the_examples_of_the_standard_come_out() {
    let examples = [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"),
        ("12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a"),
    ];
    let bodies = examples.map(|(body, _)| body.as_bytes());
    for arch in machines() {
        let found: Vec<String> = many(arch, &bodies).iter().map(Digest::lower_hex).collect();
        assert_eq!(found, examples.map(|(_, digest)| digest));
    }
}

#[test]
fn no_bodies_have_no_digests() {
    compare(&[]);
}

#[test]
fn every_length_around_a_block_is_padded_right() {
    let lengths: Vec<usize> = (0..=200).collect();
    compare(&lengths);
    for length in [0, 55, 56, 63, 64, 65, 119, 120, 127, 128] {
        (1..=40).for_each(|count| compare(&vec![length; count]));
    }
}

#[test]
fn one_long_body_among_short_ones_goes_to_its_end() {
    let mut lengths = vec![100; 40];
    lengths[7] = 70_000;
    compare(&lengths);
    lengths[39] = 69_999;
    compare(&lengths);
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0_usize),
        proptest::sample::select(vec![1_usize, 55, 56, 57, 63, 64, 65, 119, 120, 121]),
        0..300_usize,
        0..20_000_usize
    ]
}

proptest! {
    #[test]
    fn any_bodies_hash_as_one_by_one(lengths in proptest::collection::vec(length(), 1..=40)) {
        compare(&lengths);
    }
}
