#!/usr/bin/env bash
# A real OpenTelemetry Collector for the tests: the parts that tests/otelcol/ names, at the versions that it pins, built
# from the Go module proxy.
#
#     tests/otelcol.sh install             build it, once, and print where it is
#     tests/otelcol.sh start DIR CONFIG    run until standard input ends
#
# It goes into the user's cache folder. The build takes some minutes. What it says is in DIR/log.
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

program=$(pinned otelcol otelcol)

install() { once "$program" go_build otelcol "$program" .; }

case ${1:-} in
install)
    install
    echo "$program"
    ;;
start)
    [ $# -eq 3 ] || fail "start DIR CONFIG"
    install
    serve "$2" "$program" "$3"
    ;;
*) fail "install, or start DIR CONFIG" ;;
esac
