#!/bin/sh
# Makes the volumes of this folder with mkfs.ntfs and ntfs-3g, and beside each a list of what was written: SHA-256, size, path.
# Needs root (FUSE mounts), ntfs-3g, ntfswipe, python3, setfattr (attr), xz. Nothing here knows our reader.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'mountpoint -q "$work/m" && umount "$work/m"; rm -rf "$work"' EXIT
mkdir "$work/m"

# make NAME SIZE KIND "MKFS OPTIONS" "MOUNT OPTIONS"
make() {
    image=$work/$1.img
    truncate -s "$2" "$image"
    mkfs.ntfs -F -Q -q -L "label $1" $4 "$image" 2>/dev/null
    ntfs-3g -o "streams_interface=xattr,special_files=wsl${5:+,$5}" "$image" "$work/m"
    python3 "$here/fill.py" "$3" "$work/m" > "$here/$1.list"
    umount "$work/m"
    while fuser -s "$image" 2> /dev/null; do sleep 0.1; done
    ntfswipe -f -q -u "$image" > /dev/null 2>&1 || true
    xz -9e -c "$image" > "$here/$1.img.xz"
    ls -l "$here/$1.img.xz"
}

for name in ${*:-mixed-512 mixed-4096-sector large-cluster compressed fragmented}; do
    case $name in
        mixed-512) make $name 6M mixed "-s 512 -c 512" ;;
        mixed-4096-sector) make $name 10M mixed "-s 4096 -c 4096" ;;
        large-cluster) make $name 24M names "-s 512 -c 65536" ;;
        compressed) make $name 5M compressed "-s 512 -c 1024" compression ;;
        fragmented) make $name 5M fragmented "-s 512 -c 512" ;;
    esac
done
