//! `dockside inspect`, `ls` and `cat`: what they show of a drive with and without a key, and what they refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]

#[path = "support/bitlocker_writer.rs"]
mod bitlocker_writer;
#[path = "support/cli.rs"]
mod cli;
#[path = "support/drives.rs"]
mod drives;
#[path = "support/sealed.rs"]
mod sealed;

use std::path::PathBuf;
use std::sync::Arc;

use dockside::volume::ReadAt as _;
use dockside::volume::bitlocker::Sealed;
use serde_json::json;

use cli::{Desk, sha256};
use drives::{Drive, drive};

/// Well-formed, and no drive's.
const WRONG: &str = "000011-000022-000033-000044-000055-000066-000077-000088";

/// A drive, its job and its key in files.
fn golden(name: &str) -> (Desk, Drive, String, String) {
    let desk = Desk::new();
    let job = desk.job(name, "job.json", |_| ());
    let key = desk.write("key.txt", format!("{}\r\n", sealed::password(name)));
    (desk, drive(name), text(job), text(key))
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

fn image(drive: &Drive) -> String {
    text(drive.image.clone())
}

#[test]
fn inspect_shows_without_a_key_what_can_be_seen() {
    let (desk, drive, ..) = golden("xts128-gpt");
    let shown = desk.run(&["inspect", &image(&drive), "--json"]).ends(0).json();
    assert_eq!((&shown["schema"], &shown["source"]["name"]), (&json!(1), &json!("xts128-gpt.img")));
    assert_eq!((&shown["partitions"]["table"], &shown["partitions"]["sectorSize"]), (&json!("GPT"), &json!(512)));
    let list = shown["partitions"]["list"].as_array().unwrap();
    assert_eq!((&list[0]["dataVolume"], &list[1]["dataVolume"]), (&json!(false), &json!(true)), "the reserved one comes first");
    assert_eq!(list[1]["start"], drive.about["partition"]["offset"]);
    assert_eq!(shown["bitlocker"]["method"], "AES-XTS 128-bit");
    assert_eq!(shown["bitlocker"]["metadataCopies"], json!(["good", "good", "good"]));
    let id = shown["bitlocker"]["protectors"][0].as_str().unwrap().strip_prefix("recovery password ").unwrap();
    assert!(id.len() == 38 && id.starts_with('{') && id.matches('-').count() == 4, "{id}");
    assert!(shown.get("fileSystem").is_none() && shown.get("manifest").is_none());
    let lines = desk.run(&["inspect", &image(&drive)]).ends(0);
    assert!(
        ["GPT", "AES-XTS 128-bit", "recovery password", id].iter().all(|word| lines.text().contains(word)),
        "{}",
        lines.text()
    );
}

#[test]
fn inspect_shows_file_system_and_manifest_with_a_key() {
    let (desk, drive, job, key) = golden("xts128-gpt");
    let shown = desk.run(&["inspect", &image(&drive), "--job", &job, "--json"]).ends(0).json();
    assert_eq!((&shown["fileSystem"]["type"], &shown["fileSystem"]["dirty"]), (&json!("NTFS"), &json!(false)));
    assert_eq!(shown["fileSystem"]["label"], "LAB");
    let manifest = &shown["manifest"];
    assert_eq!((&manifest["path"], &manifest["driveId"]), (&json!("\\DriveManifest.xml"), &json!("DKS-XTS128")));
    assert_eq!((&manifest["entries"], &manifest["holdsCredential"]), (&json!(9), &json!(true)));
    // a key alone opens the drive, but names no manifest
    let shown = desk.run(&["inspect", &image(&drive), "--key-file", &key, "--json"]).ends(0).json();
    assert!(shown.get("manifest").is_none() && shown["fileSystem"]["type"] == "NTFS");
}

#[test]
fn inspect_shows_which_copy_of_the_metadata_is_damaged() {
    let (desk, drive, job, _) = golden("xts256-4k-damaged");
    let shown = desk.run(&["inspect", &image(&drive), "--job", &job, "--json"]).ends(0).json();
    let copies = shown["bitlocker"]["metadataCopies"].as_array().unwrap();
    assert_eq!(copies.iter().filter(|copy| *copy == "good").count(), 2, "{copies:?}");
    assert!(copies[0].as_str().is_some_and(|why| why.len() > 10), "{copies:?}");
    assert_eq!((&shown["bitlocker"]["method"], &shown["bitlocker"]["sectorSize"]), (&json!("AES-XTS 256-bit"), &json!(4096)));
}

#[test]
fn inspect_shows_every_protector() {
    let (desk, drive, job, _) = golden("cbc256-mbr-decoy");
    let shown = desk.run(&["inspect", &image(&drive), "--job", &job, "--json"]).ends(0).json();
    let protectors = shown["bitlocker"]["protectors"].as_array().unwrap();
    assert_eq!(
        protectors.iter().filter(|one| one.as_str().is_some_and(|text| text.starts_with("recovery password {"))).count(),
        2,
        "{protectors:?}"
    );
    assert_ne!(protectors[0], protectors[1]);
    assert_eq!(shown["partitions"]["table"], "MBR");
}

#[test]
fn ls_lists_folders_and_files() {
    let (desk, drive, job, key) = golden("xts128-gpt");
    let root = desk.run(&["ls", &image(&drive), "--job", &job]).ends(0);
    let line = |name: &str| root.text().lines().find(|line| line.ends_with(name)).unwrap_or_else(|| panic!("{}", root.text()));
    let fields: Vec<_> = line("readme.txt").split_whitespace().collect();
    assert_eq!((fields[0], fields.len()), ("200", 4), "size, record, extents, name");
    assert!(line("Fotos\\").trim_start().starts_with('-') && line("🚢 harbour.txt").contains("900"));
    // either slash, any case
    for path in ["Fotos\\Zürich", "/fotos/ZÜRICH", "\\Fotos\\Zürich\\"] {
        let listed = desk.run(&["ls", &image(&drive), path, "--key-file", &key]);
        assert!(listed.code == 0 && listed.text().contains("70000"), "{path}: {}{}", listed.text(), listed.err);
    }
    desk.run(&["ls", &image(&drive), "Fotos/Bern", "--key-file", &key]).says(4, &["xts128-gpt.img", "Bern", "does not exist"]);
    desk.run(&["ls", &image(&drive)]).says(2, &["--key-file", "--job"]);
}

#[test]
fn cat_gives_every_file_to_the_byte() {
    for name in ["xts128-gpt", "cbc256-mbr-decoy", "xts256-4k-damaged"] {
        let (desk, drive, job, _) = golden(name);
        for file in drive.files().iter().filter(|file| file.length > 4_000 || name == "xts128-gpt") {
            let ran = desk.run(&["cat", &image(&drive), &file.path, "--job", &job]).ends(0);
            assert_eq!((ran.out.len() as u64, sha256(&ran.out)), (file.length, file.sha256.clone()), "{name}: {}", file.path);
        }
    }
}

#[test]
fn cat_gives_the_whole_volume_bit_for_bit() {
    // where there is a plain image, it is the answer
    let (desk, plain) = (Desk::new(), drive("plain-4k"));
    let job = text(desk.job("plain-4k", "job.json", |_| ()));
    let ran = desk.run(&["cat", &text(sealed::sealed("plain-4k")), "--volume", "--job", &job]).ends(0);
    let volume = plain.partition();
    let mut expected = vec![0; usize::try_from(volume.size()).unwrap()];
    volume.read_at(0, &mut expected).unwrap();
    // metadata and moved sectors lie behind it here, and read as zeros
    assert!(ran.out.len() > expected.len() && ran.out[expected.len()..].iter().all(|byte| *byte == 0));
    assert!(ran.out[..expected.len()] == expected, "the volume differs");
    // elsewhere the reader itself is
    let (desk, drive, _, key) = golden("xts128-gpt");
    let ran = desk.run(&["cat", &image(&drive), "--volume", "--key-file", &key]).ends(0);
    let sealed = Sealed::probe(Arc::new(drive.partition())).unwrap().unwrap();
    let volume = sealed.unlock(&sealed::password("xts128-gpt").parse().unwrap()).unwrap();
    let mut expected = vec![0; usize::try_from(volume.size()).unwrap()];
    volume.read_at(0, &mut expected).unwrap();
    assert!(ran.out == expected, "the volume differs");
}

#[test]
fn cat_refuses_what_is_no_file() {
    let (desk, drive, job, _) = golden("xts128-gpt");
    let cat = |path: &str| desk.run(&["cat", &image(&drive), path, "--job", &job]);
    cat("nothing.bin").says(4, &["xts128-gpt.img", "nothing.bin", "does not exist"]);
    cat("Fotos").says(4, &["Fotos"]);
    cat("a/../readme.txt").says(2, &["a/../readme.txt", ".."]);
    cat("readme.txt:stream").says(2, &["readme.txt:stream", "':'"]);
    cat("$MFT").says(2, &["$MFT"]);
    desk.run(&["cat", &image(&drive), "--job", &job]).says(2, &["PATH"]);
    desk.run(&["cat", &image(&drive), "readme.txt", "--volume", "--job", &job]).says(2, &["--volume"]);
    desk.run(&["cat", &image(&drive), "readme.txt"]).says(2, &["--key-file", "--job"]);
}

#[test]
fn the_key_comes_from_a_file_from_standard_input_or_from_the_job() {
    let (desk, drive, job, key) = golden("xts128-gpt");
    let password = sealed::password("xts128-gpt");
    let content = |ran: cli::Ran| sha256(&ran.ends(0).out);
    let expected = content(desk.run(&["cat", &image(&drive), "readme.txt", "--key-file", &key]));
    assert_eq!(content(desk.run_with(&["cat", &image(&drive), "readme.txt", "--key-file", "-"], password.as_bytes())), expected);
    assert_eq!(content(desk.run(&["cat", &image(&drive), "readme.txt", "--job", &job])), expected);
    let id = ["--drive-id", "DKS-XTS128"];
    assert_eq!(content(desk.run(&["cat", &image(&drive), "readme.txt", "--job", &job, id[0], id[1]])), expected);
    desk.run(&["cat", &image(&drive), "readme.txt", "--job", &job, id[0], "OTHER"]).says(2, &["OTHER", "DKS-XTS128"]);
    desk.run(&["cat", &image(&drive), "readme.txt", "--key-file", &key, "--job", &job]).says(2, &["--key-file", "--job"]);
    desk.run(&["cat", &image(&drive), "readme.txt", "--key-file", "none.txt"]).says(2, &["none.txt"]);
}

#[test]
fn a_malformed_password_names_its_group_and_is_not_shown() {
    let (desk, drive, ..) = golden("xts128-gpt");
    for (password, words) in [
        ("111111-222222-333333-444444-555556-666666-077077-088088", &["group 5"][..]),
        ("111111-222222-333333-444444-555555-666666-077077-999999", &["group 8"]),
        ("111111-222222-33333-444444-555555-666666-077077-088088", &["group 3"]),
        ("111111-222222-333333-444444-555555-666666-077077", &["8 groups", "7"]),
        ("111111-222222-x33333-444444-555555-666666-077077-088088", &["group 3"]),
        ("", &["8 groups"]),
    ] {
        for group in password.split('-').filter(|group| group.len() == 6) {
            desk.secret(group);
        }
        let ran = desk.run_with(&["inspect", &image(&drive), "--key-file", "-"], password.as_bytes());
        ran.says(2, words).says(2, &["standard input"]);
    }
}

#[test]
fn a_wrong_key_is_told_from_a_malformed_one() {
    let (desk, drive, ..) = golden("cbc256-mbr-decoy");
    desk.secret(WRONG);
    let key = text(desk.write("wrong.txt", WRONG));
    let words = ["cbc256-mbr-decoy.img", "BitLockerKeyInvalid", "remedy"];
    let inspected = desk.run(&["inspect", &image(&drive), "--key-file", &key, "--json"]).says(3, &words);
    assert_eq!(inspected.json()["bitlocker"]["method"], "AES-CBC 256-bit", "what could be seen is shown");
    desk.run(&["ls", &image(&drive), "--key-file", &key]).says(3, &words);
    let cat = desk.run(&["cat", &image(&drive), "--volume", "--key-file", &key]).says(3, &words);
    assert!(cat.out.is_empty());
}

#[test]
fn a_source_that_is_no_drive_is_refused_by_name() {
    let (desk, _, job, _) = golden("xts128-gpt");
    let note = text(desk.write("note.txt", "no drive"));
    desk.run(&["inspect", &note]).says(3, &["note.txt", "BitLockerVolumeNotFound", "remedy"]);
    desk.run(&["ls", &note, "--job", &job]).says(3, &["note.txt", "BitLockerVolumeNotFound"]);
    desk.run(&["inspect", "none.img"]).says(2, &["none.img"]);
    desk.run(&["inspect", "."]).says(2, &["folder"]);
    let plain = image(&drive("plain-4k"));
    desk.run(&["inspect", &plain]).says(3, &["plain-4k.img", "BitLockerNotActivated", "remedy"]);
}

#[test]
fn who_looks_into_a_drive_is_written_down_before_anything_is_shown() {
    let (desk, drive, job, key) = golden("xts128-gpt");
    desk.run(&["ls", &image(&drive), "Fotos", "--job", &job, "--state", "state"]).ends(0);
    desk.run(&["cat", &image(&drive), "--volume", "--job", &job, "--state", "state"]).ends(0);
    let wrong = text(desk.write("wrong.txt", WRONG));
    // by the job it is known which drive it is; a look that fails was still tried
    desk.run(&["cat", &image(&drive), "no such", "--job", &job, "--state", "state"]).ends(4);
    let shown = desk.run(&["drive", "show", "DKS-XTS128", "--state", "state", "--json"]).ends(0).json();
    let looks = shown["looks"].as_array().unwrap();
    let looked: Vec<_> = looks.iter().map(|look| (look["command"].as_str().unwrap(), look["what"].as_str().unwrap())).collect();
    assert_eq!(looked, [("ls", "\\Fotos"), ("cat", "the whole volume"), ("cat", "\\no such")]);
    for look in looks {
        assert!(look["who"].as_str().unwrap().contains("uid"), "{look}");
        assert_eq!((&look["source"], &look["job"]), (&json!("xts128-gpt.img"), &shown["looks"][0]["job"]));
        assert!(look["at"].as_str().unwrap().ends_with('Z') && look["job"].is_string());
    }
    // a state folder that takes no record: nothing is shown, not even that the key is wrong
    desk.write("file", "");
    for key in [&key, &wrong] {
        for command in ["ls", "cat"] {
            let ran = desk.run(&[command, &image(&drive), "readme.txt", "--key-file", key, "--state", "file/state"]);
            let ran = ran.says(2, &["file/state", "cannot be written", "remedy: ", "--state DIR"]);
            assert!(ran.out.is_empty());
        }
    }
    let config = text(desk.write("dockside.toml", format!("state_dir = {:?}\n", desk.path("elsewhere"))));
    desk.run(&["ls", &image(&drive), "--key-file", &key, "--config", &config]).ends(0);
    assert!(desk.path("elsewhere/ledger.db").is_file());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (desk, drive, job, _) = golden("xts128-gpt");
    let mut command = desk.command(&["cat", &image(&drive), "--volume", "--job", &job]);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = desk.wait(child).ends(0);
    assert_eq!(ran.err, "");
}
