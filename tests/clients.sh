#!/usr/bin/env bash
# The usual clients of ClickHouse for the tests, at the versions that tests/clients/ pins.
#
#     tests/clients.sh install            fetch them, once
#     tests/clients.sh python DSN SQL     ask with clickhouse-connect
#     tests/clients.sh go DSN SQL         ask with clickhouse-go, with a context's deadline
#     tests/clients.sh jdbc URL SQL       ask with clickhouse-jdbc
#
# Each prints its rows separated by tabs. What is fetched goes into the user's cache folder.
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

here=$tests/clients
# Changed pins are another folder, so that an old one is never taken for a new one.
pins=$(cat "$here"/*/* | sha256sum | cut -c1-16)
home=$cache/clients-$pins

fetch() {
    rm -rf "$home"
    mkdir "$home"
    need python3 "install Python 3 with venv, for example the package python3-venv"
    need go "install Go, https://go.dev/dl"
    need mvn "install Maven, for example the package maven"
    python3 -m venv "$home/python"
    "$home/python/bin/pip" install -q --no-deps -r "$here/python/requirements.txt"
    (cd "$here/go" && go build -o "$home/ask" .)
    mkdir -p "$home/jdbc"
    cp "$here/jdbc/pom.xml" "$home/jdbc/"
    mvn -q -B -f "$home/jdbc/pom.xml" \
        "org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN_VERSION:copy-dependencies" \
        -DincludeScope=runtime -DoutputDirectory="$home/jdbc/lib"
    touch "$home/complete"
}

[ "${1:-}" = install ] || [ $# -eq 3 ] || fail "install, or python|go|jdbc DSN SQL"
once "$home/complete" fetch >&2
case $1 in
install) echo "$home" ;;
python) exec "$home/python/bin/python" "$here/python/ask.py" "${@:2}" ;;
go) exec "$home/ask" "${@:2}" ;;
jdbc)
    need java "install a JDK 17 or later, for example the package openjdk-17-jdk-headless"
    exec java -cp "$home/jdbc/lib/*" "$here/jdbc/Ask.java" "${@:2}" 2> >(grep -v '^SLF4J' >&2)
    ;;
*) fail "install, or python|go|jdbc DSN SQL" ;;
esac
