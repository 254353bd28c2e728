#!/usr/bin/env bash
# shellcheck disable=SC2317 # the steps are called by their names
# All checks and measurements that need a GPU, the most valuable first. Each step takes less than 10 minutes and leaves a log,
# and what it has to say as JSON, in one folder. Needs CUDA 12 or 13, CMake, a C++ compiler, and no network.
#
#     gpu_check.sh --pack                copies what the build needs beside CUDA from a Debian machine (scripts/setup.sh
#                                        installs it there) to build/gpu-deps, which git ignores; take that folder along
#     gpu_check.sh [--out FOLDER] [STEP ...]   runs the steps named, or all: facts build tests conformance bench
#                                        sanitizer exhaustive8 ptx nocode exhaustive16low exhaustive16high benchfull
#
# Where build/gpu-deps is missing, GoogleTest, Google Benchmark, CLI11, nlohmann-json and Highway must be installed: so too
# on another processor than that of the machine which packed, since two of them come as compiled libraries.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

deps=$PWD/build/gpu-deps
packages=(libgtest-dev libbenchmark-dev libbenchmark1debian libcli11-dev nlohmann-json3-dev libhwy-dev)

pack() {
  rm -rf "$deps" && mkdir -p "$deps"
  local package
  for package in "${packages[@]}"; do
    dpkg -L "$package" | grep -E '^/usr/(include|lib|share/(cmake|pkgconfig))' |
      while IFS= read -r file; do { [ -f "$file" ] || [ -L "$file" ]; } && echo "${file#/}"; done |
      tar -C / -c -T - | tar -C "$deps" -x || { echo "gpu_check: is $package installed?" >&2; exit 1; }
  done
  echo "$deps: $(du -sh "$deps" | cut -f1)"
}

steps=(facts build tests conformance bench sanitizer exhaustive8 ptx nocode exhaustive16low exhaustive16high benchfull)
out=report/gpu
chosen=()
while [ $# -gt 0 ]; do
  case $1 in
    --pack) pack && exit ;;
    --out) out=$2 && shift ;;
    -*) sed -n '3,12p' "$0" && exit 2 ;;
    *) chosen+=("$1") ;;
  esac
  shift
done
[ ${#chosen[@]} -gt 0 ] || chosen=("${steps[@]}")
mkdir -p "$out"
out=$(cd "$out" && pwd)
tree=$PWD/build/gpu
bin=$tree/bin

# The folder of a package's CMake file among the packed ones.
config() {
  local file
  file=$(find "$deps" -name "$2" -print -quit 2>/dev/null)
  [ -z "$file" ] || echo "-D$1_DIR=$(dirname "$file")"
}

# make FOLDER TARGETS... [-- CMAKE ARGUMENTS...]
make_tree() {
  local folder=$1 targets=() flags=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do targets+=("$1") && shift; done
  [ $# -eq 0 ] || shift
  if [ -d "$deps" ]; then
    mapfile -t flags < <(config GTest GTestConfig.cmake; config benchmark benchmarkConfig.cmake
      config CLI11 CLI11Config.cmake; config nlohmann_json nlohmann_jsonConfig.cmake
      echo "-DGFPQ_HIGHWAY_INCLUDE_DIR=$deps/usr/include")
  fi
  cmake -S . -B "$folder" -DCMAKE_BUILD_TYPE=Release "${flags[@]}" "$@" &&
    cmake --build "$folder" -j "$(nproc)" --target "${targets[@]}"
}

# The GPU's architecture, as 90.
architecture() { nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d '. '; }

facts() {
  nvidia-smi && nvidia-smi -q -d CLOCK,ECC,POWER,MEMORY
  uname -a && cmake --version && c++ --version
  samples/get_gpu_version.sh "$tree/lib/libgfpq_gpu.so"
}
build() {
  make_tree "$tree" gfpq_gpu_shared gfpq_gpu_tests gfpq_gpu_job_tests gfpq_gpu_exhaustive gfpq_conformance gfpq_bench_gpu &&
    samples/get_gpu_version.sh "$tree/lib/libgfpq_gpu.so"
}
tests() {
  "$bin/gfpq_gpu_exhaustive" 8 0 0 && "$bin/gfpq_gpu_tests" --gtest_output="json:$out/tests.json" &&
    "$bin/gfpq_gpu_job_tests" --gtest_output="json:$out/job-tests.json"
}
conformance() {
  "$bin/gfpq_conformance" --device=gpu --library="$tree/lib/libgfpq_gpu.so" --json="$out/conformance.json" &&
    "$bin/gfpq_conformance" --library="$tree/lib/libgfpq_gpu.so" --json="$out/conformance-cpu.json"
}
bench() {
  "$bin/gfpq_bench_gpu" --suite=short --benchmark_out="$out/benchmark.json"
}
benchfull() {
  "$bin/gfpq_bench_gpu" --suite=full --benchmark_repetitions=5 --benchmark_out="$out/benchmark-full.json"
}
exhaustive8() { "$bin/gfpq_gpu_exhaustive" 8; }
exhaustive16low() { "$bin/gfpq_gpu_exhaustive" 16 -4095 -1; }
exhaustive16high() { "$bin/gfpq_gpu_exhaustive" 16 0 4095; }
sanitizer() {
  local sanitizer tool
  sanitizer=$(command -v compute-sanitizer || command -v /usr/local/cuda/bin/compute-sanitizer) || {
    echo "compute-sanitizer not found"
    return 77
  }
  # Not the graphs and the wrong pointers, whose errors are meant; nor the large tensors, which would take too long.
  for tool in memcheck racecheck initcheck; do
    "$sanitizer" --tool "$tool" --error-exitcode 1 "$bin/gfpq_gpu_tests" \
      --gtest_filter='GpuCalls*.EveryLengthAndAlignmentGivesTheCpusBits:GpuCalls*.NoParameterGivesTheCpusBits' || return 1
    "$sanitizer" --tool "$tool" --error-exitcode 1 "$bin/gfpq_gpu_job_tests" \
      --gtest_filter='GpuJobs.EveryLengthAndAlignmentGivesTheCpusBytes:GpuJobs.LongTensorsGiveTheCpusBytes' || return 1
  done
}
ptx() { # of the oldest architecture that this nvcc knows, compiled by the driver
  local oldest
  oldest=$(nvcc --list-gpu-code | grep -oE 'sm_[0-9]+$' | sort -V | head -1)
  make_tree "$tree-ptx" gfpq_gpu_shared gfpq_gpu_tests gfpq_gpu_job_tests gfpq_gpu_exhaustive gfpq_conformance -- \
    -DGFPQ_BUILD_BENCHMARKS=OFF "-DCMAKE_CUDA_ARCHITECTURES=${oldest#sm_}-virtual" &&
    "$tree-ptx/bin/gfpq_gpu_tests" --gtest_output="json:$out/ptx-tests.json" &&
    "$tree-ptx/bin/gfpq_gpu_job_tests" --gtest_output="json:$out/ptx-job-tests.json" &&
    "$tree-ptx/bin/gfpq_conformance" --device=gpu --library="$tree-ptx/lib/libgfpq_gpu.so" --json="$out/ptx-conformance.json" &&
    "$tree-ptx/bin/gfpq_gpu_exhaustive" 8 -100 100 && "$tree-ptx/bin/gfpq_gpu_exhaustive" 16 -1100 -1000
}
nocode() { # a library for another architecture must say so in the vendor's words
  local other
  other=$(nvcc --list-gpu-code | grep -oE 'sm_[0-9]+$' | grep -v "sm_$(architecture | cut -c1)" | sort -V | tail -1)
  make_tree "$tree-nocode" gfpq_gpu_shared gfpq_conformance -- -DGFPQ_BUILD_BENCHMARKS=OFF \
    "-DCMAKE_CUDA_ARCHITECTURES=${other#sm_}-real" || return 1
  "$tree-nocode/bin/gfpq_conformance" --device=gpu --library="$tree-nocode/lib/libgfpq_gpu.so" \
    --gtest_filter='Sample.*' >"$out/nocode.txt" 2>&1
  grep -h -e 'Quantization by GPU(CUDA) failed' -e 'Please check GPU(CUDA) version' "$out/nocode.txt" | sort | uniq -c
  grep -q "Please check GPU(CUDA) version.*this GPU is sm_$(architecture)" "$out/nocode.txt"
}

PATH=$PATH:/usr/local/cuda/bin
command -v nvidia-smi >/dev/null || { echo "gpu_check: no NVIDIA driver here (nvidia-smi not found)" >&2; exit 77; }
export -f config make_tree architecture "${steps[@]}"
export deps out tree bin
export NVCC_APPEND_FLAGS="${NVCC_APPEND_FLAGS:-} --threads=0" # all architectures of a file side by side
failed=0
for step in "${chosen[@]}"; do
  [[ " ${steps[*]} " == *" $step "* ]] || { echo "gpu_check: no step $step; there are: ${steps[*]}" >&2; exit 2; }
  start=$SECONDS
  timeout --kill-after=10 590 bash -c "$step" >"$out/$step.log" 2>&1
  status=$?
  case $status in
    0) result=passed ;;
    77) result=skipped ;;
    124 | 137) result="failed: timed out" && failed=1 ;;
    *) result="failed: status $status" && failed=1 ;;
  esac
  printf '%-18s %4d s  %s\n' "$step" $((SECONDS - start)) "$result"
  printf '{"step": "%s", "seconds": %d, "result": "%s"}\n' "$step" $((SECONDS - start)) "$result" >>"$out/steps.jsonl"
  [ "$status" -eq 0 ] || [ "$status" -eq 77 ] || tail -n 15 "$out/$step.log"
done
echo "gpu_check: logs and JSON in $out"
exit "$failed"
