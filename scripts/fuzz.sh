#!/bin/sh
# fuzz.sh - coverage-guided fuzzing of one target, on a stable compiler.
#
#     scripts/fuzz.sh TARGET [SECONDS]
#
# Needs cargo-fuzz (`cargo install cargo-fuzz --locked`). Begins with the seeds of tests/data/fuzz/TARGET; keeps what it learns in
# fuzz/corpus/TARGET and what breaks in fuzz/artifacts/TARGET. With ASAN=1 the address sanitizer is on.
set -eu
cd "$(dirname "$0")/.."
target=${1:?name a target: $(ls fuzz/fuzz_targets | sed 's/\.rs$//' | tr '\n' ' ')}
seconds=${2:-60}
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2
    exit 1
fi
sanitizer=none
if [ "${ASAN:-0}" = 1 ]; then
    sanitizer=address
    export RUSTC_BOOTSTRAP=1
fi
mkdir -p "fuzz/corpus/$target"
exec cargo fuzz run -s "$sanitizer" "$target" "fuzz/corpus/$target" "tests/data/fuzz/$target" -- \
    "-dict=fuzz/$target.dict" -use_value_profile=1 "-max_total_time=$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024
