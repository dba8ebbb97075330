//! The format's own example, byte for byte, and what a reader gets back.

use super::*;
use crate::manifest::{ByteRange, Digest, Disposition, SideFile};
use quick_xml::Reader;
use quick_xml::events::Event;

/// The example of the format's description, as entries, ranges and outcomes.
const VERBOSE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DriveLog Version="2014-11-01">
  <DriveId>ZX10K7742</DriveId>
  <Blob Status="Completed">
    <BlobPath>survey/2013/site-a (2).las</BlobPath>
    <FilePath>\survey\2013\site-a.las</FilePath>
    <Length>5242880</Length>
    <ImportDisposition Status="Renamed">rename</ImportDisposition>
    <BlockList>
      <Block Offset="0" Length="4194304" Id="ZGtzMbXPqdbI/r1hj5GsKEPVChw=" Hash="B5CFA9D6C8FEBD618F91AC2843D50A1C" Status="Completed"/>
      <Block Offset="4194304" Length="1048576" Id="ZGtzMbbYGzYKVnLYDCdDDzkVPiw=" Hash="B6D81B360A5672D80C27430F39153E2C" Status="Completed"/>
    </BlockList>
    <Metadata Status="Completed">
      <GlobalPath Hash="0CC175B9C0F1B6A831C399E269772661">\survey\_meta.xml</GlobalPath>
    </Metadata>
  </Blob>
  <Blob Status="CompletedWithErrors">
    <BlobPath>disks/build-host.vhd</BlobPath>
    <FilePath>\survey\build-host.vhd</FilePath>
    <Length>1073742336</Length>
    <ImportDisposition Status="Created">rename</ImportDisposition>
    <PageRangeList>
      <PageRange Offset="0" Length="65536" Hash="FCD6BCB56C1689FCEF28B57C22475BAD" Status="Corrupted"/>
      <PageRange Offset="1073741824" Length="512" Hash="BF619EAC0CDF3F68D496EA9344137E8B" Status="Completed"/>
    </PageRangeList>
    <Properties Status="Completed">
      <Path Hash="92EB5FFEE6AE2FEC3AD71C777531578F">\survey\vhd.properties.xml</Path>
    </Properties>
  </Blob>
  <Blob Status="FileNotFound">
    <BlobPath>survey/2013/lost.las</BlobPath>
    <FilePath>\survey\2013\lost.las</FilePath>
    <Length>512</Length>
    <ImportDisposition Status="Cancelled">no-overwrite</ImportDisposition>
    <BlockList>
      <Block Offset="0" Length="512" Hash="BF619EAC0CDF3F68D496EA9344137E8B" Status="Cancelled"/>
    </BlockList>
  </Blob>
  <Status>CompletedWithErrors</Status>
</DriveLog>
"#;

/// What is left of it in the error log.
const ERROR: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DriveLog Version="2014-11-01">
  <DriveId>ZX10K7742</DriveId>
  <Blob Status="Completed">
    <BlobPath>survey/2013/site-a (2).las</BlobPath>
    <FilePath>\survey\2013\site-a.las</FilePath>
    <Length>5242880</Length>
    <ImportDisposition Status="Renamed">rename</ImportDisposition>
    <BlockList/>
  </Blob>
  <Blob Status="CompletedWithErrors">
    <BlobPath>disks/build-host.vhd</BlobPath>
    <FilePath>\survey\build-host.vhd</FilePath>
    <Length>1073742336</Length>
    <ImportDisposition Status="Created">rename</ImportDisposition>
    <PageRangeList>
      <PageRange Offset="0" Length="65536" Hash="FCD6BCB56C1689FCEF28B57C22475BAD" Status="Corrupted"/>
    </PageRangeList>
  </Blob>
  <Blob Status="FileNotFound">
    <BlobPath>survey/2013/lost.las</BlobPath>
    <FilePath>\survey\2013\lost.las</FilePath>
    <Length>512</Length>
    <ImportDisposition Status="Cancelled">no-overwrite</ImportDisposition>
    <BlockList>
      <Block Offset="0" Length="512" Hash="BF619EAC0CDF3F68D496EA9344137E8B" Status="Cancelled"/>
    </BlockList>
  </Blob>
  <Status>CompletedWithErrors</Status>
</DriveLog>
"#;

/// A drive in memory.
#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    outcomes: Vec<Option<EntryOutcome>>,
    ranges: Vec<(Range, Option<RangeStatus>)>,
    files: Vec<SideFile>,
}

impl Recorded for Model {
    type Error = io::Error;

    fn outcome(&self, entry: EntryNumber) -> io::Result<Option<EntryOutcome>> {
        Ok(self.outcomes[usize::try_from(entry).unwrap()].clone())
    }

    fn ranges(&self, entry: &Entry) -> impl Iterator<Item = io::Result<(Range, Option<RangeStatus>)>> {
        let (first, count) = (usize::try_from(entry.first_range).unwrap(), usize::try_from(entry.range_count).unwrap());
        self.ranges.iter().skip(first).take(count).map(|range| Ok(*range))
    }

    fn side_file(&self, number: SideFileNumber) -> io::Result<SideFile> {
        self.files.get(usize::try_from(number).unwrap()).cloned().ok_or_else(|| io::Error::other("no such side file"))
    }
}

impl Model {
    fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.files.push(SideFile { path: path.into(), digest: Digest::of(content) });
        self
    }

    /// Adds an entry with its ranges: (offset, length, hash, status).
    fn entry(
        mut self,
        mut entry: Entry,
        outcome: impl Into<Option<EntryOutcome>>,
        ranges: &[(u64, u64, &str, Option<RangeStatus>)],
    ) -> Self {
        entry.number = self.entries.len() as u64;
        entry.first_range = self.ranges.len() as u64;
        entry.range_count = ranges.len() as u64;
        self.entries.push(entry);
        self.outcomes.push(outcome.into());
        self.ranges.extend(ranges.iter().map(|(offset, length, hash, status)| {
            (Range { bytes: ByteRange::new(*offset, *length).unwrap(), digest: hash.parse().unwrap() }, *status)
        }));
        self
    }

    fn entries(&self) -> impl Iterator<Item = io::Result<Entry>> {
        self.entries.iter().cloned().map(Ok)
    }

    fn log(&self, detail: Detail) -> Result<String, DriveLogError> {
        let status = tally(self.entries(), self)?.status();
        let mut log = DriveLogWriter::new(Vec::new(), &"ZX10K7742".parse().unwrap(), detail)?;
        compose(&mut log, self.entries(), self)?;
        Ok(String::from_utf8(log.finish(status)?).unwrap())
    }
}

pub(super) fn block_blob(path: &str, file: &str, length: u64) -> Entry {
    Entry {
        number: 0,
        line: 1,
        blob_path: path.into(),
        file_path: file.into(),
        length,
        disposition: Disposition::Rename,
        kind: BlobKind::Block,
        first_range: 0,
        range_count: 0,
        list_metadata: None,
        own_metadata: None,
        list_properties: None,
        own_properties: None,
    }
}

const DONE: Option<RangeStatus> = Some(RangeStatus::Completed);
const A: &str = "0CC175B9C0F1B6A831C399E269772661";

fn example() -> Model {
    let stored_as = Some("survey/2013/site-a (2).las".into());
    let renamed = EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Renamed);
    let page = Entry {
        kind: BlobKind::Page,
        own_properties: Some(1),
        ..block_blob("disks/build-host.vhd", r"\survey\build-host.vhd", 1_073_742_336)
    };
    let broken = EntryOutcome::new(BlobStatus::CompletedWithErrors, DispositionStatus::Created);
    let lost = block_blob("survey/2013/lost.las", r"\survey\2013\lost.las", 512);
    Model::default()
        .file(r"\survey\_meta.xml", b"a")
        .file(r"\survey\vhd.properties.xml", b"b")
        .entry(
            Entry { list_metadata: Some(0), ..block_blob("survey/2013/site-a.las", r"\survey\2013\site-a.las", 5_242_880) },
            EntryOutcome { stored_as, metadata: Some(PartStatus::Completed), ..renamed },
            &[
                (0, 4_194_304, "B5CFA9D6C8FEBD618F91AC2843D50A1C", DONE),
                (4_194_304, 1_048_576, "B6D81B360A5672D80C27430F39153E2C", DONE),
            ],
        )
        .entry(
            page,
            EntryOutcome { properties: Some(PartStatus::Completed), ..broken },
            &[
                (0, 65_536, "FCD6BCB56C1689FCEF28B57C22475BAD", Some(RangeStatus::Corrupted)),
                (1_073_741_824, 512, "BF619EAC0CDF3F68D496EA9344137E8B", DONE),
            ],
        )
        .entry(
            Entry { disposition: Disposition::NoOverwrite, ..lost },
            EntryOutcome::new(BlobStatus::FileNotFound, DispositionStatus::Cancelled),
            &[(0, 512, "BF619EAC0CDF3F68D496EA9344137E8B", None)],
        )
}

#[test]
fn the_published_form_is_reproduced_byte_for_byte() {
    assert_eq!(example().log(Detail::Verbose).unwrap(), VERBOSE);
    assert_eq!(example().log(Detail::Error).unwrap(), ERROR);
}

#[test]
fn counts_bytes_and_status_come_from_the_same_records() {
    let tally = tally(example().entries(), &example()).unwrap();
    assert_eq!(tally.status(), DriveCode::CompletedWithErrors);
    assert_eq!((tally.counts.renamed, tally.counts.failed, tally.counts.total()), (1, 2, 3));
    assert_eq!((tally.bytes.renamed, tally.bytes.failed), (5_242_880, 65_536 + 512 + 512));
}

#[test]
fn plain_and_overwritten_blobs_are_not_in_the_error_log() {
    let model = Model::default()
        .entry(
            block_blob("c/a", r"\a", 1),
            EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Created),
            &[(0, 1, A, DONE)],
        )
        .entry(
            block_blob("c/b", r"\b", 1),
            EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Overwritten),
            &[(0, 1, A, DONE)],
        );
    let log = model.log(Detail::Error).unwrap();
    assert!(!log.contains("<Blob"), "{log}");
    assert!(log.contains("<Status>Completed</Status>"));
    let verbose = model.log(Detail::Verbose).unwrap();
    assert!(verbose.contains(r#"<ImportDisposition Status="Overwritten">"#) && !verbose.contains("Id="), "{verbose}");
}

#[test]
fn a_skipped_blob_has_no_parts_in_either_log() {
    let entry = Entry { list_metadata: Some(0), ..block_blob("c/a", r"\a", 1) };
    let model = Model::default().file(r"\m", b"m").entry(
        entry,
        EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Skipped),
        &[(0, 1, A, None)],
    );
    for detail in [Detail::Error, Detail::Verbose] {
        let log = model.log(detail).unwrap();
        assert!(log.contains(r#"<ImportDisposition Status="Skipped">"#) && log.contains("CompletedWithWarnings"), "{log}");
        assert!(!log.contains("BlockList") && !log.contains("Metadata"), "{log}");
    }
}

#[test]
fn both_levels_of_side_files_are_named_and_a_failed_one_stays_in_the_error_log() {
    let entry = Entry { list_metadata: Some(0), own_metadata: Some(1), ..block_blob("c/a", r"\a", 0) };
    let outcome = EntryOutcome {
        metadata: Some(PartStatus::XmlReadFailed),
        ..EntryOutcome::new(BlobStatus::CompletedWithErrors, DispositionStatus::Created)
    };
    let model = Model::default().file(r"\list.xml", b"a").file(r"\own & only.xml", b"a").entry(entry, outcome, &[]);
    let log = model.log(Detail::Error).unwrap();
    let expected = "    <BlockList/>\n    <Metadata Status=\"XmlReadFailed\">\n      \
        <GlobalPath Hash=\"0CC175B9C0F1B6A831C399E269772661\">\\list.xml</GlobalPath>\n      \
        <Path Hash=\"0CC175B9C0F1B6A831C399E269772661\">\\own &amp; only.xml</Path>\n    </Metadata>\n";
    assert!(log.contains(expected), "{log}");
}

#[test]
fn ids_stand_on_every_block_of_a_longer_blob_whatever_its_status() {
    let outcome =
        EntryOutcome { metadata: None, ..EntryOutcome::new(BlobStatus::CompletedWithErrors, DispositionStatus::Cancelled) };
    let entry = Entry { list_metadata: Some(0), ..block_blob("c/a", r"\a", 3) };
    let ranges = [(0, 1, A, Some(RangeStatus::Uncommitted)), (1, 1, A, Some(RangeStatus::Corrupted)), (2, 1, A, None)];
    let log = Model::default().file(r"\m", b"m").entry(entry, outcome, &ranges).log(Detail::Error).unwrap();
    assert_eq!(log.matches(&format!("Id=\"{}\"", Digest::of(b"a").block_id())).count(), 3);
    for status in ["Uncommitted", "Corrupted", "Cancelled"] {
        assert!(log.contains(&format!("Hash=\"{A}\" Status=\"{status}\"/>")), "{log}");
    }
    // nothing recorded of the metadata means not tried
    assert!(log.contains("<Metadata Status=\"Cancelled\">"), "{log}");
}

#[test]
fn a_parser_gives_back_names_to_the_letter() {
    let names = ["c/a&b <c> \"d\" 'e'", "c/\u{1f4be}]]>ü", "c/tab\there"];
    let model = names.iter().fold(Model::default(), |model, name| {
        let outcome = EntryOutcome::new(BlobStatus::FileNotFound, DispositionStatus::Cancelled);
        model.entry(block_blob(name, &name.replace('/', "\\"), 0), outcome, &[])
    });
    let log = model.log(Detail::Error).unwrap();
    let mut reader = Reader::from_str(&log);
    let mut found = Vec::new();
    let mut path = None;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) if tag.name().as_ref() == "BlobPath" => path = Some(String::new()),
            Event::End(tag) if tag.name().as_ref() == "BlobPath" => found.extend(path.take()),
            Event::Eof => break,
            event => collect(event, path.as_mut()),
        }
    }
    assert_eq!(found, names);
}

/// Adds what a text or a reference stands for.
fn collect(event: Event<'_>, path: Option<&mut String>) {
    let Some(path) = path else { return };
    match event {
        Event::Text(text) => path.push_str(&text),
        Event::GeneralRef(reference) => match reference.resolve_char_ref().unwrap() {
            Some(character) => path.push(character),
            None => path.push_str(quick_xml::escape::resolve_xml_entity(&reference).unwrap()),
        },
        event => panic!("{event:?}"),
    }
}

#[test]
fn what_is_not_accounted_for_is_refused() {
    let created = || EntryOutcome::new(BlobStatus::Completed, DispositionStatus::Created);
    let open = Model::default().entry(block_blob("c/a", r"\a", 1), None, &[(0, 1, A, None)]);
    assert!(matches!(open.log(Detail::Error), Err(DriveLogError::NoOutcome { entry: 0 })));
    for status in [None, Some(RangeStatus::Uncommitted)] {
        let torn = Model::default().entry(block_blob("c/a", r"\a", 1), created(), &[(7, 1, A, status)]);
        assert!(matches!(torn.log(Detail::Error), Err(DriveLogError::Contradiction { entry: 0, offset: 7 })));
    }
    let mut short = Model::default().entry(block_blob("c/a", r"\a", 1), created(), &[(0, 1, A, DONE)]);
    short.ranges.clear();
    assert!(matches!(short.log(Detail::Error), Err(DriveLogError::RangeCount { entry: 0, expected: 1, found: 0 })));
    let entry = Entry { own_metadata: Some(9), ..block_blob("c/a", r"\a", 0) };
    let unnamed = Model::default().entry(entry, created(), &[]);
    assert!(matches!(unnamed.log(Detail::Verbose), Err(DriveLogError::Record(_))));
}

#[test]
fn a_drive_level_failure_is_a_log_of_id_and_status() {
    let log = |code| DriveLogWriter::new(Vec::new(), &"ZX10K7742".parse().unwrap(), Detail::Error).unwrap().finish(code);
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DriveLog Version=\"2014-11-01\">\n  \
        <DriveId>ZX10K7742</DriveId>\n  <Status>ManifestFormatInvalid</Status>\n</DriveLog>\n";
    assert_eq!(String::from_utf8(log(DriveCode::ManifestFormatInvalid).unwrap()).unwrap(), expected);
    for code in DriveCode::ALL {
        assert_eq!(log(*code).is_ok(), code.in_log(), "{code}");
    }
}

#[test]
fn a_full_disk_is_an_error_of_the_log() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut log = DriveLogWriter::new(Full(1_000), &"ZX10K7742".parse().unwrap(), Detail::Verbose).unwrap();
    let model = example();
    compose(&mut log, model.entries(), &model).unwrap();
    assert!(matches!(log.finish(DriveCode::CompletedWithErrors), Err(DriveLogError::Write(_))));
}
