#!/usr/bin/env bash
# Builds the library, checks its conformance, measures it and writes a report. Ends with what was found.
#
#     scripts/run.sh [--full]
#
#     --full    the long benchmark: minutes instead of seconds
#
# Installs missing packages where it runs as root, and says what they are elsewhere (scripts/setup.sh run). Writes build/
# and report/ only. Ends with status 0 where the library conforms.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

suite=short
for option in "$@"; do
  case $option in
    --full) suite=full ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; echo "run: unknown option '$option'" >&2; exit 2 ;;
  esac
done

# Announces a phase, with the time since the start.
phase() {
  printf '\n== %s of 4: %s (%d s since the start)\n' "$1" "$2" "$SECONDS"
}

./scripts/setup.sh run
phase 1 "build, about half a minute on two cores"
export NINJA_STATUS="[%f of %t, %e s] "
# The library as a release has it; the programs around it as quickly as they can be built.
cmake --preset release -DGFPQ_TEST_OPTIONS=-O1 -DGFPQ_TEST_UNITY=ON --log-level=WARNING
cmake --build --preset release -j "$(nproc)" --target gfpq_shared gfpq_conformance gfpq_bench
mkdir -p report

phase 2 "conformance, about half a minute"
conformance=0
./build/bin/gfpq_conformance --gtest_brief=1 --json=report/conformance.json || conformance=$?
[ -s report/conformance.json ] || { echo "run: the conformance runner ended with status $conformance" >&2; exit 1; }
/usr/bin/python3 scripts/conformance_report.py report/conformance.json --html report/conformance.html

phase 3 "benchmark, about half a minute; longer where other programs run"
repetitions=9
if [ "$suite" = short ]; then repetitions=5; fi # enough for a first look
./build/bin/gfpq_bench --suite="$suite" --benchmark_repetitions="$repetitions" --benchmark_out=report/benchmark.json

phase 4 "report"
archs=()
if [ -s report/archs.json ]; then archs=(--archs report/archs.json); fi # scripts/check_archs.py --json report/archs.json
/usr/bin/python3 scripts/report.py report/benchmark.json bench/results/guide-2019-quoted.json \
  --conformance report/conformance.json "${archs[@]}" --output report

echo
if [ "$conformance" -eq 0 ]; then
  echo "Conformance: build/lib/libgfpq.so meets every requirement of conformance/SPECIFICATION.md."
else
  echo "Conformance: build/lib/libgfpq.so does NOT meet the specification; see report/conformance.html."
fi
echo "The report: $(pwd)/report/index.html"
exit "$conformance"
