#!/usr/bin/env bash
# A real Loki for the tests, at the version that tests/loki/ pins, built from the Go module proxy.
#
#     tests/loki.sh install                   build it, once, and print where it is
#     tests/loki.sh start DIR PORT PORT       serve on loopback (HTTP, gRPC) until standard input ends
#
# It goes into the user's cache folder. The build takes some minutes. Everything that the server keeps is in DIR.
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

program=$(pinned loki loki)

install() { once "$program" go_build loki "$program" github.com/grafana/loki/v3/cmd/loki; }

case ${1:-} in
install)
    install
    echo "$program"
    ;;
start)
    [ $# -eq 4 ] || fail "start DIR PORT PORT"
    install
    export DIR=$2 HTTP_PORT=$3 GRPC_PORT=$4
    serve "$DIR" "$program" -config.expand-env=true -config.file="$tests/loki/loki.yaml" -target=all
    ;;
*) fail "install, or start DIR PORT PORT" ;;
esac
