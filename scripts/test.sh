#!/usr/bin/env bash
# Sets up, builds with GCC and with Clang (warnings are errors), and runs the tests. ctest's own options may follow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./scripts/setup.sh
jobs=$(nproc)

cmake --preset dev
cmake --build --preset dev -j "$jobs"
cmake --preset clang
cmake --build --preset clang -j "$jobs"

# Clang's build runs the tests of what is compiled; mutants and scripts are the same for both.
ctest --preset clang -j "$jobs" -L 'unit|conformance'
ctest --preset dev -j "$jobs" -LE long "$@"
