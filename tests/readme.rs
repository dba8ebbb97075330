//! The README says what the program does: its tables are compared with the code and the sample configuration.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

use std::fs;
use std::path::Path;

use dockside::report::markdown;

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_table_of_codes_is_that_of_the_program() {
    let readme = text("README.md");
    let (_, rest) = readme.split_once("<!-- codes:begin -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- codes:end -->").unwrap();
    let expected = markdown();
    assert!(table == expected, "put this between the marks in README.md:\n{expected}");
}

#[test]
fn every_key_of_the_configuration_is_explained() {
    let readme = text("README.md");
    let sample = text("config/dockside.toml");
    // "key = value", also where it is commented out; prose never has " = " behind one lower-case word
    let key = |line: &str| {
        let (key, _) = line.trim_start_matches("# ").split_once(" = ")?;
        key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_').then(|| format!("`{key}`"))
    };
    let keys: Vec<String> = sample.lines().filter_map(key).collect();
    assert!(keys.len() > 10, "{keys:?}");
    let missing: Vec<&String> = keys.iter().filter(|key| !readme.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "the README lacks {missing:?}");
}

#[test]
fn nothing_named_is_missing() {
    let readme = text("README.md");
    for path in
        ["config/job.json", "config/dockside.toml", "tests/data/drives/make.sh", "tests/data/drives/plain-rich.cases.json"]
    {
        let name = path.rsplit('/').next().unwrap();
        assert!(readme.contains(name) && Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path}");
    }
    let makefile = text("Makefile");
    for target in ["demo", "test", "lint", "bench", "fuzz"] {
        assert!(readme.contains(&format!("make {target}")) && makefile.contains(&format!("\n{target}:")), "{target}");
    }
}
