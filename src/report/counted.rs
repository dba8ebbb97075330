//! Counts and hashes what is written through it: the receipt states length and SHA-256 of each log.

use std::io;

use sha2::{Digest as _, Sha256};

/// A writer that passes everything on and keeps count and SHA-256 of it.
#[derive(Debug)]
pub struct Counted<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

/// What went through a [`Counted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

impl Sum {
    /// The SHA-256 as 64 lower-case digits.
    pub fn lower_hex(&self) -> String {
        lower_hex(&self.sha256)
    }
}

/// Bytes as lower-case Base16.
pub fn lower_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl<W> Counted<W> {
    /// Counts from here on.
    pub fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// The writer, and what went through.
    pub fn finish(self) -> (W, Sum) {
        (self.inner, Sum { bytes: self.bytes, sha256: self.hash.finalize().into() })
    }
}

impl<W: io::Write> io::Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        let passed = bytes.get(..taken).unwrap_or(bytes);
        self.hash.update(passed);
        self.bytes += passed.len() as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// Takes three bytes at a time.
    struct Sips(Vec<u8>);

    impl io::Write for Sips {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let sip = bytes.len().min(3);
            self.0.extend_from_slice(&bytes[..sip]);
            Ok(sip)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_what_was_taken_counts() {
        let mut counted = Counted::new(Sips(Vec::new()));
        counted.write_all(b"abc").unwrap();
        counted.write_all(b"dbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").unwrap();
        counted.flush().unwrap();
        let (inner, sum) = counted.finish();
        assert_eq!((inner.0.len(), sum.bytes), (56, 56));
        assert_eq!(sum.lower_hex(), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}
