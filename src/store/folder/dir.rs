//! A folder held open, and what can be done in it without following a symbolic link.
//!
//! Every step goes through the handle of the folder above (`openat` and its kin), so that nobody can turn a folder into a link in
//! between. In go single names; out come handles, what is known of a file, and [`StoreError`]s that name the path.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::dir::{Dir as Handle, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, openat, renameat, renameat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use crate::foreign::Shown;
use crate::store::{ETag, StoreError};

/// The group of a store folder is who picks the data up (backup, file server), and nobody else should read customers' files; the
/// administrator narrows it by the umask.
const FILE_MODE: Mode = Mode::from_bits_truncate(0o640);
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o750);

/// A folder of the store.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// What is known of a name in a folder.
pub(super) struct Meta {
    stat: FileStat,
}

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    File,
    Folder,
    /// A symbolic link, a device, a socket: never followed, never opened.
    Other,
}

impl Meta {
    /// What is known of an open file.
    pub(super) fn of(file: &File) -> Result<Self, Errno> {
        fstat(file).map(|stat| Self { stat })
    }

    pub(super) fn kind(&self) -> Kind {
        match SFlag::from_bits_truncate(self.stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => Kind::File,
            SFlag::S_IFDIR => Kind::Folder,
            _ => Kind::Other,
        }
    }

    pub(super) fn length(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or(0)
    }

    /// How many names the file has.
    pub(super) fn links(&self) -> u64 {
        self.stat.st_nlink
    }

    /// Time of the last change of the content, to the nanosecond.
    pub(super) fn modified(&self) -> String {
        format!("{}.{:09}", self.stat.st_mtime, self.stat.st_mtime_nsec)
    }

    pub(super) fn etag(&self) -> ETag {
        let Self { stat } = self;
        let changed = format!("{}.{:09}", stat.st_ctime, stat.st_ctime_nsec);
        ETag(format!("\"{:x}-{:x}-{}-{changed}\"", stat.st_ino, self.length(), self.modified()))
    }
}

impl Dir {
    /// Opens the root of a store, which may be a link: the administrator named it. `None` if there is none.
    pub(super) fn root(path: &Path) -> Result<Option<Self>, StoreError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        match nix::fcntl::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: path.to_owned() })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(failed("opening", path, errno)),
        }
    }

    /// Opens the root of a store and creates it if only its last part is missing: a missing mount point shall not fill another disk.
    pub(super) fn make_root(path: &Path) -> Result<Self, StoreError> {
        match nix::unistd::mkdir(path, FOLDER_MODE) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(failed("creating", path, errno)),
        }
        Self::root(path)?.ok_or_else(|| failed("opening", path, Errno::ENOENT))
    }

    /// A second handle of this folder.
    pub(super) fn again(&self) -> Result<Self, StoreError> {
        let copied = |source| io_failed("opening", Shown(&self.path.to_string_lossy()).to_string(), source);
        Ok(Self { fd: self.fd.try_clone().map_err(copied)?, path: self.path.clone() })
    }

    /// The folder of that name; `None` if there is none or a file has the name.
    pub(super) fn child(&self, name: &str) -> Result<Option<Self>, StoreError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: self.path.join(name) })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno @ (Errno::ENOTDIR | Errno::ELOOP)) => match self.stat(name)?.map(|meta| meta.kind()) {
                Some(Kind::File) | None => Ok(None),
                Some(Kind::Folder | Kind::Other) => Err(self.failed("opening", name, errno)),
            },
            Err(errno) => Err(self.failed("opening", name, errno)),
        }
    }

    /// The folder of that name, created and synced if it is missing; [`StoreError::NameConflict`] if a file has the name.
    pub(super) fn make_child(&self, name: &str) -> Result<Self, StoreError> {
        if let Some(child) = self.child(name)? {
            return Ok(child);
        }
        match mkdirat(&self.fd, name, FOLDER_MODE) {
            Ok(()) => self.sync()?,
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(self.failed("creating", name, errno)),
        }
        self.child(name)?.ok_or_else(|| self.not_a_folder(name))
    }

    /// A file has a name that a folder needs.
    pub(super) fn not_a_folder(&self, name: &str) -> StoreError {
        StoreError::NameConflict { reason: format!("{} is a blob and cannot be a folder as well", self.shown(name)) }
    }

    /// Whether nothing at all is in it.
    pub(super) fn is_empty(&self) -> Result<bool, StoreError> {
        let mut empty = true;
        self.each_name(|_, _| empty = false)?;
        Ok(empty)
    }

    /// What a name is, links not followed; `None` if it is free.
    pub(super) fn stat(&self, name: &str) -> Result<Option<Meta>, StoreError> {
        match fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Meta { stat })),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(self.failed("looking at", name, errno)),
        }
    }

    /// Opens a file for reading; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<File>, StoreError> {
        // without O_NONBLOCK a named pipe put there by somebody would hold us for ever
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.failed("opening", name, errno)),
        }
    }

    /// Opens a file of ours for writing.
    pub(super) fn write(&self, name: &str) -> Result<File, StoreError> {
        self.open_ours(name, OFlag::empty())
    }

    /// Creates a file of ours. One that is left from before is unlinked, never truncated: after a crash between link and unlink it
    /// is the same file as a visible blob.
    pub(super) fn create(&self, name: &str) -> Result<File, StoreError> {
        self.remove(name)?;
        self.open_ours(name, OFlag::O_CREAT | OFlag::O_EXCL)
    }

    fn open_ours(&self, name: &str, more: OFlag) -> Result<File, StoreError> {
        let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | more;
        openat(&self.fd, name, flags, FILE_MODE).map(File::from).map_err(|errno| self.failed("opening", name, errno))
    }

    /// Gives a file a second name in another folder, if that name is free there: `false` if it is not.
    pub(super) fn link_new(&self, name: &str, to: &Self, new: &str) -> Result<bool, StoreError> {
        let linked = linkat(&self.fd, name, &to.fd, new, AtFlags::empty());
        let linked = match linked {
            // a file system without links: the same promise by a rename that replaces nothing
            Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::EMLINK | Errno::ENOSYS) => {
                renameat2(&self.fd, name, &to.fd, new, RenameFlags::RENAME_NOREPLACE)
            }
            other => other,
        };
        match linked {
            Ok(()) => Ok(true),
            Err(Errno::EEXIST) => Ok(false),
            Err(errno) => Err(to.failed("creating", new, errno)),
        }
    }

    /// Moves a file to another folder, over whatever file has that name there.
    pub(super) fn rename(&self, name: &str, to: &Self, new: &str) -> Result<(), StoreError> {
        renameat(&self.fd, name, &to.fd, new).map_err(|errno| to.failed("replacing", new, errno))
    }

    /// Removes a file; none is fine.
    pub(super) fn remove(&self, name: &str) -> Result<(), StoreError> {
        match unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.failed("removing", name, errno)),
        }
    }

    /// Removes a folder if it is empty; answers whether it is gone.
    pub(super) fn remove_empty(&self, name: &str) -> bool {
        unlinkat(&self.fd, name, UnlinkatFlags::RemoveDir).is_ok()
    }

    /// Makes the names in this folder durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        nix::unistd::fsync(self.fd.as_fd()).map_err(|errno| failed("syncing", &self.path, errno))
    }

    /// Calls `each` for every name that is text, with its kind where the file system tells it without another look.
    pub(super) fn each_name(&self, mut each: impl FnMut(String, Option<Kind>)) -> Result<(), StoreError> {
        let reading = |errno| failed("reading", &self.path, errno);
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut handle = Handle::openat(&self.fd, ".", flags, Mode::empty()).map_err(reading)?;
        for entry in handle.iter() {
            let entry = entry.map_err(reading)?;
            let kind = entry.file_type().map(|kind| match kind {
                Type::File => Kind::File,
                Type::Directory => Kind::Folder,
                _ => Kind::Other,
            });
            if let Ok(name) = CString::from(entry.file_name()).into_string()
                && !matches!(name.as_str(), "." | "..")
            {
                each(name, kind);
            }
        }
        Ok(())
    }

    /// The path of a name in this folder, for messages.
    pub(super) fn shown(&self, name: &str) -> String {
        Shown(&self.path.join(name).to_string_lossy()).to_string()
    }

    fn failed(&self, action: &'static str, name: &str, errno: Errno) -> StoreError {
        failed(action, &self.path.join(name), errno)
    }
}

/// What a system error means for a store. Rights are the administrator's to mend and hold the drive; links and files where a
/// folder should be concern one name only.
pub(super) fn failed(action: &'static str, path: &Path, errno: Errno) -> StoreError {
    let path = Shown(&path.to_string_lossy()).to_string();
    match errno {
        Errno::ENOSPC | Errno::EDQUOT => StoreError::NoSpace,
        Errno::EACCES | Errno::EPERM | Errno::EROFS => {
            StoreError::Forbidden { reason: format!("{action} {path}: {}", errno.desc()) }
        }
        Errno::ENOTDIR | Errno::ELOOP => StoreError::NameConflict { reason: format!("{path} is a link or no folder") },
        Errno::EISDIR => StoreError::NameConflict { reason: format!("{path} is a folder") },
        Errno::ENAMETOOLONG | Errno::EILSEQ => {
            StoreError::NameConflict { reason: format!("{path} is no name for this file system") }
        }
        other => StoreError::Io { action, path, source: other.into() },
    }
}

/// The same for an error of the standard library.
pub(super) fn io_failed(action: &'static str, path: String, source: std::io::Error) -> StoreError {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(errno) => failed(action, Path::new(&path), errno),
        None => StoreError::Io { action, path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ErrorClass;

    #[test]
    fn each_system_error_has_its_meaning() {
        let of = |errno| failed("writing", Path::new("/srv/x\u{1b}"), errno);
        assert!(matches!(of(Errno::ENOSPC), StoreError::NoSpace));
        assert!(matches!(of(Errno::EDQUOT), StoreError::NoSpace));
        assert_eq!(of(Errno::EROFS).class(), ErrorClass::Access);
        assert_eq!(of(Errno::EIO).class(), ErrorClass::Interrupts);
        assert_eq!(of(Errno::ELOOP).class(), ErrorClass::Entry);
        assert_eq!(of(Errno::EIO).to_string(), "writing /srv/x\\u{1b} failed");
        let full = std::io::Error::from(Errno::ENOSPC);
        assert!(matches!(io_failed("writing", String::new(), full), StoreError::NoSpace));
    }
}
