//! Round trip with a simple compressor, and streams that reach out of their chunk.

use proptest::prelude::*;

use super::*;

/// A simple compressor: the longest match by trial in the chunk so far; chunks that do not shrink are stored.
fn compress(content: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for chunk in content.chunks(CHUNK) {
        let body = compress_chunk(chunk);
        let stored = body.len() >= chunk.len();
        let body = if stored { chunk.to_vec() } else { body };
        let header = u16::try_from(body.len() - 1).unwrap() | 0x3000 | if stored { 0 } else { 0x8000 };
        packed.extend(header.to_le_bytes());
        packed.extend(body);
    }
    packed
}

fn compress_chunk(chunk: &[u8]) -> Vec<u8> {
    let (mut body, mut at) = (Vec::new(), 0);
    while at < chunk.len() {
        let flags = body.len();
        body.push(0);
        for bit in 0..8 {
            if at >= chunk.len() {
                break;
            }
            let mut bits = 4;
            while at > 1 << bits {
                bits += 1;
            }
            let longest = ((1 << (16 - bits)) + 2).min(chunk.len() - at);
            let same = |distance: usize| (0..longest).take_while(|&n| chunk[at + n] == chunk[at + n - distance]).count();
            let best = (1..=at.min(1 << bits)).map(|distance| (same(distance), distance)).max();
            if let Some((length, distance)) = best.filter(|&(length, _)| length >= 3) {
                body[flags] |= 1 << bit;
                let reference = (distance - 1) << (16 - bits) | (length - 3);
                body.extend(u16::try_from(reference).unwrap().to_le_bytes());
                at += length;
            } else {
                body.push(chunk[at]);
                at += 1;
            }
        }
    }
    body
}

fn expanded(packed: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    let mut output = vec![0xEE; length];
    decompress(packed, &mut output).map(|()| output)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_compressed_comes_back(
        pieces in prop::collection::vec((prop::collection::vec(0_u8..4, 1..40), 1_usize..60, any::<bool>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut content: Vec<u8> = Vec::new();
        let mut random = fastrand::Rng::with_seed(content.len() as u64);
        for (piece, times, noise) in pieces {
            content.extend(piece.repeat(times));
            if noise {
                content.extend((0..times * 20).map(|_| random.u8(..)));
            }
        }
        content.truncate(65_536);
        let packed = compress(&content);
        prop_assert_eq!(&expanded(&packed, content.len()).unwrap(), &content);
        // a longer unit ends in zeros, a shorter file takes only its own bytes
        let longer = expanded(&packed, content.len() + 5000).unwrap();
        prop_assert!(longer[..content.len()] == content[..] && longer[content.len()..].iter().all(|&byte| byte == 0));
        let short = cut.index(content.len() + 1);
        prop_assert_eq!(&expanded(&packed, short).unwrap(), &content[..short]);
    }

    #[test]
    fn no_bytes_can_break_it(bytes in prop::collection::vec(any::<u8>(), 0..5000), length in 0_usize..10_000) {
        let _ = expanded(&bytes, length);
    }
}

#[test]
fn zeros_and_ends() {
    assert_eq!(expanded(&[], 10).unwrap(), [0; 10]);
    assert_eq!(expanded(&[0; 4096], 10).unwrap(), [0; 10]);
    assert_eq!(expanded(&[2, 0x30, b'a', b'b', b'c', 0, 0, 9, 9], 6).unwrap(), b"abc\0\0\0");
    // a chunk that gives less than 4096 bytes is filled up before the next one
    let two = [[1, 0x30, b'a', b'b'], [1, 0x30, b'c', b'd']].concat();
    let output = expanded(&two, 8192).unwrap();
    assert_eq!((&output[..3], &output[4096..4099]), (&b"ab\0"[..], &b"cd\0"[..]));
}

#[test]
fn the_longest_repetition() {
    // "a", then one reference to it of 4095 bytes
    let packed = [3, 0xB0, 0b10, b'a', 0xFC, 0x0F];
    assert_eq!(expanded(&packed, 4096).unwrap(), [b'a'; 4096]);
    assert_eq!(expanded(&packed, 100).unwrap(), [b'a'; 100], "the file ends inside");
}

#[test]
fn references_and_chunks_that_lie_are_refused() {
    let cases: [(&str, &[u8]); 6] = [
        ("nothing to repeat yet", &[2, 0xB0, 1, 0, 0]),
        ("before the chunk", &[4, 0xB0, 0b10, b'a', 0x00, 0x10, 0]),
        ("more than a chunk", &[3, 0xB0, 0b10, b'a', 0xFD, 0x0F]),
        ("longer than its input", &[0xFF, 0xBF, 0, 1, 2]),
        ("plain and longer than its input", &[0xFF, 0x3F, 1, 2]),
        ("half a reference", &[2, 0xB0, 0b10, b'a', 0]),
    ];
    for (name, packed) in cases {
        assert!(expanded(packed, 4096).is_err(), "{name}");
    }
    let mut long = vec![0xFF, 0xBF];
    long.extend([0_u8; 9].repeat(4096 / 9));
    long.resize(2 + 4096, 0);
    assert!(expanded(&long, 4096).is_ok(), "3641 literals");
}
