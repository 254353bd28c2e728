#!/usr/bin/env bash
# Makes a folder with all artifacts of a release, checks each, and writes SHA256SUMS. The same revision and the same tools
# give the same files, wherever the checkout is: all is built in a clone of it in /tmp/gfpq-release.
#
#     scripts/release.sh FOLDER [--benchmark-source DIR]
#
# Always: the portable .tgz and wheel for x86_64 and aarch64, the Python source archive. Where the tools are there: both
# with the GPU library (nvcc), Debian packages (dpkg-deb), the Windows .tgz (MinGW-w64). --benchmark-source names Google
# Benchmark's source, with which gfpq_bench is part of the portable .tgz. What is left out is said.
# `scripts/setup.sh portable` installs what is needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
out= benchmark=
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --benchmark-source) benchmark=$(realpath "$2"); shift ;;
    -*) usage >&2; exit 2 ;;
    *) out=$1 ;;
  esac
  shift
done
[ -n "$out" ] || { usage >&2; exit 2; }
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
  echo "release: the tree has changes that are not committed: the files would not be those of a revision" >&2
  exit 1
fi
mkdir -p "$out"
out=$(realpath "$out")
[ -z "$(ls -A "$out")" ] || { echo "release: $out is not empty" >&2; exit 1; }

./scripts/setup.sh portable
# A folder of the same name everywhere: nvcc names symbols by the source's path.
work=/tmp/gfpq-release
mkdir "$work" || { echo "release: another release is being made, or was interrupted: then remove $work" >&2; exit 1; }
trap 'rm -rf "$work"' EXIT
git clone --quiet . "$work/checkout"
mkdir "$work/checkout/build"
ln -s "$PWD/build/tools" "$work/checkout/build/tools"
cd "$work/checkout"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^project(gfpq VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
python=/usr/bin/python3

# pack ARCHIVE FOLDER NAME: the folder's NAME as .tar.gz, with no time or owner of this machine.
pack() {
  tar -C "$2" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf - "$3" | gzip -9n >"$1"
}

# wheel LIBRARY_FOLDER TAG [PACKAGE_FOLDER]
wheel() {
  GFPQ_PREBUILT=$1 GFPQ_WHEEL_PLATFORM=$2 $python -m pip -q wheel --no-build-isolation --no-deps --no-index -w "$out" \
    "${3:-$work/python}"
}

# The Python package is built from a copy: building leaves files beside setup.py.
cp -r integrations/python "$work/python"
ln -s "$work/checkout" "$work/python/project"

for processor in x86_64 aarch64; do
  preset=portable
  targets=(gfpq_shared gfpq_conformance gfpq_info)
  options=()
  [ "$processor" = x86_64 ] || preset=portable-arm
  if [ -n "$benchmark" ]; then
    targets+=(gfpq_bench)
    options=(-DGFPQ_BUILD_BENCHMARKS=ON "-DGFPQ_BENCHMARK_SOURCE=$benchmark")
  fi
  echo "== $preset"
  cmake --preset "$preset" --log-level=WARNING "${options[@]}"
  cmake --build "build/$preset" --target "${targets[@]}"
  $python scripts/check_elf.py --glibc 2.17 "build/$preset/lib/libgfpq.so.$version"
  cmake --install "build/$preset" --component archive --strip --prefix "$work/$processor/GFPQLibs" >/dev/null
  pack "$out/GFPQLibs-$version-linux-$processor.tgz" "$work/$processor" GFPQLibs
  wheel "$work/$processor/GFPQLibs/lib" "manylinux_2_17_$processor.manylinux2014_$processor"
done
[ -n "$benchmark" ] || echo "release: left out: gfpq_bench (--benchmark-source)"

nvcc=$(command -v nvcc || command -v /usr/local/cuda/bin/nvcc || true)
if [ -n "$nvcc" ] && [ "$(uname -m)" = x86_64 ]; then
  cuda=cuda$("$nvcc" --version | sed -n 's/.*release \([0-9]*\).*/\1/p')
  echo "== portable-gpu ($cuda)"
  cmake --preset portable-gpu --log-level=WARNING
  cmake --build --preset portable-gpu
  $python scripts/check_elf.py --glibc 2.17 "build/portable-gpu/lib/libgfpq_gpu.so.$version"
  cmake --install build/portable-gpu --component archive --strip --prefix "$work/gpu/GFPQLibs" >/dev/null
  pack "$out/GFPQLibs-$version-linux-x86_64-$cuda.tgz" "$work/gpu" GFPQLibs
  wheel "$work/gpu/GFPQLibs/lib" manylinux_2_17_x86_64.manylinux2014_x86_64 integrations/python/gpu
else
  echo "release: left out: the GPU library (nvcc, x86_64)"
fi

echo "== source archive of the Python package"
(cd "$work/python" && $python setup.py -q sdist -d "$work/sdist")
tar -C "$work/sdist" -xf "$work/sdist/gfpq-$version.tar.gz"
pack "$out/gfpq-$version.tar.gz" "$work/sdist" "gfpq-$version"

if command -v dpkg-deb >/dev/null; then
  echo "== Debian packages"
  cmake -S . -B build/debian -G Ninja --log-level=WARNING -DCMAKE_BUILD_TYPE=Release -DGFPQ_BUILD_TESTS=OFF \
    -DGFPQ_BUILD_BENCHMARKS=OFF -DGFPQ_BUILD_GPU=OFF
  cmake --build build/debian
  cpack --config build/debian/CPackConfig.cmake -G DEB -B "$work/deb" >/dev/null
  cp "$work"/deb/*.deb "$out"
else
  echo "release: left out: Debian packages (dpkg-deb)"
fi

if command -v x86_64-w64-mingw32-g++-posix >/dev/null; then
  echo "== Windows"
  cmake --preset windows --log-level=WARNING -DGFPQ_BUILD_TESTS=OFF
  cmake --build build/windows --target gfpq_shared gfpq_static
  cmake --install build/windows --component archive --strip --prefix "$work/windows/GFPQLibs" >/dev/null
  pack "$out/GFPQLibs-$version-Windows-x86_64.tgz" "$work/windows" GFPQLibs
else
  echo "release: left out: Windows (g++-mingw-w64-x86-64-posix)"
fi

(cd "$out" && sha256sum -- * >SHA256SUMS)
echo
cat "$out/SHA256SUMS"
