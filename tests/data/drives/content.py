#!/usr/bin/env python3
"""content.py - write the files that the test drives carry.

    content.py KIND FOLDER      KIND: golden, plain, rich, fragmented, compressed, many

Every byte follows from the kind and the file's name, so that a drive can be made again. Content that lies unencrypted on an image
is made to compress well and still to give away a misplaced cluster: each 4 KiB of it begins with its own file and place.
Standard library only.
"""
import hashlib
import os
import sys

CLUSTER = 4096


def noise(name, length):
    """Bytes without any pattern, the same every time."""
    return hashlib.shake_256(name.encode()).digest(length)


def tagged(name, length):
    """Zeros, but for 16 bytes at the start of each cluster that tell the file and the cluster's number."""
    tag = hashlib.sha256(name.encode()).digest()[:8]
    whole = b"".join((tag + i.to_bytes(8, "big")).ljust(CLUSTER, b"\0") for i in range(length // CLUSTER + 1))
    return whole[:length]


def text(name, length):
    """Lines of text, as LZNT1 likes them."""
    lines = ("%s line %d: boxes %d, crates %d\n" % (name, i, i * 7 % 89, i * 13 % 97) for i in range(length // 20 + 1))
    return "".join(lines).encode()[:length]


def names(fill):
    """Names beyond ASCII, sizes around every border, one page blob."""
    yield "readme.txt", text("readme", 200)
    yield "empty.bin", b""
    yield "one.bin", b"1"
    yield "🚢 harbour.txt", text("harbour", 900)
    yield "Fotos/Zürich/Straße am See.jpg", fill("see", 70_000)
    yield "写真/港/船.bin", fill("ship", 150_001)
    yield "Ελλάδα/лодка.dat", fill("boat", 4_097)
    yield "a b/50% #1 & more.txt", text("percent", 3_000)
    yield "disks/boot.vhd", fill("boot", 66_048)


def golden():
    """What the complete BitLocker drives carry."""
    return names(noise)


def plain():
    """The same names on drives that lie here unencrypted."""
    return names(tagged)


def rich():
    """What the drive with many manifests carries. `manifests.py` adds the manifests and the side files."""
    yield "small.txt", text("small", 120)
    yield "empty.bin", b""
    yield "medium.bin", tagged("medium", 40_000)
    yield "big.bin", tagged("big", 5 * 65_536 + 777)
    yield "exact.bin", tagged("exact", 2 * 65_536)
    yield "disk.vhd", tagged("disk", 16 * 4_096)
    yield "holes.vhd", tagged("holes", 64 * 4_096 + 512)
    yield "many.bin", bytes(51_000)
    yield "häfen/Köln.txt", text("koeln", 640)
    yield "写真/港.txt", text("minato", 333)
    yield "case/Readme.TXT", text("case", 77)
    yield "clash/Note.txt", text("note one", 40)
    yield "clash/NOTE.txt", text("note two", 41)
    yield "folder/inner/deep.txt", text("deep", 512)


def fragmented():
    """Two files that end up with a run per 64 KiB: more runs than one file record holds, so attribute lists as well."""
    yield "left.bin", tagged("left", 20 * 1_048_576 + 1)
    yield "right.bin", tagged("right", 20 * 1_048_576 - 4_095)
    yield "short.txt", text("short", 150)


def compressed():
    """Every kind of compression unit: packed, stored as it is, a hole, a short last one; and resident files."""
    packed = text("packed", 300_000)
    yield "packed.txt", packed
    yield "noise.bin", noise("noise", 100_000)
    yield "zeros.bin", bytes(1_000_000)
    yield "mixed.bin", packed[:65_536] + bytes(65_536) + noise("mixed", 65_536) + bytes(131_072) + packed[:70_001]
    yield "tail.bin", packed[:65_537]
    yield "unit.bin", packed[:65_536]
    yield "runs.bin", b"".join(bytes([i % 251]) * (i * 37 % 4_999) for i in range(120))
    yield "pairs.bin", (b"abc" * 30_000)[:77_777]
    yield "tiny.txt", b"resident and never compressed\n"
    yield "ordner/größe.txt", text("ordner", 20_000)


def many():
    """A directory with so many names that its index has several levels."""
    for i in range(1_500):
        yield "viele/ein recht langer Dateiname Nummer %05d.txt" % (i * 7_919 % 100_003), b"%d\n" % i
    for i in range(20):
        yield "few/%02d.bin" % i, tagged("few%d" % i, i * 1_000)


KINDS = {f.__name__: f for f in (golden, plain, rich, fragmented, compressed, many)}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    for path, content in KINDS[sys.argv[1]]():
        full = os.path.join(sys.argv[2], path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as out:
            out.write(content)


if __name__ == "__main__":
    main()
