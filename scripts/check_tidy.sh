#!/usr/bin/env bash
# Checks the library's C++ with clang-tidy 14 (.clang-tidy), as it is compiled in BUILD_FOLDER; --all checks tests,
# samples and benchmarks too, which takes minutes; FILES alone may be named.
#
#     check_tidy.sh BUILD_FOLDER [--all | FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=$1
shift
case "${1:-}" in
  "") pattern="^$PWD/(src|kernels)/" ;;
  --all) pattern="^$PWD/(src|kernels|conformance|tests|samples|bench)/" ;;
  *) pattern=$(printf '|%s' "$@") pattern="^$PWD/(${pattern:1})$" ;;
esac
# Not what nvcc compiles: Clang 14 knows no CUDA of today. The compiler's options are GCC's.
/usr/bin/python3 -c '
import json, sys
print(*sorted({entry["file"] for entry in json.load(open(sys.argv[1]))}), sep="\n")' "$build/compile_commands.json" |
  grep -E "$pattern" | grep -v '\.cu$' | xargs -d '\n' -P "$(nproc)" -n 1 clang-tidy-14 -p "$build" --extra-arg=-Wno-unknown-warning-option --quiet 2> >(grep -v ' warnings\? generated\.$' >&2)
