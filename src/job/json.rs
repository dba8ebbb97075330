//! JSON as it stands in a job file: a tree that borrows from the file's memory, and a cursor that knows its place in it.
//!
//! `serde_json` alone would repeat values in its messages and keep copies of them; here a text stays where it was read (and is wiped
//! with that memory), or, if it is written with escapes, is copied into memory that is wiped too.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use zeroize::Zeroizing;

use super::error::{JobError, Place};
use crate::foreign::Foreign;

/// A value. Numbers are only known to be some: no rule of a job needs one.
pub(super) enum Node<'a> {
    Null,
    Flag(bool),
    Number,
    Text(Text<'a>),
    List(Vec<Node<'a>>),
    Object(Vec<(Text<'a>, Node<'a>)>),
}

/// A text, in the file's memory if it has no escapes.
pub(super) enum Text<'a> {
    Plain(&'a str),
    Escaped(Zeroizing<String>),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Escaped(text) => text,
        }
    }
}

/// The tree of a whole file. `serde_json` refuses more than 128 levels.
pub(super) fn tree(bytes: &[u8]) -> Result<Node<'_>, JobError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let reason = match error.classify() {
            // these messages are fixed sentences; those about data would hold the value
            Category::Syntax | Category::Eof => error.to_string(),
            Category::Data | Category::Io => format!("unusable value at line {line} column {column}"),
        };
        JobError::Syntax { reason }
    })
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text::Plain(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text::Escaped(Zeroizing::new(text.to_owned())))
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Node::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Node::Number)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        TextVisitor.visit_borrowed_str(text).map(Node::Text)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        TextVisitor.visit_str(text).map(Node::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}

/// A node and where it stands.
pub(super) struct Cursor<'n, 'a> {
    pub(super) node: &'n Node<'a>,
    path: String,
    /// Where the nearest key begins in `source`.
    key: Option<usize>,
    source: &'a [u8],
}

impl<'n, 'a> Cursor<'n, 'a> {
    /// At the top of the tree read from `source`.
    pub(super) fn top(node: &'n Node<'a>, source: &'a [u8]) -> Self {
        Self { node, path: String::new(), key: None, source }
    }

    /// This place, for a message.
    pub(super) fn place(&self) -> Place {
        let path = if self.path.is_empty() { "the job" } else { &self.path };
        Place { path: Foreign::from(path), line: self.line() }
    }

    /// The place of a member, there or not.
    pub(super) fn place_of(&self, key: &str) -> Place {
        Place { path: Foreign::new(self.path_of(key)), line: self.line() }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// All members of an object with their keys; nothing for another node.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'n str, Cursor<'n, 'a>)> {
        let members = if let Node::Object(members) = self.node { members.as_slice() } else { &[] };
        members.iter().map(|(key, node)| {
            let begin = self.offset_of(key);
            (key.as_str(), Cursor { node, path: self.path_of(key.as_str()), key: begin, source: self.source })
        })
    }

    /// The member of this key; `None` if it is absent or `null`.
    pub(super) fn member(&self, key: &str) -> Option<Cursor<'n, 'a>> {
        self.members().find(|(name, cursor)| *name == key && !matches!(cursor.node, Node::Null)).map(|(_, cursor)| cursor)
    }

    /// All elements of a list; nothing for another node.
    pub(super) fn elements(&self) -> impl Iterator<Item = Cursor<'n, 'a>> {
        let nodes = if let Node::List(nodes) = self.node { nodes.as_slice() } else { &[] };
        let place =
            move |(index, node)| Cursor { node, path: format!("{}[{index}]", self.path), key: self.key, source: self.source };
        nodes.iter().enumerate().map(place)
    }

    /// Where a key begins: a key without escapes lies in the file's memory, so its address tells.
    fn offset_of(&self, key: &Text<'_>) -> Option<usize> {
        let Text::Plain(text) = key else { return None };
        text.as_ptr().addr().checked_sub(self.source.as_ptr().addr())
    }

    /// The line of the key; counted only for a message.
    fn line(&self) -> Option<usize> {
        let before = self.source.get(..self.key?)?;
        Some(before.split(|byte| *byte == b'\n').count())
    }
}
