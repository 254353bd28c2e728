#!/usr/bin/env bash
# Installs from Debian's packages what a task needs, and nothing else. Does nothing where all of it is there.
#
#     scripts/setup.sh [run | test | gpu | portable | all] ...
#
#     run       scripts/run.sh: build, conformance, benchmark, report
#     test      scripts/test.sh: the above, Clang, Windows, Arm, fuzzing, PyTorch, MPI (the default)
#     gpu       scripts/gpu_check.sh prebuild: run, and a look whether CUDA's nvcc and NVIDIA's driver are there
#     portable  scripts/release.sh: run, and the compiler of portable binaries, from PyPI into build/tools
#     all       all of these
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run=(
  ca-certificates cmake g++ git libbenchmark-dev libcli11-dev libgtest-dev libhwy-dev ninja-build nlohmann-json3-dev
  python3 python3-jinja2 python3-matplotlib python3-numpy
)
test=(
  binutils clang-14 clang-format-14 clang-tidy-14 dpkg-dev file g++-aarch64-linux-gnu g++-mingw-w64-x86-64-posix googletest
  libclang-rt-14-dev libfuzzer-14-dev libomp-14-dev libopenmpi-dev lld-14 llvm-14 openmpi-bin pkgconf
  python3-hypothesis python3-mpmath python3-opencv python3-pip python3-protobuf python3-pyelftools python3-scipy
  python3-setuptools python3-sklearn python3-torch python3-wheel qemu-user valgrind wine wine64
)
portable=(
  binutils debootstrap dpkg-dev file googletest llvm-14 pkgconf python3-pip python3-pyelftools python3-setuptools
  python3-venv python3-wheel
)

usage() {
  sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

packages=("${run[@]}")
want_gpu=
want_portable=
[ $# -gt 0 ] || set -- test
for task in "$@"; do
  case $task in
    run) ;;
    test) packages+=("${test[@]}") ;;
    gpu) want_gpu=1 ;;
    portable) want_portable=1 packages+=("${portable[@]}") ;;
    all) want_gpu=1 want_portable=1 packages+=("${test[@]}" "${portable[@]}") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; echo "setup: unknown task '$task'" >&2; exit 2 ;;
  esac
done

if [ -n "$want_gpu" ]; then
  command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ] ||
    echo "setup: nvcc not found: install CUDA 11, 12 or 13 from NVIDIA (Debian's package is older than these)" >&2
  command -v nvidia-smi >/dev/null || echo "setup: nvidia-smi not found: NVIDIA's driver is missing" >&2
fi

if ! command -v dpkg-query >/dev/null; then
  echo "setup: not a Debian system; please install the equivalents of: ${packages[*]}" >&2
else
  missing=()
  for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || [[ " ${missing[*]} " == *" $package "* ]] || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ]; then
      echo "setup: these packages are missing and only root can install them:" >&2
      echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
    echo "setup: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q install -y --no-install-recommends "${missing[@]}"
  fi
fi

# Each line of the list is installed in that version.
if [ -n "$want_portable" ]; then
  installed=$(build/tools/bin/python -m pip freeze 2>/dev/null || true)
  if grep == cmake/portable/requirements.txt | grep -vxF "$installed" >/dev/null; then
    python3 -m venv build/tools
    build/tools/bin/python -m pip -q install -r cmake/portable/requirements.txt
  fi
fi
