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
# Forked children that start threads are what is tested. A race ends its process: the status that ThreadSanitizer sets
# at a process's end is lost with the runner's workers, which end by _exit(0).
export TSAN_OPTIONS=die_after_fork=0:halt_on_error=1
for preset in asan tsan; do
  cmake --preset "$preset"
  cmake --build --preset "$preset" -j "$(nproc)" --target gfpq_unit gfpq_conformance gfpq_faults
  ctest --preset "$preset" -j "$(nproc)" -L '^(unit|conformance|faults)$' "$@"
done
