//! Jobs that are taken, and every way one is refused: by name, with its place, and without a digit of the password.

use std::error::Error;

use super::*;
use crate::secret::RecoveryPasswordError;

const SAMPLE: &str = include_str!("../../config/job.json");
const DIGITS: [&str; 8] = ["000011", "000022", "000033", "000044", "000055", "000066", "000077", "000088"];

fn with(old: &str, new: &str) -> String {
    assert!(SAMPLE.contains(old), "{old}");
    SAMPLE.replacen(old, new, 1)
}

/// The whole chain of an error as a person would see it, after a look for secrets in all its forms.
fn refusal(text: &str) -> (JobError, String) {
    let error = Job::parse(text.as_bytes()).unwrap_err();
    let mut shown = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        shown = format!("{shown}: {cause}");
        source = cause.source();
    }
    let all = format!("{shown} {error:?} {error:#?}");
    assert!(DIGITS.iter().all(|digits| !all.contains(digits)), "{all}");
    (error, shown)
}

#[test]
fn the_sample_job_is_taken() {
    let job = Job::parse(SAMPLE.as_bytes()).unwrap();
    assert_eq!((job.name.as_str(), job.account.as_str()), ("autumn-survey", "labdata"));
    assert_eq!((job.diagnostics.as_str(), job.log_level, job.backup_manifest), ("waimportexport", LogLevel::Verbose, true));
    let ids: Vec<_> = job.drive_ids().map(DriveId::as_str).collect();
    assert_eq!(ids, ["ZX10K7742"]);
    let drive = job.drive(&"ZX10K7742".parse().unwrap()).unwrap();
    assert_eq!(drive.password.as_ref().unwrap().secret(), &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0]);
    assert_eq!(drive.manifest_path().unwrap().as_str(), "DriveManifest.xml");
    assert!(matches!(drive.manifest_hash, ManifestHash::Md5(_)));
    assert!(job.drive(&"other".parse().unwrap()).is_none());
}

#[test]
fn defaults_stand_where_keys_are_absent_or_null() {
    let text = r#"{"name":"j1","properties":{"storageAccountId":"devstoreaccount1","jobType":"Import","logLevel":null,
        "driveList":[{"driveId":"A 1","manifestFile":"C:\\x","manifestHash":"00000000000000000000000000000000"}]}}"#;
    for text in [text.to_owned(), format!("\u{feff}{text}")] {
        let job = Job::parse(text.as_bytes()).unwrap();
        assert_eq!((job.diagnostics.as_str(), job.log_level, job.backup_manifest), ("waimportexport", LogLevel::Error, false));
        assert_eq!(job.drives()[0].id.as_str(), "A1");
        assert!(job.drives()[0].password.is_none());
        // a bad path is the drive's fault, not the file's
        assert_eq!(job.drives()[0].manifest_path(), Err(DrivePathError::Character(':')));
    }
}

#[test]
fn every_key_the_service_writes_is_taken() {
    let keys = r#""state":"Shipping","cancelRequested":false,"percentComplete":0,"incompleteBlobListUri":"","provisioningState":"Succeeded",
        "encryptionKey":{"kekType":"MicrosoftManaged"},"shippingInformation":{"recipientName":"x","additionalInformation":"y"},
        "returnPackage":{"carrierName":"F","trackingNumber":"1","driveCount":1,"shipDate":"d"},"containerSas":null,"export":null,"jobType""#;
    let text = with("\"jobType\"", keys);
    let drive = r#""state":"Specified","copyStatus":"","percentComplete":0,"verboseLogUri":"","errorLogUri":"","manifestUri":"",
        "driveHeaderHash":"","bytesSucceeded":0,"driveId""#;
    let text = text.replacen("\"driveId\"", drive, 1);
    let top =
        r#""id":"/x","type":"Microsoft.ImportExport/jobs","identity":{"type":"None"},"systemData":{"createdBy":"a"},"name""#;
    let text = text.replacen("\"name\"", top, 1);
    assert!(Job::parse(text.as_bytes()).is_ok());
}

#[test]
fn the_password_never_shows() {
    let job = Job::parse(SAMPLE.as_bytes()).unwrap();
    let shown = format!("{job:?} {job:#?}");
    assert!(shown.contains("hidden") && DIGITS.iter().all(|digits| !shown.contains(digits)), "{shown}");
}

#[test]
fn unknown_and_repeated_keys_are_named_with_their_line() {
    let (_, shown) = refusal(&with("\"driveId\"", "\"drvieId\""));
    assert_eq!(shown, "no job has the key properties.driveList[0].drvieId (line 25)");
    let (_, shown) = refusal(&with("\"location\"", "\"loc\\u0061tion2\""));
    assert_eq!(shown, "no job has the key location2");
    let (_, shown) = refusal(&with("\"email\"", "\"email\": \"a\", \"email\""));
    assert_eq!(shown, "the key properties.returnAddress.email (line 16) is there twice");
    let (_, shown) = refusal(&with("\"email\"", "\"\\u001b[31m\""));
    assert!(shown.contains("returnAddress.\\u{1b}[31m"), "{shown}");
}

#[test]
fn a_missing_key_is_named() {
    for (key, path) in [
        ("\"name\": \"autumn-survey\",", "name"),
        ("\"jobType\": \"Import\",", "properties.jobType"),
        ("\"driveId\": \"ZX10K7742\",", "properties.driveList[0].driveId"),
        ("\"manifestFile\": \"\\\\DriveManifest.xml\",", "properties.driveList[0].manifestFile"),
    ] {
        let (error, shown) = refusal(&with(key, ""));
        assert!(matches!(error, JobError::MissingKey(_)) && shown.contains(path), "{shown}");
    }
}

#[test]
fn a_bad_value_is_refused_by_key_and_rule() {
    let key = "000011-000022-000033-000044-000055-000066-000077-000088";
    for (old, new, part) in [
        ("autumn-survey", "Autumn", "name (line 2) is refused: a job name has"),
        ("autumn-survey", "a", "a job name has"),
        ("autumn-survey", key, "a job name has"),
        ("storageAccounts/labdata", "storageAccounts/lab_data", "properties.storageAccountId (line 6)"),
        ("storageAccounts/labdata", "storageAccounts/", "a storage account has 3 to 24"),
        ("\"Import\"", "\"Both\"", "has to be Import"),
        ("\"Verbose\"", "\"verbose\"", "has to be Error or Verbose"),
        ("\"waimportexport\"", "\"wa/x\"", "properties.diagnosticsPath (line 20) is refused: a container has"),
        ("ZX10K7742", "../x", "properties.driveList[0].driveId (line 25) is refused: a drive id"),
        ("\"jobType\"", "\"export\": {}, \"jobType\"", "properties.export"),
        ("true,", "\"true\",", "properties.backupDriveManifest (line 22) has to be true or false"),
        ("\"ZX10K7742\"", "[11]", "driveId (line 25) has to be a text"),
    ] {
        let (_, shown) = refusal(&with(old, new));
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn what_is_not_supported_yet_is_refused_by_name() {
    let (error, shown) = refusal(&with("\"Import\"", "\"Export\""));
    assert!(matches!(error, JobError::Export(_)) && shown.contains("properties.jobType"), "{shown}");
    let (error, shown) = refusal(&with("\"jobType\"", "\"containerSas\": \"https://x/?sig=abc\", \"jobType\""));
    assert!(matches!(error, JobError::ContainerSas(_)) && shown.contains("containerSas") && !shown.contains("sig"), "{shown}");
}

#[test]
fn a_malformed_password_names_drive_and_group() {
    for (group, wrong) in [("000033", "000034"), ("000033", "00033"), ("000033", "99999O"), ("000033", "000033000033")] {
        let (error, shown) = refusal(&with(group, wrong));
        assert!(matches!(error, JobError::Password { .. }));
        assert!(shown.contains("drive ZX10K7742") && shown.contains("group 3") && !shown.contains(wrong), "{shown}");
    }
    let (error, _) = refusal(&with("-000044-000055-000066-000077-000088", ""));
    assert!(matches!(error, JobError::Password { source: RecoveryPasswordError::Groups { found: 3 }, .. }));
    // a number, a list, and a password where another thing belongs
    let key = "\"000011-000022-000033-000044-000055-000066-000077-000088\"";
    for (old, new) in [(key, "[\"000011\"]".to_owned()), (key, "11000022.5".to_owned()), ("true,", format!("{key},"))] {
        let (error, _) = refusal(&with(old, &new));
        assert!(matches!(error, JobError::WrongKind { .. }));
    }
}

#[test]
fn a_password_written_with_escapes_is_taken() {
    let job = Job::parse(with("000011-", "\\u0030\\u003000011-".replace("00011", "0011").as_str()).as_bytes()).unwrap();
    assert_eq!(job.drives()[0].password.as_ref().unwrap().secret()[0], 1);
}

#[test]
fn ten_drives_are_taken_and_eleven_or_none_are_not() {
    let one = |n: usize| format!(r#"{{"driveId":"D{n}","manifestFile":"\\m","manifestHash":"{}"}}"#, "0".repeat(64));
    let job = |count: usize| {
        let list = (0..count).map(one).collect::<Vec<_>>().join(",");
        format!(r#"{{"name":"j1","properties":{{"storageAccountId":"acc","jobType":"Import","driveList":[{list}]}}}}"#)
    };
    assert_eq!(Job::parse(job(10).as_bytes()).unwrap().drive_ids().len(), 10);
    for count in [0, 11] {
        let (error, shown) = refusal(&job(count));
        assert!(matches!(error, JobError::DriveCount { found, .. } if found == count));
        assert!(shown.contains(&format!("properties.driveList (line 1) has {count} drives")), "{shown}");
    }
    let (_, shown) = refusal(&job(2).replace("D1", "D 0"));
    assert!(shown.contains("drive D0 is in the job twice"), "{shown}");
}

#[test]
fn a_bad_hash_names_the_drive() {
    let (error, shown) = refusal(&with("D41D8CD98F00B204", "D41D"));
    assert!(matches!(error, JobError::ManifestHash { .. }));
    assert!(shown.contains("drive ZX10K7742") && shown.contains("32 (MD5) or 64 (SHA-256)"), "{shown}");
}

#[test]
fn what_is_not_json_is_refused_with_its_line() {
    let (_, shown) = refusal(&with("\"tags\"", "tags"));
    assert!(shown.contains("line 4"), "{shown}");
    refusal(&SAMPLE[..SAMPLE.len() / 2]);
    refusal("");
    refusal("[]");
    refusal("null");
    refusal(&"[".repeat(100_000));
    refusal(&format!("{{\"tags\":{}", "{\"a\":".repeat(100_000)));
    refusal("{\"name\": 000011}");
    assert!(matches!(Job::parse(b"{\"name\":\"\xff\"}"), Err(JobError::Syntax { .. })));
}

#[test]
fn a_file_is_read_whole_or_refused_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.json");
    std::fs::write(&path, SAMPLE).unwrap();
    assert!(Job::read(&path).is_ok());
    std::fs::write(&path, format!("{SAMPLE}{}", " ".repeat(JOB_FILE_BYTES))).unwrap();
    let error = Job::read(&path).unwrap_err();
    assert!(error.to_string().contains("job.json"));
    assert!(error.source().unwrap().to_string().contains("longer than"));
    assert!(matches!(Job::read(&folder.path().join("absent")), Err(JobError::Read { .. })));
}

#[test]
fn a_manifest_path_of_any_length_is_kept_bounded() {
    let job = Job::parse(with("DriveManifest.xml", &"ü".repeat(400_000)).as_bytes()).unwrap();
    assert!(matches!(job.drives()[0].manifest_path(), Err(DrivePathError::TooLong { limit: 32_767, .. })));
}
