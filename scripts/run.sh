#!/usr/bin/env bash
# Sets up, builds, checks conformance, runs a short benchmark and writes the report. Ends with what was found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./scripts/setup.sh
cmake --preset release
cmake --build --preset release -j "$(nproc)"
mkdir -p report

conformance=0
./build/bin/gfpq_conformance --gtest_brief=1 --json=report/conformance.json || conformance=$?
[ -s report/conformance.json ] || { echo "run: the conformance runner ended with status $conformance" >&2; exit 1; }
/usr/bin/python3 scripts/conformance_report.py report/conformance.json --html report/conformance.html

echo
echo "Compiling the GPU kernels for every architecture (about 20 seconds) ..."
archs=()
rm -f report/archs.*
/usr/bin/python3 scripts/check_archs.py --json report/archs.json >report/archs.txt 2>&1 || true # the page tells problems
if [ -s report/archs.json ]; then archs=(--archs report/archs.json); fi
tail -n 1 report/archs.txt

echo
echo "Measuring (about 90 seconds) ..."
./build/bin/gfpq_bench --suite=short --benchmark_out=report/benchmark.json --benchmark_out_format=json
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
