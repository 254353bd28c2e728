#!/usr/bin/env bash
# Says which C++ and CUDA files clang-format 14 would write otherwise; --fix writes them so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(--dry-run --Werror)
[ "${1:-}" != --fix ] || mode=(-i)
find bench conformance include integrations kernels samples src tests -name build -prune -o \
  \( -name '*.cpp' -o -name '*.hpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 2>/dev/null |
  xargs -0 clang-format-14 "${mode[@]}"
