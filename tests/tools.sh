#!/usr/bin/env bash
# Puts the checkers that `.ci/run` calls into target/tools/bin, at exactly the versions
# pinned here, so that two machines never argue about a finding.
#
# A checker of the right version that is already on PATH is linked, not built. Anything
# else is built from crates.io into target/tools; the user's own cargo folder is not
# touched, and `cargo clean` takes the checkers away again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly CARGO_DENY_VERSION=0.20.2
readonly CARGO_MACHETE_VERSION=0.9.2

tools="$PWD/target/tools"
mkdir -p "$tools/bin"

# Built once and run for a second: a quick build is worth more here than a fast program.
# cargo-deny's own release profile (fat LTO, one codegen unit) takes several times as long.
export CARGO_PROFILE_RELEASE_LTO=off
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export CARGO_PROFILE_RELEASE_OPT_LEVEL=1

say() { printf 'tools: %s\n' "$*"; }

# is_version BINARY NAME VERSION: whether BINARY runs and is that version. cargo-deny
# prints "cargo-deny 0.20.2", cargo-machete the bare number.
is_version() {
    local answer
    [ -x "$1" ] || return 1
    answer=$("$1" --version 2>/dev/null) || return 1
    [ "$answer" = "$2 $3" ] || [ "$answer" = "$3" ]
}

provide() {
    local name=$1 version=$2 here="$tools/bin/$1" elsewhere started=$SECONDS
    if is_version "$here" "$name" "$version"; then
        say "$name $version is in place"
        return
    fi
    rm -f "$here"
    elsewhere=$(command -v "$name" || true)
    if [ -n "$elsewhere" ] && is_version "$elsewhere" "$name" "$version"; then
        ln -s "$elsewhere" "$here"
        say "$name $version found at $elsewhere"
        return
    fi
    say "building $name $version into target/tools (minutes, once)"
    PATH="$PATH:$tools/bin" \
        cargo install "$name" --version "=$version" --locked --force --root "$tools"
    say "$name $version built in $((SECONDS - started)) s"
}

provide cargo-deny "$CARGO_DENY_VERSION"
provide cargo-machete "$CARGO_MACHETE_VERSION"
