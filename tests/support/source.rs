//! Rust source as text, for tests that read the program: comments, strings and test code are blanked, the lines stay.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src`, as it is and as the compiler would see it without tests.
pub(crate) struct Source {
    /// Path below `src`, with `/`.
    pub(crate) path: String,
    /// The text.
    pub(crate) text: String,
    /// The text with blanks for comments, the insides of strings and everything under `#[cfg(test)]`.
    pub(crate) code: String,
}

impl Source {
    /// The modules that lead to this file: `manifest/reader/xml.rs` is `["manifest", "reader", "xml"]`, `lib.rs` is none.
    pub(crate) fn modules(&self) -> Vec<&str> {
        let stem = self.path.trim_end_matches(".rs");
        if matches!(stem, "lib" | "main") { Vec::new() } else { stem.split('/').collect() }
    }
}

/// Every Rust file below `src`, in order; files of tests (`tests.rs`, `tests/`) only if asked for.
pub(crate) fn sources(with_tests: bool) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code = without_tests(&blanked(&text));
        let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        Source { path, text, code }
    };
    let is_test = |s: &Source| s.modules().contains(&"tests");
    found.into_iter().map(read).filter(|s| with_tests || !is_test(s)).collect()
}

/// Blanks comments and the insides of string and character literals; every other character keeps its place.
pub(crate) fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        let quoted = chars[end - 1] == '"' || chars[end - 1] == '#';
        for (i, &c) in chars[at..end].iter().enumerate() {
            let edge = quoted && (i == 0 || i == end - at - 1);
            out.push(if c == '\n' || (edge && c == '"') { c } else { ' ' });
        }
        at = end;
    }
    out
}

/// The end of the comment or literal that begins at `at`, or `at` itself.
fn skipped(chars: &[char], at: usize) -> usize {
    let rest = |n: usize| chars.get(at + n).copied().unwrap_or('\0');
    let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match (chars[at], rest(1)) {
        ('/', '/') => chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |n| at + n),
        ('/', '*') => block_comment(chars, at),
        ('"', _) => string_end(chars, at + 1),
        ('r', '"' | '#') if !after_word => raw_string_end(chars, at),
        ('\'', '\\') => at + 3 + chars[at + 3..].iter().position(|&c| c == '\'').unwrap_or(0) + 1,
        ('\'', _) if rest(2) == '\'' => at + 3,
        _ => at,
    }
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start + 2, 1);
    while at < chars.len() && depth > 0 {
        let pair = (chars[at], chars.get(at + 1).copied().unwrap_or('\0'));
        let step = match pair {
            ('/', '*') => {
                depth += 1;
                2
            }
            ('*', '/') => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
    }
    at.min(chars.len())
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn raw_string_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return at; // a raw identifier such as r#type
    }
    let closing = |i: &usize| chars[*i] == '"' && chars[i + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
    (open + 1..chars.len()).find(closing).map_or(chars.len(), |i| i + 1 + hashes)
}

/// Blanks every item under `#[cfg(test)]`, from the attribute to its closing brace or semicolon.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    while let Some(start) = out.find(MARK) {
        let body = start + MARK.len();
        let end = item_end(&out[body..]).map_or(out.len(), |n| body + n);
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

fn item_end(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            ';' if depth == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}
