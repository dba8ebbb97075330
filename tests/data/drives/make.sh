#!/bin/sh
# make.sh - the recipe of the test drives in this folder.
#
#     MAKE_DRIVE=/path/to/make_drive.py sh make.sh [NAME...]
#
# MAKE_DRIVE is the path of `make_drive.py`, a Python program that builds shipped-drive images (partition table, BitLocker, NTFS,
# manifest) and shares no code with dockside, so that a mistake of ours cannot cancel itself out. It is no part of this repository;
# the drives are. It needs python3 with cryptography and numpy, ntfs-3g, psmisc, dosfstools, mtools, e2fsprogs, and FUSE.
#
# Without NAME every drive is made. Ids and recovery passwords are fixed and stand for nothing; volume keys, salts and times differ
# each time. Next to NAME.img.xz lie NAME.img.job.json (the import job) and NAME.img.json (what is on the drive).
set -eu
: "${MAKE_DRIVE:?say where make_drive.py is}"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# what the job of a plain drive gives as its key, so that tests can encrypt the drive under it
plain_key=042647-302313-590458-071500-554323-116567-412181-516978

# source KIND: the folder with that kind of content
source_of() {
    mkdir -p "$work/src-$1"
    python3 "$here/content.py" "$1" "$work/src-$1"
    if [ "$1" = rich ]; then
        python3 "$here/manifests.py" "$work/src-$1" "$work/plain-rich.cases.json"
        cp "$work/plain-rich.cases.json" "$here/"
    fi
    echo "$work/src-$1"
}

# drive NAME OPTION...: makes, packs and puts in place
drive() {
    name=$1
    shift
    rm -rf "${work:?}/out"
    mkdir "$work/out"
    # allocated clusters only: free space stays zero and costs nothing
    python3 "$MAKE_DRIVE" -o "$work/out/$name.img" --used-only --label LAB "$@" >/dev/null
    xz -9e --threads=1 --stdout "$work/out/$name.img" >"$here/$name.img.xz"
    cp "$work/out/$name.img.job.json" "$work/out/$name.img.json" "$here/"
    ls -l "$here/$name.img.xz" | awk '{ print $5, $9 }'
}

side_files() {
    cat >"$work/metadata.xml" <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<Metadata>
  <survey_site>harbour-4</survey_site>
  <operator> lab </operator>
  <empty></empty>
</Metadata>
XML
    cat >"$work/properties.xml" <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<Properties>
  <Last-Modified>Mon, 02 Dec 2013 10:00:00 GMT</Last-Modified>
  <Etag>0x8D0C0FFEE</Etag>
  <Content-Length>12</Content-Length>
  <Content-Type>image/tiff</Content-Type>
  <Content-Language>de</Content-Language>
  <Cache-Control>max-age=3600</Cache-Control>
</Properties>
XML
}

make_one() {
    case $1 in
    xts128-gpt)
        side_files
        drive "$1" --source "$(source_of golden)" --size 24M --msr --drive-id DKS-XTS128 --block-size 64K \
            --page-glob '*.vhd' --metadata "$work/metadata.xml" --properties "$work/properties.xml" --credential \
            --disposition rename --recovery 111111-222222-333333-444444-555555-666666-077077-088088 ;;
    cbc256-mbr-decoy)
        drive "$1" --source "$(source_of golden)" --size 24M --mbr --method cbc256 --second-recovery --drive-id DKS-CBC256 \
            --page-glob '*.vhd' --block-size 32K --disposition no-overwrite --job-hash sha256 \
            --recovery 011000-022000-033000-044000-055000-066000-077000-088000 ;;
    xts256-4k-damaged)
        drive "$1" --source "$(source_of golden)" --size 24M --method xts256 --sector-size 4096 --damage-fve 1 \
            --drive-id DKS-XTS256-4K --block-size 128K --shuffle --disposition overwrite \
            --recovery 700007-600006-500005-400004-300003-200002-100001-111111 ;;
    plain-rich)
        drive "$1" --source "$(source_of rich)" --size 40M --no-bitlocker --recovery "$plain_key" --drive-id DKS-RICH --block-size 64K ;;
    plain-fragmented)
        drive "$1" --source "$(source_of fragmented)" --size 200M --no-bitlocker --recovery "$plain_key" --fragmented --drive-id DKS-FRAG --block-size 1M ;;
    plain-compressed)
        drive "$1" --source "$(source_of compressed)" --size 24M --no-bitlocker --recovery "$plain_key" --compress --drive-id DKS-LZNT1 --block-size 100K ;;
    plain-sparse)
        drive "$1" --source "$(source_of plain)" --size 24M --no-bitlocker --recovery "$plain_key" --sparse-file 6M --drive-id DKS-SPARSE --block-size 1M ;;
    plain-many)
        drive "$1" --source "$(source_of many)" --size 24M --no-bitlocker --recovery "$plain_key" --drive-id DKS-MANY ;;
    plain-4k)
        drive "$1" --source "$(source_of plain)" --size 24M --no-bitlocker --recovery "$plain_key" --sector-size 4096 --drive-id DKS-PLAIN4K --block-size 64K ;;
    plain-faults)
        drive "$1" --source "$(source_of plain)" --size 24M --no-bitlocker --recovery "$plain_key" --mbr --drive-id DKS-FAULTS --block-size 32K \
            --page-glob '*.vhd' --corrupt-block '写真/港/船.bin:100000' --corrupt-block 'disks/boot.vhd:40000' \
            --missing-file 'Ελλάδα/лодка.dat' --truncate-file 'Fotos/Zürich/Straße am See.jpg' --traversal --duplicate-blob ;;
    plain-wrong-id)
        drive "$1" --source "$(source_of plain)" --size 24M --no-bitlocker --recovery "$plain_key" --drive-id DKS-WRONG --wrong-drive-id --block-size 64K ;;
    plain-bad-xml)
        drive "$1" --source "$(source_of plain)" --size 24M --no-bitlocker --recovery "$plain_key" --drive-id DKS-BADXML --bad-xml --block-size 64K ;;
    fat32 | ext4)
        mkdir -p "$work/src-text"
        echo "not on NTFS" >"$work/src-text/note.txt"
        drive "$1" --source "$work/src-text" --size 40M --no-bitlocker --recovery "$plain_key" --fs "$1" --drive-id "DKS-$1" ;;
    *)
        echo "no such drive: $1" >&2
        exit 2 ;;
    esac
}

if [ $# -eq 0 ]; then
    set -- xts128-gpt cbc256-mbr-decoy xts256-4k-damaged plain-rich plain-fragmented plain-compressed plain-sparse plain-many \
        plain-4k plain-faults plain-wrong-id plain-bad-xml fat32 ext4
fi
for one in "$@"; do
    make_one "$one"
done
