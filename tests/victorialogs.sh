#!/usr/bin/env bash
# A real VictoriaLogs for the tests, at the version that tests/victorialogs/ pins, built from the Go module proxy.
#
#     tests/victorialogs.sh install           build it, once, and print where it is
#     tests/victorialogs.sh start DIR PORT    serve on loopback until standard input ends
#
# It goes into the user's cache folder. The build takes a minute. Everything that the server keeps is in DIR.
set -euo pipefail

fail() {
    printf 'tests/victorialogs.sh: %s\n' "$*" >&2
    exit 2
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/victorialogs"
# Changed pins are another folder, so that an old one is never taken for a new one.
pins=$(cat "$here"/* | sha256sum | cut -c1-16)
home=${XDG_CACHE_HOME:-${HOME:?}/.cache}/bygone/victorialogs-$pins
program=$home/victoria-logs

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
            github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs >&2)
    mv "$program.unfinished" "$program"
}

start() {
    "$program" -storageDataPath="$1/data" -httpListenAddr="127.0.0.1:$2" -retentionPeriod=100y \
        -memory.allowedBytes=128MiB -loggerLevel=WARN >>"$1/log" 2>&1 </dev/null &
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
    [ $# -eq 3 ] || fail "start DIR PORT"
    install
    start "${@:2}"
    ;;
*) fail "install, or start DIR PORT" ;;
esac
