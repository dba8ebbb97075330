//! The grammar of the manifest as a table: which element may stand where, how often, with what inside. In: names; out: elements. Names that
//! stand nowhere in the table are unknown.

/// An element at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// Around the root.
    Document,
    Manifest,
    Drive,
    DriveId,
    AccountKey,
    ContainerSas,
    ClientCreator,
    BlobList,
    Metadata,
    Properties,
    Blob,
    BlobPath,
    FilePath,
    ClientData,
    Snapshot,
    Length,
    Disposition,
    BlockList,
    PageRangeList,
    Block,
    PageRange,
    /// Not in the table; nothing inside it is looked at.
    Unknown,
}

impl Element {
    /// The element that `name` means inside this one. `MetadataPath` inside a list and inside a blob differ by their parent alone.
    pub(super) fn child(self, name: &str) -> Self {
        match (self, name) {
            (Self::Document, "DriveManifest") => Self::Manifest,
            (Self::Manifest, "Drive") => Self::Drive,
            (Self::Drive, "DriveId") => Self::DriveId,
            (Self::Drive, "StorageAccountKey") => Self::AccountKey,
            (Self::Drive, "ContainerSas") => Self::ContainerSas,
            (Self::Drive, "ClientCreator") => Self::ClientCreator,
            (Self::Drive, "BlobList") => Self::BlobList,
            (Self::BlobList | Self::Blob, "MetadataPath") => Self::Metadata,
            (Self::BlobList | Self::Blob, "PropertiesPath") => Self::Properties,
            (Self::BlobList, "Blob") => Self::Blob,
            (Self::Blob, "BlobPath") => Self::BlobPath,
            (Self::Blob, "FilePath") => Self::FilePath,
            (Self::Blob, "ClientData") => Self::ClientData,
            (Self::Blob, "Snapshot") => Self::Snapshot,
            (Self::Blob, "Length") => Self::Length,
            (Self::Blob, "ImportDisposition") => Self::Disposition,
            (Self::Blob, "BlockList") => Self::BlockList,
            (Self::Blob, "PageRangeList") => Self::PageRangeList,
            (Self::BlockList, "Block") => Self::Block,
            (Self::PageRangeList, "PageRange") => Self::PageRange,
            _ => Self::Unknown,
        }
    }

    /// Its name in the manifest.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Document => "the document",
            Self::Manifest => "DriveManifest",
            Self::Drive => "Drive",
            Self::DriveId => "DriveId",
            Self::AccountKey => "StorageAccountKey",
            Self::ContainerSas => "ContainerSas",
            Self::ClientCreator => "ClientCreator",
            Self::BlobList => "BlobList",
            Self::Metadata => "MetadataPath",
            Self::Properties => "PropertiesPath",
            Self::Blob => "Blob",
            Self::BlobPath => "BlobPath",
            Self::FilePath => "FilePath",
            Self::ClientData => "ClientData",
            Self::Snapshot => "Snapshot",
            Self::Length => "Length",
            Self::Disposition => "ImportDisposition",
            Self::BlockList => "BlockList",
            Self::PageRangeList => "PageRangeList",
            Self::Block => "Block",
            Self::PageRange => "PageRange",
            Self::Unknown => "an unknown element",
        }
    }

    /// A bit of its own, for the set of children that an element has had.
    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Whether it may stand in its parent again and again.
    pub(super) fn repeats(self) -> bool {
        matches!(self, Self::BlobList | Self::Blob | Self::Block | Self::PageRange | Self::Unknown)
    }

    /// What must be in it. The choice between the two lists of a blob has a rule of its own.
    pub(super) fn required(self) -> &'static [Self] {
        match self {
            Self::Document => &[Self::Manifest],
            Self::Manifest => &[Self::Drive],
            Self::Drive => &[Self::DriveId],
            Self::Blob => &[Self::BlobPath, Self::FilePath, Self::Length],
            _ => &[],
        }
    }

    /// Whether its text is kept until its end.
    pub(super) fn holds_text(self) -> bool {
        use Element as E;
        matches!(
            self,
            E::DriveId
                | E::AccountKey
                | E::ContainerSas
                | E::Metadata
                | E::Properties
                | E::BlobPath
                | E::FilePath
                | E::Length
                | E::Disposition
        )
    }

    /// Whether text in it means nothing to us.
    pub(super) fn ignores_text(self) -> bool {
        matches!(self, Self::ClientCreator | Self::ClientData | Self::Snapshot | Self::Unknown)
    }
}
