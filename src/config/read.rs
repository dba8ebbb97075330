//! A table of the file as typed, from which keys are taken one by one; what is left at the end is not known.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::{Table, Value};

use super::{ConfigError, size};
use crate::foreign::Foreign;

/// One table of the file.
pub(super) struct Section {
    file: String,
    /// Names of the sections around and this one, each with a dot behind.
    path: String,
    table: Table,
    /// Keys asked for, for the message about one that is not known.
    known: Vec<&'static str>,
}

impl Section {
    /// The whole file.
    pub(super) fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let table = text.parse::<Table>().map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
            ConfigError::Syntax { file: file.to_owned(), line, reason: Foreign::from(error.message()).to_string() }
        })?;
        Ok(Self { file: file.to_owned(), path: String::new(), table, known: Vec::new() })
    }

    /// The table of this name; an absent one is empty.
    pub(super) fn section(&mut self, name: &'static str) -> Result<Self, ConfigError> {
        match self.take(name) {
            None => Ok(self.inner(name, Table::new())),
            Some(Value::Table(table)) => Ok(self.inner(name, table)),
            Some(other) => Err(self.refuse(name, &other, format!("a section, [{}{name}]", self.path))),
        }
    }

    /// All tables in this one, by name.
    pub(super) fn sections(self) -> impl Iterator<Item = Result<(String, Self), ConfigError>> {
        let Self { file, path, table, .. } = self;
        table.into_iter().map(move |(name, value)| {
            let outer = Self { file: file.clone(), path: path.clone(), table: Table::new(), known: Vec::new() };
            match value {
                Value::Table(table) => Ok((name.clone(), outer.inner(&name, table))),
                other => Err(outer.refuse(&name, &other, format!("a section, [{path}NAME]"))),
            }
        })
    }

    fn inner(&self, name: &str, table: Table) -> Self {
        Self { file: self.file.clone(), path: format!("{}{name}.", self.path), table, known: Vec::new() }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.refuse(key, &other, "a text in quotes".to_owned())),
        }
    }

    /// A path from the root: a daemon's working directory is not the reader's.
    pub(super) fn absolute_path(&mut self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        if text.starts_with('/') && !text.contains('\0') {
            return Ok(Some(PathBuf::from(text)));
        }
        Err(self.refuse(key, &Value::String(text), "an absolute path".to_owned()))
    }

    /// A count in a range.
    pub(super) fn count(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let count = value.as_integer().and_then(|count| u64::try_from(count).ok()).filter(|count| range.contains(count));
        let allowed = || format!("a number from {} to {}", range.start(), range.end());
        count.map(Some).ok_or_else(|| self.refuse(key, &value, allowed()))
    }

    /// Bytes in a range, as a number or with a unit.
    pub(super) fn bytes(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let bytes = match &value {
            Value::Integer(bytes) => u64::try_from(*bytes).ok(),
            Value::String(text) => size::parse(text),
            _ => None,
        };
        let (least, most) = (size::show(*range.start()), size::show(*range.end()));
        let allowed = || format!("bytes as a number or like \"256 MiB\", from {least} to {most}");
        bytes.filter(|bytes| range.contains(bytes)).map(Some).ok_or_else(|| self.refuse(key, &value, allowed()))
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.refuse(key, &value, "true or false".to_owned()))
    }

    /// Refuses what was not asked for.
    pub(super) fn end(self) -> Result<(), ConfigError> {
        let Some(key) = self.table.keys().next() else { return Ok(()) };
        let key = Foreign::new(format!("{}{key}", self.path));
        Err(ConfigError::UnknownKey { key, known: self.known.join(", "), file: self.file })
    }

    /// An error about a key of this section.
    pub(super) fn refuse(&self, key: &str, value: &Value, allowed: String) -> ConfigError {
        let (key, value) = (self.key(key), Foreign::new(value.to_string().replace('\n', " ")));
        ConfigError::Value { file: self.file.clone(), key, value, allowed }
    }

    /// An error about a key of this section whose value must not be shown.
    pub(super) fn refuse_hidden(&self, key: &str, allowed: String) -> ConfigError {
        let (key, value) = (self.key(key), Foreign::from("(not shown)"));
        ConfigError::Value { file: self.file.clone(), key, value, allowed }
    }

    /// An error about an absent key of this section.
    pub(super) fn missing(&self, key: &str, expected: &'static str) -> ConfigError {
        ConfigError::Missing { file: self.file.clone(), key: self.key(key), expected }
    }

    fn key(&self, key: &str) -> Foreign {
        Foreign::new(format!("{}{key}", self.path))
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }
}
