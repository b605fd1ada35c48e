#!/usr/bin/env bash
# Holds the running API against its own description: `tests/schemathesis.sh`, with
# schemathesis' default checks. Arguments go to `schemathesis run`, for example
# `--max-examples 500` for a longer search, or `--seed 7`.
#
# It installs the pinned version into target/tools/schemathesis (PyPI, once), fills a store
# with the demo's recording, and serves that with a token, so that a request without it must
# be refused. BYGONE is the program to try, by default target/debug/bygone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly VERSION=4.32.5

fail() {
    printf 'tests/schemathesis.sh: %s\n' "$*" >&2
    exit 2
}

command -v python3 >/dev/null || fail "python3 not found: install Python 3.11 or later with venv"
bygone=${BYGONE:-target/debug/bygone}
[ -x "$bygone" ] || fail "$bygone not found: cargo build, or name another with BYGONE"

tools="$PWD/target/tools/schemathesis"
if [ "$("$tools/bin/schemathesis" --version 2>/dev/null || true)" != "schemathesis, version $VERSION" ]; then
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$VERSION"
fi

folder=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap stop EXIT

"$bygone" demo --once --data-dir "$folder" >"$folder/demo.log" 2>&1 ||
    fail "no demo: $(tail -n 3 "$folder/demo.log")"

token=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
(umask 077 && printf '%s\n' "$token" >"$folder/token")
cat >"$folder/config.toml" <<END
[[access.api]]
token_file = "$folder/token"
clusters = ["*"]
namespaces = ["*"]
END
store="$folder/demo"
"$bygone" serve --config "$folder/config.toml" --data-dir "$store" \
    --ingest-listen 127.0.0.1:0 --api-listen 127.0.0.1:0 >"$folder/serve.log" 2>&1 &
server=$!

api() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["api"])' "$store/running.json"; }
for _ in $(seq 300); do
    [ -e "$store/running.json" ] && break
    kill -0 "$server" 2>/dev/null || fail "bygone ended: $(tail -n 3 "$folder/serve.log")"
    sleep 0.2
done
base=$(api) || fail "bygone did not start: $(tail -n 3 "$folder/serve.log")"

started=$SECONDS
code=0
settings="$PWD/tests/schemathesis"
export SCHEMATHESIS_HOOKS="$settings/hooks.py"
# It leaves what it found in the folder that it runs in.
cd "$folder"
"$tools/bin/schemathesis" --config-file "$settings/schemathesis.toml" \
    run "$base/api/v1/openapi.json" --header "Authorization: Bearer $token" "$@" || code=$?
printf 'schemathesis: %d s\n' "$((SECONDS - started))"
exit "$code"
