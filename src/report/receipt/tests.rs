//! Key order, round trip, exit codes.

use super::*;
use crate::ledger::{BlobStatus, DispositionStatus, EntryOutcome};
use crate::manifest::{BlobKind, Disposition, Entry};

fn entry(number: u64) -> Entry {
    Entry {
        number,
        line: number + 10,
        blob_path: "survey/a\u{202e}.las".into(),
        file_path: r"\survey\a.las".into(),
        length: 512,
        disposition: Disposition::Rename,
        kind: BlobKind::Block,
        first_range: number,
        range_count: 1,
        list_metadata: None,
        own_metadata: None,
        list_properties: None,
        own_properties: None,
    }
}

fn created() -> EntryOutcome {
    EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Created)
}

pub(crate) fn full() -> Receipt {
    let session = SessionFacts {
        account: "gulfdata".to_owned(),
        job: "gulf-survey".to_owned(),
        drive_id: "ZX10K7742".parse().unwrap(),
        manifest_hash: "109B21108597EF36D5785F08303F3638".to_owned(),
        id: "4f2a".to_owned(),
    };
    let drive = DriveFacts {
        model: Some("ACME \u{7f} 4000".into()),
        size_bytes: Some(4_000_787_030_016),
        sector_size: Some(512),
        encryption: Some("XTS-AES 128".to_owned()),
        volume_dirty: Some(false),
        source: "drive.img".into(),
    };
    let (started, finished) = ("2026-03-04T05:06:07.1234567Z".parse().unwrap(), "2026-03-04T06:00:00Z".parse().unwrap());
    let mut tally = Tally::default();
    tally.add(&entry(0), &created(), 512);
    let renamed = EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Renamed);
    tally.add(&entry(1), &EntryOutcome { stored_as: Some("survey/a (2).las".into()), ..renamed }, 512);
    let lost = EntryOutcome::new(BlobStatus::FileNotFound, DispositionStatus::Cancelled);
    tally.add(&entry(2), &EntryOutcome { detail: Some("No such folder.".to_owned()), ..lost }, 512);
    let receipt = Receipt::before_entries(session, tally.status(), drive, started, finished);
    Receipt {
        interruptions: 1,
        manifest: Some(ManifestFacts {
            path: r"\m.xml".into(),
            sha256: Some("ab".repeat(32)),
            entries: Some(3),
            bytes: Some(1_536),
        }),
        log: Some(LogFacts {
            error_uri: Some("file:///store/waimportexport/waies/x_error.xml".to_owned()),
            error_sha256: Some("cd".repeat(32)),
            ..LogFacts::default()
        }),
        verified: Verified { ranges: 2, bytes: 1_024, line_refusals: 0 },
        read_errors: vec![ReadError { file_path: r"\survey\a.las".into(), offset: 0, length: 512 }],
        ..receipt.with(tally)
    }
}

#[test]
fn keys_stand_in_the_order_of_the_description() {
    let json: serde_json::Value = serde_json::from_str(&full().to_json().unwrap()).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&json).join(" "),
        "schema session status started finished interruptions drive manifest log verified counts bytes exceptions readErrors software"
    );
    assert_eq!(keys(&json["session"]).join(" "), "account job driveId manifestHash id");
    assert_eq!(keys(&json["drive"]).join(" "), "model sizeBytes sectorSize encryption volumeDirty source");
    assert_eq!(keys(&json["manifest"]).join(" "), "path sha256 entries bytes");
    assert_eq!(keys(&json["log"]).join(" "), "errorUri errorSha256");
    assert_eq!(keys(&json["verified"]).join(" "), "ranges bytes lineRefusals");
    assert_eq!(keys(&json["counts"]).join(" "), "created renamed skipped overwritten failed");
    assert_eq!(keys(&json["exceptions"][0]).join(" "), "entry blobPath storedAs filePath outcome status detail");
    assert_eq!(keys(&json["exceptions"][1]).join(" "), "entry blobPath filePath outcome status detail");
    assert_eq!(keys(&json["readErrors"][0]).join(" "), "filePath offset length");
    assert_eq!(keys(&json["software"]).join(" "), "name version");
    assert_eq!(json["started"], "2026-03-04T05:06:07.123Z");
    assert_eq!(json["finished"], "2026-03-04T06:00:00.000Z");
    assert_eq!(json["exceptions"][1]["outcome"], "failed");
    assert_eq!(json["exceptions"][1]["status"], "FileNotFound");
    // to the letter: programs need the name as it is
    assert_eq!(json["exceptions"][0]["blobPath"], "survey/a\u{202e}.las");
}

#[test]
fn a_receipt_comes_back_as_it_was_to_the_millisecond() {
    let text = full().to_json().unwrap();
    let back: Receipt = serde_json::from_str(&text).unwrap();
    assert_eq!(back.to_json().unwrap(), text);
    assert_eq!(Receipt { started: full().started, ..back }, full());
    assert!(serde_json::from_str::<Receipt>(&text.replace("\"CompletedWithErrors\"", "\"Sideways\"")).is_err());
}

#[test]
fn what_is_not_known_is_left_out() {
    let Receipt { session, started, finished, .. } = full();
    let drive = DriveFacts { source: "/dev/sdb".into(), ..DriveFacts::default() };
    let receipt = Receipt::before_entries(session, DriveCode::VolumeNotNtfs, drive, started, finished);
    let text = receipt.to_json().unwrap();
    for absent in ["null", "model", "manifest\"", "log\"", "Truncated"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    let back: Receipt = serde_json::from_str(&text).unwrap();
    assert_eq!((back.status, back.exit_code(), back.log), (DriveCode::VolumeNotNtfs, 3, None));
}

#[test]
fn exceptions_are_named_up_to_a_limit_and_counted_beyond() {
    let mut tally = Tally::default();
    let limit = Tally::EXCEPTIONS as u64;
    for number in 0..limit + 2 {
        assert!(!tally.exceptions_truncated || number > limit);
        tally.add(&entry(number), &EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Overwritten), 1);
    }
    assert_eq!(
        (tally.counts.overwritten, tally.bytes.overwritten, tally.exceptions.len()),
        (limit + 2, limit + 2, Tally::EXCEPTIONS)
    );
    assert!(tally.exceptions_truncated);
    let receipt = full().with(tally);
    assert!(receipt.to_json().unwrap().contains("\"exceptionsTruncated\": true"));
}

#[test]
fn errors_weigh_more_than_warnings_and_overwriting_is_neither() {
    use {BlobStatus as B, DispositionStatus as D};
    let cases: &[(B, D, DriveCode)] = &[
        (B::Completed, D::Created, DriveCode::Completed),
        (B::Completed, D::Overwritten, DriveCode::Completed),
        (B::Completed, D::Skipped, DriveCode::CompletedWithWarnings),
        (B::Completed, D::Renamed, DriveCode::CompletedWithWarnings),
        (B::CompletedWithErrors, D::Created, DriveCode::CompletedWithErrors),
        (B::Completed, D::Cancelled, DriveCode::CompletedWithErrors),
    ];
    for (status, disposition, expected) in cases {
        let mut tally = Tally::default();
        tally.add(&entry(0), &EntryOutcome::new(*status, *disposition), 1);
        assert_eq!(tally.status(), *expected, "{status:?} {disposition:?}");
        tally.add(&entry(1), &EntryOutcome::new(B::LeasePresent, D::Cancelled), 1);
        assert_eq!(tally.status(), DriveCode::CompletedWithErrors);
    }
    assert_eq!(Tally::default().status(), DriveCode::Completed);
}

#[test]
fn a_created_entry_with_a_remark_is_named() {
    let mut tally = Tally::default();
    tally.add(&entry(0), &EntryOutcome { detail: Some("Its Content-MD5 is not its content's.".to_owned()), ..created() }, 1);
    assert_eq!((tally.status(), tally.exceptions[0].outcome), (DriveCode::Completed, EntryResult::Created));
}

#[test]
fn long_paths_end_the_list_of_exceptions_early() {
    let mut tally = Tally::default();
    let long = "a".repeat(64 << 10);
    let skipped = EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Skipped);
    for number in 0..100 {
        tally.add(&Entry { file_path: long.as_str().into(), blob_path: long.as_str().into(), ..entry(number) }, &skipped, 1);
    }
    tally.add(&entry(100), &skipped, 1);
    // 4 MiB of paths of 128 KiB, less the room for their sentences; a short one behind them leaves no gap
    assert_eq!((tally.exceptions.len(), tally.exceptions_truncated, tally.counts.skipped), (31, true, 101));
}

#[test]
fn every_failure_has_a_sentence() {
    for status in BlobStatus::ALL {
        let mut tally = Tally::default();
        tally.add(&entry(0), &EntryOutcome::new(*status, DispositionStatus::Cancelled), 1);
        assert!(tally.exceptions[0].detail.ends_with('.'));
    }
}

#[test]
fn exit_codes_follow_the_status() {
    for code in DriveCode::ALL {
        let expected = match code {
            DriveCode::Completed | DriveCode::CompletedWithWarnings => 0,
            DriveCode::CompletedWithErrors => 4,
            DriveCode::InternalError => 1,
            _ => 3,
        };
        assert_eq!(code.exit_code(), expected, "{code}");
    }
}

#[test]
fn a_stopped_drive_says_source_status_cause_and_remedy() {
    let stopped = Stopped::with_code("drive.img".into(), DriveCode::JobNotShipping, None);
    let json = serde_json::to_value(&stopped).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["source", "status", "cause", "remedy"]);
    assert_eq!(json["status"], "JobNotShipping");
    assert_eq!(json["cause"], DriveCode::JobNotShipping.cause());
    let exact = Stopped::with_code("drive.img".into(), DriveCode::JobNotShipping, Some("job a is Creating".to_owned()));
    assert_eq!(exact.cause, "job a is Creating");
    assert_eq!(serde_json::from_value::<Stopped>(serde_json::to_value(&exact).unwrap()).unwrap(), exact);
}
