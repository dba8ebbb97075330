//! What is wrong with a manifest. In: broken rules as the reader meets them; out: a list that names line, entry and rule, its first part
//! kept, the rest counted. It refuses to grow with the manifest: names from the drive are cut before they are kept.

use std::fmt;

use super::EntryNumber;
use crate::foreign::Foreign;

/// Characters of a foreign name that a finding keeps.
const KEPT: usize = 64;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line of the manifest, from 1.
    pub line: u64,
    /// The entry, if it belongs to one.
    pub entry: Option<EntryNumber>,
    /// The rule.
    pub rule: Rule,
}

/// Broken rules of one manifest: the first ones, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    shown: Vec<Finding>,
    total: u64,
    keep: usize,
}

/// A rule of the manifest format that is broken.
///
/// The format is that of the 2014-11-01 manifest file; what its pages leave open is settled as the messages say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// Longer than `limits.bytes`.
    #[error("the manifest is longer than {0} bytes")]
    TooLong(u64),
    /// Another encoding, or bytes that are no UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The XML declaration is misplaced or asks for something else than XML 1.0 in UTF-8.
    #[error("the XML declaration must stand at the very start and say version 1.0 and, if any, encoding UTF-8")]
    Declaration,
    /// Malformed XML; reading stops here.
    #[error("not well-formed: {0}")]
    NotWellFormed(&'static str),
    /// XML that manifests do not use and that is not worth its dangers.
    #[error("{0} is not allowed")]
    Forbidden(&'static str),
    /// A reference to anything but the five built-in entities and characters.
    #[error("a reference to an unknown entity")]
    UnknownEntity,
    /// Not a `Char` of XML 1.0.
    #[error("character U+{0:04X} is not allowed in XML")]
    Character(u32),
    /// A tag, text or comment above 64 KiB.
    #[error("a tag, text or comment is longer than 64 KiB")]
    EventTooLong,
    /// More than 8 elements inside each other.
    #[error("elements are nested more than 8 deep")]
    TooDeep,
    /// Text between elements.
    #[error("text stands directly inside {inside}")]
    StrayText {
        /// The element.
        inside: &'static str,
    },
    /// An element that the format does not have at this place.
    #[error("unknown element {name} inside {inside}")]
    UnknownElement {
        /// Its name, cut.
        name: Foreign,
        /// Where it stands.
        inside: &'static str,
    },
    /// An attribute that the element does not have.
    #[error("unknown attribute {name} of {of}")]
    UnknownAttribute {
        /// Its name, cut.
        name: Foreign,
        /// The element.
        of: &'static str,
    },
    /// An element that may stand once.
    #[error("{element} stands more than once in its {inside}")]
    Repeated {
        /// The element.
        element: &'static str,
        /// Its parent.
        inside: &'static str,
    },
    /// An element that must be there.
    #[error("{inside} has no {element}")]
    Missing {
        /// The element.
        element: &'static str,
        /// Its parent.
        inside: &'static str,
    },
    /// An attribute that must be there.
    #[error("{of} has no attribute {name}")]
    MissingAttribute {
        /// The attribute.
        name: &'static str,
        /// The element.
        of: &'static str,
    },
    /// `DriveManifest/@Version` is not one we know.
    #[error("version {0} is not known; 2011-10-01 and 2014-11-01 are")]
    Version(Foreign),
    /// `DriveId` must come first.
    #[error("DriveId must stand before every BlobList")]
    DriveIdLate,
    /// `StorageAccountKey` and `ContainerSas` side by side.
    #[error("both StorageAccountKey and ContainerSas are there; at most one may be")]
    TwoCredentials,
    /// A credential that cannot be one. The text itself is never kept.
    #[error("{0} does not have the form of one")]
    CredentialForm(&'static str),
    /// Not digits alone, or above 64 bits.
    #[error("{0} is not a plain decimal number of at most 64 bits")]
    Number(&'static str),
    /// Not 32 Base16 digits.
    #[error("the Hash of {0} is not an MD5 of 32 Base16 digits")]
    Hash(&'static str),
    /// Not one of the three words, in lower case.
    #[error("ImportDisposition {0} is none of rename, no-overwrite, overwrite")]
    Disposition(Foreign),
    /// Neither list of ranges.
    #[error("the blob has neither a BlockList nor a PageRangeList")]
    NoList,
    /// Both lists of ranges.
    #[error("the blob has both a BlockList and a PageRangeList")]
    BothLists,
    /// More entries than `limits.entries`; reading stops here.
    #[error("there are more than {0} blobs")]
    Entries(u64),
    /// More distinct side files than `limits.side_files`.
    #[error("there are more than {0} different metadata and properties files")]
    SideFiles(u64),
    /// Above the limit of its blob type.
    #[error("the blob has {length} bytes, {limit} are allowed for its type")]
    BlobTooLong {
        /// `Length`.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// A block or page range above `limits.block_bytes`.
    #[error("the range has {length} bytes, {limit} are allowed")]
    RangeTooLong {
        /// Its length.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// A block or page range of no bytes.
    #[error("the range is empty")]
    RangeEmpty,
    /// Offset and length leave 64 bits.
    #[error("the range ends beyond 64 bits")]
    RangeOverflow,
    /// Ranges not in the order of their offsets.
    #[error("the range begins at {found}, before the one in front of it ({previous})")]
    Order {
        /// Where the range in front begins.
        previous: u64,
        /// Where this one begins.
        found: u64,
    },
    /// Ranges share bytes.
    #[error("the range begins at {found}, inside the one in front of it, which ends at {end}")]
    Overlap {
        /// Where the range in front ends.
        end: u64,
        /// Where this one begins.
        found: u64,
    },
    /// Bytes between two blocks, or before the first.
    #[error("the block begins at {found}, the bytes from {end} on are in no block")]
    Gap {
        /// Where the block in front ends.
        end: u64,
        /// Where this one begins.
        found: u64,
    },
    /// The blocks are not the whole file.
    #[error("the blocks have {sum} bytes together, Length says {length}")]
    Sum {
        /// Bytes of all blocks.
        sum: u64,
        /// `Length`.
        length: u64,
    },
    /// More blocks than `limits.blocks`.
    #[error("the blob has more than {0} blocks")]
    Blocks(u64),
    /// Some blocks have ids, some none.
    #[error("some blocks have an Id and some have none")]
    MixedIds,
    /// No ids in a blob above 64 MiB.
    #[error("a blob of {0} bytes needs block ids: it is larger than 64 MiB")]
    IdsRequired(u64),
    /// Not Base64 of 1 to 64 bytes.
    #[error("the Id is not Base64 of 1 to 64 bytes")]
    Id,
    /// Ids of unequal length in one blob.
    #[error("the Id has {found} bytes, those before it in the blob have {expected}")]
    IdLength {
        /// Bytes of the first id.
        expected: usize,
        /// Bytes of this one.
        found: usize,
    },
    /// One id for two contents.
    #[error("the Id stands earlier in the blob with another hash or length")]
    IdReused,
    /// Page blobs and their ranges come in 512 bytes.
    #[error("{field} {value} is not a multiple of 512, as page blobs need")]
    Alignment {
        /// Which number.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A page range behind the end of the blob.
    #[error("a page range ends at {end}, behind the blob's Length of {length}")]
    BeyondEnd {
        /// Where the last range ends.
        end: u64,
        /// `Length`.
        length: u64,
    },
    /// More work than the drive can hold.
    #[error("all ranges together have {sum} bytes, {limit} are allowed for a drive of this size")]
    Amplification {
        /// Sum of the lengths of all ranges.
        sum: u64,
        /// The limit.
        limit: u64,
    },
}

/// The start of a foreign text: enough to find it, bounded whatever the drive says.
pub(super) fn cut(text: &str) -> Foreign {
    let end = text.char_indices().nth(KEPT).map_or(text.len(), |(at, _)| at);
    Foreign::from(text.get(..end).unwrap_or_default())
}

impl Findings {
    /// An empty list that keeps the first `keep` findings.
    pub(super) fn new(keep: usize) -> Self {
        Self { shown: Vec::new(), total: 0, keep }
    }

    pub(super) fn add(&mut self, line: u64, entry: Option<EntryNumber>, rule: Rule) {
        self.total = self.total.saturating_add(1);
        if self.shown.len() < self.keep {
            self.shown.push(Finding { line, entry, rule });
        }
    }

    /// Gives findings that were added without a line (0), their line.
    pub(super) fn settle(&mut self, line: u64) {
        for finding in self.shown.iter_mut().filter(|finding| finding.line == 0) {
            finding.line = line;
        }
    }

    /// The first findings, in the manifest's order.
    pub fn shown(&self) -> &[Finding] {
        &self.shown
    }

    /// How many there are, kept or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the manifest breaks no rule.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(entry) = self.entry {
            write!(f, ", entry {entry}")?;
        }
        write!(f, ": {}", self.rule)
    }
}

impl fmt::Display for Findings {
    /// One finding: itself. More: their number, then each that is kept on a line of its own, then how many are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (1, [only]) = (self.total, self.shown.as_slice()) {
            return write!(f, "{only}");
        }
        write!(f, "{} findings", self.total)?;
        for finding in &self.shown {
            write!(f, "\n{finding}")?;
        }
        match self.total.saturating_sub(self.shown.len() as u64) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}
