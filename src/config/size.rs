//! Sizes as people type them: `268435456` or `"256 MiB"`.

const UNITS: [(&str, u32); 5] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0)];

/// Bytes of a text: digits, optionally a blank and one of `B`, `KiB`, `MiB`, `GiB`, `TiB`. Powers of 1000 are not taken: `MB` means
/// different things to different people.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = UNITS.iter().find_map(|(unit, bits)| text.strip_suffix(unit).map(|digits| (digits.trim_end(), *bits)));
    let (digits, bits) = unit.unwrap_or((text, 0));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << bits)
}

/// Bytes for a message: in the largest unit that needs no fraction.
pub(super) fn show(bytes: u64) -> String {
    let units = UNITS.iter().take(4).rev();
    let fit = units.clone().find(|(_, bits)| bytes != 0 && bytes.is_multiple_of(1 << bits));
    fit.map_or_else(|| bytes.to_string(), |(unit, bits)| format!("{} {unit}", bytes >> bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in [("0", 0), ("512", 512), ("1B", 1), ("64 MiB", 64 << 20), ("1GiB", 1 << 30), (" 4  TiB ", 4 << 40)] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5 GiB", "1 MB", "-1", "+1", "1 mib", "99999999999 TiB", "1 KiB KiB", "١"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(
            (show(64 << 20), show(1_000), show(0), show(3 << 40)),
            ("64 MiB".into(), "1000".into(), "0".into(), "3 TiB".into())
        );
    }
}
