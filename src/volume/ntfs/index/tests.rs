//! Index blocks with loops, stale entries and lengths that lie.

use super::*;

fn key(name: &str, namespace: u8) -> Vec<u8> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut key = vec![0; KEY];
    key[0] = 5;
    key[64] = u8::try_from(name.len() / 2).unwrap();
    key[65] = namespace;
    key.extend(name);
    key
}

fn packed(key: &[u8], flags: u16, child: Option<u64>) -> Vec<u8> {
    let length = (ENTRY + key.len()).next_multiple_of(8) + child.map_or(0, |_| 8);
    let mut entry = vec![0; length];
    entry[0] = 30;
    entry[8..10].copy_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
    entry[10] = u8::try_from(key.len()).unwrap();
    entry[12..14].copy_from_slice(&flags.to_le_bytes());
    entry[ENTRY..ENTRY + key.len()].copy_from_slice(key);
    if let Some(child) = child {
        entry[length - 8..].copy_from_slice(&child.to_le_bytes());
    }
    entry
}

fn node(entries: &[Vec<u8>]) -> Vec<u8> {
    let body = entries.concat();
    let mut node = vec![0; 16];
    node[0] = 16;
    let length = u32::try_from(16 + body.len()).unwrap().to_le_bytes();
    node[4..8].copy_from_slice(&length);
    node[8..12].copy_from_slice(&length);
    node.extend(body);
    node
}

/// Length of the key, and the child.
type Walked = (Option<usize>, Option<u64>);

fn walk(node: &[u8]) -> Result<Vec<Walked>, Fault> {
    let extent = Extent::parse(node, 0)?;
    let (mut at, mut found) = (extent.start, Vec::new());
    while let Some((entry, after)) = entry(node, extent, at)? {
        found.push((entry.key.map(<[u8]>::len), entry.child));
        at = after;
    }
    Ok(found)
}

#[test]
fn entries_with_and_without_children() {
    let name = key("file.txt", 1);
    let node = node(&[packed(&name, 0, None), packed(&name, HAS_CHILD, Some(8)), packed(&[], LAST | HAS_CHILD, Some(16))]);
    assert_eq!(walk(&node).unwrap(), [(Some(82), None), (Some(82), Some(8)), (None, Some(16))]);
    let name = FileName::parse(&name).unwrap();
    assert_eq!((name.parent.record, name.name.len(), name.is_dos(), name.is_directory()), (5, 16, false, false));
}

#[test]
fn headers_and_entries_that_leave_the_node_are_refused() {
    let good = node(&[packed(&key("a", 0), 0, None), packed(&[], LAST, None)]);
    let end = u8::try_from(good.len()).unwrap();
    let cases = [
        (0, 8),
        (0, 17),
        (0, 0xFF),
        (4, end + 1),
        (4, 0xFF),
        (7, 0xFF),
        (24, 0),
        (24, 15),
        (24, 17),
        (25, 0xFF),
        (26, 0xFF),
        (27, 0xFF),
    ];
    for (byte, value) in cases {
        let mut bad = good.clone();
        bad[byte] = value;
        assert!(walk(&bad).is_err(), "byte {byte} = {value}");
    }
    for length in 0..good.len() {
        let _ = walk(&good[..length]);
    }
    let mut child = good.clone();
    child[28] = 1;
    assert!(walk(&child).is_err(), "the child would be inside the key");
}

#[test]
fn names_that_leave_their_key_are_refused() {
    let good = key("name", 2);
    assert!(FileName::parse(&good).unwrap().is_dos());
    for units in [0, 5, 255] {
        let mut bad = good.clone();
        bad[64] = units;
        assert_eq!(FileName::parse(&bad).unwrap_err().byte, 64, "{units}");
    }
    for length in 0..good.len() {
        assert!(FileName::parse(&good[..length]).is_err());
    }
}
