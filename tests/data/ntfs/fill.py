"""Fills a mounted NTFS volume and prints SHA-256, size and path of each file as written.  usage: fill.py KIND MOUNT"""
import hashlib, os, random, sys

kind, root = sys.argv[1:]


def text(seed, length):
    """Content that differs everywhere and still packs well."""
    out = bytearray()
    while len(out) < length:
        out += b"%s %08d\n" % (seed.encode(), len(out))
    return bytes(out[:length])


def listed(path, data):
    print(hashlib.sha256(data).hexdigest(), len(data), path)


def put(path, data):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as f:
        f.write(data)
    listed(path, data)


def holes(path, size, parts):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    data = bytearray(size)
    with open(full, "wb") as f:
        f.truncate(size)
        for at, part in parts:
            f.seek(at)
            f.write(part)
            data[at:at + len(part)] = part
    listed(path, bytes(data))


def mixed():
    for size in (0, 1, 200, 511, 512, 513, 700, 4095, 4096, 4097, 65536, 100_003):
        put("sizes/%d.bin" % size, text("s%d" % size, size))
    for name in ("ünïcödé ß.txt", "ΑΒΓ λόγος.txt", "漢字.txt", "😀 emoji.txt", "with space.txt", "a" * 255, "dots...txt", "şĞİı.txt"):
        put("names/" + name, text(name[:9], 300))
    put("deep/" + "/".join("level %d" % n for n in range(20)) + "/file.txt", b"down here")
    put("case/Same.txt", b"first")
    put("case/same.txt", b"second")
    put("case/Only.txt", b"only")
    holes("sparse/middle.bin", 300_000, [(0, text("head", 5000)), (150_000, text("mid", 7000)), (299_000, text("tail", 1000))])
    holes("sparse/end.bin", 200_000, [(0, b"x")])
    holes("sparse/all.bin", 70_000, [])
    put("links/original.txt", text("linked", 3000))
    for n in range(60):
        os.link(os.path.join(root, "links/original.txt"), os.path.join(root, "links/link number %03d.txt" % n))
        listed("links/link number %03d.txt" % n, text("linked", 3000))
    put("streams/file.bin", text("main", 5000))
    for n in range(40):
        os.setxattr(os.path.join(root, "streams/file.bin"), "user.stream%02d" % n, text("stream", 900))
    os.symlink("file.bin", os.path.join(root, "streams/symlink"))
    os.symlink("sizes", os.path.join(root, "linkdir"))
    with open(os.path.join(root, "shrunk.bin"), "wb") as f:
        f.write(text("long", 50_000))
        f.flush()
        f.truncate(777)
    listed("shrunk.bin", text("long", 777))
    put("dos/A long name.txt", b"two names")
    os.setxattr(os.path.join(root, "dos/A long name.txt"), "system.ntfs_dos_name", b"ALONGN~1.TXT")
    put("dos/alongn~2.txt", b"one name")
    hidden = os.path.join(root, "System Volume Information")
    os.mkdir(hidden)
    open(os.path.join(hidden, "file"), "wb").close()
    os.setxattr(hidden, "system.ntfs_dos_name", b"SYSTEM~1")
    for n in range(250):
        put("many/name %04d.dat" % (n * 7919 % 250), b"%d" % n)


def names():
    os.mkdir(os.path.join(root, "dir"))
    name = "dir/a rather long file name to fill the index %04d.txt"
    for n in range(0, 600, 3):
        open(os.path.join(root, name % n), "wb").close()
    for n in range(600):
        if n % 3:
            put(name % n, b"file %d" % n)
    for n in range(0, 600, 3):
        os.remove(os.path.join(root, name % n))
    put("big.bin", text("big", 300_000))
    holes("sparse.bin", 1_000_000, [(500_000, text("part", 70_000))])


def compressed():
    folder = os.path.join(root, "packed")
    os.mkdir(folder)
    os.setxattr(folder, "system.ntfs_attrib", (0x810).to_bytes(4, "little"))
    rng = random.Random(1)
    for size in (0, 100, 4096, 16383, 16384, 16385, 65536, 100_001):
        put("packed/text %d.txt" % size, text("c%d" % size, size))
    noise = rng.randbytes(20_000)
    put("packed/noise.bin", noise)
    put("packed/mixed.bin", text("one", 32_768) + noise + bytes(70_000) + text("two", 50_000) + noise[:5000])
    put("packed/zeros.bin", bytes(200_000))
    put("packed/repeat.bin", b"ab" * 50_000 + b"x" * 100_000)
    holes("packed/holes.bin", 500_000, [(0, text("h", 3000)), (400_000, text("t", 30_000))])
    with open(os.path.join(folder, "appended.bin"), "wb", buffering=0) as f:
        data = b""
        for n in range(20):
            part = text("part %d" % n, 3000 + 17 * n)
            f.write(part)
            data += part
    listed("packed/appended.bin", data)


def fragmented():
    """Fill the volume with small files, remove every other one: what is written then lies in the holes, $MFT included."""
    os.mkdir(os.path.join(root, "fill"))
    count = 0
    try:
        while True:
            with open(os.path.join(root, "fill/%05d" % count), "wb", buffering=0) as f:
                f.write(text("f", 2048))
            count += 1
    except OSError:
        pass
    for n in [count, *range(0, count, 2)]:
        os.remove(os.path.join(root, "fill/%05d" % n))
    put("scattered/large.bin", text("scattered", 300_000))
    put("scattered/second.bin", text("second", 50_000))
    # every other cluster, in no order: a run for each, and an attribute list over several records
    places = list(range(0, 160_000, 1024))
    random.Random(2).shuffle(places)
    holes("scattered/chequered.bin", 200_000, [(at, text("at %d" % at, 512)) for at in places])
    for n in range(350):
        put("scattered/resident %05d" % n, b"r%d" % n)
    for n in range(1, count, 2):
        listed("fill/%05d" % n, text("f", 2048))


{"mixed": mixed, "names": names, "compressed": compressed, "fragmented": fragmented}[kind]()
