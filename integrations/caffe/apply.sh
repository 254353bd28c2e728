#!/usr/bin/env bash
# Adds the Quant layer to a Caffe tree, and takes it out again.
#
#     apply.sh CAFFE_ROOT                  links the GFPQ package unpacked in CAFFE_ROOT/GFPQLibs
#     apply.sh CAFFE_ROOT --gfpq PREFIX    links the one with PREFIX/include/gfpq.hpp and PREFIX/lib/libgfpq.so
#     apply.sh CAFFE_ROOT --undo
#
# May be run again, when this project or the package has changed. Changes nothing unless it can do all of it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() { printf 'apply: %s\n' "$@" >&2 && exit 1; }
usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2; }

root='' prefix='' undo=false
while [ $# -gt 0 ]; do
  case $1 in
    --undo) undo=true ;;
    --gfpq) [ $# -gt 1 ] || usage; prefix=$2 && shift ;;
    -*) usage ;;
    *) [ -z "$root" ] || usage; root=${1%/} ;;
  esac
  shift
done
[ -n "$root" ] || usage

proto=src/caffe/proto/caffe.proto
dependencies=cmake/Dependencies.cmake
edited=(Makefile "$dependencies" "$proto")
added=(include/caffe/layers/quant_layer.hpp src/caffe/layers/quant_layer.cpp src/caffe/layers/quant_layer.cu
  src/caffe/test/test_quant_layer.cpp)
field=8016 # far from those that Caffe and its forks count up

for file in "${edited[@]}" include/caffe/layer.hpp; do
  [ -f "$root/$file" ] || fail "$root is not a Caffe source tree: it has no $file"
done

# Everything is made in a copy, where a first run's parts are taken out before new ones go in.
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
begin='>>> gfpq' end='<<< gfpq'
for file in "${edited[@]}"; do
  mkdir -p "$stage/$(dirname "$file")"
  [ "$(grep -cF "$begin" "$root/$file")" = "$(grep -cF "$end" "$root/$file")" ] ||
    fail "$root/$file: a '$begin' without '$end'; restore the file, nothing was changed"
  sed "/$begin/,/$end/d" "$root/$file" >"$stage/$file"
done

# What is added ends with its checksum, which tells our files from others', and changed ones.
mark='// gfpq: '
for file in "${added[@]}"; do
  mkdir -p "$stage/$(dirname "$file")"
  { cat "$here/$file" && echo "$mark$(cksum <"$here/$file")"; } >"$stage/$file"
  if [ -e "$root/$file" ] && [[ $(tail -n 1 "$root/$file") != "$mark"* ]]; then
    fail "$root/$file is not of this project; move it away first, nothing was changed"
  fi
done
changed() { [ "$(sed '$d' "$root/$1" | cksum)" != "$(tail -n 1 "$root/$1" | sed "s,^$mark,,")" ]; }

# The number of the one line of FILE that matches.
line_of() { # FILE PATTERN
  local lines
  lines=$(grep -nE "$2" "$stage/$1" | cut -d: -f1) || true
  [[ $lines =~ ^[0-9]+$ ]] ||
    fail "$root/$1: no line, or several, like '$2'; is it a Caffe of another kind?" "nothing was changed"
  echo "$lines"
}
# Puts standard input behind a line.
insert() { # FILE LINE COMMENT
  { echo "$3 $begin" && cat && echo "$3 $end"; } >"$stage/text"
  sed -i "$2r $stage/text" "$stage/$1"
}

if ! $undo; then
  # The package.
  package=${prefix:-$root/GFPQLibs}
  [ -f "$package/include/gfpq.hpp" ] ||
    fail "$package/include/gfpq.hpp is missing: unpack the GFPQ package into $root/GFPQLibs, or name one with --gfpq"
  libraries=''
  for folder in "$package"/lib "$package"/lib64 "$package"/lib/*-linux-gnu*; do
    if [ -e "$folder/libgfpq.so" ] || [ -e "$folder/libgfpq_gpu.so" ]; then libraries=$folder && break; fi
  done
  [ -n "$libraries" ] || fail "$package/lib has neither libgfpq.so nor libgfpq_gpu.so"
  # shellcheck disable=SC2016 # CMake expands it
  include=GFPQLibs/include libraries_here=GFPQLibs/${libraries#"$package"/} in_cmake='${PROJECT_SOURCE_DIR}/'
  if [ -n "$prefix" ]; then
    include=$(cd "$package/include" && pwd) libraries_here=$(cd "$libraries" && pwd) in_cmake=''
  fi

  # caffe.proto
  if grep -nE "[Qq]uant_param|QuantParameter|= *$field *[;[]" "$stage/$proto" >"$stage/taken"; then
    fail "$root/$proto has a quant_param or a field $field already, nothing was changed:" "$(cat "$stage/taken")"
  fi
  first=$(line_of "$proto" '^message LayerParameter \{')
  last=$(awk -v first="$first" 'NR > first && /^}/ { print NR; exit }' "$stage/$proto")
  [ -n "$last" ] || fail "$root/$proto: message LayerParameter has no end, nothing was changed"
  insert "$proto" "$last" // <<'TEXT'

// HiSilicon's NNIE: see include/caffe/layers/quant_layer.hpp.
message QuantParameter {
  optional uint32 quant_bits = 1 [default = 8];  // 8 or 16
  // 0: the layer passes its input on as it is, and keeps its range.
  optional bool quant_en = 2 [default = true];
}
TEXT
  insert "$proto" $((last - 1)) '  //' <<<"  optional QuantParameter quant_param = $field;"

  # Makefile. Programs find the library beside libcaffe.so.
  line=$(line_of Makefile '^lib: \$\(STATIC_NAME\) \$\(DYNAMIC_NAME\)$')
  insert Makefile "$line" '#' <<'TEXT'
.PHONY: gfpq_libraries
gfpq_libraries: | $(LIB_BUILD_DIR)
	@ cp -au $(GFPQ_LIB)/libgfpq*.so* $(LIB_BUILD_DIR)

$(DYNAMIC_NAME): | gfpq_libraries
TEXT
  line=$(line_of Makefile '^LIBRARIES \+= glog gflags protobuf')
  insert Makefile "$line" '#' <<TEXT
GFPQ_INCLUDE := $include
GFPQ_LIB := $libraries_here
INCLUDE_DIRS += \$(GFPQ_INCLUDE)
LIBRARY_DIRS += \$(GFPQ_LIB)
ifeq (\$(CPU_ONLY), 1)
	LIBRARIES += gfpq
else
	LIBRARIES += gfpq_gpu
endif
TEXT

  # CMake
  [ -z "$(tail -c 1 "$stage/$dependencies")" ] ||
    fail "$root/$dependencies: its last line has no end; add it. Nothing was changed"
  insert "$dependencies" '$' '#' <<TEXT
if(HAVE_CUDA)
  set(gfpq_name gfpq_gpu)
else()
  set(gfpq_name gfpq)
endif()
find_path(GFPQ_INCLUDE_DIR gfpq.hpp HINTS "$in_cmake$include")
find_library(GFPQ_LIBRARY \${gfpq_name} HINTS "$in_cmake$libraries_here")
if(NOT GFPQ_INCLUDE_DIR OR NOT GFPQ_LIBRARY)
  message(FATAL_ERROR "gfpq.hpp or lib\${gfpq_name} not found in $in_cmake$libraries_here: run gfpq's apply.sh again")
endif()
include_directories(\${GFPQ_INCLUDE_DIR}) # no property of an exported target, which may not lie in the source tree
list(APPEND Caffe_LINKER_LIBS PUBLIC \${GFPQ_LIBRARY})
TEXT
fi

# From here on nothing can be missing.
changes=0
say() { printf '  %-9s %s\n' "$@" && changes=$((changes + 1)); }
keep() { ! changed "$1" || { cp "$root/$1" "$root/$1.bak" && say kept "$1.bak: it was changed by hand"; }; }
echo "$root:"
for file in "${added[@]}"; do
  if $undo; then
    [ -e "$root/$file" ] || continue
    keep "$file" && rm "$root/$file" && say removed "$file"
  elif [ ! -e "$root/$file" ]; then
    cp "$stage/$file" "$root/$file" && say added "$file"
  elif ! cmp -s "$stage/$file" "$root/$file"; then
    keep "$file" && cp "$stage/$file" "$root/$file" && say renewed "$file"
  fi
done
for file in "${edited[@]}"; do
  cmp -s "$stage/$file" "$root/$file" && continue
  cat "$stage/$file" >"$root/$file"
  if $undo; then say restored "$file"; else say changed "$file"; fi
done
if [ "$changes" -eq 0 ]; then
  echo "  nothing to do"
elif ! $undo; then
  echo "Linked with $libraries. Now build Caffe: make lib pycaffe tools, or CMake."
  for name in gfpq gfpq_gpu; do
    kind=$([ $name = gfpq ] && echo 'CPU_ONLY builds' || echo 'builds for the GPU')
    [ -e "$libraries/lib$name.so" ] || echo "No lib$name.so there: $kind will not link."
  done
fi
