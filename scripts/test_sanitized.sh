#!/usr/bin/env bash
# Runs what is compiled under sanitizers: the unit tests, conformance and the tests of faults under AddressSanitizer with
# UndefinedBehaviorSanitizer, and again under ThreadSanitizer. ctest's own options may follow.
#
# Left out are the mutants (faulty on purpose), the Python package (its interpreter is not instrumented), the benchmarks
# and what is not compiled. A test that a sanitizer cannot bear skips with the reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./scripts/setup.sh test
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=die_after_fork=0 # forked children that start threads are what is tested
for preset in asan tsan; do
  cmake --preset "$preset"
  cmake --build --preset "$preset" -j "$(nproc)" --target gfpq_unit gfpq_conformance gfpq_faults
  ctest --preset "$preset" -j "$(nproc)" -L '^(unit|conformance|faults)$' "$@"
done
