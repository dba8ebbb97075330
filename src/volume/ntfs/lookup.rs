//! From a path to a file.
//!
//! In: a path. Out: the one file that it names. In each directory the exact name wins; else the one name that is equal but for case;
//! else the one MS-DOS name. Refused: several names that fit equally, reparse points on the way, system files and `System Volume
//! Information`, entries whose file does not know them.
//!
//! A name is found by descent; blocks beside the one path are read only where several names are equal but for case. A directory that
//! makes one lookup read more than [`MAX_BLOCKS`] is broken: this bounds depth and circles at once.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::directory::{Directory, Node as IndexNode};
use super::error::{Fault, FileError};
use super::index::{self, FileName};
use super::inode::Inode;
use super::record::Reference;
use super::volume::Volume;
use super::{Node, ROOT};
use crate::foreign::Foreign;
use crate::volume::DrivePath;

/// Index blocks that one lookup may read: far more than the depth of any index and all spellings of one name.
const MAX_BLOCKS: u64 = 1024;
/// What Windows keeps its own data in. Record numbers do not tell it from a user's folder.
const SYSTEM_VOLUME_INFORMATION: &str = "System Volume Information";

/// A name that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    reference: Reference,
    name: Vec<u8>,
}

/// What a lookup wants and what it has found.
struct Search {
    exact: Vec<u8>,
    capitals: Vec<u16>,
    hit: Option<Found>,
    alike: Candidates,
    dos: Candidates,
}

/// The first of the names that fit, and how many there are.
#[derive(Default)]
struct Candidates {
    first: Option<Found>,
    count: u64,
}

impl Candidates {
    fn add(&mut self, found: Found) {
        if self.first.as_ref() != Some(&found) {
            self.count += 1;
            self.first.get_or_insert(found);
        }
    }
}

impl Volume {
    /// The file or directory that `path` names.
    pub(super) fn lookup(&self, root: &Node, path: &DrivePath) -> Result<Node, FileError> {
        let Some((parent, last)) = path.as_str().rsplit_once('\\') else { return self.step(root, path.as_str()) };
        if let Some(directory) = self.known_path(parent) {
            return self.step(&directory, last);
        }
        let mut node = root.clone();
        for segment in parent.split('\\') {
            node = self.step(&node, segment)?;
            if !node.is_directory {
                return Err(FileError::NotADirectory { name: segment.into() });
            }
        }
        self.remember_path(parent, &node);
        self.step(&node, last)
    }

    /// The entry `name` of a directory.
    fn step(&self, directory: &Node, name: &str) -> Result<Node, FileError> {
        let index = self.directory(directory.reference())?;
        let found = self.find(&index, name)?;
        let inode = self.mft.open_file(found.reference)?;
        if inode.record.is_system() {
            return Err(FileError::SystemFile { record: inode.number() });
        }
        self.check_name(&index, &inode, &found.name)?;
        self.refuse_reparse(&inode)?;
        Ok(Node::new(inode.record.reference, inode.record.is_directory(), Foreign::new(text(&found.name))))
    }

    /// Checks that a file has the name by which the directory knows it, and that it is not the system's.
    fn check_name(&self, directory: &Directory, inode: &Inode, name: &[u8]) -> Result<(), FileError> {
        let in_root = directory.reference.record == ROOT;
        let (mut known, mut system) = (false, false);
        self.each_name(inode, &mut |own| {
            if own.parent.fits(directory.reference) {
                known |= own.name == name;
                system |= in_root && text(own.name).eq_ignore_ascii_case(SYSTEM_VOLUME_INFORMATION);
            }
            // in the root all names count: one of them may be the system's, under an MS-DOS name
            if known && !in_root { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let record = inode.number();
        if system {
            return Err(FileError::SystemFile { record });
        }
        if known {
            return Ok(());
        }
        Err(FileError::StaleEntry { record, directory: directory.reference.record, name: Foreign::new(text(name)) })
    }

    /// Searches one directory.
    fn find(&self, directory: &Directory, name: &str) -> Result<Found, FileError> {
        let units: Vec<u16> = name.encode_utf16().collect();
        let mut search = Search {
            exact: units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            capitals: self.upcase.map(&units),
            hit: None,
            alike: Candidates::default(),
            dos: Candidates::default(),
        };
        let mut children = Vec::new();
        self.search_node(directory, directory.root(), &mut search, &mut children)?;
        let mut blocks = 0;
        while let Some(vcn) = children.pop().filter(|_| search.hit.is_none()) {
            blocks += 1;
            if blocks > MAX_BLOCKS {
                return Err(FileError::TooMany {
                    record: directory.reference.record,
                    what: "index blocks on one path",
                    limit: MAX_BLOCKS,
                });
            }
            let node = directory.node(&self.mft, vcn)?;
            self.search_node(directory, &node, &mut search, &mut children)?;
        }
        search.result(name)
    }

    /// Searches one node and notes the children in which the name may be.
    fn search_node(
        &self,
        directory: &Directory,
        node: &IndexNode,
        search: &mut Search,
        children: &mut Vec<u64>,
    ) -> Result<(), FileError> {
        let broken = |fault: Fault| fault.within(directory.reference.record, node.part);
        let mut at = node.extent.start;
        while let Some((entry, after)) = index::entry(&node.bytes, node.extent, at).map_err(broken)? {
            at = after;
            let Some(key) = entry.key else {
                children.extend(entry.child);
                return Ok(());
            };
            let key = FileName::parse(key).map_err(|fault| broken(Fault { byte: fault.byte + entry.at as u64 + 16, ..fault }))?;
            let order = self.upcase.compare(key.name, &search.capitals);
            if order.is_ge() {
                children.extend(entry.child);
            }
            match order {
                Ordering::Less => {}
                Ordering::Equal => search.note(entry.reference, &key),
                Ordering::Greater => return Ok(()),
            }
        }
        Ok(())
    }
}

impl Search {
    fn note(&mut self, reference: Reference, key: &FileName<'_>) {
        let found = Found { reference, name: key.name.to_vec() };
        if key.is_dos() {
            self.dos.add(found);
        } else if key.name == self.exact {
            self.hit.get_or_insert(found);
        } else {
            self.alike.add(found);
        }
    }

    fn result(self, name: &str) -> Result<Found, FileError> {
        if let Some(hit) = self.hit {
            return Ok(hit);
        }
        for candidates in [self.alike, self.dos] {
            match candidates {
                Candidates { first: Some(found), count: 1 } => return Ok(found),
                Candidates { first: Some(_), count } => {
                    return Err(FileError::Ambiguous { name: name.into(), matches: count });
                }
                Candidates { first: None, .. } => {}
            }
        }
        Err(FileError::NotFound { name: name.into() })
    }
}

/// A name as text: what is no valid UTF-16 becomes a replacement character.
pub(super) fn text(name: &[u8]) -> String {
    String::from_utf16_lossy(&name.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect::<Vec<_>>())
}
