#!/usr/bin/env bash
# A real etcd for the tests, at the version that tests/etcd/ pins, built from the Go module proxy.
#
#     tests/etcd.sh install                   build it, once, and print where it is
#     tests/etcd.sh start DIR PORT PORT ...   serve on loopback (clients, peers) until standard input ends, with more flags
#
# It goes into the user's cache folder. The build takes some minutes. Everything that the server keeps is in DIR.
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

program=$(pinned etcd etcd)

install() { once "$program" go_build etcd "$program" go.etcd.io/etcd/server/v3; }

case ${1:-} in
install)
    install
    echo "$program"
    ;;
start)
    [ $# -ge 4 ] || fail "start DIR PORT PORT ..."
    install
    peers=http://127.0.0.1:$4
    serve "$2" "$program" --data-dir "$2/data" \
        --listen-peer-urls "$peers" --initial-advertise-peer-urls "$peers" --initial-cluster "default=$peers" \
        --listen-client-urls "http://127.0.0.1:$3" --advertise-client-urls "http://127.0.0.1:$3" "${@:5}"
    ;;
*) fail "install, or start DIR PORT PORT ..." ;;
esac
