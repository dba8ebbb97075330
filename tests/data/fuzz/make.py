#!/usr/bin/env python3
"""make.py - the seeds of fuzzing that are parts of disk structures.

    make.py [TARGET...]

Makes `volume.xz`, a small NTFS volume whose parts the bodies replace, and `volume.json`, where those parts lie; and seeds cut from it
and from the drives in ../drives. The seeds of manifest, side_files and job are cut from the cases of ../drives/plain-rich. Needs root
and ntfs-3g; standard library only.
"""
import glob
import json
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVES = os.path.join(HERE, "..", "drives")
SIZE, CLUSTER, RECORD = 3 << 20, 512, 1024


def run(*cmd):
    return subprocess.run([str(c) for c in cmd], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode(errors="replace")


def seed(target, name, data):
    folder = os.path.join(HERE, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def mount(image, where, *options):
    run("ntfs-3g", "-o", ",".join(("noatime", "big_writes") + options), image, where)


def unmount(where, image):
    run("umount", where)
    while subprocess.run(["fuser", "-s", image], stderr=subprocess.DEVNULL).returncode == 0:
        pass


def text(length):
    return "".join("line %d of a text that packs well, %d\n" % (i, i * 37 % 101) for i in range(length // 30 + 1)).encode()[:length]


def build_volume(folder):
    """A volume with one file of each kind; returns its path."""
    image, where = os.path.join(folder, "volume.img"), os.path.join(folder, "mnt")
    os.mkdir(where)
    with open(image, "wb") as f:
        f.truncate(SIZE)
    run("mkfs.ntfs", "-F", "-Q", "-q", "-c", CLUSTER, "-s", 512, "-p", 0, "-H", 255, "-S", 63, image)
    mount(image, where, "compression")
    with open(os.path.join(where, "resident.txt"), "wb") as f:
        f.write(b"small enough for its record")
    with open(os.path.join(where, "plain.bin"), "wb") as f:
        f.write(text(9_000))
    os.mkdir(os.path.join(where, "many"))
    for i in range(60):
        open(os.path.join(where, "many", "a name of middling length %02d" % i), "wb").close()
    os.mkdir(os.path.join(where, "packed"))
    os.setxattr(os.path.join(where, "packed"), "system.ntfs_attrib", struct.pack("<I", 0x800))
    with open(os.path.join(where, "packed", "text"), "wb") as f:
        f.write(text(8_192))
    with open(os.path.join(where, "packed", "mixed"), "wb") as f:
        f.write(text(7_000) + bytes(9_384) + os.urandom(3_000) + text(5_000))
    # holes between single clusters: so many runs that the record needs an attribute list
    with open(os.path.join(where, "listed.bin"), "wb") as f:
        for i in range(220):
            f.seek(i * 8_192)
            f.write(b"%07d\n" % i)
            f.flush()
            os.fsync(f.fileno())
    inodes = {p: os.stat(os.path.join(where, p)).st_ino for p in ("resident.txt", "plain.bin", "many", "packed/text", "listed.bin")}
    unmount(where, image)
    return image, inodes


def runs(image, inode, attribute):
    """(LCN, clusters) of an attribute, as ntfsinfo shows them."""
    shown = run("ntfsinfo", "-v", "-i", inode, image)
    part = shown.split(attribute, 1)[1]
    part = re.split(r"Dumping attribute", part)[0]
    return [(int(m[2], 16), int(m[3], 16)) for m in re.finditer(r"^\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s*$", part, re.M | re.I)]


def volume():
    with tempfile.TemporaryDirectory() as folder:
        image, inodes = build_volume(folder)
        with open(image, "rb") as f:
            data = f.read()
        mft = struct.unpack_from("<Q", data, 48)[0] * CLUSTER
        places = {p.split("/")[-1].split(".")[0]: mft + inode * RECORD for p, inode in inodes.items()}
        index = runs(image, inodes["many"], "$INDEX_ALLOCATION (0xa0)")
        packed = runs(image, inodes["packed/text"], "$DATA (0x80)")
        assert data[places["plain"]:][:4] == b"FILE", "the file table is not in one piece"
    places["index"], places["packed_data"], places["packed_clusters"] = index[0][0] * CLUSTER, packed[0][0] * CLUSTER, packed[0][1]
    places["mft"] = mft
    with open(os.path.join(HERE, "volume.json"), "w") as f:
        json.dump(places, f, indent=1)
        f.write("\n")
    with open(os.path.join(HERE, "volume.xz"), "wb") as f:
        f.write(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    for name in ("resident", "plain", "many", "text", "listed"):
        seed("ntfs_record", name, unprotected(data[places[name]:][:RECORD]))
    seed("ntfs_record", "mft", unprotected(data[mft:][:RECORD]))
    block = unprotected(data[places["index"]:][:4096])
    seed("index", "leaf", block)
    seed("index", "second", unprotected(data[places["index"] + 4096:][:4096]))
    seed("lznt1", "text", data[places["packed_data"]:][:packed[0][1] * CLUSTER])
    seed("lznt1", "stored", struct.pack("<H", 0x3FFF) + text(4_096))
    seed("lznt1", "phrase", struct.pack("<H", 0xB003) + bytes([2]) + b"a" + struct.pack("<H", 0x0FFC))
    for name, at in (("listed", places["listed"]), ("plain", places["plain"])):
        seed("run_list", name, run_list(unprotected(data[at:][:RECORD])))
    # sizes (allocated, data, initialized, highest VCN), then runs: 8 clusters, a hole, back by 8
    sizes = struct.pack("<4Q", 24 * 512, 24 * 512, 24 * 512, 23)
    seed("run_list", "hole", sizes + bytes.fromhex("11086401081108f800"))


def unprotected(record):
    """The record with its fix-ups undone: the bodies put them back."""
    record = bytearray(record)
    at, count = struct.unpack_from("<HH", record, 4)
    for i in range(1, count):
        record[i * 512 - 2:i * 512] = record[at + 2 * i:at + 2 * i + 2]
    return bytes(record)


def run_list(record):
    """Sizes and mapping pairs of the first unnamed non-resident $DATA of a record, as the body `run_list` takes them."""
    at = struct.unpack_from("<H", record, 20)[0]
    while struct.unpack_from("<I", record, at)[0] not in (0x80, 0xFFFFFFFF):
        at += struct.unpack_from("<I", record, at + 4)[0]
    if struct.unpack_from("<I", record, at)[0] != 0x80:
        return struct.pack("<4Q", 512, 512, 512, 0) + bytes.fromhex("11016400")
    length, (high, pairs) = struct.unpack_from("<I", record, at + 4)[0], (struct.unpack_from("<Q", record, at + 24)[0], struct.unpack_from("<H", record, at + 32)[0])
    return record[at + 40:at + 64] + struct.pack("<Q", high) + record[at + pairs:at + length]


def unpacked(name):
    with lzma.open(os.path.join(DRIVES, name + ".img.xz")) as f:
        return f.read()


def bitlocker():
    """The volume header's sector, then the metadata: the body puts the metadata wherever the header says."""
    for name in ("xts128-gpt", "cbc256-mbr-decoy", "xts256-4k-damaged"):
        with open(os.path.join(DRIVES, name + ".img.json")) as f:
            side = json.load(f)
        data, base = unpacked(name), side["partition"]["offset"]
        at = base + side["fve_offsets"][1]
        total = struct.unpack_from("<H", data, at + 8)[0] * 16
        seed("bitlocker_metadata", name, data[base:base + 512] + data[at:at + total + 160])


def partition():
    for name in ("xts128-gpt", "xts256-4k-damaged"):
        data, sector = unpacked(name), 4096 if "4k" in name else 512
        with open(os.path.join(DRIVES, name + ".img.json")) as f:
            side = json.load(f)
        # the table ends behind the entries in use; the body puts a backup at the end
        seed("partition", name, data[:2 * sector + 128 * 4])
        seed("partition", name + "-volume", data[side["partition"]["offset"]:][:512])
    seed("partition", "mbr", unpacked("cbc256-mbr-decoy")[:512])
    seed("partition", "ntfs", unpacked("plain-rich")[1 << 20:][:512])


def texts():
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, os.path.join(DRIVES, "content.py"), "rich", folder)
        run(sys.executable, os.path.join(DRIVES, "manifests.py"), folder, os.path.join(folder, "cases.json"))
        for name in ("plain", "page-holes", "account-key", "comments-and-cdata", "side-files", "repeated-ids", "child-order", "both-credentials",
                     "entity-bomb", "page-overlap", "two-drives", "utf16", "lists-side-by-side"):
            shutil.copy(os.path.join(folder, "manifests", name + ".xml"), os.path.join(ensure("manifest"), name))
        for path in glob.glob(os.path.join(folder, "side", "*.xml")):
            if os.path.getsize(path) < 8_000:
                shutil.copy(path, os.path.join(ensure("side_files"), os.path.basename(path)[:-4]))
    for name in ("xts128-gpt", "cbc256-mbr-decoy"):
        shutil.copy(os.path.join(DRIVES, name + ".img.job.json"), os.path.join(ensure("job"), name))


def ensure(target):
    folder = os.path.join(HERE, target)
    os.makedirs(folder, exist_ok=True)
    return folder


PARTS = {"volume": volume, "bitlocker": bitlocker, "partition": partition, "texts": texts}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
