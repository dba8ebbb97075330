//! The drive manifest: read once, checked by every rule, spooled as a catalogue; and the metadata and properties side files.

mod blob_path;
mod digest;
mod entry;

pub use blob_path::{BlobPath, BlobPathError, ContainerName, ContainerNameError};
pub use digest::{ByteRange, Digest, HexError, ManifestHash};
pub use entry::{Attributes, BlobKind, Disposition, Entry, EntryNumber, Range, SideFile, SideFileNumber};
