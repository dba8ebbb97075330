//! XML as a stream of tokens. In: bytes from the [tap](super::tap); out: tags, texts and characters, with the line where each begins.
//! Refused: everything that is not well-formed, other encodings, DTDs, processing instructions, entities, nesting above 8.
//!
//! `quick-xml` finds the borders of the events; what it leaves to its caller (characters, attributes, declaration, one root) is checked here
//! and beside.

use std::borrow::Cow;
use std::io::Read;

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::{BytesDecl, BytesStart, Event};
use zeroize::Zeroizing;

use super::super::findings::Rule;
use super::attributes;
use super::chars;
use super::tap::{EVENT_BYTES, Stop, Tap};

/// Elements inside each other.
const DEPTH: usize = 8;

/// One piece of the document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A start tag; `empty` if its end tag is in it (`<x/>`).
    Open { tag: BytesStart<'a>, empty: bool },
    /// An end tag; it fits its start tag.
    Close,
    /// Character data, line ends as they are in the file.
    Text(Cow<'a, str>),
    /// Character data from a CDATA section.
    CData(Cow<'a, str>),
    /// A reference, resolved.
    Character(char),
    /// A comment or the declaration.
    Nothing,
    /// The document is complete.
    End,
}

/// Why there is no next token.
#[derive(Debug)]
pub(super) enum Broken {
    /// The document breaks this rule; it cannot be read on.
    Rule(Rule),
    /// The bytes ended early; the tap knows more.
    Bytes(Stop),
}

impl From<Rule> for Broken {
    fn from(rule: Rule) -> Self {
        Self::Rule(rule)
    }
}

/// Where in the document the next token stands.
struct Place {
    depth: usize,
    any_event: bool,
    root_seen: bool,
}

/// See the module.
pub(super) struct Xml<R> {
    reader: Reader<Tap<R>>,
    // one event at a time; wiped on drop: it can be an account key
    event: Zeroizing<Vec<u8>>,
    place: Place,
}

impl<R: Read> Xml<R> {
    /// Reads tokens from a tap.
    pub(super) fn new(tap: Tap<R>) -> Self {
        let mut reader = Reader::from_reader(tap);
        reader.config_mut().check_comments = true;
        // never grows beyond this, so that no copy is left behind unwiped
        let event = Zeroizing::new(Vec::with_capacity(2 * EVENT_BYTES));
        Self { reader, event, place: Place { depth: 0, any_event: false, root_seen: false } }
    }

    /// Line where the next token begins.
    pub(super) fn next_line(&mut self) -> u64 {
        let tap = self.reader.get_mut();
        tap.begin_event();
        tap.line()
    }

    /// Line where the last token began.
    pub(super) fn line(&mut self) -> u64 {
        self.reader.get_mut().line()
    }

    /// The bytes below, to be read to their end.
    pub(super) fn into_tap(self) -> Tap<R> {
        self.reader.into_inner()
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Token<'_>, Broken> {
        let tap = self.reader.get_mut();
        tap.begin_event();
        self.event.clear();
        match self.reader.read_event_into(&mut self.event) {
            Ok(event) => {
                if !self.reader.get_ref().is_plain() {
                    chars::check(&event)?;
                }
                self.place.token(event).map_err(Broken::Rule)
            }
            Err(error) => Err(broken(&error, self.reader.get_mut().take_stop())),
        }
    }
}

impl Place {
    fn token<'a>(&mut self, event: Event<'a>) -> Result<Token<'a>, Rule> {
        let first = !std::mem::replace(&mut self.any_event, true);
        match event {
            Event::Start(tag) => self.open(tag, false),
            Event::Empty(tag) => self.open(tag, true),
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(Token::Close)
            }
            Event::Text(text) => self.text(text.into_inner()),
            Event::CData(text) => {
                let outside = Rule::Forbidden("CDATA outside text");
                if self.depth == 0 { Err(outside) } else { Ok(Token::CData(text.into_inner())) }
            }
            Event::GeneralRef(name) if self.depth > 0 => chars::resolve(&name).map(Token::Character),
            Event::GeneralRef(_) => Err(Rule::NotWellFormed("text outside the root element")),
            Event::Comment(_) => Ok(Token::Nothing),
            Event::Decl(declaration) => check_declaration(&declaration, first),
            Event::PI(_) => Err(Rule::Forbidden("a processing instruction")),
            Event::DocType(_) => Err(Rule::Forbidden("a document type declaration")),
            Event::Eof if self.depth > 0 => Err(Rule::NotWellFormed("the file ends inside an element")),
            Event::Eof if !self.root_seen => Err(Rule::NotWellFormed("there is no root element")),
            Event::Eof => Ok(Token::End),
        }
    }

    fn open<'a>(&mut self, tag: BytesStart<'a>, empty: bool) -> Result<Token<'a>, Rule> {
        if self.depth == 0 && std::mem::replace(&mut self.root_seen, true) {
            return Err(Rule::NotWellFormed("there is more than one root element"));
        }
        if self.depth >= DEPTH {
            return Err(Rule::TooDeep);
        }
        self.depth += usize::from(!empty);
        Ok(Token::Open { tag, empty })
    }

    fn text<'a>(&self, text: Cow<'a, str>) -> Result<Token<'a>, Rule> {
        if self.depth == 0 {
            let outside = Rule::NotWellFormed("text outside the root element");
            return if chars::is_blank(&text) { Ok(Token::Nothing) } else { Err(outside) };
        }
        if text.as_bytes().contains(&b'>') && text.contains("]]>") {
            return Err(Rule::NotWellFormed("`]]>` in a text"));
        }
        Ok(Token::Text(text))
    }
}

/// Refuses what is no `Name` of XML 1.0. To be asked of names that are not known anyway.
pub(super) fn check_name(name: &str) -> Result<(), Rule> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '\u{b7}');
    let starts = !name.starts_with(|c: char| c.is_numeric() || matches!(c, '-' | '.' | '\u{b7}'));
    let fits = !name.is_empty() && name.chars().all(inside) && starts;
    if fits { Ok(()) } else { Err(Rule::NotWellFormed("a tag without a name")) }
}

/// Version 1.0 and no other encoding than UTF-8, at the very start.
fn check_declaration<'a>(declaration: &BytesDecl<'_>, first: bool) -> Result<Token<'a>, Rule> {
    let raw = declaration.strip_prefix("xml").ok_or(Rule::Declaration)?;
    let mut unknown = false;
    let values = attributes::collect(raw, ["version", "encoding", "standalone"], |_| unknown = true);
    let [version, encoding, standalone] = values.map_err(|_| Rule::Declaration)?;
    let fits = version == Some("1.0")
        && encoding.is_none_or(|name| name.eq_ignore_ascii_case("UTF-8"))
        && standalone.is_none_or(|word| matches!(word, "yes" | "no"));
    if first && fits && !unknown { Ok(Token::Nothing) } else { Err(Rule::Declaration) }
}

/// Says what is wrong without repeating the document: names in the parser's errors come from the drive.
fn broken(error: &Error, stop: Option<Stop>) -> Broken {
    if let Some(stop) = stop {
        return Broken::Bytes(stop);
    }
    Broken::Rule(match error {
        Error::Encoding(_) => Rule::NotUtf8,
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_)) => {
            Rule::NotWellFormed("an end tag that does not fit its start tag")
        }
        Error::IllFormed(IllFormedError::UnclosedReference) => Rule::NotWellFormed("a reference without its semicolon"),
        Error::IllFormed(IllFormedError::DoubleHyphenInComment) => Rule::NotWellFormed("`--` in a comment"),
        Error::Syntax(_) => Rule::NotWellFormed("a tag, comment or section that does not end, or a stray `<`"),
        _ => Rule::NotWellFormed("the parser does not accept it"),
    })
}
