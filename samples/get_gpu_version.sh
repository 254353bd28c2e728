#!/usr/bin/env bash
# Says what is needed to match a GPU with a build of libgfpq_gpu: nvcc, the driver, each GPU with its compile option, and
# whether the library serves it.
#
#     get_gpu_version.sh [path of libgfpq_gpu.so]
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

library=${1:-}
if [ -z "$library" ]; then
  for candidate in "$here"/../lib/libgfpq_gpu.so "$here"/../build/lib/libgfpq_gpu.so; do
    if [ -e "$candidate" ]; then library=$candidate && break; fi
  done
fi

nvcc=$(command -v nvcc || command -v /usr/local/cuda/bin/nvcc) || nvcc=
if [ -n "$nvcc" ]; then
  "$nvcc" --version | sed '1s/^nvcc: //; 1s/^/nvcc: /'
else
  echo "nvcc: not found"
fi
echo

# The library names the options that it was built with.
built=
if [ -n "$library" ]; then
  built=$(grep -aoE 'arch=compute_[0-9]+[a-z]?,code=(sm|compute)_[0-9]+[a-z]?' "$library" | sort -uV)
  echo "Library: $library"
  # shellcheck disable=SC2001
  sed 's/^/  -gencode /' <<<"${built:-none: this is not libgfpq_gpu}"
else
  echo "Library: libgfpq_gpu.so not found; give its path as the argument"
fi
echo

# Whether the library serves compute capability $1.$2: machine code serves later minor versions too, PTX all later ones.
serves() {
  local code number major minor
  while IFS= read -r code; do
    code=${code##*code=}
    number=${code#*_}
    number=${number%%[a-z]*}
    major=${number%?} minor=${number: -1}
    case $code in
      sm_*) [ "$major" -eq "$1" ] && [ "$minor" -le "$2" ] && { echo "yes, with machine code ($code)"; return; } ;;
    esac
  done < <(sort -rV <<<"$built")
  while IFS= read -r code; do
    code=${code##*code=}
    number=${code#*_}
    number=${number%%[a-z]*}
    case $code in
      compute_*) [ "$number" -le "$1$2" ] && { echo "yes, with PTX ($code): the driver compiles it at the first call"; return; } ;;
    esac
  done <<<"$built"
  echo "NO: build it with CMAKE_CUDA_ARCHITECTURES=$1$2"
}

if ! command -v nvidia-smi >/dev/null; then
  echo "Driver: nvidia-smi not found; is NVIDIA's driver installed?"
  exit 1
fi
if ! gpus=$(nvidia-smi --query-gpu=index,name,driver_version,compute_cap --format=csv,noheader 2>&1); then
  echo "Driver: nvidia-smi says: $gpus"
  if [[ $gpus == *compute_cap* ]]; then
    echo "This driver is too old to tell a GPU's compute capability; NVIDIA lists it for every GPU. The GPUs here:"
    nvidia-smi --query-gpu=index,name,driver_version --format=csv,noheader
  fi
  exit 1
fi
while IFS=, read -r index name driver capability; do
  capability=${capability// /} driver=${driver# }
  major=${capability%.*} minor=${capability#*.}
  echo "GPU $index:$name, driver $driver, compute capability $capability"
  echo "Compile option: -gencode arch=compute_$major$minor,code=sm_$major$minor"
  [ -z "$built" ] || echo "Served by the library: $(serves "$major" "$minor")"
done <<<"$gpus"
