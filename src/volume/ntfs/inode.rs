//! A file with all its attributes, wherever they are.
//!
//! In: a base record. Out: attributes by type and name, from the base record or, by the attribute list, from extension records. Refused:
//! extension records that do not name this file as theirs, have a list themselves, or lack the attribute the list promises.

use std::ops::ControlFlow;

use super::attribute::{Attribute, Body, kind};
use super::attribute_list::{self, Entry, MAX_LIST};
use super::disk::Disk;
use super::error::{Fault, FileError, Part};
use super::mft::Mft;
use super::record::{Record, Reference};
use super::stream::Assembly;

/// A file: its base record and its attribute list.
#[derive(Debug)]
pub(super) struct Inode {
    /// The base record.
    pub(super) record: Record,
    list: Option<Vec<u8>>,
}

/// What is done with each attribute found.
type Visit<'v> = dyn FnMut(&Record, Attribute<'_>) -> Result<ControlFlow<()>, FileError> + 'v;

impl Inode {
    /// Takes a base record and reads its attribute list.
    pub(super) fn new(disk: &Disk, record: Record) -> Result<Self, FileError> {
        let number = record.reference.record;
        if let Some(base) = record.base {
            return Err(Fault::new(32, "a base record", base.record).within(number, Part::Record));
        }
        let list = record.unnamed(kind::ATTRIBUTE_LIST).map_err(|fault| fault.within(number, Part::Record))?;
        let list = match list {
            None => None,
            Some(Attribute { body: Body::Resident(value), .. }) => Some(value.to_vec()),
            Some(attribute) => {
                let mut assembly = Assembly::default();
                assembly.add(disk, number, &record, &attribute)?;
                let stream = assembly.finish(disk, number)?;
                Some(stream.map_or(Ok(Vec::new()), |stream| stream.read_all(disk, number, MAX_LIST))?)
            }
        };
        Ok(Self { record, list })
    }

    /// Number of the base record.
    pub(super) fn number(&self) -> u64 {
        self.record.reference.record
    }

    /// The attribute list, if there is one.
    pub(super) fn list(&self) -> Option<&[u8]> {
        self.list.as_deref()
    }

    /// Calls `visit` for each attribute of this type and name (UTF-16LE), parts of a stream in their order, until it breaks.
    pub(super) fn each_part(&self, mft: &Mft, kind: u32, name: &[u8], visit: &mut Visit<'_>) -> Result<(), FileError> {
        let Some(list) = &self.list else { return self.each_in_base(kind, Some(name), visit) };
        let parts = attribute_list::parts(list, kind, name).map_err(|fault| fault.within(self.number(), Part::AttributeList))?;
        let mut loaded: Option<Record> = None;
        for part in parts {
            let record = if part.reference.record == self.number() {
                &self.record
            } else {
                if loaded.as_ref().is_none_or(|record| record.reference.record != part.reference.record) {
                    loaded = Some(self.extension(mft, part.reference)?);
                }
                loaded.as_ref().unwrap_or(&self.record)
            };
            if visit(record, self.promised(record, &part)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Calls `visit` for each attribute of this type in the base record.
    pub(super) fn each_in_base(&self, kind: u32, name: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<(), FileError> {
        for attribute in self.record.attributes() {
            let attribute = attribute.map_err(|fault| fault.within(self.number(), Part::Record))?;
            let wanted = attribute.kind == kind && name.is_none_or(|name| attribute.name == name);
            if wanted && visit(&self.record, attribute)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The record of this file that `reference` names.
    pub(super) fn extension(&self, mft: &Mft, reference: Reference) -> Result<Record, FileError> {
        let record = mft.record(reference)?;
        let number = reference.record;
        let belongs = record.base.is_some_and(|base| base.fits(self.record.reference));
        if !belongs {
            let base = record.base.map_or(0, |base| base.record);
            return Err(Fault::new(32, "the base record whose list leads here", base).within(number, Part::Record));
        }
        // lists are one level deep: this is why nothing here can loop
        let list = record.unnamed(kind::ATTRIBUTE_LIST).map_err(|fault| fault.within(number, Part::Record))?;
        match list {
            Some(list) => {
                Err(Fault::new(list.at, "no attribute list in an extension record", list.kind).within(number, Part::Record))
            }
            None => Ok(record),
        }
    }

    /// The attribute that an entry of the list promises to be in `record`.
    pub(super) fn promised<'r>(&self, record: &'r Record, entry: &Entry<'_>) -> Result<Attribute<'r>, FileError> {
        let number = record.reference.record;
        for attribute in record.attributes() {
            let attribute = attribute.map_err(|fault| fault.within(number, Part::Record))?;
            if attribute.kind != entry.kind || attribute.id != entry.id {
                continue;
            }
            let lowest = match attribute.body {
                Body::Resident(_) => 0,
                Body::NonResident(part) => part.lowest,
            };
            if attribute.name == entry.name && lowest == entry.lowest {
                return Ok(attribute);
            }
        }
        let fault = Fault::new(entry.at, "an entry whose attribute is in its record", number);
        Err(fault.within(self.number(), Part::AttributeList))
    }
}
