//! Characters and references of XML 1.0. In: raw text of an event; out: the text that it means. Refused: characters outside `Char`, written
//! out or as references, and every entity but the five built-in ones.

use super::super::findings::Rule;

/// Whether bytes of a text hold no character that [`check`] could refuse.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    // without branches, so that it runs over many bytes at once; 0xEF leads U+FFFE and U+FFFF among others
    bytes.iter().fold(0, |any, byte| any | u8::from(*byte < 0x20 && !is_space(*byte)) | u8::from(*byte == 0xEF)) == 0
}

/// Checks raw text against `Char` (XML 1.0, section 2.2). It is UTF-8 already.
pub(super) fn check(raw: &str) -> Result<(), Rule> {
    raw.chars().find(|c| !is_char(*c)).map_or(Ok(()), |c| Err(Rule::Character(u32::from(c))))
}

/// White space of XML.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether all of it is white space.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(is_space)
}

fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// The character that the reference `&name;` stands for.
pub(super) fn resolve(name: &str) -> Result<char, Rule> {
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => match name.strip_prefix('#') {
            Some(number) => numeric(number),
            None => Err(Rule::UnknownEntity),
        },
    }
}

fn numeric(number: &str) -> Result<char, Rule> {
    const BAD: Rule = Rule::NotWellFormed("a character reference without a number");
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    // `from_str_radix` would take a sign
    if digits.is_empty() || !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
        return Err(BAD);
    }
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    char::from_u32(code).filter(|c| is_char(*c)).ok_or(Rule::Character(code))
}

/// Appends character data with its line ends made `\n` (XML 1.0, section 2.11).
pub(super) fn append_text(raw: &str, to: &mut String) {
    let mut rest = raw;
    while let Some((line, tail)) = rest.split_once('\r') {
        to.push_str(line);
        to.push('\n');
        rest = tail.strip_prefix('\n').unwrap_or(tail);
    }
    to.push_str(rest);
}

/// The value of an attribute: references resolved, white space made blanks (XML 1.0, section 3.3.3). Borrows unless something changes.
pub(super) fn value<'a>(raw: &'a str, scratch: &'a mut String) -> Result<&'a str, Rule> {
    if !raw.bytes().any(|b| matches!(b, b'&' | b'<' | b'\t' | b'\n' | b'\r')) {
        return Ok(raw);
    }
    scratch.clear();
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '\t', '\n', '\r']) {
        let (plain, special) = rest.split_at(at);
        scratch.push_str(plain);
        rest = if let Some(reference) = special.strip_prefix('&') {
            let unclosed = Rule::NotWellFormed("a reference without its semicolon");
            let (name, tail) = reference.split_once(';').ok_or(unclosed)?;
            scratch.push(resolve(name)?);
            tail
        } else if special.starts_with('<') {
            return Err(Rule::NotWellFormed("`<` in an attribute"));
        } else {
            scratch.push(' ');
            special.strip_prefix("\r\n").or_else(|| special.get(1..)).unwrap_or_default()
        };
    }
    scratch.push_str(rest);
    Ok(scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_mean_one_character_of_xml() {
        assert_eq!(resolve("#65"), Ok('A'));
        assert_eq!(resolve("#x1F600"), Ok('\u{1f600}'));
        assert_eq!(resolve("apos"), Ok('\''));
        assert_eq!(resolve("nbsp"), Err(Rule::UnknownEntity));
        for bad in ["#0", "#x1F", "#xFFFE", "#xD800", "#x110000", "#99999999999999999999"] {
            assert!(matches!(resolve(bad), Err(Rule::Character(_))), "{bad}");
        }
        for bad in ["#", "#x", "#+65", "#-1", "#x 41", "#X41"] {
            assert!(matches!(resolve(bad), Err(Rule::NotWellFormed(_))), "{bad}");
        }
    }

    #[test]
    fn characters_outside_xml_are_found() {
        assert!(is_plain("plain\t\r\n \u{e9} \u{7f}".as_bytes()));
        assert_eq!(check("plain\t\r\n ü 漢 \u{ff01} \u{7f}"), Ok(()));
        for bad in ["a\0", "\u{b}", "\u{1f}", "x\u{fffe}", "\u{ffff}"] {
            assert!(check(bad).is_err() && !is_plain(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn values_are_normalised() {
        let mut scratch = String::new();
        assert_eq!(value("plain", &mut scratch), Ok("plain"));
        assert_eq!(value("a\r\nb\rc\td&#10;&amp;e", &mut scratch), Ok("a b c d\n&e"));
        assert!(value("a<b", &mut scratch).is_err());
        assert!(value("a&amp", &mut scratch).is_err());
        let mut text = String::new();
        append_text("a\r\nb\rc\n", &mut text);
        assert_eq!(text, "a\nb\nc\n");
    }
}
