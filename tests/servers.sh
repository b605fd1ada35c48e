# What the scripts beside this file share, which source it: each puts a program into the user's cache folder, once, and
# most of them run it as a server for the tests.
set -euo pipefail

readonly MAVEN_DEPENDENCY_PLUGIN_VERSION=3.8.1

cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/bygone
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    printf 'tests/%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

need() { command -v "$1" >/dev/null || fail "$1 not found: $2"; }

# once FILE COMMAND...: runs COMMAND, which makes FILE, where it is not there. Of several processes one does; the others
# wait for it.
once() {
    local home
    home=$(dirname "$1")
    [ ! -e "$1" ] || return 0
    mkdir -p "$home"
    exec 9>"$home.lock"
    flock 9
    [ -e "$1" ] || "${@:2}"
    exec 9>&-
}

# pinned NAME PROGRAM: where the program that tests/NAME pins is, or will be.
pinned() {
    local pins
    shopt -s nullglob
    # Changed pins are another folder, so that an old one is never taken for a new one.
    pins=$(cat "$tests/$1"/go.* "$tests/$1"/*.go | sha256sum | cut -c1-16)
    echo "$cache/$1-$pins/$2"
}

# go_build NAME PROGRAM PACKAGE: builds a package of tests/NAME, from the Go module proxy.
go_build() {
    need go "install Go, https://go.dev/dl"
    # Tests set XDG_CONFIG_HOME to a folder that must not be made; Go would keep its own data there.
    (cd "$tests/$1" && unset XDG_CONFIG_HOME &&
        CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off \
            go build -trimpath -ldflags "-s -w" -o "$2.unfinished" "$3" >&2)
    mv "$2.unfinished" "$2"
}

# jars FOLDER GROUP:ARTIFACT:VERSION...: fetches these and what they need into FOLDER/lib, from Maven Central through the
# user's own mvn.
jars() {
    local coordinates group artifact version
    need mvn "install Maven, for example the package maven"
    {
        echo '<project xmlns="http://maven.apache.org/POM/4.0.0">'
        echo '<modelVersion>4.0.0</modelVersion><packaging>pom</packaging>'
        echo '<groupId>bygone.tests</groupId><artifactId>server</artifactId><version>1</version>'
        echo '<dependencies>'
        for coordinates in "${@:2}"; do
            IFS=: read -r group artifact version <<<"$coordinates"
            echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId>"
            echo "<version>$version</version></dependency>"
        done
        echo '</dependencies></project>'
    } >"$1/pom.xml"
    mvn -q -B -f "$1/pom.xml" \
        "org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN_VERSION:copy-dependencies" \
        -DincludeScope=runtime -DoutputDirectory="$1/lib" >&2
}

# serve DIR COMMAND...: runs COMMAND until standard input ends. What it says is in DIR/log, its process ID in DIR/pid.
serve() {
    "${@:2}" >>"$1/log" 2>&1 </dev/null &
    server=$!
    echo "$server" >"$1/pid"
    trap 'kill -9 "$server" 2>/dev/null || true' EXIT
    # Whoever started us holds the other end. When that is gone the server goes, too.
    cat >/dev/null
}
