#!/usr/bin/env bash
# Builds the control plane that run.py starts, from the Go module proxy:
#
#   tests/live/build.sh VERSION DIR
#
# VERSION is a release of Kubernetes, such as v1.37.2. DIR gets etcd, kube-apiserver,
# kube-controller-manager and kube-scheduler; what is there already is not built again.
# Needs a Go at least as new as the release asks for. v1.37.2 took 21 minutes with two CPUs that
# other builds shared, and an empty build cache.
set -euo pipefail

etcd_version=v3.6.16

if [[ $# -ne 2 || $1 == -* ]]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  [[ ${1:-} == --help || ${1:-} == -h ]] && exit 0 || exit 64
fi
version=$1
if [[ ! $version =~ ^v1\.([0-9]+)\.([0-9]+)$ ]]; then
  echo "build.sh: invalid version \"$version\": use one such as v1.37.2" >&2
  exit 64
fi
minor=${BASH_REMATCH[1]} patch=${BASH_REMATCH[2]}
mkdir -p "$2"
out=$(cd "$2" && pwd)
module=$(mktemp -d)
trap 'rm -rf "$module"' EXIT
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOTOOLCHAIN=local GOWORK=off

# What a release's go.mod says: the Go it needs, the behaviour its binaries keep, and its staging
# modules. It requires these as v0.0.0 and replaces them by folders that its archive lacks, and
# nobody obeys the replacements of a dependency. So our module replaces each by the tag that was
# published with the release: v1.37.2 comes with v0.37.2. A proxy may lack a tag: then the newest one
# before it is used, of the same minor version.
staging_version() { # of a staging module
  local found
  found=$(cd "$module" && go list -m -versions "$1" | tr ' ' '\n' | grep -E "^v0\.$minor\.[0-9]+$" |
    awk -F. -v patch="$patch" '$3 <= patch' | sort -V | tail -1)
  echo "${found:-v0.$minor.$patch}"
}

begin_kubernetes() {
  local theirs name
  theirs=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/^\t"GoMod": "\(.*\)",\{0,1\}$/\1/p')
  {
    echo "module live"
    sed -n '/^go [0-9]/p; /^godebug (/,/^)/p; /^godebug [^(]/p' "$theirs"
    echo "require k8s.io/kubernetes $version"
    sed -n 's#^[[:space:]]*\(k8s\.io/[^ ]*\) => \./staging/.*#\1#p' "$theirs" | sort -u | while read -r name; do
      echo "replace $name => $name $(staging_version "$name")"
    done
  } >go.mod
}

build() { # the name of the binary, its package, and more flags
  local name=$1 package=$2
  shift 2
  [[ -x $out/$name ]] && return
  echo "building $name" >&2
  go build -trimpath "$@" -o "$out/$name" "$package"
}

mkdir "$module/kubernetes" "$module/etcd"

cd "$module/etcd"
if [[ ! -x $out/etcd ]]; then
  go mod init live 2>/dev/null
  go get "go.etcd.io/etcd/server/v3@$etcd_version"
  build etcd go.etcd.io/etcd/server/v3 -ldflags "-s -w"
fi

# The API server takes its version, and so what it serves, from the linker. Without it a build
# calls itself v0.0.0.
set_version="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  set_version+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
done
cd "$module/kubernetes"
begin_kubernetes
for name in kube-apiserver kube-controller-manager kube-scheduler; do
  build "$name" "k8s.io/kubernetes/cmd/$name" -ldflags "$set_version"
done
