//! Why a BitLocker volume cannot be read.

use crate::volume::ReadError;

/// Why a BitLocker volume cannot be read. Never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum BitLockerError {
    /// The first version of the format (Windows Vista).
    #[error("the volume was encrypted by Windows Vista, whose format is not supported")]
    Vista,
    /// Encryption or decryption has not finished, or was paused.
    #[error("the volume is being converted: {state}")]
    Converting {
        /// What the metadata says.
        state: &'static str,
    },
    /// No metadata copy is usable.
    #[error("no valid copy of the metadata: {}", reasons.join("; "))]
    NoMetadata {
        /// What is wrong with each copy.
        reasons: Vec<String>,
    },
    /// An encryption method that is none of the six.
    #[error("the encryption method {method:#06x} is not known")]
    Method {
        /// The method field.
        method: u16,
    },
    /// There is no recovery password on the volume.
    #[error("the volume has no recovery password among its {found} protector(s)")]
    NoRecoveryProtector {
        /// Protectors of other kinds.
        found: usize,
    },
    /// No recovery protector opens with this password.
    #[error("the recovery password opens none of the {tried} recovery protector(s)")]
    WrongKey {
        /// Protectors tried.
        tried: usize,
    },
    /// There are more recovery protectors than are tried, and none of those tried opens.
    #[error("the volume has {found} recovery protectors; the first {tried} were tried, and none opens")]
    TooManyProtectors {
        /// Protectors found.
        found: usize,
        /// Protectors tried.
        tried: usize,
    },
    /// The unlocked metadata is not what was sealed.
    #[error("the metadata was changed after it was sealed: {reasons}")]
    Tampered {
        /// What does not fit.
        reasons: String,
    },
    /// The drive failed.
    #[error("the volume cannot be read")]
    Read(#[source] ReadError),
}
