//! Second opinions for fuzzing: the two packed formats of NTFS, unpacked in the plainest way, to be compared with the library's.

/// A stretch of a stream: its first cluster in the stream, on the volume (`None` is a hole), and its clusters.
type Span = (u64, Option<u64>, u64);

/// Clusters of all runs together, as far as they can be read; at most 2^62.
pub(crate) fn run_list_length(packed: &[u8]) -> u64 {
    let (mut rest, mut sum) = (packed, 0_i128);
    while let Some((&head, body)) = rest.split_first().filter(|(head, _)| **head != 0) {
        let (length, location) = (usize::from(head % 16), usize::from(head / 16));
        let (Some(count), Some(after)) = (body.get(..length.min(8)), body.get(length + location..)) else { break };
        sum += number(count);
        rest = after;
    }
    u64::try_from(sum.clamp(0, 1 << 62)).unwrap()
}

/// What packed runs mean for a part of `clusters` clusters on a volume of `volume` clusters; `None` if they must be refused.
pub(crate) fn run_list(packed: &[u8], clusters: u64, volume: u64) -> Option<Vec<Span>> {
    let mut spans: Vec<Span> = Vec::new();
    let (mut rest, mut vcn, mut lcn) = (packed, 0_u64, None);
    while let Some((&head, body)) = rest.split_first().filter(|(head, _)| **head != 0) {
        let (length, location) = (usize::from(head % 16), usize::from(head / 16));
        if !(1..=8).contains(&length) || location > 8 || body.len() < length + location {
            return None;
        }
        let count = u64::try_from(number(&body[..length])).ok().filter(|&count| count > 0)?;
        let place = if location > 0 {
            let distance = number(&body[length..length + location]);
            if distance == 0 && lcn.is_some() {
                return None;
            }
            let at = u64::try_from(i128::from(lcn.unwrap_or(0)) + distance).ok()?;
            lcn = Some(at);
            Some(at).filter(|at| at.checked_add(count).is_some_and(|end| end <= volume))
        } else {
            None
        };
        if (location > 0 && place.is_none()) || count > clusters - vcn {
            return None;
        }
        match spans.last_mut() {
            Some((_, before, sum)) if before.map(|at| at + *sum) == place => *sum += count,
            _ => spans.push((vcn, place, count)),
        }
        vcn += count;
        rest = &body[length + location..];
    }
    (vcn == clusters).then_some(spans)
}

/// A little-endian number with its sign in the last byte.
fn number(bytes: &[u8]) -> i128 {
    let unsigned = bytes.iter().rev().fold(0_i128, |number, &byte| number << 8 | i128::from(byte));
    let negative = bytes.last().is_some_and(|&last| last >= 0x80);
    if negative { unsigned - (1 << (8 * bytes.len())) } else { unsigned }
}

/// The content of a compression unit of whole chunks; `None` if the input must be refused.
pub(crate) fn lznt1(input: &[u8], chunks: usize) -> Option<Vec<u8>> {
    let (mut unit, mut rest) = (Vec::new(), input);
    for number in 1..=chunks {
        let header = rest.first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes));
        if header == 0 {
            break;
        }
        let length = usize::from(header % 4096) + 1;
        let body = rest.get(2..2 + length)?;
        unit.extend(if header < 0x8000 { body.to_vec() } else { chunk(body)? });
        unit.resize(number * 4096, 0);
        rest = &rest[2 + length..];
    }
    unit.resize(chunks * 4096, 0);
    Some(unit)
}

fn chunk(body: &[u8]) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::new();
    let mut bytes = body.iter().copied();
    while let Some(flags) = bytes.next() {
        for bit in 0..8 {
            let Some(first) = bytes.next() else { return Some(out) };
            if flags >> bit & 1 == 0 {
                out.push(first);
            } else {
                let reference = usize::from(u16::from_le_bytes([first, bytes.next()?]));
                // as few bits as tell every place so far apart, 4 at least; the rest is the length
                let bits = (4..=12).find(|bits| out.len() <= 1 << bits).unwrap_or(12);
                let (distance, length) = ((reference >> (16 - bits)) + 1, (reference & ((1 << (16 - bits)) - 1)) + 3);
                for _ in 0..length {
                    out.push(*out.get(out.len().checked_sub(distance)?)?);
                }
            }
            if out.len() > 4096 {
                return None;
            }
        }
    }
    Some(out)
}
