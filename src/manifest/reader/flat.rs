//! Side files: one root, plain elements in it, text in those. In: the file's bytes; out: names and texts, one by one. Refused: attributes,
//! text between elements, elements in elements, and all that [`xml`](super::xml) refuses.

use super::super::findings::Rule;
use super::super::side_file::{SIDE_FILE_BYTES, SideFileError};
use super::attributes::{collect, unknown_rule};
use super::chars;
use super::tap::{Stop, Tap};
use super::xml::{Broken, Token, Xml, check_name};
use crate::manifest::findings::cut;

/// One element of the root.
pub(in crate::manifest) struct Flat<'a> {
    pub(in crate::manifest) name: &'a str,
    pub(in crate::manifest) value: &'a str,
}

/// What is open.
#[derive(Default)]
struct State {
    depth: usize,
    name: String,
    value: String,
}

/// Calls `element` for each element inside `root`.
pub(in crate::manifest) fn read(
    bytes: &[u8],
    root: &'static str,
    mut element: impl FnMut(Flat<'_>) -> Result<(), SideFileError>,
) -> Result<(), SideFileError> {
    if bytes.len() as u64 > SIDE_FILE_BYTES {
        return Err(SideFileError::TooLong(bytes.len()));
    }
    let mut xml = Xml::new(Tap::new(bytes, SIDE_FILE_BYTES, false));
    let mut state = State::default();
    loop {
        // a side file is small: its lines may be counted token by token
        let line = xml.next_line();
        let token = xml.next().map_err(|broken| match broken {
            Broken::Rule(rule) => SideFileError::Xml { line, rule },
            // a slice does not fail and is not longer than it is
            Broken::Bytes(Stop::Event | Stop::TooLong | Stop::Source(_)) => SideFileError::Xml { line, rule: Rule::EventTooLong },
        })?;
        if token == Token::End {
            return Ok(());
        }
        state.token(&token, root, line, &mut element)?;
    }
}

impl State {
    fn token(
        &mut self,
        token: &Token<'_>,
        root: &'static str,
        line: u64,
        element: &mut impl FnMut(Flat<'_>) -> Result<(), SideFileError>,
    ) -> Result<(), SideFileError> {
        match token {
            Token::Open { tag, empty } => {
                check_name(tag.name().as_ref()).map_err(|rule| SideFileError::Xml { line, rule })?;
                self.open(tag.name().as_ref(), root, line)?;
                let mut rule = None;
                collect(tag.attributes_raw(), [], |name| rule = Some(unknown_rule(name, "a side file")))
                    .and_then(|[]| rule.map_or(Ok(()), Err))
                    .map_err(|rule| SideFileError::Xml { line, rule })?;
                if *empty { self.close(element) } else { Ok(()) }
            }
            Token::Close => self.close(element),
            Token::Text(text) => self.text(text, line, false),
            Token::CData(text) => self.text(text, line, true),
            Token::Character(c) => self.text(c.encode_utf8(&mut [0; 4]), line, true),
            Token::Nothing | Token::End => Ok(()),
        }
    }

    fn open(&mut self, name: &str, root: &'static str, line: u64) -> Result<(), SideFileError> {
        self.depth += 1;
        match self.depth {
            1 if name != root => Err(SideFileError::Root(root)),
            1 => Ok(()),
            2 => {
                name.clone_into(&mut self.name);
                self.value.clear();
                Ok(())
            }
            _ => Err(SideFileError::Nested { line, name: cut(&self.name) }),
        }
    }

    fn close(&mut self, element: &mut impl FnMut(Flat<'_>) -> Result<(), SideFileError>) -> Result<(), SideFileError> {
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 1 { element(Flat { name: &self.name, value: &self.value }) } else { Ok(()) }
    }

    fn text(&mut self, text: &str, line: u64, literal: bool) -> Result<(), SideFileError> {
        if self.depth == 2 {
            if literal {
                self.value.push_str(text);
            } else {
                chars::append_text(text, &mut self.value);
            }
            return Ok(());
        }
        let rule = Rule::StrayText { inside: "the root element" };
        if chars::is_blank(text) { Ok(()) } else { Err(SideFileError::Xml { line, rule }) }
    }
}
