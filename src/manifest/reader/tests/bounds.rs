//! Hash before format, ends that do not come, bytes that cannot be read.

use std::io::{Error, ErrorKind, Read};

use super::super::super::Digest;
use super::*;

/// What a source that fails gives back.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(Error::new(ErrorKind::TimedOut, "bad sector"))
    }
}

fn wrong() -> ManifestHash {
    "0".repeat(32).parse().unwrap()
}

#[test]
fn the_hash_beats_the_format_and_the_drive_id() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ManifestLimits::default();
    for text in [manifest(""), manifest("<Nonsense/>"), "no xml at all".to_owned(), String::new(), "<a>".repeat(100_000)] {
        let error = read(text.as_bytes(), &wrong(), &drive(), &limits, folder.path()).unwrap_err();
        let ManifestError::Corrupted { expected, found } = error else { panic!("{error:?}") };
        assert_eq!((expected, found), (wrong(), md5(text.as_bytes())));
    }
    // and nothing is left in the folder
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn findings_beat_the_drive_id() {
    let other: DriveId = "OTHER-1".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let limits = ManifestLimits::default();
    let bad = manifest("<Nonsense/>");
    let error = read(bad.as_bytes(), &md5(bad.as_bytes()), &other, &limits, folder.path()).unwrap_err();
    assert!(matches!(error, ManifestError::FormatInvalid(_)), "{error:?}");
    let good = manifest("");
    let error = read(good.as_bytes(), &md5(good.as_bytes()), &other, &limits, folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "the manifest is for drive ZX10K7742, this is drive OTHER-1");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn either_kind_of_hash_is_compared() {
    let text = manifest("");
    let sha: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(text.as_bytes()).into();
    let folder = tempfile::tempdir().unwrap();
    let limits = ManifestLimits::default();
    let catalogue = read(text.as_bytes(), &ManifestHash::Sha256(sha), &drive(), &limits, folder.path()).unwrap();
    assert_eq!((catalogue.summary().sha256, catalogue.summary().md5), (sha, None));
    let catalogue = read(text.as_bytes(), &md5(text.as_bytes()), &drive(), &limits, folder.path()).unwrap();
    assert_eq!((catalogue.summary().sha256, catalogue.summary().md5), (sha, Some(Digest::of(text.as_bytes()).0)));
    let error = read(text.as_bytes(), &ManifestHash::Sha256([1; 32]), &drive(), &limits, folder.path()).unwrap_err();
    assert!(matches!(error, ManifestError::Corrupted { .. }));
}

#[test]
fn an_id_with_blanks_is_the_same_drive() {
    let text = manifest("").replace("ZX10K7742", " ZX10 K7742\n");
    assert_eq!(read_text(text, &ManifestLimits::default()).unwrap().summary().drive_id.raw(), " ZX10 K7742\n");
}

#[test]
fn an_event_without_end_is_stopped_below_the_parser() {
    const HUGE: u64 = 300 << 20;
    let starts = [
        "<DriveManifest Version=\"",
        "<DriveManifest ",
        "<DriveManifest ><!--",
        "<DriveManifest Version='2014-11-01'>",
        "<DriveManifest Version='2014-11-01'><Drive><DriveId>",
        "<DriveManifest Version='2014-11-01'><Drive><DriveId><![CDATA[",
        "<?xml version=\"",
        "<!DOCTYPE x [",
        "",
    ];
    let folder = tempfile::tempdir().unwrap();
    // the cheaper hash, as all bytes are hashed
    let limits = ManifestLimits { bytes: 2 << 30, ..ManifestLimits::default() };
    for (start, (filler, huge)) in starts.into_iter().zip([("x", HUGE)].into_iter().chain(std::iter::repeat((" ", 1 << 20)))) {
        let source = || start.as_bytes().chain(Repeat::new(filler.repeat(4096), huge));
        let error = summarise(source(), Some(&ManifestHash::Sha256([0; 32])), &limits).unwrap_err();
        let ManifestError::Corrupted { found, .. } = error else { panic!("{start}: {error:?}") };
        let error = read(source(), &found, &drive(), &limits, folder.path()).unwrap_err();
        let ManifestError::FormatInvalid(findings) = error else { panic!("{start}: {error:?}") };
        assert_eq!(findings.shown().last().unwrap().rule, Rule::EventTooLong, "{start}");
    }
}

#[test]
fn a_text_made_of_references_is_bounded_too() {
    let text = manifest(&format!("<ContainerSas>{}</ContainerSas>", "&#65;".repeat(65_537)));
    assert_eq!(rules(text), [Rule::EventTooLong]);
    let text = manifest(&format!("<ContainerSas>c?{}</ContainerSas>", "<!-- -->xx".repeat(20_000)));
    assert_eq!(rules(text), []);
}

#[test]
fn an_event_of_exactly_64_kib_is_read() {
    let text = |bytes: usize| manifest(&format!("<ClientCreator>{}</ClientCreator>", "x".repeat(bytes)));
    assert_eq!(rules(text(64 << 10)), []);
    assert_eq!(rules(text((64 << 10) + 2)), [Rule::EventTooLong]);
}

#[test]
fn a_manifest_above_the_limit_is_refused_without_being_read_on() {
    let limits = ManifestLimits { bytes: 1 << 20, ..ManifestLimits::default() };
    for start in ["<DriveManifest>", "<DriveManifest/>", "nonsense"] {
        let source = start.as_bytes().chain(Repeat::new("<a/>\n", u64::MAX));
        let error = summarise(source, Some(&wrong()), &limits).unwrap_err();
        let ManifestError::FormatInvalid(findings) = error else { panic!("{error:?}") };
        assert_eq!(findings.total(), findings.total().max(1));
        assert!(findings.shown().len() <= 100);
    }
    let fits = manifest("");
    let limits = ManifestLimits { bytes: fits.len() as u64, ..ManifestLimits::default() };
    assert_eq!(rules_with(&fits, &limits), []);
    assert_eq!(
        rules_with(&fits, &ManifestLimits { bytes: fits.len() as u64 - 1, ..limits }),
        [Rule::TooLong(fits.len() as u64 - 1)]
    );
}

#[test]
fn a_source_that_fails_is_no_broken_manifest() {
    let limits = ManifestLimits::default();
    for start in ["", "<DriveManifest Version='2014-11-01'><Drive>", "nonsense <"] {
        let error = summarise(start.as_bytes().chain(Failing), None, &limits).unwrap_err();
        assert!(matches!(&error, ManifestError::Read(cause) if cause.kind() == ErrorKind::TimedOut), "{error:?}");
        assert!(error.retryable());
    }
}

#[test]
fn a_scratch_folder_that_fails_is_named() {
    let text = manifest("");
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let error = read(text.as_bytes(), &md5(text.as_bytes()), &drive(), &ManifestLimits::default(), &gone).unwrap_err();
    let ManifestError::Scratch(cause) = &error else { panic!("{error:?}") };
    assert_eq!(cause.path, gone.join("entries.dat"));
    assert!(error.retryable());
}

#[test]
fn a_credential_appears_nowhere() {
    let key = "c2VjcmV0LWtleQ==";
    let text = manifest(&format!("<StorageAccountKey>{key}</StorageAccountKey><ClientCreator>secret-creator</ClientCreator>"));
    let folder = tempfile::tempdir().unwrap();
    let catalogue = read(text.as_bytes(), &md5(text.as_bytes()), &drive(), &ManifestLimits::default(), folder.path()).unwrap();
    assert!(catalogue.summary().had_credential);
    assert!(!format!("{catalogue:?}").contains(key));
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret" || window == &key.as_bytes()[..6]));
    }
    let bad = manifest("<StorageAccountKey>very secret!</StorageAccountKey>");
    let error = read_text(bad, &ManifestLimits::default()).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("very"));
}

#[test]
fn only_the_first_findings_are_kept() {
    let text = manifest(&"<Nonsense/>\n".repeat(1_000));
    let error = read_text(text, &ManifestLimits::default()).unwrap_err();
    let ManifestError::FormatInvalid(findings) = &error else { panic!("{error:?}") };
    assert_eq!((findings.shown().len(), findings.total()), (100, 1_000));
    let message = error.to_string();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[0], "the manifest breaks the format: 1000 findings");
    assert_eq!(lines[1], "line 3: unknown element Nonsense inside Drive");
    assert_eq!(lines[100], "line 102: unknown element Nonsense inside Drive");
    assert_eq!(lines[101..], ["and 900 more"]);
}
