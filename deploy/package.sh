#!/usr/bin/env bash
# Makes what people install: a tar and, where Debian's tools are, a .deb.
#
#     deploy/package.sh                      builds with the profile `dist`, into target/package
#     deploy/package.sh --out DIR            writes to another folder
#     deploy/package.sh --binary FILE        packs a program that was built already
#     deploy/package.sh --version 1.2.3      names the version, instead of asking the program
#
# In both: the program, stripped; man pages; completions for bash, zsh and fish; the licence; the
# example configuration and audit policy. The debug data stands apart, in bygone-VERSION-PLATFORM.debug,
# where gdb and addr2line find it by the link in the program. The same source and compiler make
# the same tar, byte for byte: its times are those of the commit (or SOURCE_DATE_EPOCH).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    printf 'deploy/package.sh: %s\n' "$*" >&2
    exit 2
}

need() { command -v "$1" >/dev/null || fail "$1 not found: $2"; }

out=target/package
binary=
version=
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || fail "$1 is unknown or lacks its value; the head of this file lists the options"
    case $1 in
    --out) out=$2 ;;
    --binary) binary=$2 ;;
    --version) version=$2 ;;
    *) fail "unknown option $1; the head of this file lists the options" ;;
    esac
    shift 2
done

need objcopy "install binutils"
need strip "install binutils"

# The commit that `bygone_build_info` shows, and the time of every file in the tar.
commit=${BYGONE_COMMIT:-$(git rev-parse --short=12 HEAD 2>/dev/null || true)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

if [ -z "$binary" ]; then
    BYGONE_COMMIT=$commit cargo build --locked --profile dist --bin bygone
    binary=target/dist/bygone
fi
[ -x "$binary" ] || fail "$binary is not a program"
version=${version:-$("$binary" version | cut -d' ' -f2)}
platform="$(uname -m)-linux"
name=bygone-$version-$platform

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/$name
install -d "$tree/bin" "$tree/man" "$tree/completions" "$tree/deploy"
mkdir -p "$out"

objcopy --only-keep-debug "$binary" "$work/$name.debug"
strip --strip-all -o "$tree/bin/bygone" "$binary"
(cd "$work" && objcopy --add-gnu-debuglink="$name.debug" "$tree/bin/bygone")
"$tree/bin/bygone" man "$tree/man"
"$tree/bin/bygone" completion bash >"$tree/completions/bygone.bash"
"$tree/bin/bygone" completion zsh >"$tree/completions/_bygone"
"$tree/bin/bygone" completion fish >"$tree/completions/bygone.fish"
cp LICENSE README.md CHANGELOG.md "$tree/"
cp deploy/config.sample.toml deploy/audit-policy.yaml deploy/webhook-kubeconfig.yaml "$tree/deploy/"
chmod -R u=rwX,go=rX "$tree"

tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    -C "$work" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
mv "$work/$name.debug" "$out/$name.debug"

deb() {
    local root=$work/debian/bygone arch depends
    arch=$(dpkg --print-architecture)
    install -d "$root/DEBIAN" "$root/usr/bin" "$root/usr/share/man/man1" "$root/etc/bygone" \
        "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" \
        "$root/usr/share/fish/vendor_completions.d" "$root/usr/share/doc/bygone/examples" \
        "$root/usr/lib/systemd/system"
    cp "$tree/bin/bygone" "$root/usr/bin/"
    # What the program is linked with, as this Debian or Ubuntu names it.
    cp deploy/debian/control "$work/debian/"
    depends=$(cd "$work" && dpkg-shlibdeps -O debian/bygone/usr/bin/bygone | sed -n 's/^shlibs:Depends=//p')
    cp "$tree"/man/*.1 "$root/usr/share/man/man1/"
    gzip -9n "$root"/usr/share/man/man1/*.1
    cp "$tree/completions/bygone.bash" "$root/usr/share/bash-completion/completions/bygone"
    cp "$tree/completions/_bygone" "$root/usr/share/zsh/vendor-completions/"
    cp "$tree/completions/bygone.fish" "$root/usr/share/fish/vendor_completions.d/"
    cp LICENSE "$root/usr/share/doc/bygone/copyright"
    cp README.md CHANGELOG.md "$root/usr/share/doc/bygone/"
    cp "$tree"/deploy/*.yaml "$root/usr/share/doc/bygone/examples/"
    cp deploy/config.sample.toml "$root/etc/bygone/config.toml"
    cp deploy/bygone.service "$root/usr/lib/systemd/system/"
    # Set by an administrator, so an upgrade asks before it replaces it.
    echo /etc/bygone/config.toml >"$root/DEBIAN/conffiles"
    sed -n '/^Package:/,$p' deploy/debian/control | sed \
        -e "s/^Architecture:.*/Architecture: $arch/" \
        -e "s/\${shlibs:Depends}/$depends/" \
        -e "/^Package:/a Version: $version" >"$root/DEBIAN/control"
    chmod -R u=rwX,go=rX "$root"
    dpkg-deb --root-owner-group --build "$root" "$out/bygone_${version}_$arch.deb" >/dev/null
}

if command -v dpkg-deb >/dev/null && command -v dpkg-shlibdeps >/dev/null; then
    deb
else
    echo "no .deb: dpkg-deb and dpkg-shlibdeps (package dpkg-dev) are not here" >&2
fi
(cd "$out" && sha256sum -- bygone*"$version"*.tar.gz bygone_"$version"_*.deb >SHA256SUMS 2>/dev/null) || true
ls -l "$out"
