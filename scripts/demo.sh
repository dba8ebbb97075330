#!/bin/sh
# demo.sh - a drive image becomes verified blobs, start to end. Run it as `make demo`; it works in ./demo and clears it first.
set -eu
cd "$(dirname "$0")/.."
drive=xts128-gpt
dockside=${DOCKSIDE:-target/debug/dockside}

# step TEXT: a heading
step() {
    if [ -t 1 ]; then
        printf '\n\033[1m== %s\033[0m\n' "$*"
    else
        printf '\n== %s\n' "$*"
    fi
}

# show COMMAND...: prints a command, then runs it
show() {
    printf '$'
    for word in "$@"; do
        case $word in
        "$dockside") printf ' dockside' ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

rm -rf demo
mkdir -p demo/store
step "A drive arrives: a GPT disk, BitLocker XTS-AES-128, NTFS"
echo "unpacking tests/data/drives/$drive.img.xz"
xz --decompress --stdout "tests/data/drives/$drive.img.xz" >demo/drive.img
cp "tests/data/drives/$drive.img.job.json" demo/job.json
ls -l demo

step "What is on it? First without the key, then with the key of its job"
show "$dockside" inspect demo/drive.img
show "$dockside" inspect demo/drive.img --job demo/job.json

step "A dry run: everything is read and checked, nothing is written"
show "$dockside" ingest demo/drive.img --job demo/job.json --state demo/state --store "file://$PWD/demo/store" \
    --dry-run --offline --log demo/dry-run.xml
echo "blobs stored by it: $(find demo/store -type f | wc -l)"

step "The real run, into a folder"
show "$dockside" ingest demo/drive.img --job demo/job.json --state demo/state --store "file://$PWD/demo/store"

step "The same again: done is done"
show "$dockside" ingest demo/drive.img --job demo/job.json --state demo/state --store "file://$PWD/demo/store"

step "The blobs"
find demo/store -type f ! -path '*/waimportexport/*' -printf '%12s  %P\n' | sort -k2

step "The receipt"
find demo/store/waimportexport -name '*_receipt.json' -exec cat {} +

step "The drive log (its beginning)"
log=$(find demo/store/waimportexport -name '*_verbose.xml' | sort | tail -n 1)
head -c 1500 "$log"
printf '\n...\nAll of it: %s\n' "$log"
