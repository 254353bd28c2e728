#!/usr/bin/env bash
# Sets up, builds with GCC and with Clang (warnings are errors) and for Windows and Arm, and runs the tests. ctest's own
# options may follow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./scripts/setup.sh test
jobs=$(nproc)

cmake --preset dev -DGFPQ_BUILD_MUTANTS=ON
for preset in clang fuzz windows arm; do
  cmake --preset "$preset"
done
for preset in dev clang fuzz windows arm; do
  cmake --build --preset "$preset" -j "$jobs"
done

# What Clang makes of the kernels: the unit tests with each instruction set, and the suite with the fastest, by GCC's build
# of the runner, as Clang's is not optimized. All other tests are the same for both compilers.
ctest --preset clang -j "$jobs" -L '^unit$' -LE '^long$'
build/bin/gfpq_conformance --library=build/clang/lib/libgfpq.so --gtest_brief=1 --gtest_filter=-State.*:Thread.*
ctest --preset fuzz -j "$jobs" -LE long
ctest --preset windows -j "$jobs" -LE long
ctest --preset arm -j "$jobs" -LE long
ctest --preset dev -j "$jobs" -LE long "$@"
