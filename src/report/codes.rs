//! The codes a drive can end or wait with: one table that the program, the drive log and the README share.
//!
//! The words are those of the published copy log (drive status) plus ours for what happens before a log exists. Each row says where
//! a drive with that code leaves the line, whether the word may stand in the XML, what the cause is and what to do about it.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

/// Where a drive with some code leaves the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaves {
    /// At its end: entries were processed, and log and receipt tell how.
    Ends,
    /// The desk must act; tried again on every change of job or configuration, on `drive retry` and on re-plug.
    Held,
    /// The drive itself cannot be taken; tried again on re-plug or `drive retry` only.
    Refused,
}

impl fmt::Display for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ends => "done",
            Self::Held => "held",
            Self::Refused => "refused",
        })
    }
}

/// A word that is no drive code.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("this is no code of a drive")]
pub struct UnknownCode;

macro_rules! codes {
    ($($name:ident $leaves:ident $in_log:literal $cause:literal $remedy:literal)+) => {
        /// How a drive ended, or why it waits.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DriveCode { $(#[doc = $cause] $name),+ }

        impl DriveCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// Where a drive with this code leaves the line.
            pub fn leaves(self) -> Leaves {
                match self { $(Self::$name => Leaves::$leaves),+ }
            }

            /// Whether the word may stand in the drive log; ours never do.
            pub fn in_log(self) -> bool {
                match self { $(Self::$name => $in_log),+ }
            }

            /// What has happened: one sentence.
            pub fn cause(self) -> &'static str {
                match self { $(Self::$name => $cause),+ }
            }

            /// What to do now: one sentence.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),+ }
            }
        }
    };
}

codes! {
    // code                     leaves  in the log
    Completed                   Ends    true
        "Every entry of the manifest is stored and verified."
        "Nothing is left to do: the drive can be pulled and sent back."
    CompletedWithWarnings       Ends    true
        "Every entry is accounted for, but some met a blob of the same name and were renamed or skipped as their disposition asks."
        "Look up the renamed and skipped entries in the error log or under `exceptions` in the receipt."
    CompletedWithErrors         Ends    true
        "Some entries, or parts of them, could not be stored; all others are."
        "Read the error log: it names each failed blob and part; upload these from the originals, or prepare them on another drive."
    DiskNotFound                Refused true
        "There is no disk in the drive, or its device is gone."
        "Seat the drive again, or check the path of the device or image."
    VolumeNotNtfs               Refused true
        "The first data volume is unlocked, but it does not hold a readable NTFS file system."
        "The customer formats the first volume with NTFS (not FAT, exFAT or ReFS) and prepares the drive anew; if it was NTFS, run `chkdsk` on it."
    DiskOperationFailed         Ends    true
        "Too many reads of the drive failed, or its beginning cannot be read at all; what was not read is marked `IOFailed`."
        "Try another bay and cable; if it fails again, send the drive back and ask for the entries listed in the error log."
    BitLockerVolumeNotFound     Refused true
        "There is no data volume that BitLocker could have encrypted: the drive is empty, truncated or no disk image."
        "Check that it is the right drive or a complete raw image; otherwise the customer prepares the drive anew."
    BitLockerNotActivated       Refused true
        "The first data volume is not encrypted with BitLocker."
        "The customer turns BitLocker on for the first data volume and waits until encryption has finished; unencrypted drives are not taken."
    BitLockerProtectorNotFound  Refused true
        "The volume has no recovery password (numerical password protector)."
        "The customer adds one with `manage-bde -protectors -add X: -RecoveryPassword` and puts it into the job."
    BitLockerKeyInvalid         Held    true
        "The recovery password of the job does not unlock the volume."
        "Compare the key's identifier that `dockside inspect` shows with the customer's list, and correct `bitLockerKey` in the job."
    BitLockerUnlockVolumeFailed Refused true
        "The volume has more than 16 recovery passwords, and none of the 16 that were tried fits."
        "The customer removes old protectors with `manage-bde -protectors -delete` until the one in the job is among the first 16."
    BitLockerFailed             Refused true
        "The BitLocker metadata cannot be used: made by Windows Vista, encryption or decryption under way, or all three copies damaged."
        "`dockside inspect` shows which; the customer lets the conversion finish on a current Windows, or prepares the drive anew."
    ManifestNameInvalid         Held    true
        "The `manifestFile` of the job is no path of a file on the drive."
        "Correct `manifestFile` in the job: a path from the drive's root with backslashes, such as `\\DriveManifest.xml`."
    ManifestNameTooLong         Held    true
        "The `manifestFile` of the job is longer than a path can be."
        "Correct `manifestFile` in the job: at most 255 characters for each name and 32,767 in all."
    ManifestNotFound            Held    true
        "The drive has no file at the `manifestFile` of the job."
        "Find the manifest with `dockside ls`, and correct `manifestFile` in the job; if it is another job's drive, register the drive there."
    ManifestAccessDenied        Refused true
        "The manifest is a link, deduplicated, or encrypted by the file system, and cannot be read as plain bytes."
        "The customer copies the manifest to a plain file on the drive."
    ManifestCorrupted           Held    true
        "The manifest on the drive does not match the `manifestHash` of the job; nothing was stored."
        "Compare with the hash that the preparation printed and correct `manifestHash` in the job; if it was right, the manifest was changed or damaged: prepare the drive anew."
    ManifestFormatInvalid       Refused true
        "The manifest breaks a rule of its format; nothing was stored."
        "The findings name line, entry and rule; the customer corrects them, or prepares the drive anew with the preparation tool."
    ManifestDriveIdMismatch     Refused true
        "The drive id in the manifest is not this drive's serial number."
        "Check that the drive sits where its label says; a manifest copied from another drive must be made anew for this one."
    ReadManifestFailed          Refused true
        "The disk could not give the manifest."
        "Try another bay and cable; if it fails again, the customer sends a new drive."
    BlobListFormatInvalid       Refused true
        "The blob that lists what to export does not have the required form."
        "Correct the list in the storage account: XML with `BlobPath` and `BlobPathPrefix` elements."
    BlobRequestForbidden        Held    true
        "The storage account refuses access, or no credential is configured for it; nothing was stored."
        "Put a valid account key or token for the account into the configuration, with rights to read, write, list and create containers; for a folder, let dockside's user write there."
    InternalError               Refused true
        "An error inside dockside stopped the drive."
        "Keep the program's log, and report it with the version; the drive can be tried again."
    DriveNotInAnyJob            Held    false
        "No registered job lists this drive."
        "Ask the customer for the job, or correct the drive id in it; the id must be the drive's serial number without blanks."
    JobNotShipping              Held    false
        "The job of this drive is not in the state `Shipping` yet."
        "The customer fills in delivery package and return address and sets the job to `Shipping`."
    JobCancelled                Held    false
        "The job of this drive was cancelled."
        "Send the drive back unprocessed; to process it after all, the customer creates a new job with it."
    DriveTooLarge               Refused false
        "The drive is larger than `max_drive_bytes` allows."
        "Send the drive back, or raise `max_drive_bytes` under `[limits]` in the configuration."
    DriveNotSata                Refused false
        "The drive is not attached by SATA."
        "Put it into a SATA bay; drives with another interface go back unprocessed."
    DriveFormFactorUnsupported  Refused false
        "The drive has a form factor that is not taken: only 3.5 inch drives are."
        "Send the drive back unprocessed."
    DriveIdInvalid              Refused false
        "The drive reports no usable serial number: 1 to 64 letters, digits, dots, underscores or hyphens are needed."
        "Try a bay without a USB bridge; for an image give the id with `--drive-id`."
    DuplicateDriveId            Held    false
        "Another attached drive, or another job, has the same drive id."
        "Pull one of the two drives, or remove the id from the job that it does not belong to."
    SessionElsewhere            Held    false
        "Another host, or another state folder, has begun this drive for the same job."
        "Go on there; if that host or folder is gone for good, take the session over with `--take-over`."
    ContainerMissing            Held    false
        "A target container does not exist and may not be created with the configured credential; nothing was stored."
        "The customer creates the container, or gives a credential that may create containers; check that the store's address leads to the account, and that a folder's container is a folder."
}

impl fmt::Display for DriveCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DriveCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

/// The table of all codes as Markdown, as the README has it; ends with a line feed.
pub fn markdown() -> String {
    let mut table = String::from("| Code | Drive is | Cause | Remedy |\n|---|---|---|---|\n");
    for code in DriveCode::ALL {
        // writing to a String cannot fail
        let _ = writeln!(table, "| `{code}` | {} | {} | {} |", code.leaves(), code.cause(), code.remedy());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drive status words of the published copy log.
    const LOG: &[&str] = &[
        "Completed",
        "CompletedWithWarnings",
        "CompletedWithErrors",
        "DiskNotFound",
        "VolumeNotNtfs",
        "DiskOperationFailed",
        "BitLockerVolumeNotFound",
        "BitLockerNotActivated",
        "BitLockerProtectorNotFound",
        "BitLockerKeyInvalid",
        "BitLockerUnlockVolumeFailed",
        "BitLockerFailed",
        "ManifestNameInvalid",
        "ManifestNameTooLong",
        "ManifestNotFound",
        "ManifestAccessDenied",
        "ManifestCorrupted",
        "ManifestFormatInvalid",
        "ManifestDriveIdMismatch",
        "ReadManifestFailed",
        "BlobListFormatInvalid",
        "BlobRequestForbidden",
        "InternalError",
    ];
    const OURS: &[&str] = &[
        "DriveNotInAnyJob",
        "JobNotShipping",
        "JobCancelled",
        "DriveTooLarge",
        "DriveNotSata",
        "DriveFormFactorUnsupported",
        "DriveIdInvalid",
        "DuplicateDriveId",
        "SessionElsewhere",
        "ContainerMissing",
    ];
    const HELD: &[&str] = &[
        "DriveNotInAnyJob",
        "JobNotShipping",
        "JobCancelled",
        "DuplicateDriveId",
        "SessionElsewhere",
        "BitLockerKeyInvalid",
        "ManifestNameInvalid",
        "ManifestNameTooLong",
        "ManifestNotFound",
        "ManifestCorrupted",
        "BlobRequestForbidden",
        "ContainerMissing",
    ];
    const ENDS: &[&str] = &["Completed", "CompletedWithWarnings", "CompletedWithErrors", "DiskOperationFailed"];

    #[test]
    fn every_word_stands_once_and_ours_are_not_for_the_log() {
        let all: Vec<_> = DriveCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(all, [LOG, OURS].concat());
        for code in DriveCode::ALL {
            assert_eq!(code.in_log(), LOG.contains(&code.as_str()), "{code}");
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        assert_eq!("completed".parse::<DriveCode>(), Err(UnknownCode));
    }

    #[test]
    fn the_desk_acts_on_exactly_these() {
        for code in DriveCode::ALL {
            let expected = match code.as_str() {
                word if HELD.contains(&word) => Leaves::Held,
                word if ENDS.contains(&word) => Leaves::Ends,
                _ => Leaves::Refused,
            };
            assert_eq!(code.leaves(), expected, "{code}");
        }
    }

    #[test]
    fn cause_and_remedy_are_sentences_that_fit_a_table() {
        for code in DriveCode::ALL {
            for sentence in [code.cause(), code.remedy()] {
                assert!(sentence.ends_with('.') && !sentence.contains(['|', '\n']), "{code}: {sentence}");
            }
        }
        let table = markdown();
        assert_eq!(table.lines().count(), DriveCode::ALL.len() + 2);
        assert!(table.contains("| `ContainerMissing` | held | A target container"));
    }
}
