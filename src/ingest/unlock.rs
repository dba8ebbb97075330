//! From bytes to files: find the data volume, unlock it, open its tree. Each failure is a code of the drive.

use std::sync::Arc;

use super::Halt;
use crate::report::DriveCode;
use crate::secret::RecoveryPassword;
use crate::volume::bitlocker::{BitLockerError, Decrypted, Sealed};
use crate::volume::ntfs::{Ntfs, NtfsError, NtfsLimits};
use crate::volume::partition::{self, Partition, PartitionError, Table};
use crate::volume::{ReadAt, ReadError, Window};

/// A drive whose data volume is found and locked by BitLocker.
#[derive(Clone)]
pub struct Located {
    /// The partition table.
    pub table: Table,
    /// The first data volume.
    pub partition: Partition,
    /// Its BitLocker metadata.
    pub sealed: Sealed,
}

/// A drive whose sectors decrypt.
pub struct Unlocked {
    /// As located.
    pub located: Located,
    /// The decrypted volume.
    pub volume: Arc<Decrypted>,
}

/// A drive whose files can be read.
#[derive(Clone)]
pub struct Opened {
    /// As located.
    pub located: Located,
    /// Its files.
    pub files: Ntfs,
}

/// Finds the first data volume and its BitLocker metadata.
pub fn locate(device: Arc<dyn ReadAt>, sector_size: Option<u32>) -> Result<Located, Halt> {
    let not_found = |error: &dyn std::error::Error| Halt::of(DriveCode::BitLockerVolumeNotFound, error);
    let table = partition::read(&device, sector_size).map_err(|error| match &error {
        PartitionError::Read(ReadError::Io { .. }) => Halt::of(DriveCode::DiskOperationFailed, &error),
        _ => not_found(&error),
    })?;
    let partition = table.first_data().cloned();
    let Some(partition) = partition else {
        return Err(Halt::new(DriveCode::BitLockerVolumeNotFound, "no data volume was found"));
    };
    let window = Window::new(device, partition.start, partition.size).map_err(|e| not_found(&e))?;
    let sealed = Sealed::probe(Arc::new(window)).map_err(|e| halt(&e))?;
    let Some(sealed) = sealed else {
        return Err(Halt::new(DriveCode::BitLockerNotActivated, "the first data volume is not encrypted with BitLocker"));
    };
    Ok(Located { table, partition, sealed })
}

impl Located {
    /// Unlocks the volume; stretching the password costs a fraction of a CPU-second for each protector tried.
    pub fn unlock(self, password: &RecoveryPassword, protectors: usize) -> Result<Unlocked, Halt> {
        let volume = self.sealed.unlock_trying(password, protectors).map_err(|e| halt(&e))?;
        Ok(Unlocked { located: self, volume: Arc::new(volume) })
    }
}

impl Unlocked {
    /// Opens the file system.
    pub fn open(self, limits: NtfsLimits) -> Result<Opened, Halt> {
        let files = Ntfs::open(self.volume, limits).map_err(|error| {
            let code = match &error {
                NtfsError::NotNtfs { .. } => DriveCode::VolumeNotNtfs,
                _ => DriveCode::DiskOperationFailed,
            };
            Halt::of(code, &error)
        })?;
        Ok(Opened { located: self.located, files })
    }
}

fn halt(error: &BitLockerError) -> Halt {
    let code = match error {
        BitLockerError::Vista
        | BitLockerError::Converting { .. }
        | BitLockerError::NoMetadata { .. }
        | BitLockerError::Method { .. }
        | BitLockerError::Tampered { .. } => DriveCode::BitLockerFailed,
        BitLockerError::NoRecoveryProtector { .. } => DriveCode::BitLockerProtectorNotFound,
        BitLockerError::WrongKey { .. } => DriveCode::BitLockerKeyInvalid,
        BitLockerError::TooManyProtectors { .. } => DriveCode::BitLockerUnlockVolumeFailed,
        BitLockerError::Read(_) => DriveCode::DiskOperationFailed,
    };
    Halt::of(code, error)
}
