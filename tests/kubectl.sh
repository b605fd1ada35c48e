#!/usr/bin/env bash
# kubectl for the tests, at the version that tests/kubectl/ pins, built from the Go module proxy.
#
#     tests/kubectl.sh install    build it, once, and print where it is
#
# It goes into the user's cache folder. The first build takes some minutes.
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

[ $# -eq 1 ] && [ "$1" = install ] || fail "usage: tests/kubectl.sh install"
program=$(pinned kubectl kubectl)
once "$program" go_build kubectl "$program" .
echo "$program"
