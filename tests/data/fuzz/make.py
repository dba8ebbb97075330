#!/usr/bin/env python3
"""make.py - the seeds of fuzzing that are parts of disk structures.

    make.py [TARGET...]

Makes `volume.xz`, a small NTFS volume whose parts the bodies replace, and `volume.json`, where those parts lie; and seeds cut from it
and from the drives in ../drives. The seeds of manifest, side_files and job are cut from the cases of ../drives/plain-rich. The part `volume`
needs root and ntfs-3g; standard library only.
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


def structures():
    """Seeds cut from the volume."""
    with open(os.path.join(HERE, "volume.json")) as f:
        places = json.load(f)
    with lzma.open(os.path.join(HERE, "volume.xz")) as f:
        data = f.read()
    mft, packed = places["mft"], data[places["packed_data"]:][:places["packed_clusters"] * CLUSTER]
    for name in ("resident", "plain", "many", "text", "listed", "mft"):
        seed("ntfs_record", name, unprotected(data[places[name]:][:RECORD]))
    seed("index", "leaf", unprotected(data[places["index"]:][:4096]))
    seed("index", "second", unprotected(data[places["index"] + 4096:][:4096]))
    seed("index", "root", index_root(unprotected(data[places["many"]:][:RECORD])))
    seed("lznt1", "text", packed)
    seed("lznt1", "stored", struct.pack("<H", 0x3FFF) + text(4_096))
    seed("lznt1", "phrase", struct.pack("<H", 0xB003) + bytes([2]) + b"a" + struct.pack("<H", 0x0FFC))
    for name in ("listed", "plain", "mft"):
        seed("run_list", name, run_list(unprotected(data[places[name]:][:RECORD])))
    # clusters of the part and of the volume, then runs: 8 clusters, a hole, back by 8
    seed("run_list", "hole", struct.pack("<2Q", 24, SIZE // CLUSTER) + bytes.fromhex("11086401081108f800"))
    # changes to the volume: which structure, its number, byte in it, length, bytes
    number = {name: (places[name] - mft) // RECORD for name in ("resident", "plain", "many", "text", "listed", "mft")}
    for name, which in number.items():
        seed("ntfs_volume", "record-" + name, change(0, which, 0, unprotected(data[places[name]:][:RECORD])[:400]))
    seed("ntfs_volume", "index", change(1, 0, 0, unprotected(data[places["index"]:][:4096])[:300]))
    seed("ntfs_volume", "boot", change(2, 0, 0, data[:84]))
    seed("ntfs_volume", "packed", change(3, 0, 0, packed[:200]))
    # bits 2 and 3 of the first byte are another volume: with 4096-byte sectors, with large clusters, with fragmented files
    for volume in 1, 2, 3:
        for which in 5, 30, 64, 70:
            seed("ntfs_volume", "other-%d-record-%d" % (volume, which), change(4 * volume, which, 22, b"\1"))
        seed("ntfs_volume", "other-%d-index" % volume, change(4 * volume + 1, 0, 16, bytes(8)))
    upcase, attributes = 10, struct.unpack_from("<H", data, mft + 10 * RECORD + 20)[0]
    seed("ntfs_volume", "two", change(0, upcase, attributes, bytes(4)) + change(0, number["plain"], 22, b"\x03\x00"))


def change(kind, number, within, content):
    return struct.pack("<B3H", kind, number, within, len(content)) + content


def unprotected(record):
    """The record with its fix-ups undone: the bodies put them back."""
    record = bytearray(record)
    at, count = struct.unpack_from("<HH", record, 4)
    for i in range(1, count):
        record[i * 512 - 2:i * 512] = record[at + 2 * i:at + 2 * i + 2]
    return bytes(record)


def attribute(record, kind):
    """Where the first attribute of a type begins."""
    at = struct.unpack_from("<H", record, 20)[0]
    while struct.unpack_from("<I", record, at)[0] not in (kind, 0xFFFFFFFF):
        at += struct.unpack_from("<I", record, at + 4)[0]
    return at


def run_list(record):
    """Clusters of the first non-resident $DATA of a record and of the volume, then its runs, as the body `run_list` takes them."""
    at = attribute(record, 0x80)
    if struct.unpack_from("<I", record, at)[0] != 0x80:
        return struct.pack("<2Q", 1, SIZE // CLUSTER) + bytes.fromhex("11016400")
    length, high, pairs = struct.unpack_from("<I", record, at + 4)[0], struct.unpack_from("<Q", record, at + 24)[0], struct.unpack_from("<H", record, at + 32)[0]
    return struct.pack("<2Q", high + 1, SIZE // CLUSTER) + record[at + pairs:at + length]


def index_root(record):
    at = attribute(record, 0x90)
    length, offset = struct.unpack_from("<IH", record, at + 16)
    return record[at + offset:at + offset + length]


def unpacked(name):
    with lzma.open(os.path.join(DRIVES, name + ".img.xz")) as f:
        return f.read()


def bitlocker():
    """The volume header's sector, then the metadata with the text of its boxes in their place: the body puts the metadata wherever the
    header says, and seals the boxes."""
    for name, method, length in (("xts128-gpt", 0x8004, 32), ("cbc256-mbr-decoy", 0x8003, 32), ("xts256-4k-damaged", 0x8005, 64)):
        with open(os.path.join(DRIVES, name + ".img.json")) as f:
            side = json.load(f)
        data, base = unpacked(name), side["partition"]["offset"]
        at = base + side["fve_offsets"][1]
        total = struct.unpack_from("<H", data, at + 8)[0] * 16
        metadata = bytearray(data[at:at + total + 88])
        opened(metadata, 112, total, method, length)
        seed("bitlocker", name, data[base:base + 512] + metadata)


def opened(metadata, at, end, method, length):
    """Puts a text into each box: the master key of the body's choice into protectors, a sector key elsewhere."""
    while at + 8 <= end:
        size, role, value = struct.unpack_from("<3H", metadata, at)
        if size < 8 or at + size > end:
            return
        if value == 5:
            key, kind = (b"\x07" * 32, 0x2003) if role != 3 else (bytes(range(length)), method)
            content = struct.pack("<4HI", 12 + len(key), 0, 1, 0, kind) + key
            room = size - 36
            metadata[at + 36:at + size] = content[:room].ljust(room, b"\0")
        elif value == 8:
            opened(metadata, at + 36, at + size, method, length)
        at += size


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


PARTS = {"volume": volume, "structures": structures, "bitlocker": bitlocker, "partition": partition, "texts": texts}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
