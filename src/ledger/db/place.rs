//! Where the database lies: its file, the file system below it, and the room that is left.
//!
//! Refuses network file systems: the database shares its index between processes through memory, which they do not carry.
//!
//! Nothing here opens a file of the database that is there already. The locks of a process on a file are gone when it closes any
//! descriptor of that file: to open it beside the database, if only to read it, would take the database's locks away.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::DbError;

/// The database's name in the state folder.
pub(super) const FILE: &str = "ledger.db";

/// Milliseconds for which an answer of [`Space::is_low`] holds.
const SPACE_HOLDS: i64 = 500;

/// `f_type` of network file systems, as `statfs(2)` and the kernel's `magic.h` have them.
const NETWORK: &[(i64, &str)] = &[
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x7375_7245, "coda"),
];

/// File systems in user space: which one, only the table of mounts tells.
const FUSE: i64 = 0x6573_5546;

/// Those of them that go over a network.
const NETWORK_FUSE: &[&str] = &[
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.ceph",
    "fuse.ceph-fuse",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.davfs",
    "fuse.curlftpfs",
    "fuse.blobfuse",
    "fuse.blobfuse2",
    "fuse.gcsfuse",
    "fuse.mount-s3",
    "fuse.juicefs",
    "fuse.smbnetfs",
];

/// The database's file of a folder: there, for its owner only, on a disk of this machine.
pub(super) fn prepare(folder: &Path) -> Result<PathBuf, DbError> {
    refuse_network(folder)?;
    let path = folder.join(FILE);
    // the database gives its log and its index the mode of this file
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Err(_) if path.is_file() => Ok(path),
        Err(error) => Err(DbError::file("creating the ledger", &path, error)),
        Ok(_) => Ok(path),
    }
}

/// Whether the file is there and takes no writes.
pub(super) fn is_read_only(file: &Path) -> bool {
    let refused = nix::unistd::access(file, nix::unistd::AccessFlags::W_OK).err();
    matches!(refused, Some(nix::errno::Errno::EACCES | nix::errno::Errno::EPERM | nix::errno::Errno::EROFS))
}

fn refuse_network(folder: &Path) -> Result<(), DbError> {
    let asked = nix::sys::statfs::statfs(folder);
    let asked = asked.map_err(|code| DbError::file("asking for the file system of", folder, code.into()))?;
    // 32 bits of it mean something
    let kind = asked.filesystem_type().0 & 0xffff_ffff;
    let user_space = || if kind == FUSE { mounted_as(folder) } else { None };
    match network(kind, user_space) {
        Some(kind) => Err(DbError::Network { path: folder.display().to_string(), kind }),
        None => Ok(()),
    }
}

/// The name of the network file system that this is.
fn network(kind: i64, user_space: impl FnOnce() -> Option<String>) -> Option<&'static str> {
    if let Some((_, name)) = NETWORK.iter().find(|(magic, _)| *magic == kind) {
        return Some(name);
    }
    let found = user_space()?;
    NETWORK_FUSE.iter().find(|name| **name == found).copied()
}

/// The file system of a folder by the table of mounts: lines of `id parent major:minor root point options… - type source options`.
fn mounted_as(folder: &Path) -> Option<String> {
    let device = fs::metadata(folder).ok()?.dev();
    let device = format!("{}:{}", nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    kind_of_device(&table, &device)
}

fn kind_of_device(table: &str, device: &str) -> Option<String> {
    let line = table.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    let (_, behind) = line.split_once(" - ")?;
    behind.split(' ').next().map(ToOwned::to_owned)
}

/// Which file this is: another one under the same name differs.
pub(super) fn identity(file: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(file).map(|found| (found.dev(), found.ino()))
}

/// Bytes free to this user where the file lies.
pub(super) fn free_bytes(file: &Path) -> io::Result<u64> {
    let place = file.parent().unwrap_or(file);
    let status = nix::sys::statvfs::statvfs(place)?;
    Ok(status.blocks_available().saturating_mul(status.fragment_size()))
}

/// Whether room is short, asked of the system at most twice a second.
#[derive(Debug, Default)]
pub(super) struct Space {
    low: AtomicBool,
    asked: AtomicI64,
}

impl Space {
    /// Whether less than `least` is free. If the system does not say, nothing is held up for it.
    pub(super) fn is_low(&self, file: &Path, least: u64, now: i64) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        // two callers may ask at once: both get the truth
        if now.saturating_sub(asked) >= SPACE_HOLDS || now < asked {
            self.low.store(free_bytes(file).is_ok_and(|free| free < least), Ordering::Relaxed);
            self.asked.store(now, Ordering::Relaxed);
        }
        self.low.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_by_name() {
        let none = || -> Option<String> { panic!("the table of mounts is not needed") };
        assert_eq!(network(0x6969, none), Some("nfs"));
        assert_eq!(network(0xfe53_4d42, none), Some("smb2"));
        assert_eq!(network(0x0102_1997, none), Some("9p"));
        let fuse = |name: &'static str| network(FUSE, || Some(name.to_owned()));
        assert_eq!(fuse("fuse.sshfs"), Some("fuse.sshfs"));
        assert_eq!(fuse("fuseblk"), None, "a local disk behind a driver in user space");
        // ext4, xfs, btrfs, tmpfs
        assert!([0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994].iter().all(|kind| network(*kind, || None).is_none()));
    }

    #[test]
    fn the_table_of_mounts_is_read_by_device() {
        let table = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                     40 22 0:51 / /mnt/far\\040away rw,nosuid shared:9 master:2 - fuse.sshfs host:/srv rw,user_id=0\n";
        assert_eq!(kind_of_device(table, "0:51").as_deref(), Some("fuse.sshfs"));
        assert_eq!(kind_of_device(table, "8:1").as_deref(), Some("ext4"));
        assert_eq!(kind_of_device(table, "8:2"), None);
    }

    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = prepare(folder.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(free_bytes(&path).unwrap() > 0);
    }
}
