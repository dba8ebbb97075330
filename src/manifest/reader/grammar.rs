//! The manifest's grammar as a state machine over tokens. In: tokens, with their lines; out: records for the [sink](Sink) and broken rules.
//! State: the stack of open elements (at most 8, see [`Element`] for what may stand where) and the blob that is open.
//!
//! A broken rule does not stop the reading: the next one is worth knowing too. Malformed XML stops it.

use zeroize::Zeroizing;

use super::super::catalogue::{ScratchError, SidePair, Sink};
use super::super::findings::{Findings, Rule, cut};
use super::super::rules::ListRules;
use super::super::{BlobKind, ManifestLimits, Version};
use super::attributes::{collect, unknown_rule};
use super::chars;
use super::draft::Draft;
use super::element::Element;
use super::sides::Sides;
use super::tap::EVENT_BYTES;
use super::xml::{Token, check_name};

/// Why reading ends before the document does.
pub(super) enum Halt {
    /// Nothing behind this can be read.
    Rule(Rule),
    /// The sink failed.
    Scratch(ScratchError),
}

impl From<Rule> for Halt {
    fn from(rule: Rule) -> Self {
        Self::Rule(rule)
    }
}

impl From<ScratchError> for Halt {
    fn from(error: ScratchError) -> Self {
        Self::Scratch(error)
    }
}

/// An open element.
struct Open {
    element: Element,
    // bits of the children it has had
    seen: u32,
}

/// What has been counted.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) entries: u64,
    pub(super) ranges: u64,
    pub(super) content_bytes: u64,
    pub(super) lists: u64,
}

/// What the head of the manifest says.
#[derive(Default)]
pub(super) struct Head {
    pub(super) version: Option<Version>,
    pub(super) drive_id: String,
    pub(super) had_credential: bool,
}

/// See the module.
pub(super) struct Grammar<'l, S> {
    pub(super) limits: &'l ManifestLimits,
    pub(super) sink: S,
    pub(super) findings: Findings,
    pub(super) head: Head,
    pub(super) totals: Totals,
    pub(super) sides: Sides,
    pub(super) draft: Draft,
    pub(super) rules: ListRules,
    pub(super) list: SidePair,
    // 0 for that of the token at hand
    pub(super) line: u64,
    wants_line: bool,
    stack: Vec<Open>,
    entries_before_list: u64,
    // text of the open element; wiped on drop: it can be an account key
    pub(super) text: Zeroizing<String>,
    // hash text of the open MetadataPath or PropertiesPath
    pub(super) side_digest: Option<super::super::Digest>,
    pub(super) scratch: [String; 2],
}

impl<'l, S: Sink> Grammar<'l, S> {
    /// Expects the start of a document.
    pub(super) fn new(limits: &'l ManifestLimits, sink: S) -> Self {
        Self {
            limits,
            sink,
            findings: Findings::new(limits.findings_shown),
            head: Head::default(),
            totals: Totals::default(),
            sides: Sides::default(),
            draft: Draft::default(),
            rules: ListRules::default(),
            list: SidePair::default(),
            line: 0,
            wants_line: false,
            stack: vec![Open { element: Element::Document, seen: 0 }],
            entries_before_list: 0,
            // never grows beyond this, so that no copy is left behind unwiped
            text: Zeroizing::new(String::with_capacity(EVENT_BYTES)),
            side_digest: None,
            scratch: Default::default(),
        }
    }

    /// Takes the next token. Its line is asked for afterwards, see [`Self::wants_line`].
    pub(super) fn token(&mut self, token: &Token<'_>) -> Result<(), Halt> {
        match token {
            Token::Open { tag, empty } => {
                self.open(tag.name().as_ref(), tag.attributes_raw())?;
                if *empty { self.close() } else { Ok(()) }
            }
            Token::Close => self.close(),
            Token::Text(text) => self.characters(text, false),
            Token::CData(text) => self.characters(text, true),
            Token::Character(c) => self.characters(c.encode_utf8(&mut [0; 4]), true),
            Token::Nothing => Ok(()),
            Token::End => {
                self.end();
                Ok(())
            }
        }
    }

    /// Whether the line of the last token matters: a blob begins there, or a rule is broken. Lines are not counted otherwise.
    pub(super) fn wants_line(&self) -> bool {
        self.wants_line
    }

    /// The line of the last token.
    pub(super) fn settle(&mut self, line: u64) {
        self.wants_line = false;
        self.findings.settle(line);
        if self.draft.line == 0 {
            self.draft.line = line;
        }
    }

    /// Notes a broken rule.
    pub(super) fn broken(&mut self, rule: Rule) {
        self.wants_line = true;
        let entry = self.in_blob().then_some(self.totals.entries);
        self.findings.add(self.line, entry, rule);
    }

    /// The innermost open element.
    pub(super) fn here(&self) -> Element {
        self.stack.last().map_or(Element::Document, |open| open.element)
    }

    /// Whether a blob is open.
    pub(super) fn in_blob(&self) -> bool {
        self.stack.iter().any(|open| open.element == Element::Blob)
    }

    /// Whether the innermost open element has had this child.
    pub(super) fn has(&self, child: Element) -> bool {
        self.stack.last().is_some_and(|open| open.seen & child.bit() != 0)
    }

    fn open(&mut self, name: &str, attributes: &str) -> Result<(), Halt> {
        let parent = self.here();
        let element = parent.child(name);
        if element == Element::Unknown {
            check_name(name)?;
        }
        if element == Element::Unknown && parent != Element::Unknown {
            self.broken(Rule::UnknownElement { name: cut(name), inside: parent.name() });
        }
        if self.has(element) && !element.repeats() {
            self.broken(Rule::Repeated { element: element.name(), inside: parent.name() });
        }
        self.enter(element)?;
        if let Some(open) = self.stack.last_mut() {
            open.seen |= element.bit();
        }
        self.stack.push(Open { element, seen: 0 });
        self.text.clear();
        self.attributes(element, attributes)
    }

    /// What the start of an element means, while its parent is still the innermost one.
    fn enter(&mut self, element: Element) -> Result<(), Halt> {
        match element {
            Element::AccountKey if self.has(Element::ContainerSas) => self.broken(Rule::TwoCredentials),
            Element::ContainerSas if self.has(Element::AccountKey) => self.broken(Rule::TwoCredentials),
            Element::BlobList => {
                if !self.has(Element::DriveId) {
                    self.broken(Rule::DriveIdLate);
                }
                self.list = SidePair::default();
                self.entries_before_list = self.totals.entries;
            }
            Element::Blob => {
                if self.totals.entries >= self.limits.entries {
                    return Err(Rule::Entries(self.limits.entries).into());
                }
                self.draft.begin();
                self.wants_line = true;
            }
            Element::BlockList => self.begin_list(BlobKind::Block, Element::PageRangeList),
            Element::PageRangeList => self.begin_list(BlobKind::Page, Element::BlockList),
            _ => {}
        }
        Ok(())
    }

    fn begin_list(&mut self, kind: BlobKind, other: Element) {
        if self.has(other) {
            self.broken(Rule::BothLists);
        }
        self.draft.kind = Some(kind);
        self.draft.first_range = self.totals.ranges;
        self.rules.begin(kind);
    }

    fn attributes(&mut self, element: Element, raw: &str) -> Result<(), Halt> {
        match element {
            Element::Block | Element::PageRange => return self.range(element, raw),
            Element::Unknown => {
                // well-formedness is checked all the same
                collect(raw, [], |_| {})?;
            }
            Element::Manifest => {
                let [version] = self.known(element, raw, ["Version"])?;
                self.version(version)?;
            }
            Element::Metadata | Element::Properties => {
                let [hash] = self.known(element, raw, ["Hash"])?;
                self.side_hash(element, hash)?;
            }
            Element::BlobList => {
                let [id] = self.known(element, raw, ["Id"])?;
                id.map(|id| chars::value(id, &mut self.scratch[0])).transpose()?;
            }
            _ if raw.is_empty() => {}
            _ => {
                self.known(element, raw, [])?;
            }
        }
        Ok(())
    }

    /// Raw values of the known attributes; unknown ones are findings.
    pub(super) fn known<'a, const N: usize>(
        &mut self,
        element: Element,
        raw: &'a str,
        names: [&str; N],
    ) -> Result<[Option<&'a str>; N], Halt> {
        Ok(collect(raw, names, |name| self.broken(unknown_rule(name, element.name())))?)
    }

    /// Text, a CDATA section or a resolved character; line ends of the last two stay as they are.
    fn characters(&mut self, text: &str, literal: bool) -> Result<(), Halt> {
        let here = self.here();
        if here.holds_text() {
            if self.text.len() + text.len() > EVENT_BYTES {
                return Err(Rule::EventTooLong.into());
            }
            if literal {
                self.text.push_str(text);
            } else {
                chars::append_text(text, &mut self.text);
            }
        } else if !here.ignores_text() {
            if !chars::is_blank(text) {
                self.broken(Rule::StrayText { inside: here.name() });
            } else if literal {
                self.broken(Rule::Forbidden("CDATA outside text"));
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Halt> {
        let element = self.here();
        self.missing(element);
        if element == Element::Blob {
            self.end_blob()?;
        } else {
            self.end_text(element)?;
        }
        self.stack.pop();
        if element == Element::BlobList && self.totals.entries > self.entries_before_list {
            self.sink.list(self.totals.lists, self.list)?;
            self.totals.lists += 1;
        }
        if element == Element::Blob {
            self.totals.entries += 1;
        }
        Ok(())
    }

    /// Required children that did not come.
    fn missing(&mut self, element: Element) {
        for child in element.required() {
            if !self.has(*child) {
                self.broken(Rule::Missing { element: child.name(), inside: element.name() });
            }
        }
    }

    fn end(&mut self) {
        self.missing(Element::Document);
        let (sum, limit) = (self.totals.content_bytes, self.limits.content_bytes());
        if sum > limit {
            self.broken(Rule::Amplification { sum, limit });
        }
    }
}
