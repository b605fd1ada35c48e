#!/usr/bin/env bash
# A real Loki for the tests, at the version that tests/loki/ pins, built from the Go module proxy.
#
#     tests/loki.sh install                   build it, once, and print where it is
#     tests/loki.sh start DIR PORT PORT       serve on loopback (HTTP, gRPC) until standard input ends
#
# It goes into the user's cache folder. The build takes some minutes. Everything that the server keeps is in DIR.
set -euo pipefail

fail() {
    printf 'tests/loki.sh: %s\n' "$*" >&2
    exit 2
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/loki"
# Changed pins are another folder, so that an old one is never taken for a new one.
pins=$(cat "$here"/go.* | sha256sum | cut -c1-16)
home=${XDG_CACHE_HOME:-${HOME:?}/.cache}/bygone/loki-$pins
program=$home/loki

install() {
    [ ! -e "$program" ] || return 0
    command -v go >/dev/null || fail "go not found: install Go, https://go.dev/dl"
    mkdir -p "$home"
    exec 9>"$home.lock"
    flock 9
    [ ! -e "$program" ] || return 0
    (cd "$here" &&
        CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off \
            go build -trimpath -ldflags "-s -w" -o "$program.unfinished" \
            github.com/grafana/loki/v3/cmd/loki >&2)
    mv "$program.unfinished" "$program"
}

start() {
    DIR=$1 HTTP_PORT=$2 GRPC_PORT=$3 "$program" -config.expand-env=true -config.file="$here/loki.yaml" \
        -target=all >>"$1/log" 2>&1 </dev/null &
    server=$!
    trap 'kill -9 "$server" 2>/dev/null || true' EXIT
    # Whoever started us holds the other end. When that is gone the server goes, too.
    cat >/dev/null
}

case ${1:-} in
install)
    install
    echo "$program"
    ;;
start)
    [ $# -eq 4 ] || fail "start DIR PORT PORT"
    install
    start "${@:2}"
    ;;
*) fail "install, or start DIR PORT PORT" ;;
esac
