#!/usr/bin/env bash
# Fuzzes: `tests/fuzz.sh [SECONDS] [TARGET...]`, by default every target of fuzz/ for 60 s.
#
# A finding ends the run with exit code 1 and stays in fuzz/artifacts/TARGET/; the corpus grows in
# fuzz/corpus/TARGET/. cargo-fuzz is built into target/tools if it is not there. The code under test
# has no `unsafe`, so no sanitizer is used and the pinned toolchain will do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly CARGO_FUZZ_VERSION=0.13.1

# An input that takes longer is a finding, as is one that takes more memory.
readonly INPUT_SECONDS_MAX=10
readonly MEMORY_MB_MAX=1024
readonly INPUT_BYTES_MAX=16384

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(webhook stored spool config)

tools="$PWD/target/tools"
if [ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $CARGO_FUZZ_VERSION" ]; then
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install cargo-fuzz --version "=$CARGO_FUZZ_VERSION" --locked --force --root "$tools"
fi
fuzz=("$tools/bin/cargo-fuzz" fuzz)

"${fuzz[@]}" build --sanitizer none
for target in "${targets[@]}"; do
    printf '\n=== %s for %s s\n' "$target" "$seconds"
    [ "$seconds" -gt 0 ] || continue
    "${fuzz[@]}" run --sanitizer none "$target" -- \
        -max_total_time="$seconds" -timeout="$INPUT_SECONDS_MAX" -rss_limit_mb="$MEMORY_MB_MAX" \
        -max_len="$INPUT_BYTES_MAX" -print_final_stats=1
done
