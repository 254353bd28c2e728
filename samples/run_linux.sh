#!/usr/bin/env bash
# Builds build-linux/sample, and build-linux/sample_gpu where CUDA is installed, in the current folder and runs them.
#
#     run_linux.sh [bit width, 8 or 16]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

cmake -S "$here" -B build-linux
cmake --build build-linux
./build-linux/sample "$@"
if [ -e build-linux/sample_gpu ]; then
  ./build-linux/sample_gpu "$@"
fi
