//! Text that came from a drive or a job.
//!
//! Such text may hold terminal escapes, line breaks, bidirectional overrides or a megabyte of `A`. It is kept as it is (logs for
//! machines need it to the letter), and escaped and cut wherever a person sees it: `Display` is the only way to show it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Characters shown before `Display` cuts a text.
pub const SHOWN: usize = 256;

/// A text from a drive or a job. `Display` and `Debug` escape control, bidirectional and invisible characters and cut at [`SHOWN`]
/// characters; [`Foreign::raw`] gives the text itself, for formats with an escaping of their own (XML, JSON, URLs).
/// In JSON it stands to the letter; JSON escapes what it must.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Foreign(String);

impl Foreign {
    /// Takes a text as foreign.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, unescaped. Never write it to a terminal or a log line.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The text, unescaped, by value.
    pub fn into_raw(self) -> String {
        self.0
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Shows a borrowed foreign text without owning it.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, f)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

fn show(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (shown, character) in text.chars().enumerate() {
        if shown == SHOWN {
            return f.write_str("…");
        }
        if misleads(character) {
            write!(f, "\\u{{{:x}}}", u32::from(character))?;
        } else {
            fmt::Write::write_char(f, character)?;
        }
    }
    Ok(())
}

/// Control characters, line and paragraph separators, bidirectional controls, zero-width and tag characters, and the replacement
/// character that stands for what was not valid text.
fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_mislead_a_reader_is_escaped() {
        let shown = Foreign::from("a\u{1b}[31m\n\u{202e}b\u{200b}").to_string();
        assert_eq!(shown, "a\\u{1b}[31m\\u{a}\\u{202e}b\\u{200b}");
        assert_eq!(format!("{:?}", Foreign::from("ü ß 漢")), "\"ü ß 漢\"");
    }

    #[test]
    fn a_long_text_is_cut() {
        let shown = Foreign::from("x".repeat(1_000_000)).to_string();
        assert_eq!(shown.chars().count(), SHOWN + 1);
        assert!(shown.ends_with('…'));
    }
}
