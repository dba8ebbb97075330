#!/usr/bin/env python3
"""manifests.py - write many manifests for one drive: every rule kept and every rule broken.

    manifests.py FOLDER CASES.json

FOLDER holds the files of `content.py rich`. This adds `side/` (metadata and properties files) and `manifests/` (the manifests), and
writes CASES.json: one case per manifest, with what a run with it must come to.

    name       of the case, and of its manifest: \\manifests\\NAME.xml
    why        the rule that it keeps or breaks
    md5, sha256  of the manifest, as a job would give them
    expect     status of the drive (codes of the drive log); for ManifestFormatInvalid nothing may be stored
    existing   names of block blobs ("old") that must be in the store before the run
    blobs      one for each entry, in order, where the manifest is accepted:
        path, file, length, kind  as the manifest has them
        status, disposition  of the entry, as in the drive log
        stored     name under which a blob with this entry's content exists after the run, or null
        sha256     of that content (a page blob's holes are zeros); null where only part of it is there
        ranges     their status, where they are not all Completed (or all Cancelled, where the whole blob failed)
        metadata, properties   status of each, where one is named
        meta, props   what the stored blob then carries
Standard library only.
"""
import base64
import hashlib
import json
import os
import sys
from xml.sax.saxutils import escape, quoteattr

DRIVE = "DKS-RICH"
MIB = 1 << 20
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
ZERO16 = "00000000000000000000000000000000"


def md5(data):
    return hashlib.md5(data).hexdigest().upper()


class Drive:
    """The folder that becomes the drive, and the cases collected so far."""

    def __init__(self, folder):
        self.folder, self.cases = folder, []

    def read(self, path):
        with open(os.path.join(self.folder, path.lstrip("\\").replace("\\", "/")), "rb") as f:
            return f.read()

    def write(self, path, data):
        full = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(data)

    def case(self, name, why, body, expect="Completed", blobs=(), existing=()):
        """Adds a manifest: `body` as text or bytes, or made from `blobs`."""
        data = body if isinstance(body, bytes) else body.encode()
        self.write("manifests/%s.xml" % name, data)
        case = {"name": name, "why": why, "md5": md5(data), "sha256": hashlib.sha256(data).hexdigest().upper(), "expect": expect}
        if existing:
            case["existing"] = list(existing)
        if expect.startswith("Completed"):
            case["blobs"] = [b.expected for b in blobs]
        self.cases.append(case)


# ---------------------------------------------------------------- the parts of a manifest
def ranges_of(data, step):
    return [(at, min(step, len(data) - at), md5(data[at:at + step])) for at in range(0, len(data), step)]


def item(tag, offset, length, digest, ident=None):
    return '<%s Offset="%s" Length="%s"%s Hash="%s"/>' % (tag, offset, length, ' Id="%s"' % ident if ident is not None else "", digest)


def blocks(ranges, ids=True):
    """A BlockList. ids: True for counters, False for none, or a list."""
    if ids is True:
        ids = [base64.b64encode(i.to_bytes(4, "little")).decode() for i in range(len(ranges))]
    rows = [item("Block", *r, ident=ids[i] if ids else None) for i, r in enumerate(ranges)]
    return "<BlockList>%s</BlockList>" % "".join(rows)


def pages(ranges):
    return "<PageRangeList>%s</PageRangeList>" % "".join(item("PageRange", *r) for r in ranges)


def element(tag, text):
    return "" if text is None else "<%s>%s</%s>" % (tag, escape(str(text)), tag)


def side(tag, path, digest):
    return "<%s Hash=%s>%s</%s>" % (tag, quoteattr(digest), escape(path), tag)


def raw_blob(path, file, length, ranges, disposition="rename", extra=""):
    """A Blob element of given parts; a part that is None is left out."""
    return "".join(["<Blob>", element("BlobPath", path), element("FilePath", file), element("Length", length),
                    element("ImportDisposition", disposition), ranges or "", extra, "</Blob>"])


def manifest(*blobs, version="2014-11-01", drive=DRIVE, credential="", in_list="", head=HEAD):
    """A whole manifest with one list."""
    inner = "".join(b if isinstance(b, str) else b.xml for b in blobs)
    return ('%s<DriveManifest Version="%s"><Drive><DriveId>%s</DriveId>%s<ClientCreator>manifests.py</ClientCreator>\n<BlobList Id="s-0">%s%s'
            '\n</BlobList></Drive></DriveManifest>\n') % (head, version, drive, credential, in_list, inner)


class Blob:
    """An entry and what must become of it. Without options: a file of the drive, stored as it is."""

    def __init__(self, drive, path, file, **o):
        data = b"" if o.get("absent") else drive.read(o.get("really", file))
        length = o.get("length", len(data))
        ranges = o.get("ranges")
        if ranges is None:
            ranges = ranges_of(data[:length].ljust(length, b"\0"), o.get("step", 65_536))
        page = o.get("page", False)
        listed = pages(ranges) if page else blocks(ranges, o.get("ids", True))
        disposition = o.get("disposition", "rename")
        self.xml = raw_blob(path, file, length, listed, disposition, o.get("extra", ""))
        if page:
            shown = bytearray(length)
            for at, n, _ in ranges:
                shown[at:at + n] = data[at:at + n].ljust(n, b"\0")
        else:
            shown = data[:length]
        stored = o.get("stored", path)
        self.expected = {"path": path, "file": file, "length": length, "kind": "page" if page else "block",
                         "status": o.get("status", "Completed"), "disposition": o.get("outcome", "Created"), "stored": stored,
                         "sha256": hashlib.sha256(bytes(shown)).hexdigest() if stored and not o.get("partial") else None}
        for key, name in (("range_status", "ranges"), ("metadata", "metadata"), ("properties", "properties"), ("meta", "meta"),
                          ("props", "props")):
            if key in o:
                self.expected[name] = o[key]


# ---------------------------------------------------------------- accepted manifests
def accepted(d):
    def blob(path, file, **o):
        return Blob(d, path, file, **o)

    def good(name, why, *bs, expect="Completed", existing=(), **o):
        d.case(name, why, manifest(*bs, **o), expect, bs, existing)

    small = blob("import/small.txt", "\\small.txt")
    everything = [blob("import/small.txt", "\\small.txt"), blob("import/medium.bin", "\\medium.bin"),
                  blob("import/big.bin", "\\big.bin"), blob("import/exact.bin", "\\exact.bin"),
                  blob("pages/disk.vhd", "\\disk.vhd", page=True), blob("import/häfen/Köln.txt", "\\häfen\\Köln.txt"),
                  blob("import/写真/港.txt", "\\写真\\港.txt")]
    good("plain", "block and page blobs, one and several ranges, names beyond ASCII", *everything)
    good("version-2011", "the older version has the same grammar", small, version="2011-10-01")
    d.case("byte-order-mark", "a byte order mark is accepted", b"\xef\xbb\xbf" + manifest(small).encode(), blobs=[small])
    good("account-key", "a key is checked for form and dropped", small, credential="<StorageAccountKey>bm90LWEtcmVhbC1rZXk=</StorageAccountKey>")
    good("container-sas", "a signature is checked for form and dropped", small,
         credential="<ContainerSas>import?sv=2014-02-14&amp;sr=c&amp;sp=rwd&amp;sig=bm90LXJlYWw%3D</ContainerSas>")
    good("drive-id-with-blanks", "blanks in the drive id do not count", small, drive=" DKS- RICH ")
    d.case("no-list", "a drive without lists is empty, not wrong",
           HEAD + '<DriveManifest Version="2014-11-01"><Drive><DriveId>%s</DriveId></Drive></DriveManifest>' % DRIVE)
    good("empty-list", "a list without blobs")
    d.case("lists-side-by-side", "lists follow each other", manifest(small).replace(
        "\n</BlobList>", "\n</BlobList><BlobList>" + everything[1].xml + "</BlobList>"), blobs=[small, everything[1]])
    good("empty-blob", "length 0 and no block is an empty block blob", blob("import/empty.bin", "\\empty.bin"))
    good("empty-page-blob", "length 0 and no range is an empty page blob", blob("import/empty.vhd", "\\empty.bin", page=True))
    good("zero-page-blob", "no range and a length is an all-zero page blob", blob("pages/zero.vhd", "\\disk.vhd", page=True, ranges=[]))
    holes = d.read("holes.vhd")
    cut = [(at, n, md5(holes[at:at + n])) for at, n in ((512, 1024), (8_192, 65_536), (len(holes) - 512, 512))]
    good("page-holes", "what no range covers is neither read nor stored", blob("pages/holes.vhd", "\\holes.vhd", page=True, ranges=cut))
    good("page-file-longer", "a page blob's uncovered tail is ignored", blob("pages/short.vhd", "\\holes.vhd", page=True, length=65_536))
    good("default-disposition", "without ImportDisposition it is rename", blob("import/small.txt", "\\small.txt", disposition=None))
    good("no-ids", "blocks without ids", blob("import/big.bin", "\\big.bin", ids=False))
    good("one-block-with-id", "one block with an id is one request", blob("import/small.txt", "\\small.txt", ids=["AAAAAA=="]))
    zeros = ranges_of(d.read("many.bin")[:50_000], 10_000)
    ids = ["MD5/" + base64.b64encode(bytes.fromhex(r[2])).decode() for r in zeros]
    good("repeated-ids", "equal blocks may share an id", blob("import/zeros.bin", "\\many.bin", ranges=zeros + [(50_000, 1_000, md5(bytes(1_000)))],
         ids=ids + ["MD5/" + base64.b64encode(bytes.fromhex(md5(bytes(1_000)))).decode()]))
    good("blocks-50000", "the greatest number of blocks", blob("import/many.bin", "\\many.bin", ids=False, ranges=[(i, 1, md5(b"\0")) for i in range(49_999)]
         + [(49_999, 1_001, md5(bytes(1_001)))]))
    r = ranges_of(d.read("small.txt"), 65_536)[0]
    good("hash-spelling", "hashes in either case with blanks around", blob("import/small.txt", "\\small.txt", ranges=[(r[0], r[1], " %s " % r[2].lower())]))
    good("path-without-backslash", "the leading backslash may be missing", blob("import/small.txt", "small.txt"))
    good("other-case", "NTFS names compare without regard to case", blob("import/Readme.txt", "\\CASE\\readme.txt", really="case/Readme.TXT"),
         blob("import/koeln.txt", "\\HÄFEN\\KÖLN.TXT", really="häfen/Köln.txt"))
    good("case-exact", "an exact name wins over one that differs in case", blob("import/note1.txt", "\\clash\\Note.txt"),
         blob("import/note2.txt", "\\clash\\NOTE.txt"))
    d.case("child-order", "the order of children does not count", manifest(
        "<Blob>" + blocks(ranges_of(d.read("small.txt"), 65_536)) + "<Length>120</Length><ClientData>a &lt; b</ClientData>"
        "<FilePath>\\small.txt</FilePath><BlobPath>import/small.txt</BlobPath></Blob>"), blobs=[small])
    d.case("comments-and-cdata", "comments are skipped, CDATA and references are text", manifest(small).replace(
        "<BlobPath>import/small.txt", "<!-- one -->\n<BlobPath><![CDATA[import/]]>sm&#97;ll&#x2e;txt").replace(
        "<BlobList", "<!-- two --><BlobList") + "<!-- three -->\n", blobs=[small])
    good("literal-names", "names are plain text and never decoded", blob("import/a%2Fb", "\\small.txt"), blob("import/a?b#c", "\\small.txt"),
         blob("import/a\\b", "\\small.txt"), blob("import/...x/ y z", "\\small.txt"), blob("import/a//b", "\\small.txt"))
    good("root-container", "the root container", blob("$root/small.txt", "\\small.txt"))
    good("snapshot", "an export's snapshot mark is no harm", blob("import/small.txt", "\\small.txt", extra="<Snapshot>2013-12-02T10:00:00Z</Snapshot>"))


def names(d):
    """Dispositions, conflicts and duplicates."""
    def blob(path, file, **o):
        return Blob(d, path, file, **o)

    def good(name, why, *bs, expect="Completed", existing=()):
        d.case(name, why, manifest(*bs), expect, bs, existing)

    good("rename", "a conflict under rename takes the first free number", blob("import/report", "\\small.txt", outcome="Renamed", stored="import/report (3)"),
         blob("import/a.tar.gz", "\\medium.bin", outcome="Renamed", stored="import/a.tar (2).gz"),
         blob("import/v1.2/readme", "\\small.txt", outcome="Renamed", stored="import/v1.2/readme (2)"), expect="CompletedWithWarnings",
         existing=["import/report", "import/report (2)", "import/a.tar.gz", "import/v1.2/readme"])
    good("no-overwrite", "a conflict under no-overwrite stores nothing", blob("import/report", "\\small.txt", disposition="no-overwrite", outcome="Skipped", stored=None),
         blob("import/new", "\\small.txt", disposition="no-overwrite"), expect="CompletedWithWarnings", existing=["import/report"])
    good("overwrite", "a conflict under overwrite replaces the blob", blob("import/report", "\\big.bin", disposition="overwrite", outcome="Overwritten"),
         blob("import/disk", "\\disk.vhd", page=True, disposition="overwrite", outcome="Overwritten"), blob("import/new", "\\small.txt", disposition="overwrite"),
         existing=["import/report", "import/disk"])
    good("duplicates-rename", "the second of a name meets the first", blob("import/x.txt", "\\small.txt"),
         blob("import/x.txt", "\\medium.bin", outcome="Renamed", stored="import/x (2).txt"),
         blob("import/x.txt", "\\big.bin", outcome="Renamed", stored="import/x (3).txt"), expect="CompletedWithWarnings")
    good("duplicates-no-overwrite", "after a failure the second is stored", blob("import/x", "\\lost.bin", absent=True, length=5, disposition="no-overwrite",
         status="FileNotFound", outcome="Cancelled", stored=None, ranges=[(0, 5, ZERO16)]), blob("import/x", "\\small.txt", disposition="no-overwrite"),
         blob("import/x", "\\medium.bin", disposition="no-overwrite", outcome="Skipped", stored=None), expect="CompletedWithErrors")
    good("duplicates-overwrite", "the last good one wins", blob("import/x", "\\medium.bin", disposition="overwrite", stored=None),
         blob("import/x", "\\small.txt", disposition="overwrite", outcome="Overwritten"),
         blob("import/x", "\\lost.bin", absent=True, length=5, ranges=[(0, 5, ZERO16)], disposition="overwrite", status="FileNotFound", outcome="Cancelled",
              stored=None), expect="CompletedWithErrors")
    good("number-taken-later", "a number given to an entry stays its own", blob("import/x", "\\small.txt"),
         blob("import/x", "\\lost.bin", absent=True, length=5, ranges=[(0, 5, ZERO16)], status="FileNotFound", outcome="Cancelled", stored=None),
         blob("import/x", "\\big.bin", outcome="Renamed", stored="import/x (3)"), expect="CompletedWithErrors")
    long = "import/" + "n" * 1_022
    good("rename-too-long", "no room for a number", blob(long, "\\small.txt", status="RenameFailed", outcome="Cancelled", stored=None),
         expect="CompletedWithErrors", existing=[long])


def entry_failures(d):
    """Entries that fail alone: the others go on."""
    small = Blob(d, "import/small.txt", "\\small.txt")

    def fails(name, why, *bs):
        d.case(name, why, manifest(*bs, small), "CompletedWithErrors", [*bs, small])

    def gone(path, file, status, **o):
        return Blob(d, path, file, absent=True, length=5, ranges=[(0, 5, ZERO16)], status=status, outcome="Cancelled", stored=None, **o)

    fails("file-missing", "no such file, no such folder, a file as a folder", gone("import/a", "\\lost.bin", "FileNotFound"),
          gone("import/b", "\\lost\\lost.bin", "FileNotFound"), gone("import/c", "\\small.txt\\x", "FileNotFound"))
    invalid = ["\\..\\..\\outside.bin", "\\folder\\..\\small.txt", "\\.\\small.txt", "C:\\small.txt", "\\small.txt:stream", "\\small.txt::$DATA",
               "/small.txt", "\\\\server\\share\\x", "\\folder\\", "", "\\", "\\$MFT", "\\$Extend\\$UsnJrnl", "\\System Volume Information\\x",
               "\\clash\\note.TXT"]
    fails("file-name-invalid", "paths that leave their place, streams, system files, and one that two names fit",
          *[gone("import/%d" % i, p, "FileNameInvalid") for i, p in enumerate(invalid)])
    fails("file-name-too-long", "over 255 units in a segment, over 32,767 in all", gone("import/a", "\\" + "x" * 256, "FileNameTooLong"),
          gone("import/b", "\\" + "😀" * 128, "FileNameTooLong"), gone("import/c", "\\abcdefg" * 4_097, "FileNameTooLong"))
    fails("file-shorter", "the file ends before the blob does", Blob(d, "import/big.bin", "\\big.bin", length=6 * 65_536, stored=None, outcome="Cancelled",
          status="CompletedWithErrors", range_status=["Uncommitted"] * 5 + ["FileUnexpectedEnd"]))
    fails("page-file-shorter", "the other ranges of a page blob stay", Blob(d, "import/disk.vhd", "\\disk.vhd", length=2 * 65_536, page=True, partial=True,
          status="CompletedWithErrors", range_status=["Completed", "FileUnexpectedEnd"]))
    fails("file-longer", "the file is longer than its blob: stored, and said", Blob(d, "import/big.bin", "\\big.bin", length=65_536, status="CompletedWithErrors"))
    bad = ranges_of(d.read("big.bin"), 65_536)
    bad[2] = (bad[2][0], bad[2][1], ZERO16)
    fails("range-corrupted", "one bad block: nothing is committed", Blob(d, "import/big.bin", "\\big.bin", ranges=bad, stored=None, outcome="Cancelled",
          status="CompletedWithErrors", range_status=["Uncommitted"] * 2 + ["Corrupted"] + ["Uncommitted"] * 3))
    fails("single-corrupted", "a blob of one bad block", Blob(d, "import/m.bin", "\\medium.bin", ranges=[(0, 40_000, ZERO16)], stored=None, outcome="Cancelled",
          status="CompletedWithErrors", range_status=["Corrupted"]))
    page = ranges_of(d.read("disk.vhd"), 16_384)
    page[1] = (page[1][0], page[1][1], ZERO16)
    fails("page-corrupted", "one bad range: the others stay", Blob(d, "import/disk.vhd", "\\disk.vhd", page=True, ranges=page, partial=True,
          status="CompletedWithErrors", range_status=["Completed", "Corrupted", "Completed", "Completed"]))
    bad_names = ["import/a/../b", "import/./b", "import/..", "import/x/", "import/x.", "import/" + "n" * 1_025, "import/" + "/".join("s" * 255), "import/",
                 "import", "Import/x", "im/x", "im--port/x", "-import/x", "import-/x", "c" * 64 + "/x", "$web/x", "$logs/x", "$root/a/b", "/import/x",
                 "import/a\tb", "import/a\u0085b"]
    fails("blob-name-illegal", "names no store takes", *[Blob(d, n, "\\small.txt", status="BlobRequestFailed", outcome="Cancelled", stored=None)
          for n in bad_names])
    fails("diagnostics-container", "logs are no target", Blob(d, "waimportexport/x", "\\small.txt", status="BlobRequestFailed", outcome="Cancelled", stored=None))


# ---------------------------------------------------------------- side files
GOOD_META = b'<?xml version="1.0" encoding="UTF-8"?>\n<Metadata><site> harbour-4 </site><Empty></Empty><a_1>x &amp; y</a_1></Metadata>\n'
OWN_META = b"<Metadata><own>1</own></Metadata>"
GOOD_PROPS = (b'<Properties><Last-Modified>any</Last-Modified><Etag>any</Etag><Content-Length>any</Content-Length><Content-Type>text/plain</Content-Type>'
              b"<Content-Encoding>identity</Content-Encoding><Content-Language>de</Content-Language><Cache-Control>no-cache</Cache-Control></Properties>")
META = {"site": "harbour-4", "Empty": "", "a_1": "x & y"}
PROPS = {"contentType": "text/plain", "contentEncoding": "identity", "contentLanguage": "de", "cacheControl": "no-cache"}
BAD_META = {
    "not-xml": b"site=4", "empty": b"", "other-root": b"<Meta><a>1</a></Meta>", "root-attribute": b'<Metadata a="1"/>', "nested": b"<Metadata><a><b>1</b></a></Metadata>",
    "attribute": b'<Metadata><a b="1">1</a></Metadata>', "repeated": b"<Metadata><Site>1</Site><site>2</site></Metadata>",
    "bad-name": b"<Metadata><a-b>1</a-b></Metadata>", "dotted-name": b"<Metadata><a.b>1</a.b></Metadata>", "beyond-ascii": "<Metadata><a>ü</a></Metadata>".encode(),
    "name-beyond-ascii": "<Metadata><ä>1</ä></Metadata>".encode(), "line-break": b"<Metadata><a>x&#13;&#10;y: z</a></Metadata>",
    "doctype": b'<!DOCTYPE Metadata [<!ENTITY e "x">]><Metadata><a>&e;</a></Metadata>', "over-8k": b"<Metadata><a>" + b"x" * 8_192 + b"</a></Metadata>",
    "over-64k": b"<Metadata><a>1</a>" + b" " * 65_536 + b"</Metadata>", "torn": b"<Metadata><a>1</a>", "text": b"<Metadata>loose<a>1</a></Metadata>",
}
BAD_PROPS = {
    "unknown": b"<Properties><Content-Disposition>inline</Content-Disposition></Properties>", "spelling": b"<Properties><ETag>x</ETag></Properties>",
    "repeated": b"<Properties><Content-Type>a/b</Content-Type><Content-Type>a/b</Content-Type></Properties>",
    "md5-base16": b"<Properties><Content-MD5>D41D8CD98F00B204E9800998ECF8427E</Content-MD5></Properties>",
    "md5-text": b"<Properties><Content-MD5>no base64!</Content-MD5></Properties>", "root-attribute": b'<Properties a="1"></Properties>',
}


def side_files(d):
    d.write("side/meta.xml", GOOD_META)
    d.write("side/own.xml", OWN_META)
    d.write("side/props.xml", GOOD_PROPS)
    meta = side("MetadataPath", "\\side\\meta.xml", md5(GOOD_META))
    own = side("MetadataPath", "\\side\\own.xml", md5(OWN_META))
    props = side("PropertiesPath", "\\side\\props.xml", md5(GOOD_PROPS))
    listed = [Blob(d, "import/small.txt", "\\small.txt", metadata="Completed", properties="Completed", meta=META, props=PROPS),
              Blob(d, "import/big.bin", "\\big.bin", metadata="Completed", properties="Completed", meta={"own": "1"}, props=PROPS, extra=own),
              Blob(d, "import/disk.vhd", "\\disk.vhd", page=True, metadata="Completed", properties="Completed", meta=META, props=PROPS)]
    d.case("side-files", "a list's files are defaults, a blob's own replaces them whole", manifest(*listed, in_list=meta + props), blobs=listed)
    content_md5 = b"<Properties><Content-MD5>AAAAAAAAAAAAAAAAAAAAAA==</Content-MD5></Properties>"
    d.write("side/md5.xml", content_md5)
    given = Blob(d, "import/small.txt", "\\small.txt", properties="Completed", props={"contentMd5": "AAAAAAAAAAAAAAAAAAAAAA=="},
                 extra=side("PropertiesPath", "\\side\\md5.xml", md5(content_md5)))
    d.case("side-content-md5", "a Content-MD5 that is not the content's is stored as given", manifest(given), blobs=[given])
    rows = []
    for kind, tag, bad in (("metadata", "MetadataPath", BAD_META), ("properties", "PropertiesPath", BAD_PROPS)):
        for name, data in bad.items():
            d.write("side/%s-%s.xml" % (kind, name), data)
            rows.append(Blob(d, "import/%s-%s" % (kind, name), "\\small.txt", status="CompletedWithErrors", **{kind: "XmlReadFailed"},
                             extra=side(tag, "\\side\\%s-%s.xml" % (kind, name), md5(data))))
        for name, path, status in (("hash", "\\side\\meta.xml", "Corrupted"), ("missing", "\\side\\none.xml", "FileNotFound"),
                                   ("path", "\\..\\meta.xml", "FileNameInvalid"), ("long", "\\" + "x" * 256, "FileNameTooLong")):
            rows.append(Blob(d, "import/%s-%s" % (kind, name), "\\small.txt", status="CompletedWithErrors", **{kind: status}, extra=side(tag, path, ZERO16)))
    d.case("side-files-bad", "a bad side file fails itself, the content is kept", manifest(*rows), "CompletedWithErrors", rows)
    lost = Blob(d, "import/x", "\\lost.bin", absent=True, length=5, ranges=[(0, 5, ZERO16)], status="FileNotFound", outcome="Cancelled", stored=None,
                metadata="Cancelled", properties="Cancelled")
    d.case("side-files-cancelled", "where the content fails first they are cancelled", manifest(lost, in_list=meta + props), "CompletedWithErrors", [lost])


# ---------------------------------------------------------------- refused manifests
def refused(d):
    small = Blob(d, "import/small.txt", "\\small.txt").xml
    whole = manifest(small)

    def bad(name, why, body, expect="ManifestFormatInvalid"):
        d.case(name, why, body, expect)

    def swap(name, why, old, new, expect="ManifestFormatInvalid"):
        assert old in whole, (name, old)
        bad(name, why, whole.replace(old, new, 1), expect)

    syntax(bad, swap, whole)
    structure(bad, swap, small)
    values(bad, swap, d)
    block_rules(bad, d)
    page_rules(bad, d)


def syntax(bad, swap, whole):
    bad("empty-file", "no document", "")
    bad("not-xml", "not a document", "this is no manifest\n")
    bad("torn", "the file ends early", whole[:len(whole) * 2 // 3])
    bad("torn-end", "the last tag is missing", whole.replace("</DriveManifest>", ""))
    bad("trailing", "text behind the document", whole + "x")
    bad("two-roots", "a second document", whole + "<DriveManifest/>")
    swap("wrong-end-tag", "an end tag that fits no start", "</BlobList>", "</BlobLst>")
    swap("ampersand", "a bare ampersand", "manifests.py", "a & b")
    swap("unknown-entity", "an entity nobody declared", "manifests.py", "&nbsp;")
    swap("doctype", "a document type", HEAD, HEAD + "<!DOCTYPE DriveManifest>")
    bomb = "".join('<!ENTITY e%d "%s">' % (i, ("&e%d;" % (i - 1)) * 10 if i else "bombbombbomb") for i in range(10))
    bad("entity-bomb", "entities that grow", whole.replace(HEAD, HEAD + "<!DOCTYPE DriveManifest [%s]>" % bomb).replace("manifests.py", "&e9;"))
    bad("external-entity", "an entity from outside", whole.replace(HEAD, HEAD + '<!DOCTYPE DriveManifest [<!ENTITY x SYSTEM "file:///etc/passwd">]>')
        .replace("manifests.py", "&x;"))
    swap("processing-instruction", "a processing instruction", "<Drive>", "<?run me?><Drive>")
    swap("null-reference", "a character no document may hold", "manifests.py", "a&#0;b")
    swap("control-reference", "a character no document may hold", "manifests.py", "a&#x1b;b")
    swap("surrogate-reference", "half a character", "manifests.py", "a&#xD800;b")
    swap("nonchar-reference", "no character", "manifests.py", "a&#xFFFE;b")
    swap("cdata-outside", "CDATA where no text may be", "<Drive>", "<Drive><![CDATA[x]]>")
    swap("stray-text", "text where none may be", "<Drive>", "<Drive>x")
    swap("text-in-blob", "text where none may be", "<Blob>", "<Blob>x")
    bad("control-character", "a control character as it is", whole.replace("manifests.py", "a\x01b"))
    bad("bad-utf8", "bytes that are no UTF-8", whole.encode().replace(b"manifests.py", b"a\xff\xfeb"))
    bad("overlong-utf8", "bytes that are no UTF-8", whole.encode().replace(b"manifests.py", b"a\xc0\xafb"))
    bad("utf16", "another encoding", whole.replace("UTF-8", "UTF-16").encode("utf-16"))
    swap("latin1", "another encoding", "UTF-8", "ISO-8859-1")
    swap("namespace", "a namespace", "<DriveManifest ", '<DriveManifest xmlns="urn:x" ')
    swap("prefix", "a prefix", "<Drive>", "<x:Drive>")
    swap("too-deep", "more than eight levels", "<ClientCreator>", "<ClientCreator>" + "<a>" * 8 + "</a>" * 8)
    swap("long-text", "a text over 64 KiB", "manifests.py", "x" * 70_000)
    swap("long-attribute", "a tag over 64 KiB", 'Id="s-0"', 'Id="%s"' % ("s" * 70_000))
    swap("long-comment", "a comment over 64 KiB", "<Drive>", "<!--%s--><Drive>" % ("c" * 70_000))
    swap("repeated-attribute", "an attribute twice", 'Id="s-0"', 'Id="s-0" Id="s-1"')
    swap("less-than-in-attribute", "a bare < in an attribute", 'Id="s-0"', 'Id="s<0"')


def structure(bad, swap, small):
    swap("version-missing", "no version", ' Version="2014-11-01"', "")
    swap("version-unknown", "an unknown version", "2014-11-01", "2018-10-01")
    swap("version-placeholder", "a placeholder is no version", "2014-11-01", "2011-MM-DD")
    swap("root-name", "another root", "<DriveManifest", "<driveManifest")
    bad("no-drive", "no drive", HEAD + '<DriveManifest Version="2014-11-01"></DriveManifest>')
    swap("two-drives", "two drives", "</DriveManifest>", "<Drive><DriveId>%s</DriveId></Drive></DriveManifest>" % DRIVE)
    swap("no-drive-id", "no drive id", "<DriveId>%s</DriveId>" % DRIVE, "")
    swap("two-drive-ids", "two drive ids", "</DriveId>", "</DriveId><DriveId>%s</DriveId>" % DRIVE)
    bad("drive-id-late", "the drive id behind a list", manifest(small).replace("<DriveId>%s</DriveId>" % DRIVE, "").replace(
        "</Drive>", "<DriveId>%s</DriveId></Drive>" % DRIVE))
    swap("drive-id-empty", "an empty drive id is no drive's", DRIVE, "", "ManifestDriveIdMismatch")
    swap("wrong-drive-id", "another drive's manifest", DRIVE, "DKS-OTHER", "ManifestDriveIdMismatch")
    swap("drive-id-case", "case counts in a drive id", DRIVE, DRIVE.lower(), "ManifestDriveIdMismatch")
    key, sas = "<StorageAccountKey>bm90LWEtcmVhbC1rZXk=</StorageAccountKey>", "<ContainerSas>import?sv=2014-02-14</ContainerSas>"
    swap("both-credentials", "a key and a signature", "<ClientCreator>", key + sas + "<ClientCreator>")
    swap("two-keys", "a key twice", "<ClientCreator>", key + key + "<ClientCreator>")
    swap("unknown-element", "an unknown element", "<Length>", "<Colour>red</Colour><Length>")
    swap("element-case", "a misspelt element", "ImportDisposition>rename</ImportDisposition", "importdisposition>overwrite</importdisposition")
    swap("unknown-attribute", "an unknown attribute", "<Blob>", '<Blob Colour="red">')
    swap("attribute-case", "a misspelt attribute", "Offset=", "offset=")
    for name in ("BlobPath", "FilePath", "Length"):
        start, end = small.index("<%s>" % name), small.index("</%s>" % name) + len(name) + 3
        part = small[start:end]
        swap("no-" + name.lower(), "no " + name, part, "")
        swap("two-" + name.lower() + "s", "%s twice" % name, part, part + part)
    swap("two-dispositions", "ImportDisposition twice", "<ImportDisposition>", "<ImportDisposition>rename</ImportDisposition><ImportDisposition>")
    start, end = small.index("<BlockList>"), small.index("</BlockList>") + 12
    swap("no-ranges", "neither list", small[start:end], "")
    swap("both-lists", "both lists", small[start:end], small[start:end] + "<PageRangeList></PageRangeList>")
    swap("two-blocklists", "a list twice", small[start:end], small[start:end] * 2)
    swap("page-in-blocklist", "a page range in a block list", "<Block Offset", "<PageRange Offset")
    swap("metadata-without-hash", "a side file without a hash", "</Blob>", "<MetadataPath>\\side\\meta.xml</MetadataPath></Blob>")
    swap("metadata-bad-hash", "a side file with half a hash", "</Blob>", '<MetadataPath Hash="0CC175B9">\\side\\meta.xml</MetadataPath></Blob>')
    swap("two-metadata", "a side file twice", "</Blob>", side("MetadataPath", "\\side\\meta.xml", ZERO16) * 2 + "</Blob>")


def values(bad, swap, d):
    for name, text in (("signed", "+120"), ("negative", "-120"), ("hex", "0x78"), ("exponent", "12e1"), ("empty", ""), ("fraction", "120.0"),
                       ("arabic", "١٢٠"), ("huge", "18446744073709551616"), ("words", "many")):
        swap("number-" + name, "no plain decimal number", "<Length>120<", "<Length>%s<" % text)
        swap("offset-" + name, "no plain decimal number", 'Offset="0"', 'Offset="%s"' % text)
    for name in ("Overwrite", "replace", ""):
        swap("disposition-" + (name or "empty"), "no such disposition", ">rename<", ">%s<" % name)
    digest = md5(d.read("small.txt"))
    for name, text in (("short", digest[:31]), ("sha256", digest * 2), ("letters", "G" * 32), ("empty", ""), ("inner-blank", digest[:16] + " " + digest[17:])):
        swap("hash-" + name, "not the 32 digits of an MD5", digest, text)


def block_rules(bad, d):
    data = d.read("exact.bin")
    half = ranges_of(data, 65_536)
    digest = half[0][2]

    def rule(name, why, ranges, length=len(data), ids=True):
        bad(name, why, manifest(raw_blob("import/small.txt", "\\small.txt", 120, blocks(ranges_of(d.read("small.txt"), 65_536))),
                                raw_blob("import/exact.bin", "\\exact.bin", length, blocks(ranges, ids))))

    rule("block-gap", "a hole between blocks", [half[0], (65_537, 65_535, digest)])
    rule("block-overlap", "blocks overlap", [half[0], (65_535, 65_537, digest)])
    rule("block-order", "blocks out of order", [half[1], half[0]])
    rule("block-start", "the first block is not at 0", [half[1]])
    rule("block-twice", "a block twice", [half[0], half[0]])
    rule("block-sum-short", "blocks end before the blob", [half[0]])
    rule("block-sum-long", "blocks end behind the blob", half, 100_000)
    rule("block-none", "no block for a blob with bytes", [])
    rule("block-empty", "a block of no bytes", [half[0], (65_536, 0, digest), half[1]])
    rule("block-too-long", "a block over 4 MiB", [(0, 4 * MIB + 1, digest)], 4 * MIB + 1)
    rule("block-wraps", "offset and length beyond 64 bits", [half[0], (65_536, 2 ** 64 - 1, digest)])
    rule("block-length-wraps", "lengths that wrap around to the right sum", [(0, 2 ** 64 - 1, digest), (2 ** 64 - 1, 131_073, digest)])
    rule("ids-mixed", "ids on some blocks only", half, ids=["AAAAAA==", None])
    rule("ids-not-base64", "an id that is no Base64", half, ids=["AAAA AA=", "AQAAAA=="])
    rule("ids-lengths", "ids of two lengths", half, ids=["AAAAAA==", "AQAAAAAA"])
    rule("ids-too-long", "ids over 64 bytes", half, ids=[base64.b64encode(bytes([i]) * 65).decode() for i in range(2)])
    rule("ids-empty", "an empty id", half, ids=["", ""])
    rule("ids-repeated", "an id for two contents", half, ids=["AAAAAA==", "AAAAAA=="])
    big = [(i * 4 * MIB, 4 * MIB, digest) for i in range(16)] + [(64 * MIB, 1, digest)]
    rule("ids-needed", "over 64 MiB ids are needed", big, 64 * MIB + 1, ids=False)
    rule("blocks-51000", "over 50,000 blocks", [(i, 1, md5(b"\0")) for i in range(51_000)], 51_000, ids=False)
    blobs = [raw_blob("import/%d" % i, "\\big.bin", 4 * MIB, blocks([(0, 4 * MIB, digest)])) for i in range(50)]
    bad("amplification", "entries that read the drive many times over", manifest(*blobs))


def page_rules(bad, d):
    digest = md5(d.read("disk.vhd"))

    def rule(name, why, ranges, length=65_536):
        bad(name, why, manifest(raw_blob("import/disk.vhd", "\\disk.vhd", length, pages(ranges))))

    rule("page-length", "a page blob of a length that is no multiple of 512", [], 65_537)
    rule("page-over-8t", "a page blob over 8 TiB", [], (8 << 40) + 512)
    rule("page-offset", "a range that begins inside a page", [(100, 512, digest)])
    rule("page-range-length", "a range that ends inside a page", [(0, 100, digest)])
    rule("page-empty", "a range of no bytes", [(0, 0, digest)])
    rule("page-overlap", "ranges overlap", [(0, 1_024, digest), (512, 512, digest)])
    rule("page-order", "ranges out of order", [(1_024, 512, digest), (0, 512, digest)])
    rule("page-beyond", "a range behind the blob's end", [(65_536, 512, digest)])
    rule("page-too-long", "a range over 4 MiB", [(0, 4 * MIB + 512, digest)], 8 * MIB)
    rule("page-wraps", "offset and length beyond 64 bits", [(2 ** 64 - 512, 1_024, digest)])
    bad("page-id", "a range with an id", manifest(raw_blob("import/disk.vhd", "\\disk.vhd", 65_536,
        "<PageRangeList>%s</PageRangeList>" % item("PageRange", 0, 65_536, digest, "AAAAAA=="))))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    drive = Drive(sys.argv[1])
    for part in (accepted, names, entry_failures, side_files, refused):
        part(drive)
    assert len({c["name"] for c in drive.cases}) == len(drive.cases), "a name twice"
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        rows = ",\n".join(json.dumps(c, ensure_ascii=False) for c in drive.cases)
        out.write('{"schema":1,"driveId":"%s","folder":"\\\\manifests","cases":[\n%s\n]}\n' % (DRIVE, rows))


if __name__ == "__main__":
    main()
