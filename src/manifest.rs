//! The drive manifest: read once, checked by every rule, spooled as a catalogue; and the metadata and properties side files.

mod blob_path;
mod catalogue;
mod digest;
mod entry;
mod findings;
mod limits;
mod reader;
mod rules;
mod side_file;
mod summary;

pub use blob_path::{BlobPath, BlobPathError, ContainerName, ContainerNameError};
pub use catalogue::{Catalogue, CatalogueError, ReopenError, ScratchError};
pub use digest::{ByteRange, Digest, HexError, ManifestHash};
pub use entry::{Attributes, BlobKind, Disposition, Entry, EntryNumber, Range, SideFile, SideFileNumber};
pub use findings::{Finding, Findings, Rule};
pub use limits::ManifestLimits;
pub use reader::{ManifestError, read, summarise};
pub use side_file::{SIDE_FILE_BYTES, SideFileError, parse_metadata, parse_properties};
pub use summary::{Summary, Version};
