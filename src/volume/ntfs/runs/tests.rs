//! Run lists against an encoder, and runs that leave the volume.

use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { clusters: 1 << 40, stream: 1 << 50, runs: 1000 };

fn part(lowest: u64, clusters: u64, runs: &[u8]) -> NonResident<'_> {
    NonResident { lowest, clusters, unit: 0, sizes: None, runs, runs_at: 0 }
}

fn decoded(clusters: u64, runs: &[u8], bounds: Bounds) -> Result<Vec<(u64, Option<u64>, u64)>, Fault> {
    let mut table = Runs::default();
    table.append(&part(0, clusters, runs), bounds)?;
    Ok(table.iter().map(|span| (span.vcn, span.lcn, span.clusters)).collect())
}

#[test]
fn runs_holes_and_steps_back() {
    // 16 clusters at 100, a hole of 4, 8 at 60, 8 right after them
    let packed = [0x11, 16, 100, 0x01, 4, 0x11, 8, 0xD8, 0x11, 8, 8, 0];
    assert_eq!(decoded(36, &packed, BOUNDS).unwrap(), [(0, Some(100), 16), (16, None, 4), (20, Some(60), 16)]);
    assert_eq!(decoded(0, &[0], BOUNDS).unwrap(), []);
    assert_eq!(decoded(2, &[0x11, 2, 0], BOUNDS).unwrap(), [(0, Some(0), 2)], "the boot sector's own file");
}

#[test]
fn runs_that_lie_are_refused() {
    let cases: [(&str, u64, &[u8]); 11] = [
        ("sum below", 17, &[0x11, 16, 100, 0]),
        ("sum above", 15, &[0x11, 16, 100, 0]),
        ("length zero", 0, &[0x11, 0, 100, 0]),
        ("no length", 0, &[0x10, 100, 0]),
        ("negative length", 128, &[0x11, 0x80, 100, 0]),
        ("nine bytes", 1, &[0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0]),
        ("nine bytes of location", 1, &[0x91, 1, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0]),
        ("cut off", 16, &[0x21, 16, 100]),
        ("before the volume", 16, &[0x11, 16, 0xFF, 0]),
        ("same clusters again", 32, &[0x11, 16, 100, 0x11, 16, 0, 0]),
        ("far away", 1, &[0x81, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0]),
    ];
    for (name, clusters, packed) in cases {
        assert!(decoded(clusters, packed, BOUNDS).is_err(), "{name}");
    }
    let small = Bounds { clusters: 115, ..BOUNDS };
    assert!(decoded(16, &[0x11, 16, 100, 0], small).is_err(), "beyond the volume");
    let huge = [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0];
    assert!(decoded(i64::MAX as u64, &huge, BOUNDS).is_err(), "a stream longer than positions go");
    let many = [0x11, 1, 2].repeat(2000);
    assert!(decoded(2000, &many, BOUNDS).is_err(), "more runs than the limit");
}

#[test]
fn parts_must_follow_each_other() {
    let mut table = Runs::default();
    table.append(&part(0, 4, &[0x11, 4, 10, 0]), BOUNDS).unwrap();
    assert!(table.append(&part(5, 4, &[0x11, 4, 50, 0]), BOUNDS).is_err(), "a gap");
    assert!(table.append(&part(0, 4, &[0x11, 4, 50, 0]), BOUNDS).is_err(), "the same again");
    table.append(&part(4, 4, &[0x11, 4, 14, 0]), BOUNDS).unwrap();
    assert_eq!((table.len(), table.end()), (1, 8), "distances start anew in each part");
}

/// Packs runs as a file system does.
fn pack(runs: &[(u64, Option<u64>)]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut before = 0;
    let shortest = |number: i64| (1..=8).find(|bytes| number << (64 - 8 * bytes) >> (64 - 8 * bytes) == number).unwrap();
    for &(clusters, lcn) in runs {
        let length = i64::try_from(clusters).unwrap();
        let bytes = shortest(length);
        let distance = lcn.map(|lcn| i64::try_from(lcn).unwrap() - before);
        let location = distance.map_or(0, shortest);
        packed.push(u8::try_from(location << 4 | bytes).unwrap());
        packed.extend(&length.to_le_bytes()[..usize::try_from(bytes).unwrap()]);
        packed.extend(&distance.unwrap_or(0).to_le_bytes()[..usize::try_from(location).unwrap()]);
        before = lcn.map_or(before, |lcn| i64::try_from(lcn).unwrap());
    }
    packed.push(0);
    packed
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(runs in prop::collection::vec((1_u64..1 << 30, prop::option::of(0_u64..1 << 39)), 1..60)) {
        prop_assume!({
            let real: Vec<_> = runs.iter().filter_map(|run| run.1).collect();
            real.windows(2).all(|pair| pair[0] != pair[1])
        });
        let total = runs.iter().map(|run| run.0).sum();
        let mut table = Runs::default();
        table.append(&part(0, total, &pack(&runs)), BOUNDS).unwrap();
        prop_assert_eq!(table.end(), total);
        // the table searched from anywhere, forwards and backwards, agrees with the list
        let (mut hint, mut vcn) = (0, 0);
        for &(clusters, lcn) in &runs {
            for inside in [0, clusters / 2, clusters - 1] {
                let span = table.at(vcn + inside, &mut hint).unwrap();
                prop_assert_eq!(span.lcn, lcn.map(|lcn| lcn + inside));
                let again = table.at(vcn + inside, &mut 0).unwrap();
                prop_assert_eq!(span, again);
            }
            vcn += clusters;
        }
        prop_assert!(table.at(vcn, &mut hint).is_none());
        prop_assert_eq!(table.at(0, &mut hint).unwrap().vcn, 0);
    }

    #[test]
    fn no_bytes_can_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200), clusters in any::<u64>()) {
        let _ = decoded(clusters >> 1, &bytes, BOUNDS);
        let sum = unpack(&bytes, 0).filter_map(Result::ok).map(|run| run.clusters).fold(0, u64::saturating_add);
        let _ = decoded(sum.min(1 << 49), &bytes, BOUNDS);
    }
}
