//! What texts and attributes of the manifest mean. In: raw values at their place in the [grammar](super::grammar); out: the head, the blob's
//! fields, ranges and side files. Refused: numbers that are not plain digits, hashes that are no MD5, words that are not in the format.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroize as _;

use super::super::catalogue::{ScratchError, Sink};
use super::super::findings::{Rule, cut};
use super::super::{ByteRange, Disposition, SideFileNumber, Version};
use super::chars;
use super::element::Element;
use super::grammar::{Grammar, Halt};
use super::sides::Side;

/// Plain decimal digits of 64 bits.
fn number(text: &str) -> Option<u64> {
    // `parse` would take a sign
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl<S: Sink> Grammar<'_, S> {
    pub(super) fn version(&mut self, raw: Option<&str>) -> Result<(), Halt> {
        let Some(raw) = raw else {
            self.broken(Rule::MissingAttribute { name: "Version", of: "DriveManifest" });
            return Ok(());
        };
        let mut scratch = String::new();
        let text = chars::value(raw, &mut scratch)?;
        self.head.version = Version::of(text);
        if self.head.version.is_none() {
            self.broken(Rule::Version(cut(text)));
        }
        Ok(())
    }

    pub(super) fn side_hash(&mut self, element: Element, raw: Option<&str>) -> Result<(), Halt> {
        self.side_digest = None;
        let Some(raw) = raw else {
            self.broken(Rule::MissingAttribute { name: "Hash", of: element.name() });
            return Ok(());
        };
        self.side_digest = chars::value(raw, &mut self.scratch[0])?.parse().ok();
        if self.side_digest.is_none() {
            self.broken(Rule::Hash(element.name()));
        }
        Ok(())
    }

    /// A `Block` or `PageRange`.
    pub(super) fn range(&mut self, element: Element, raw: &str) -> Result<(), Halt> {
        let values = if element == Element::Block {
            self.known(element, raw, ["Offset", "Length", "Hash", "Id"])?
        } else {
            let [offset, length, hash] = self.known(element, raw, ["Offset", "Length", "Hash"])?;
            [offset, length, hash, None]
        };
        let [offset, length, hash, id] = values;
        let offset = self.attribute(element, "Offset", offset, |text| number(text).ok_or(Rule::Number("Offset")))?;
        let length = self.attribute(element, "Length", length, |text| number(text).ok_or(Rule::Number("Length")))?;
        let digest = self.attribute(element, "Hash", hash, |text| text.parse().map_err(|_| Rule::Hash(element.name())))?;
        let (Some(offset), Some(length), Some(digest)) = (offset, length, digest) else {
            self.rules.skip();
            return Ok(());
        };
        let Some(bytes) = ByteRange::new(offset, length) else {
            self.rules.skip();
            self.broken(Rule::RangeOverflow);
            return Ok(());
        };
        let mut scratch = std::mem::take(&mut self.scratch[1]);
        let id = id.map(|id| chars::value(id, &mut scratch)).transpose()?;
        let checked = self.rules.range(bytes, digest, id, self.limits);
        self.scratch[1] = scratch;
        if let Err(rule) = checked {
            self.broken(rule);
        }
        self.totals.content_bytes = self.totals.content_bytes.saturating_add(length);
        self.totals.ranges += 1;
        self.spool(|sink| sink.range(bytes, &digest))
    }

    /// One required attribute of a range; `None` after a finding.
    fn attribute<T>(
        &mut self,
        element: Element,
        name: &'static str,
        raw: Option<&str>,
        read: impl FnOnce(&str) -> Result<T, Rule>,
    ) -> Result<Option<T>, Halt> {
        let read = match raw {
            Some(raw) => read(chars::value(raw, &mut self.scratch[0])?),
            None => Err(Rule::MissingAttribute { name, of: element.name() }),
        };
        Ok(read.map_err(|rule| self.broken(rule)).ok())
    }

    /// Writes a record, unless the manifest is refused already.
    fn spool(&mut self, write: impl FnOnce(&mut S) -> Result<(), ScratchError>) -> Result<(), Halt> {
        if self.findings.is_empty() { Ok(write(&mut self.sink)?) } else { Ok(()) }
    }

    /// An element that holds text ends.
    pub(super) fn end_text(&mut self, element: Element) -> Result<(), Halt> {
        match element {
            Element::DriveId => self.head.drive_id.clone_from(&self.text),
            Element::AccountKey | Element::ContainerSas => self.credential(element),
            Element::Metadata | Element::Properties => return self.side_file(element),
            Element::BlobPath => self.draft.blob_path.clone_from(&self.text),
            Element::FilePath => self.draft.file_path.clone_from(&self.text),
            Element::Length => {
                self.draft.length = number(&self.text);
                if self.draft.length.is_none() {
                    self.broken(Rule::Number("Length"));
                }
            }
            Element::Disposition => match [Disposition::Rename, Disposition::NoOverwrite, Disposition::Overwrite]
                .into_iter()
                .find(|disposition| disposition.as_str() == self.text.as_str())
            {
                Some(disposition) => self.draft.disposition = disposition,
                None => self.broken(Rule::Disposition(cut(&self.text))),
            },
            _ => {}
        }
        Ok(())
    }

    /// Checked for its form, then forgotten: credentials come from the configuration alone.
    fn credential(&mut self, element: Element) {
        self.head.had_credential = true;
        let text = self.text.trim_matches([' ', '\t', '\r', '\n']);
        let fits = if element == Element::AccountKey {
            let mut decoded = zeroize::Zeroizing::new(vec![0; text.len()]);
            !text.is_empty() && STANDARD.decode_slice(text, &mut decoded).is_ok()
        } else {
            text.split_once('?').is_some_and(|(container, token)| !container.is_empty() && !token.is_empty())
        };
        self.text.zeroize();
        // wiping keeps the room, which must not grow later
        debug_assert!(self.text.capacity() >= super::tap::EVENT_BYTES);
        if !fits {
            self.broken(Rule::CredentialForm(element.name()));
        }
    }

    /// A `MetadataPath` or `PropertiesPath`, of a list or of a blob, ends.
    fn side_file(&mut self, element: Element) -> Result<(), Halt> {
        let Some(digest) = self.side_digest.take() else { return Ok(()) };
        let number: Option<SideFileNumber> = match self.sides.number(&self.text, &digest, self.limits.side_files) {
            Side::Known(number) => Some(number),
            Side::New(number) => {
                let text = std::mem::take(&mut self.text);
                let spooled = self.spool(|sink| sink.side_file(number, &text, &digest));
                self.text = text;
                spooled?;
                Some(number)
            }
            Side::Full { first } => {
                if first {
                    self.broken(Rule::SideFiles(self.limits.side_files));
                }
                None
            }
        };
        let pair = if self.in_blob() { &mut self.draft.own } else { &mut self.list };
        if element == Element::Metadata {
            pair.metadata = number;
        } else {
            pair.properties = number;
        }
        Ok(())
    }

    /// The open `Blob` ends.
    pub(super) fn end_blob(&mut self) -> Result<(), Halt> {
        let line = std::mem::replace(&mut self.line, self.draft.line);
        if self.draft.kind.is_none() {
            self.broken(Rule::NoList);
        } else if let Some(length) = self.draft.length {
            let rules = std::mem::take(&mut self.rules);
            rules.finish(length, self.limits, |rule| self.broken(rule));
            self.rules = rules;
        }
        self.line = line;
        if !self.findings.is_empty() {
            return Ok(());
        }
        match self.draft.record(self.totals.entries, self.totals.lists, self.totals.ranges) {
            Some(record) => Ok(self.sink.entry(&record)?),
            None => Ok(()),
        }
    }
}

impl Version {
    fn of(text: &str) -> Option<Self> {
        [Self::V2011, Self::V2014].into_iter().find(|version| version.as_str() == text)
    }
}
