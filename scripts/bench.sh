#!/bin/bash
# bench.sh - what reading and storing a drive costs, ours and a yardstick in one run, in CPU seconds (user + system, all threads).
#
#     DOCKSIDE_BENCH_IMAGE=drive.img [DOCKSIDE_BENCH_STORE=URL] scripts/bench.sh
#
# DOCKSIDE_BENCH_IMAGE is the image of a BitLocker drive with its job beside it (drive.img.job.json), best one with a file of 1 GiB;
# DOCKSIDE_BENCH_FILE names that file on it (default: the largest). Both image and blobs are best in memory (/dev/shm), or the disk is
# measured. Without an image the sample drive of tests/data is taken: too small for figures, large enough to see that this works.
# DOCKSIDE_BENCH_STORE, such as azure://devstoreaccount1 with AZURE_* set for a local HTTP store, adds the whole road to that store;
# the road into a local folder is always measured.
#
# The yardstick is dislocker + ntfs-3g: dislocker-fuse decrypts, ntfs-3g mounts what it shows, dd reads it. It needs root, FUSE, dislocker
# and ntfs-3g, and is left out with a message otherwise. CPU seconds of the FUSE processes are read from /proc, since they serve
# in the background.
set -euo pipefail
cd "$(dirname "$0")/.."
dockside=${DOCKSIDE:-$PWD/target/release/dockside}
ticks=$(getconf CLK_TCK)
work=$(mktemp -d "${DOCKSIDE_BENCH_TMP:-${TMPDIR:-/tmp}}/dockside-bench.XXXXXX")
mounts=()

finish() {
    local at
    for ((at = ${#mounts[@]} - 1; at >= 0; at--)); do
        umount "${mounts[$at]}" 2>/dev/null || umount --lazy "${mounts[$at]}" || true
    done
    rm -rf "$work"
}
trap finish EXIT

image=${DOCKSIDE_BENCH_IMAGE:-}
if [ -z "$image" ]; then
    echo "DOCKSIDE_BENCH_IMAGE is not set: taking the small sample drive, whose figures mean little" >&2
    image=$work/sample.img
    xz --decompress --stdout tests/data/drives/xts128-gpt.img.xz >"$image"
    cp tests/data/drives/xts128-gpt.img.job.json "$image.job.json"
fi
job=$image.job.json
[ -f "$job" ] || { echo "there is no job beside the image: $job" >&2; exit 2; }
password=$(sed -n 's/.*"bitLockerKey": *"\([0-9-]*\)".*/\1/p' "$job" | head -n 1)

# measure BYTES NAME COMMAND...: runs it and prints a line
measure() {
    local bytes=$1 name=$2 user system real rss
    shift 2
    if ! /usr/bin/env time --quiet --format '%U %S %e %M' --output "$work/time" "$@" >"$work/out" 2>"$work/err"; then
        echo "$name failed:" >&2
        tail -n 5 "$work/err" >&2
        return 0
    fi
    read -r user system real rss <"$work/time"
    line "$bytes" "$name" "$(awk "BEGIN { print $user + $system }")" "$real" "$rss"
}

# line BYTES NAME CPU-SECONDS SECONDS KIB
line() {
    awk -v bytes="$1" -v name="$2" -v cpu="$3" -v real="$4" -v rss="$5" 'BEGIN {
        rate = cpu > 0 ? sprintf("%.0f", bytes / 1e6 / cpu) : "-"
        gib = bytes > 0 ? sprintf("%.2f", cpu / (bytes / 1073741824)) : "-"
        printf "%-46s %9.2f %9.2f %12s %12s %10s\n", name, cpu, real, rate, gib, rss == "" ? "-" : sprintf("%.0f", rss / 1024)
    }'
}

if ! command -v time >/dev/null 2>&1 || ! /usr/bin/env time --version >/dev/null 2>&1; then
    echo "GNU time is missing: apt-get install time" >&2
    exit 2
fi

printf '%-46s %9s %9s %12s %12s %10s\n' '' 'CPU s' 'real s' 'MB/CPU-s' 'CPU-s/GiB' 'peak MiB'

# ---- ours
size=$("$dockside" cat "$image" --volume --job "$job" | wc -c)
file=${DOCKSIDE_BENCH_FILE:-}
if [ -z "$file" ]; then
    # rows of the manifest are the files that count; the largest of them
    "$dockside" cat "$image" '\DriveManifest.xml' --job "$job" >"$work/manifest.xml"
    file=$(awk -F'[<>]' '/<FilePath>/ { path = $3 } /<Length>/ { if ($3 + 0 > most) { most = $3 + 0; best = path } } END { print best }' "$work/manifest.xml")
fi
length=$("$dockside" cat "$image" "$file" --job "$job" | wc -c)
content=$("$dockside" cat "$image" '\DriveManifest.xml' --job "$job" | awk -F'[<>]' '/<Length>/ { sum += $3 } END { printf "%.0f", sum }')
# the key stretch costs the same for every drive: shown apart, contained in the others
measure 0 'dockside inspect (mostly the key stretch)' "$dockside" inspect "$image" --job "$job"
measure "$size" 'dockside cat --volume (decrypt)' "$dockside" cat "$image" --volume --job "$job"
measure "$length" 'dockside cat FILE (decrypt, NTFS)' "$dockside" cat "$image" "$file" --job "$job"
measure "$content" 'dockside ingest --dry-run (and hash)' "$dockside" ingest "$image" --job "$job" --state "$work/state" \
    --store "file://$work/none" --dry-run --offline --log "$work/dry.xml"
measure "$content" 'dockside ingest to a folder' "$dockside" ingest "$image" --job "$job" --state "$work/state" --store "file://$work/blobs"
rm -rf "$work/blobs"
if [ -n "${DOCKSIDE_BENCH_STORE:-}" ]; then
    measure "$content" "dockside ingest to ${DOCKSIDE_BENCH_STORE%%\?*}" "$dockside" ingest "$image" --job "$job" \
        --state "$work/state-2" --store "$DOCKSIDE_BENCH_STORE"
else
    echo "(DOCKSIDE_BENCH_STORE is not set: no run to a store over HTTP)"
fi

# ---- the yardstick
missing=""
for command in dislocker-fuse ntfs-3g fusermount; do
    command -v "$command" >/dev/null 2>&1 || missing="$missing $command"
done
if [ "$(id -u)" -ne 0 ] || [ ! -e /dev/fuse ] || [ -n "$missing" ]; then
    echo "(yardstick left out: it needs root, /dev/fuse, dislocker and ntfs-3g${missing:+; missing:$missing})"
    exit 0
fi

# cpu PID...: CPU seconds that processes have used so far
cpu() {
    local pid sum=0
    for pid in "$@"; do
        # behind the name in parentheses: fields 14 and 15 of the whole line
        sum=$((sum + $(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }')))
    done
    awk "BEGIN { print $sum / $ticks }"
}

# mounted_by COMMAND...: starts a FUSE program that goes to the background and tells its process id
mounted_by() {
    local name=$1 before
    before=$(pgrep -x "$name" | sort || true)
    "$@" >"$work/out" 2>&1 || { cat "$work/out" >&2; return 1; }
    comm -13 <(printf '%s\n' "$before") <(pgrep -x "$name" | sort) | tail -n 1
}

# served BYTES NAME FILE PIDS...: reads a mounted file; the CPU seconds are dd's and those of the processes behind it
served() {
    local bytes=$1 name=$2 path=$3 before after user system real rss
    shift 3
    before=$(cpu "$@")
    /usr/bin/env time --quiet --format '%U %S %e %M' --output "$work/time" dd if="$path" of=/dev/null bs=4M status=none
    after=$(cpu "$@")
    read -r user system real rss <"$work/time"
    line "$bytes" "$name" "$(awk "BEGIN { print $user + $system + $after - $before }")" "$real" ""
}

# where the data volume begins, from the JSON of inspect without its blanks
offset=$("$dockside" inspect "$image" --json | tr -d ' \n' |
    sed -n 's/.*"start":\([0-9]*\),"bytes":[0-9]*,"type":"[^"]*","dataVolume":true.*/\1/p')
[ -n "$offset" ] || { echo "(yardstick left out: inspect shows no data volume)"; exit 0; }
mkdir "$work/volume" "$work/files"
fuse=$(mounted_by dislocker-fuse -V "$image" -O "$offset" -p"$password" -r -- "$work/volume") || { echo "(dislocker cannot open this drive)"; exit 0; }
mounts+=("$work/volume")
served "$size" 'dislocker (decrypt)' "$work/volume/dislocker-file" "$fuse"
ntfs=$(mounted_by ntfs-3g -o ro,noatime "$work/volume/dislocker-file" "$work/files") || { echo "(ntfs-3g cannot mount this volume)"; exit 0; }
mounts+=("$work/files")
# the kernel may have kept what was read above
echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || true
served "$length" 'dislocker + ntfs-3g FILE' "$work/files/$(printf '%s' "${file#\\}" | tr '\\' /)" "$fuse" "$ntfs"
