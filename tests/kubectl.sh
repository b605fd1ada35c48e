#!/usr/bin/env bash
# kubectl for the tests, at the version that tests/kubectl/ pins, built from the Go module proxy.
#
#     tests/kubectl.sh install    build it, once, and print where it is
#
# It goes into the user's cache folder. The first build takes some minutes.
set -euo pipefail

fail() {
    printf 'tests/kubectl.sh: %s\n' "$*" >&2
    exit 2
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/kubectl"
# Changed pins are another folder, so that an old one is never taken for a new one.
pins=$(cat "$here"/* | sha256sum | cut -c1-16)
home=${XDG_CACHE_HOME:-${HOME:?}/.cache}/bygone/kubectl-$pins

install() {
    [ ! -e "$home/kubectl" ] || return 0
    command -v go >/dev/null || fail "go not found: install Go, https://go.dev/dl"
    mkdir -p "$home"
    exec 9>"$home.lock"
    flock 9
    [ ! -e "$home/kubectl" ] || return 0
    (cd "$here" &&
        CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off \
            go build -trimpath -ldflags "-s -w" -o "$home/kubectl.unfinished" . >&2)
    mv "$home/kubectl.unfinished" "$home/kubectl"
}

[ $# -eq 1 ] && [ "$1" = install ] || fail "usage: tests/kubectl.sh install"
install
echo "$home/kubectl"
