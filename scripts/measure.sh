#!/usr/bin/env bash
# Measures this machine for bench/results, and makes that folder's pages. Takes some minutes; nothing else must run meanwhile.
#
#     scripts/measure.sh NAME TITLE [--peer FILE]
#     scripts/measure.sh --pages
#
#     NAME     of the files: bench/results/NAME.json, of the best instruction set, and NAME-avx2.json, AVX2 forced
#     TITLE    what a report calls the machine
#     --peer   another library with the interface, such as HiSilicon's libgfpq.so.1.1.5, measured beside this one
#     --pages  only index.html and report.md, from the files that are there
#
# Builds the commit that is checked out, without changes. Conformance results of the same build go to
# bench/results/conformance. Where a run is not fit to be published it says why and ends with 1: run it again when quiet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

pages() {
  /usr/bin/python3 scripts/report.py --index bench/results/*.json
  local runs=(bench/results/conformance/*.json)
  [ -e "${runs[0]}" ] || runs=()
  /usr/bin/python3 scripts/report.py bench/results/*.json --tables bench/results/report.md \
    ${runs[@]+--conformance "${runs[@]}"}
}

case ${1:-} in
  -h | --help) usage; exit 0 ;;
  --pages) pages; exit ;;
esac
[ $# -eq 2 ] || { [ $# -eq 4 ] && [ "$3" = --peer ]; } || { usage >&2; exit 2; }
name=$1 title=$2 peer=()
[ $# -eq 2 ] || peer=(--peer="$4")
[[ $name =~ ^[a-z0-9-]+$ ]] || { echo "measure: NAME is of small letters, digits and dashes" >&2; exit 2; }
git diff --quiet HEAD -- . ':!bench/results' ||
  { echo "measure: there are changes that are not committed; results carry a revision" >&2; exit 2; }

cmake --preset release --log-level=WARNING
cmake --build --preset release -j "$(nproc)" --target gfpq_shared gfpq_conformance gfpq_bench
mkdir -p bench/results/conformance

# measure TARGET FILE TITLE; an empty target is the best one
measure() {
  local conformance=bench/results/conformance/$2.json status=0
  env ${1:+GFPQ_TARGET="$1"} ./build/bin/gfpq_bench --suite=short --title="$3" "${peer[@]}" \
    --benchmark_out="bench/results/$2.json"
  env ${1:+GFPQ_TARGET="$1"} ./build/bin/gfpq_conformance --gtest_brief=1 --library=build/lib/libgfpq.so \
    --json="$conformance" || status=$?
  [ "$status" -eq 0 ] || { echo "measure: the library does not conform: see $conformance" >&2; exit 1; }
  env ${1:+GFPQ_TARGET="$1"} /usr/bin/python3 bench/peers.py "bench/results/$2.json"
}

files=("bench/results/$name.json")
measure "" "$name" "$title"
if grep -qw avx512f /proc/cpuinfo; then
  measure avx2 "$name-avx2" "$title, AVX2 forced"
  files+=("bench/results/$name-avx2.json")
fi
pages
printf '\nRows for the table in README.md (one thread):\n'
grep -E '^## |^\| APPLY \| (8|16) bit \| 1 \|' bench/results/report.md | grep -A2 "^## ${title}" || true
/usr/bin/python3 scripts/report.py --check "${files[@]}"
