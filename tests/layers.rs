//! The layout of the program, checked by reading its source: a module uses only those below it, files are small and say what they
//! are for, and nothing outside tests may panic.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

#[path = "support/source.rs"]
mod source;

use source::{Source, blanked, sources};

/// The modules from the lowest floor up. Those on one line stand beside each other and do not use each other.
const FLOORS: [&[&str]; 13] = [
    &["foreign", "secret", "metrics"],
    &["volume"],
    &["drive"],
    &["manifest"],
    &["job"],
    &["store"],
    &["ledger"],
    &["transfer"],
    &["report"],
    &["config"],
    &["ingest"],
    &["daemon"],
    &["commands"],
];

/// Lines that no file may have more of.
const MOST_LINES: usize = 500;

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|names| names.contains(&module))
}

/// The top-level modules that `code` names, in a file `depth` modules below the crate's root: by `crate::name`,
/// `crate::{name::.., other}` or enough `super::`.
fn used(code: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    let prefixes = ["crate::".to_owned(), "super::".repeat(depth)];
    for prefix in prefixes.iter().filter(|p| !p.is_empty()) {
        for (at, _) in code.match_indices(prefix.as_str()) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            let longer = before.is_alphanumeric() || matches!(before, '_' | ':' | '$');
            if !longer {
                found.extend(first_names(&code[at + prefix.len()..]));
            }
        }
    }
    found
}

/// The first name of each path at the start of `rest`: one, or those of a group in braces.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut names, mut start) = (0_usize, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|n| !n.is_empty());
    names
}

/// What `source` uses that it may not.
fn upward(source: &Source) -> Vec<String> {
    let modules = source.modules();
    let Some(own) = modules.first() else { return Vec::new() };
    let Some(height) = floor(own) else { return vec![format!("{}: module {own} has no floor", source.path)] };
    let wrong = |name: &String| floor(name).is_some_and(|other| name != own && other >= height);
    let tell = |name: String| format!("{} uses {name}, which stands above it or beside it", source.path);
    used(&source.code, modules.len()).into_iter().filter(wrong).map(tell).collect()
}

#[test]
fn no_module_uses_one_above_it() {
    let wrong: Vec<String> = sources(false).iter().flat_map(upward).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let silent: Vec<String> = sources(true).into_iter().filter(|s| !s.text.starts_with("//! ")).map(|s| s.path).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = sources(true).into_iter().filter(|s| s.text.lines().count() > MOST_LINES).map(|s| s.path).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn nothing_outside_tests_may_panic() {
    const PANICS: [&str; 7] =
        [".unwrap()", ".expect(\"", ".unwrap_err()", "panic!(", "unreachable!(", "todo!(", "unimplemented!("];
    let mut found = Vec::new();
    for source in sources(false) {
        for (number, line) in source.code.lines().enumerate() {
            found.extend(PANICS.iter().filter(|p| line.contains(**p)).map(|p| format!("{}:{}: {p}", source.path, number + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_reading_itself_is_right() {
    let code = "use crate::{foreign::Shown, volume::{path::A, ntfs}, store};\nlet x = crate::ledger::Y; $crate::config; super::super::job::Z;";
    assert_eq!(used(code, 2), ["foreign", "volume", "store", "ledger", "job"]);
    let text = "a(\"crate::x // no\") /* crate::y /* */ */ b('\"', '\\'', r#\"crate::\"z\"#); // crate::w\n'a: loop {}";
    let seen = blanked(text);
    assert!(!seen.contains("crate"), "{seen}");
    assert!(seen.contains("'a: loop {}") && seen.contains("b("), "{seen}");
    assert_eq!(seen.chars().count(), text.chars().count());
    let upstairs = Source { path: "volume/path.rs".into(), text: String::new(), code: "use crate::store::Store;".into() };
    assert_eq!(upward(&upstairs).len(), 1);
}
