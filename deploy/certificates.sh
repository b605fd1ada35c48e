#!/usr/bin/env bash
# Creates the certificates for mTLS between API servers and bygone.
set -euo pipefail

usage() {
    cat <<'END'
Creates the certificates for mTLS between API servers and bygone.

Usage: deploy/certificates.sh [--dir DIR] [--client NAME]... [--days DAYS] [ADDRESS...]

  ADDRESS        how API servers reach bygone: IP addresses and DNS names for the server's
                 certificate; localhost, 127.0.0.1 and ::1 are always added
  --dir DIR      where the files go [default: ./certificates]
  --client NAME  common name of a client's certificate, once for each client
                 [default: kube-apiserver]
  --days DAYS    validity of the certificates, except the CA's ten years
                 [default: 365]
  --help         this text

Writes to DIR, with keys that only their owner can read (0600):

  ca.crt, ca.key            the CA that signs all others. Keep ca.key offline: whoever has it
                            can send events as any API server
  server.crt, server.key    for bygone: tls_certificate_file, tls_key_file
  NAME.crt, NAME.key        for each client: client-certificate, client-key of a kubeconfig

Existing files are never overwritten. An existing CA is reused, so that more clients, or
replacements of removed certificates, are trusted without a new CA. Without ADDRESS only
client certificates are created. Needs openssl 1.1.1 or later.

Examples:
  deploy/certificates.sh 192.0.2.10 bygone.example
  deploy/certificates.sh --client kube-apiserver-2           one more client of the same CA
  rm certificates/server.*; deploy/certificates.sh 192.0.2.10     a new one for the server
END
}

fail() {
    printf 'certificates.sh: %s\n' "$*" >&2
    exit "${code:-2}"
}

wrong() { code=64 fail "$*: see --help"; }

dir=certificates
days=365
clients=()
addresses=()
while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) usage && exit ;;
        --dir | --client | --days)
            [ $# -ge 2 ] || wrong "$1 needs a value"
            case $1 in
                --dir) dir=$2 ;;
                --client) clients+=("$2") ;;
                --days) days=$2 ;;
            esac
            shift 2
            ;;
        -*) wrong "unknown flag $1" ;;
        *)
            addresses+=("$1")
            shift
            ;;
    esac
done
if [ ${#clients[@]} -eq 0 ] && [ ${#addresses[@]} -eq 0 ]; then
    wrong "name the addresses by which API servers call bygone"
fi
# Without --client a run that makes the server's certificate makes the usual client's too, if there is none yet.
if [ ${#clients[@]} -eq 0 ] && [ ! -e "$dir/kube-apiserver.crt" ]; then
    clients=(kube-apiserver)
fi
[[ $days =~ ^[1-9][0-9]{0,3}$ && $days -le 3650 ]] ||
    wrong "invalid number of days \"$days\": give one up to 3650, which is when the CA ends"
command -v openssl >/dev/null || fail "openssl not found: install it, for example the package openssl"

# What goes into openssl's configuration is checked before: a line break or a comma would mean something there.
names=()
for address in localhost 127.0.0.1 ::1 "${addresses[@]}"; do
    if [[ $address =~ ^[0-9]+(\.[0-9]+){3}$ || $address =~ ^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$ ]]; then
        names+=("IP:$address")
    elif [[ $address =~ ^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]]; then
        names+=("DNS:$address")
    else
        wrong "\"$address\" is neither an IP address nor a DNS name (write no scheme and no port)"
    fi
done
for client in "${clients[@]}"; do
    [[ $client =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]] ||
        wrong "invalid client name \"$client\": letters, digits, '.', '_' and '-', at most 64"
    [[ $client != ca && $client != server ]] || wrong "a client can't be called $client"
done

umask 077
mkdir -p "$dir"

# What would be overwritten is told before anything is made.
wanted=("${clients[@]}")
[ ${#addresses[@]} -eq 0 ] || wanted+=(server)
for name in "${wanted[@]}"; do
    for file in "$dir/$name.crt" "$dir/$name.key"; do
        [ ! -e "$file" ] || fail "$file is there already and stays: remove $name.crt and $name.key to make new ones"
    done
done
[ -e "$dir/ca.crt" ] || [ ! -e "$dir/ca.key" ] || fail "$dir has ca.key but no ca.crt: put it back, or name another --dir"
if [ -e "$dir/ca.crt" ] && [ ! -e "$dir/ca.key" ]; then
    fail "$dir has ca.crt but no ca.key: bring the key back to use this CA, or name another --dir"
fi

# Everything is made beside it first: a run that fails leaves nothing.
work=$(mktemp -d "$dir/.making.XXXXXX")
trap 'rm -rf "$work"' EXIT

# quiet COMMAND...: what it says is shown only if it fails.
quiet() { "$@" >"$work/said" 2>&1 || fail "$1 $2 failed: $(cat "$work/said")"; }

# key FILE: a new key, in PKCS #8.
key() { quiet openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

# issue NAME COMMON-NAME USAGE [SUBJECT-ALT-NAMES]
issue() {
    local name=$1 common=$2 usage=$3 alternatives=${4:-}
    key "$work/$name.key"
    quiet openssl req -new -key "$work/$name.key" -subj "/CN=$common" -out "$work/request"
    {
        printf 'basicConstraints = critical, CA:FALSE\n'
        printf 'keyUsage = critical, digitalSignature\n'
        printf 'extendedKeyUsage = %s\n' "$usage"
        printf 'subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n'
        [ -z "$alternatives" ] || printf 'subjectAltName = %s\n' "$alternatives"
    } >"$work/extensions"
    quiet openssl x509 -req -in "$work/request" -CA "$ca/ca.crt" -CAkey "$ca/ca.key" -sha256 \
        -set_serial "0x$(openssl rand -hex 16)" -days "$days" -extfile "$work/extensions" -out "$work/$name.crt"
    made+=("$name")
}

ca=$dir
made=()
if [ ! -e "$dir/ca.crt" ]; then
    ca=$work
    key "$work/ca.key"
    # A name of its own: where two CAs share one, a client can't say that it does not know the other.
    cat >"$work/config" <<END
[req]
distinguished_name = subject
x509_extensions = extensions
prompt = no
[subject]
CN = bygone CA $(openssl rand -hex 4)
[extensions]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
END
    quiet openssl req -x509 -new -key "$work/ca.key" -sha256 -days 3650 -config "$work/config" -out "$work/ca.crt"
    made+=(ca)
fi
if [ ${#addresses[@]} -gt 0 ]; then
    issue server bygone serverAuth "$(IFS=,; printf '%s' "${names[*]}")"
fi
for client in "${clients[@]}"; do
    issue "$client" "$client" clientAuth
done

# Whatever came there meanwhile stays, too.
set -o noclobber
for name in "${made[@]}"; do
    for file in "$name.key" "$name.crt"; do
        cat "$work/$file" >"$dir/$file" || fail "$dir/$file can't be written"
    done
    chmod 644 "$dir/$name.crt"
    printf '%s\n' "$dir/$name.crt" "$dir/$name.key"
done
