//! Reads the drive logs that the program writes: one element a line, as it writes them.
#![allow(dead_code, reason = "each test program uses a part of it")]

/// A drive log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DriveLog {
    pub(crate) drive: String,
    pub(crate) blobs: Vec<LoggedBlob>,
    pub(crate) status: String,
}

/// One blob of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoggedBlob {
    pub(crate) status: String,
    pub(crate) path: String,
    pub(crate) file: String,
    pub(crate) length: String,
    pub(crate) disposition: String,
    /// Status of each range, in order.
    pub(crate) ranges: Vec<String>,
    pub(crate) metadata: Option<String>,
    pub(crate) properties: Option<String>,
}

impl DriveLog {
    /// Reads a log; one that is not of the known form ends the test.
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
        assert_eq!(lines.next(), Some("<DriveLog Version=\"2014-11-01\">"));
        assert!(text.ends_with("</DriveLog>\n"), "the log is torn");
        let mut log = Self::default();
        for line in lines.map(str::trim) {
            let status = || attribute(line, "Status").unwrap_or_else(|| panic!("no status: {line}"));
            let blob = log.blobs.last_mut();
            match (line[1..].split([' ', '>', '/']).next().unwrap(), blob) {
                ("DriveId", _) => log.drive = content(line),
                ("Blob", _) => log.blobs.push(LoggedBlob { status: status(), ..LoggedBlob::default() }),
                ("Status", _) => log.status = content(line),
                ("BlobPath", Some(blob)) => blob.path = content(line),
                ("FilePath", Some(blob)) => blob.file = content(line),
                ("Length", Some(blob)) => blob.length = content(line),
                ("ImportDisposition", Some(blob)) => blob.disposition = status(),
                ("Block" | "PageRange", Some(blob)) => blob.ranges.push(status()),
                ("Metadata", Some(blob)) => blob.metadata = Some(status()),
                ("Properties", Some(blob)) => blob.properties = Some(status()),
                _ => {}
            }
        }
        log
    }
}

fn attribute(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| decoded(value))
}

fn content(line: &str) -> String {
    let text = line.split_once('>').unwrap().1;
    decoded(text.rsplit_once("</").map_or("", |(text, _)| text))
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').unwrap();
        let digits = name.strip_prefix("#x").map(|hex| u32::from_str_radix(hex, 16));
        let digits = digits.or_else(|| name.strip_prefix('#').map(str::parse));
        plain.push(match (name, digits) {
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("amp", _) => '&',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            (_, number) => char::from_u32(number.unwrap().unwrap()).unwrap(),
        });
        plain.push_str(rest);
    }
    plain
}
