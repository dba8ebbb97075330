//! The catalogue: a manifest as compact records in scratch files. In: entries and ranges from the [reader](super::reader); out: the same,
//! by number or in order, to any number of threads. Refused: a manifest whose hash, rules or drive did not fit never becomes one, and a
//! record that changed on disk is an error.
//!
//! No credential and no client data is in it. All numbers are little-endian; the files have mode 0600.
//!
//! | File | Record | Bytes |
//! |---|---|---|
//! | `entries.idx` | offset in `entries.dat` of each entry, in order; one more at the end: its size | 8 |
//! | `entries.dat` | one entry: | 66 + paths |
//! | | CRC-32 of the entry's number (8 bytes) and of all that follows | 4 |
//! | | bytes of the blob path, bytes of the file path | 4, 4 |
//! | | line, length, first range, range count, list | 8 each |
//! | | own metadata file, own properties file; `u32::MAX` for none | 4, 4 |
//! | | disposition: 0 rename, 1 no-overwrite, 2 overwrite; kind: 0 blocks, 1 pages; 4 zeros | 1, 1, 4 |
//! | | blob path, file path, UTF-8 | |
//! | `lists.dat` | CRC-32 as above, metadata file and properties file of a blob list; `u32::MAX` for none | 12 |
//! | `ranges.dat` | offset, length, MD5 | 32 |
//! | `sides.idx` | offset in `sides.dat` of each side file, in order; one more at the end: its size | 8 |
//! | `sides.dat` | CRC-32 as above, MD5, path in UTF-8 | 20 + path |
//!
//! Ranges need no checksum: a changed one fails its MD5 when the bytes are read. The catalogue is never larger than the manifest, whose
//! elements take more characters than the records have bytes; so its size is known before it is written.

mod format;
mod open;
mod writer;

pub(super) use format::{EntryRecord, SidePair};
pub use open::{Catalogue, CatalogueError, ReopenError};
pub use writer::ScratchError;
pub(super) use writer::{Nowhere, Sink, Writer};

#[cfg(test)]
mod tests;
