//! Manifests and side files with bytes changed, moved and repeated at random, from fixed seeds: any answer will do, but there must be one.

use super::*;
use crate::manifest::{parse_metadata, parse_properties};

const ROUNDS: u64 = 20_000;

const PIECES: [&str; 24] = [
    "<",
    ">",
    "/",
    "&",
    ";",
    "\"",
    "'",
    "=",
    " ",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?xml",
    "?>",
    "<!DOCTYPE",
    "&#0;",
    "&#x41;",
    "&lt;",
    "\0",
    "\u{ffff}",
    "18446744073709551615",
    "<Blob>",
    "</Blob>",
];

/// Changes a few places of `text`.
fn mutate(text: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=bytes.len());
        match random.u8(..6) {
            0 if at < bytes.len() => bytes[at] = random.u8(..),
            1 => {
                bytes.truncate(at.max(1));
            }
            2 => {
                let end = (at + random.usize(..40)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let end = (at + random.usize(..200)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.usize(..=bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                let piece = PIECES[random.usize(..PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
        }
    }
    bytes
}

#[test]
fn a_mutated_manifest_gets_an_answer() {
    let list = format!("{}{}", block(0, 5, "TUQ1LwA="), block(5, 5, "TUQ1LwB="));
    let side = format!("<MetadataPath Hash='{MD5_A}'>\\m</MetadataPath><!-- c --><ClientData><![CDATA[x]]>&amp;</ClientData>");
    let seeds = [blob(&format!("<Length>10</Length><BlockList>{list}</BlockList>{side}")), pages(1024, &page(0, 512))];
    let mut random = fastrand::Rng::with_seed(1);
    let (mut good, mut bad) = (0, 0);
    for round in 0..ROUNDS {
        let bytes = mutate(seeds[usize::from(round % 2 == 0)].as_bytes(), &mut random);
        match summarise(&bytes[..], None, &ManifestLimits::default()) {
            Ok(_) => good += 1,
            Err(ManifestError::FormatInvalid(findings)) => {
                assert!(findings.shown().iter().all(|finding| finding.line > 0));
                bad += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(good > 0 && bad > ROUNDS / 2, "{good} {bad}");
}

#[test]
fn a_mutated_side_file_gets_an_answer() {
    let seeds = [
        "<?xml version=\"1.0\"?><Metadata><a>1</a><!-- c --><b><![CDATA[2]]>&amp;</b></Metadata>",
        "<Properties><Content-Type>image/tiff</Content-Type><Content-MD5>DMF1ucDxtqgxw5niaXcmYQ==</Content-MD5></Properties>",
    ];
    let mut random = fastrand::Rng::with_seed(2);
    for round in 0..ROUNDS {
        let bytes = mutate(seeds[usize::from(round % 2 == 0)].as_bytes(), &mut random);
        let _ = parse_metadata(&bytes);
        let _ = parse_properties(&bytes);
    }
}
