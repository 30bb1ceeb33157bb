#!/usr/bin/env bash
# Installs what is missing, and only that: a second run touches neither apt nor the network.
#   scripts/install-deps.sh [run|test]
set -euo pipefail

# Package, and what it is needed for: a command, or a header below /usr/include.
RUN='
gcc                  gcc
libc6-dev            stdio.h
make                 make
libmicrohttpd-dev    microhttpd.h
libsecp256k1-dev     secp256k1_recovery.h
nettle-dev           nettle/sha3.h
libjansson-dev       jansson.h
libwslay-dev         wslay/wslay.h
libinih-dev          ini.h
liblz4-dev           lz4.h
libcurl4-openssl-dev curl/curl.h
libssl-dev           openssl/ssl.h
libseccomp-dev       seccomp.h
libsystemd-dev       systemd/sd-daemon.h
'
TEST='
clang                clang
libclang-rt-14-dev   /usr/lib/llvm-14/lib/clang/14*/lib/linux/libclang_rt.fuzzer-*.a
clang-tidy           clang-tidy
clang-format         clang-format
cppcheck             cppcheck
shellcheck           shellcheck
libcmocka-dev        cmocka.h
python3              python3
python3-venv         /usr/lib/python3*/ensurepip/__init__.py
jq                   jq
curl                 curl
openssl              openssl
prometheus           promtool
ca-certificates      /etc/ssl/certs/ca-certificates.crt
nodejs               node>=18
npm                  npm
'

have() {
    case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    *.h) compgen -G "/usr/include/$1" >/dev/null || compgen -G "/usr/include/*-linux-gnu/$1" >/dev/null ;;
    node*) [[ $(node --version 2>/dev/null) =~ ^v([0-9]+) ]] && ((BASH_REMATCH[1] >= 18)) ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

case ${1:-run} in
run) table=$RUN ;;
test) table=$RUN$TEST ;;
*)
    echo "usage: $0 [run|test]" >&2
    exit 2
    ;;
esac

missing=()
while read -r package probe; do
    [[ -z $package ]] || have "$probe" || missing+=("$package")
done <<<"$table"
((${#missing[@]})) || exit 0

echo "installing: ${missing[*]}"
as_root=()
if [[ $(id -u) != 0 ]]; then as_root=(sudo); fi
if ! command -v apt-get >/dev/null || ! command -v "${as_root[0]:-env}" >/dev/null; then
    echo "$0: these packages are missing, and there is no apt-get or no sudo to install them with." >&2
    echo "Ask the administrator to install (Debian names): ${missing[*]}" >&2
    exit 1
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
# Stale or absent package lists show as a failed install: refresh them once and try again.
"${install[@]}" >/dev/null 2>&1 || {
    "${apt[@]}" update
    "${install[@]}" >/dev/null
} || {
    echo "$0: apt could not install: ${missing[*]}; its message stands above" >&2
    exit 1
}
