#!/usr/bin/env bash
# A real VictoriaLogs for the tests, at the version that tests/victorialogs/ pins, built from the Go module proxy.
#
#     tests/victorialogs.sh install           build it, once, and print where it is
#     tests/victorialogs.sh start DIR PORT    serve on loopback until standard input ends
#
# It goes into the user's cache folder. The build takes a minute. Everything that the server keeps is in DIR.
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

program=$(pinned victorialogs victoria-logs)

install() {
    once "$program" go_build victorialogs "$program" github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs
}

case ${1:-} in
install)
    install
    echo "$program"
    ;;
start)
    [ $# -eq 3 ] || fail "start DIR PORT"
    install
    serve "$2" "$program" -storageDataPath="$2/data" -httpListenAddr="127.0.0.1:$3" -retentionPeriod=100y \
        -memory.allowedBytes=128MiB -loggerLevel=WARN
    ;;
*) fail "install, or start DIR PORT" ;;
esac
