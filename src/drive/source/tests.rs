//! Files, what is no file, and a made-up `/sys`.

use super::*;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn an_image_is_read_where_asked_and_not_beyond() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.img");
    write(&path, (0..=255).collect::<Vec<u8>>());
    let link = folder.path().join("link.img");
    symlink(&path, &link).unwrap();
    let source = Source::open(&link).unwrap();
    assert_eq!((source.size(), source.name().raw(), source.is_device()), (256, "link.img", false));
    assert_eq!((source.model(), source.serial(), source.sector_size(), source.read_only()), (None, None, None, None));
    let mut buffer = [0; 4];
    source.read_at(252, &mut buffer).unwrap();
    assert_eq!(buffer, [252, 253, 254, 255]);
    for offset in [253, 256, u64::MAX] {
        assert!(matches!(source.read_at(offset, &mut buffer), Err(ReadError::BeyondEnd { .. })), "{offset}");
    }
    // cut short while it is open
    File::options().write(true).open(&path).unwrap().set_len(100).unwrap();
    assert!(matches!(source.read_at(98, &mut buffer), Err(ReadError::Io { offset: 98, length: 4, .. })));
}

#[test]
fn what_is_no_drive_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let refused = |path: &Path| Source::open(path).unwrap_err().to_string();
    assert!(refused(&socket).contains("socket is a socket: give an image file"));
    assert!(refused(&pipe).contains("pipe is a pipe"));
    assert!(refused(folder.path()).contains("is a folder"));
    assert!(refused(Path::new("/dev/null")).contains("/dev/null is a character device"));
    let missing = Source::open(&folder.path().join("none\u{1b}[2J")).unwrap_err();
    assert!(matches!(missing, DriveError::Missing { .. }));
    assert!(missing.to_string().contains("none\\u{1b}[2J"), "{missing}");
    write(&folder.path().join("file"), "");
    assert!(matches!(Source::open(&folder.path().join("file/x")), Err(DriveError::Missing { .. })));
}

#[test]
fn each_cause_has_its_advice() {
    let of = |kind: io::ErrorKind| DriveError::of(Path::new("/dev/sdz"), kind.into());
    let denied = of(io::ErrorKind::PermissionDenied);
    assert!(matches!(denied, DriveError::NoPermission { .. }));
    assert!(denied.to_string().starts_with("/dev/sdz may not be read: run as"));
    assert!(matches!(of(io::ErrorKind::TimedOut), DriveError::Open { .. }));
}

#[test]
fn a_failed_read_is_repeated_once() {
    for (failures, tries, succeeds) in [(0, 1, true), (1, 2, true), (2, 2, false)] {
        let mut tried = 0;
        let result = twice(|| {
            tried += 1;
            if tried > failures { Ok(()) } else { Err(io::Error::other("bad sector")) }
        });
        assert_eq!((tried, result.is_ok()), (tries, succeeds));
    }
}

/// A drive 8:16 (sdb) with partition 8:17 (sdb1), as the kernel lays them out.
fn made_up_sysfs(root: &Path) -> PathBuf {
    let drive = root.join("devices/pci/block/sdb");
    write(&drive.join("size"), "7814037168\n");
    write(&drive.join("ro"), "0\n");
    write(&drive.join("queue/logical_block_size"), "4096\n");
    write(&drive.join("device/model"), "WDC \u{1b}WD40EFRX   \n");
    write(&drive.join("device/vpd_pg80"), b"\x00\x80\x00\x14     WD-WCC4E1234567extra");
    write(&drive.join("sdb1/partition"), "1\n");
    write(&drive.join("sdb1/size"), "2048\n");
    write(&drive.join("sdb1/ro"), "1\n");
    fs::create_dir_all(root.join("dev/block")).unwrap();
    symlink("../../devices/pci/block/sdb", root.join("dev/block/8:16")).unwrap();
    symlink("../../devices/pci/block/sdb/sdb1", root.join("dev/block/8:17")).unwrap();
    drive
}

#[test]
fn a_device_is_described_and_a_partition_by_its_drive() {
    let root = tempfile::tempdir().unwrap();
    made_up_sysfs(root.path());
    let drive = Facts {
        name: Some("sdb".into()),
        size: Some(7_814_037_168 * 512),
        model: Some("WDC \u{1b}WD40EFRX".into()),
        serial: Some("WD-WCC4E1234567".parse().unwrap()),
        sector_size: Some(4096),
        read_only: Some(false),
    };
    assert_eq!(Facts::of(root.path(), nix::sys::stat::makedev(8, 16)), drive);
    let partition = Facts { name: Some("sdb1".into()), size: Some(2048 * 512), read_only: Some(true), ..drive };
    assert_eq!(Facts::of(root.path(), nix::sys::stat::makedev(8, 17)), partition);
    assert_eq!(Facts::of(root.path(), nix::sys::stat::makedev(8, 32)), Facts::default());
}

#[test]
fn a_serial_number_that_makes_no_sense_is_none() {
    let root = tempfile::tempdir().unwrap();
    let drive = made_up_sysfs(root.path());
    let serial = || Facts::of(root.path(), nix::sys::stat::makedev(8, 16)).serial;
    let bad: [&[u8]; 6] =
        [b"", b"\0\x80\0", b"\0\x83\0\x04abcd", b"\0\x80\0\x09abcd", b"\0\x80\0\x04    ", b"\0\x80\0\x04a/\xFFb"];
    for page in bad {
        write(&drive.join("device/vpd_pg80"), page);
        assert_eq!(serial(), None, "{page:?}");
    }
    write(&drive.join("device/vpd_pg80"), b"\0\x80\0\x06ab12\0\0");
    assert_eq!(serial(), Some("ab12".parse().unwrap()));
    fs::remove_file(drive.join("device/vpd_pg80")).unwrap();
    write(&drive.join("device/serial"), "S4EVNX0 \n");
    assert_eq!(serial(), Some("S4EVNX0".parse().unwrap()));
    write(&drive.join("size"), u64::MAX.to_string());
    write(&drive.join("ro"), "yes");
    let facts = Facts::of(root.path(), nix::sys::stat::makedev(8, 16));
    assert_eq!((facts.size, facts.read_only), (None, None));
}
