#!/usr/bin/env bash
# Installs what building, testing and reporting need, from Debian's packages. Does nothing where all of it is there.
set -euo pipefail

packages=(
  ca-certificates git cmake ninja-build g++ clang-14 clang-format-14 clang-tidy-14 libomp-14-dev lld-14 llvm-14 binutils
  libhwy-dev libgtest-dev googletest libbenchmark-dev libcli11-dev nlohmann-json3-dev
  libfuzzer-14-dev libclang-rt-14-dev valgrind openmpi-bin libopenmpi-dev
  pkgconf dpkg-dev file
  g++-mingw-w64-x86-64-posix wine wine64 g++-aarch64-linux-gnu qemu-user
  python3 python3-hypothesis python3-jinja2 python3-matplotlib python3-mpmath python3-numpy python3-pip python3-pyelftools python3-scipy python3-setuptools
  python3-sklearn python3-torch python3-wheel
)

if ! command -v dpkg-query >/dev/null; then
  echo "setup: not a Debian system; please install the equivalents of: ${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "setup: these packages are missing and only root can install them:" >&2
  echo "  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q install -y --no-install-recommends "${missing[@]}"
