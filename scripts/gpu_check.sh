#!/usr/bin/env bash
# shellcheck disable=SC2317 # the steps are called by their names
# All checks and measurements that need a GPU, for a machine that is there for some minutes. Nothing is compiled on it.
#
#     gpu_check.sh prebuild              where the project is built (nvcc, no GPU): makes build/gpu/carry, which goes along
#                                        with the checkout. GFPQ_CUDA_ARCHITECTURE=90 is the GPU's; GFPQ_VENDOR_LIB=FOLDER
#                                        has HiSilicon's libgfpq_gpu.so.1.1.5, to be tried as well.
#     gpu_check.sh first  [options]      on the machine with the GPU, about 4 minutes: facts smoke tests python training bench
#                                        jobtimes conformance ends exhaustive8
#     gpu_check.sh second [options]      about 7 minutes: memcheck racecheck initcheck synccheck ptx nocode graph ncu benchpeer
#                                        vendor exhaustive16 benchfull
#     gpu_check.sh [options] STEP ...    these steps
#
#     --out FOLDER    where the archive gpu-first.tgz, gpu-second.tgz or gpu-steps.tgz is written anew after each step, with
#                     the steps' logs and JSON (default: report/gpu)
#     --seconds N     of all steps together; the last ones take what is left (default: 260, 430 and 540)
#
# Each step has a time limit, and a failed one does not keep the next from running. Exit status: 0; 1 where a step failed;
# 2 wrong use; 77 no GPU here.
set -uo pipefail
PATH=$PATH:/usr/local/cuda/bin
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

script=$PWD/scripts/gpu_check.sh
tree=$PWD/build/gpu
carry=$tree/carry
test_programs=(gfpq_gpu_tests gfpq_gpu_job_tests)
targets=(gfpq_shared gfpq_gpu_shared gfpq_gpu_exhaustive gfpq_conformance gfpq_bench_gpu gfpq_gpu_job_times gfpq_sample_gpu "${test_programs[@]}")

# The steps, most valuable first, each with its limit in seconds. A step that has `rest` for a limit takes what is left.
# Checks that end with & run beside those that follow, up to one without it. A GPU serves processes in turns: half a million
# calls that wait for it, as conformance makes, run alone.
first=(facts:20 'smoke:30&' 'tests:60&' 'python:60&' training:60 bench:60 jobtimes:30 conformance:150 ends:40 exhaustive8:rest)
second=('memcheck:60&' 'racecheck:60&' 'initcheck:60&' 'synccheck:60&' 'ptx:75&' 'nocode:20&' graph:40 ncu:60 benchpeer:60
  vendor:90 exhaustive16:100 benchfull:rest)

# ---- where the project is built

# build FOLDER ARCHITECTURE TARGET ...
build() {
  local folder=$1 architecture=$2
  shift 2
  cmake -S . -B "$folder" -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CUDA_ARCHITECTURES=$architecture" &&
    cmake --build "$folder" -j "$(nproc)" --target "$@"
}

# The shared libraries that a file needs beside those of the C and C++ runtimes and of CUDA's driver.
needed_libraries() {
  ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libcuda|ld-linux[^/]*)\.so[^/]*$' | grep -v "^$tree"
}

prebuild() {
  local python=python3 program library
  [ ! -x /usr/bin/python3 ] || python=/usr/bin/python3
  build "$tree" "${GFPQ_CUDA_ARCHITECTURE:-90}-real" "${targets[@]}" || return 1
  # PTX of the oldest architecture that this CUDA knows, for the driver to compile; and code for another GPU alone.
  local known oldest newest
  known=$(nvcc --list-gpu-code | grep -oE 'sm_[0-9]+$' | sort -V | cut -c4-)
  oldest=$(head -1 <<<"$known") newest=$(tail -1 <<<"$known")
  build "$tree/ptx" "$oldest-virtual" gfpq_gpu_shared "${test_programs[@]}" || return 1
  build "$tree/nocode" "$newest-real" gfpq_gpu_shared || return 1

  rm -rf "$carry" && mkdir -p "$carry"/{bin,lib,needed,ptx/bin,ptx/lib,nocode/lib} || return 1
  for program in "$tree"/bin/*; do
    [ -f "$program" ] || continue
    [[ " ${targets[*]} sample_gpu " != *" $(basename "$program") "* ]] || strip -o "$carry/bin/$(basename "$program")" "$program" || return 1
    needed_libraries "$program" | xargs -rI{} cp -Lf {} "$carry/needed/"
  done
  for program in "${test_programs[@]}"; do strip -o "$carry/ptx/bin/$program" "$tree/ptx/bin/$program" || return 1; done
  for library in lib ptx/lib nocode/lib; do cp -a "$tree/$library"/libgfpq*.so* "$carry/$library/" || return 1; done
  if [ -n "${GFPQ_VENDOR_LIB:-}" ]; then
    mkdir -p "$carry/vendor" && cp -L "$GFPQ_VENDOR_LIB"/libgfpq_gpu.so.1.* "$carry/vendor/" || return 1
    # It looks for the largest number by the cuBLAS of its time. These are the four functions, by the one that is there.
    cc -shared -fPIC -O1 -Wl,-soname,libcublas.so.10 -Wl,--version-script=tests/gpu/cublas10.map \
      -o "$carry/vendor/libcublas.so.10" tests/gpu/cublas10.c -ldl || return 1
  fi
  "$python" scripts/gpu_training.py --write-digits "$carry/digits.npz" ||
    echo "gpu_check: without scikit-learn's digits: the training step will want scikit-learn" >&2
  git describe --always --dirty --abbrev=40 >"$carry/revision" 2>/dev/null
  echo "$carry: $(du -sm "$carry" | cut -f1) MiB"
}

# ---- on the machine with the GPU

ours() { LD_LIBRARY_PATH=$carry/needed${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"; }
gpu_library=$carry/lib/libgfpq_gpu.so

# The GPU's architecture, as 90.
architecture() { nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d '. '; }

# run_tests FOLDER NAME [FILTER [COMMAND ...]]: all test programs, by a tool where there is one. Each leaves JSON.
run_tests() {
  local folder=$1 name=$2 filter=${3:-*} program status=0
  shift $(($# < 3 ? $# : 3))
  for program in "${test_programs[@]}"; do
    ours "$@" "$folder/$program" --gtest_filter="$filter" --gtest_output="json:$results/$name-$program.json" 2>&1 |
      tee "$results/$name.txt"
    [ "${PIPESTATUS[0]}" -eq 0 ] || status=1
    # GoogleTest is content with no test at all, and with tests that found no GPU.
    ! grep -E 'Running 0 tests|no GPU(:|$)' "$results/$name.txt" || status=1
  done
  return "$status"
}
conform() { # LIBRARY JSON ARGUMENT ...
  local library=$1 json=$2
  shift 2
  ours "$carry/bin/gfpq_conformance" --gtest_brief=1 --golden=golden --library="$library" --json="$results/$json" "$@"
}

facts() {
  nvidia-smi && nvidia-smi -q -d CLOCK,ECC,POWER,MEMORY
  uname -a
  head -1 /etc/os-release
  lscpu | grep -E 'Model name|^CPU\(s\)'
  echo "revision: $(cat "$carry/revision")"
  python3 -c 'import torch; print("PyTorch", torch.__version__, torch.version.cuda, "NCCL", torch.cuda.nccl.version())
p = torch.cuda.get_device_properties(0); print(p); print("L2 bytes", p.L2_cache_size)'
  bash samples/get_gpu_version.sh "$gpu_library"
}
smoke() { run_tests "$carry/bin" smoke 'GpuErrors*:GpuPointers*:*.NoParameter*:GpuJobErrors*:GpuJobs.ManagedMemory*'; }
tests() { run_tests "$carry/bin" tests; }
conformance() { conform "$gpu_library" conformance.json --device=gpu; }
package() { GFPQ_LIBRARY=$carry/lib/libgfpq.so GFPQ_GPU_LIBRARY=$gpu_library "$@"; }
python() { # a test that is skipped here would have to run somewhere else: there is nowhere else
  package python3 integrations/python/tests/test_cuda.py -v 2>&1 | tee "$results/python.txt"
  local status=${PIPESTATUS[0]}
  ! grep -E ' \.\.\. skipped ' "$results/python.txt" || status=1
  return "$status"
}
train() { # JSON PART ...
  local json=$1 digits=()
  shift
  [ ! -e "$carry/digits.npz" ] || digits=(--digits "$carry/digits.npz")
  package python3 scripts/gpu_training.py "${digits[@]}" --json "$results/$json" "$@"
}
training() { train training.json digits distributed; }
graph() { train graph.json graph; }
measure() { # NAME SUITE ARGUMENT ...
  local name=$1 suite=$2
  shift 2
  ours "$carry/bin/gfpq_bench_gpu" --library="$gpu_library" --suite="$suite" --benchmark_out="$results/$name.json" "$@"
}
bench() {
  python3 bench/gpu/pytorch.py --json "$results/pytorch.json"
  local status=$?
  measure benchmark short && return "$status"
}
jobtimes() { ours "$carry/bin/gfpq_gpu_job_times"; }
benchpeer() { # HiSilicon's library beside ours; it may take a thousand times as long
  use_vendor || return
  measure benchmark-peer short --peer="$vendor_library" \
    --benchmark_filter='/type:f32/.*(data:guide/)?count:13107200/.*cache:cold'
}
benchfull() { measure benchmark-full full --benchmark_repetitions=3; }
ends() { ours "$carry/bin/gfpq_gpu_exhaustive" --ends; }
exhaust() { # BITS: all numbers, at as many deltas as the time allows
  ours "$carry/bin/gfpq_gpu_exhaustive" --seconds="$((limit > 30 ? limit - 15 : limit / 2))" "$1"
}
exhaustive8() { exhaust 8; }
exhaustive16() { exhaust 16; }

# The cases that launch every kernel. Not the graphs and the wrong pointers, whose errors are meant; nor the large tensors.
sanitize() {
  run_tests "$carry/bin" "$1" '*.NoParameter*:*.CallsOfAllTypesInTurn*:GpuJobs.EveryLengthAndAlignment*:GpuJobs.LongTensors*' compute-sanitizer --tool "$1" --error-exitcode 1
}
memcheck() { sanitize memcheck; }
racecheck() { sanitize racecheck; }
initcheck() { sanitize initcheck; }
synccheck() { sanitize synccheck; }
ptx() { # compiled by the driver, now
  CUDA_CACHE_PATH=$(mktemp -d) && export CUDA_CACHE_PATH
  run_tests "$carry/ptx/bin" ptx '-*MoreTilesThanBlocks*' &&
    conform "$carry/ptx/lib/libgfpq_gpu.so" ptx-conformance.json --device=gpu --gtest_filter='Sample.*:Digest.*:Mode.*:Jobs.*'
}
nocode() { # a library for another architecture says so in the vendor's words, and which this one is
  LD_LIBRARY_PATH=$carry/nocode/lib "$carry/bin/sample_gpu" >"$results/nocode.txt" 2>&1
  grep -h -e 'Quantization by GPU(CUDA) failed' -e 'Please check GPU(CUDA) version' "$results/nocode.txt" | sort | uniq -c
  grep -q "Please check GPU(CUDA) version.*this GPU is sm_$(architecture)" "$results/nocode.txt"
}
# Finds HiSilicon's library and the cuBLAS that it is to use.
use_vendor() {
  local cublas
  vendor_library=$(find "$carry/vendor" -name 'libgfpq_gpu.so.1.*' -print -quit 2>/dev/null)
  [ -n "$vendor_library" ] || { echo "SKIPPED: prebuild was given no GFPQ_VENDOR_LIB" && return 77; }
  cublas=$(python3 -c 'import pathlib, torch
print(next(pathlib.Path(torch.__file__).parents[1].glob("nvidia/**/libcublas.so.*"), ""))' 2>/dev/null)
  [ -n "$cublas" ] || cublas=$(find /usr/local/cuda*/ -name 'libcublas.so.1?' -print -quit 2>/dev/null)
  export GFPQ_CUBLAS=$cublas LD_LIBRARY_PATH=$carry/vendor${cublas:+:$(dirname "$cublas")}
  echo "cuBLAS: ${cublas:-none}"
}
vendor() { # what it does on this GPU is recorded, not judged; but it must have been loaded
  use_vendor || return
  local library=$vendor_library
  ours ldd "$library"
  conform "$library" vendor.json --device=gpu --gtest_filter='Sample.*:Digest.*:Record.*:Ladder.*:Param.*:Mode.*:Error.*' \
    >"$results/vendor.txt" 2>&1
  tail -n 40 "$results/vendor.txt"
  if [ ! -s "$results/vendor.json" ]; then
    echo "it could not be loaded: it needs $(readelf -d "$library" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
    return 77
  fi
}
ncu() {
  local sections=(SpeedOfLight MemoryWorkloadAnalysis WarpStateStats LaunchStats Occupancy) flags
  mapfile -t flags < <(printf -- '--section\n%s\n' "${sections[@]}")
  # One launch of each kernel in each shape, at the guide's size, and the benchmark's own scale beside them.
  ours command ncu --clock-control none "${flags[@]}" \
    --kernel-name 'regex:^(fake_quantize|fit|scale_kernel)$' --filter-mode per-launch-config --launch-count 1 \
    --force-overwrite --export "$results/kernels" "$carry/bin/gfpq_bench_gpu" --library="$gpu_library" --suite=short \
    --benchmark_repetitions=1 --benchmark_filter='lib:ours.*/type:f32.*/data:guide/count:13107200/.*cache:cold' || return 1
  command ncu --import "$results/kernels.ncu-rep" --page details | tee "$results/ncu.txt" | grep -E '^ +[a-z].*Context|Duration|Throughput'
  [ "$(stat -c %s "$results/kernels.ncu-rep")" -lt 16000000 ] || rm "$results/kernels.ncu-rep"
}

# run STEP LIMIT
run() {
  local step=$1 start=$SECONDS status result
  export limit=$2
  if [ "$limit" -lt 5 ]; then
    result="not begun: the time is over"
  else
    timeout --kill-after=5 "$limit" bash "$script" --step "$step" >"$results/$step.log" 2>&1
    status=$?
    case $status in
      0) result=passed ;;
      77) result=skipped ;;
      124 | 137) result="failed: no end after $limit s" ;;
      *) result="failed: status $status" ;;
    esac
  fi
  printf '%-14s %4d s  %s\n' "$step" $((SECONDS - start)) "$result" | tee -a "$results/steps.txt"
  printf '{"step": "%s", "seconds": %d, "limit": %d, "result": "%s"}\n' "$step" $((SECONDS - start)) "$limit" "$result" \
    >>"$results/steps.jsonl"
  [[ $result == passed || $result == not* ]] || (echo "== $step" && tail -n 15 "$results/$step.log" | cut -c1-300)
  # Whole or not at all: whatever happens next, this much is there.
  (flock 9 && tar -czf "$out/.$name.tgz" -C "$(dirname "$results")" "$name" && mv "$out/.$name.tgz" "$out/$name.tgz") \
    9>"$results/lock"
}

usage() { sed -n '4,20p' "$script" | cut -c3-; }

out=report/gpu seconds='' chosen=()
while [ $# -gt 0 ]; do
  case $1 in
    --step) "$2"; exit ;; # one step, in a process of its own
    --out) out=${2:?--out FOLDER} && shift ;;
    --seconds) seconds=${2:?--seconds N} && shift ;;
    -*) usage && exit 2 ;;
    *) chosen+=("$1") ;;
  esac
  shift
done
name=gpu-steps
case ${chosen[*]-} in
  '') usage && exit 2 ;;
  prebuild) prebuild && exit ;;
  first) steps=("${first[@]}") name=gpu-first seconds=${seconds:-260} ;;
  second) steps=("${second[@]}") name=gpu-second seconds=${seconds:-430} ;;
  *)
    steps=() seconds=${seconds:-540}
    for step in "${chosen[@]}"; do
      found=$(printf '%s\n' "${first[@]}" "${second[@]}" | grep "^$step:") ||
        { echo "gpu_check: no step $step; there are: $(printf '%s ' "${first[@]%:*}" "${second[@]%:*}")" >&2 && exit 2; }
      steps+=("$found")
    done
    ;;
esac
[ "${chosen[*]}" != prebuild ] || exit 1
command -v nvidia-smi >/dev/null || { echo "gpu_check: no NVIDIA driver here (nvidia-smi not found)" >&2; exit 77; }
[ -d "$carry" ] || { echo "gpu_check: no $carry: run gpu_check.sh prebuild where the project is built" >&2; exit 2; }

export results=$tree/results/$name
rm -rf "$results"
mkdir -p "$results" "$out" || exit 2
out=$(cd "$out" && pwd)
failed=0
for step in "${steps[@]}"; do
  is_beside=0
  [[ $step != *'&' ]] || is_beside=1
  step=${step%&}
  left=$((seconds - SECONDS)) limit=${step#*:}
  [[ $limit != rest && $limit -le $left ]] || limit=$left
  if [ "$is_beside" = 1 ] && [ "$limit" -ge 5 ]; then
    run "${step%:*}" "$limit" &
  else
    run "${step%:*}" "$limit"
    wait
  fi
done
wait
! grep -qE '"result": "(failed|not begun)' "$results/steps.jsonl" || failed=1
echo && cat "$results/steps.txt" && echo "gpu_check: $SECONDS s; $out/$name.tgz"
exit "$failed"
