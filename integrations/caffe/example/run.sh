#!/usr/bin/env bash
# The guide's workflow on scikit-learn's digits: float training, quantization, fine-tuning, comparison, export.
#
#     CAFFE_ROOT=... run.sh FOLDER [BITS]      BITS: 8 (default) or 16
#
# CAFFE_ROOT: a Caffe with the Quant layer, built with pycaffe. Takes python3-h5py and python3-sklearn.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${CAFFE_ROOT:?set it to a Caffe tree that apply.sh was run on and that is built}"
folder=${1:?usage: run.sh FOLDER [BITS]} bits=${2:-8}
export PYTHONPATH=$here/../../python:$CAFFE_ROOT/python${PYTHONPATH:+:$PYTHONPATH}
export GLOG_minloglevel=${GLOG_minloglevel:-2}
python=/usr/bin/python3

finetune() { "$python" "$here/../finetune.py" "$@"; }
accuracy() { # NAME ARGUMENTS
  finetune test "${@:2}" --batches 29 | awk -v name="$1" '$1 == "accuracy" { printf "%-40s %.2f %%\n", name, 100 * $3 }'
}

mkdir -p "$folder" && cd "$folder"
"$python" "$here/make_data.py" .
cp "$here"/*_solver.prototxt "$here/solver.prototxt" .
sed "s/quant_bits: 8/quant_bits: $bits/" "$here/digits.prototxt" >digits.prototxt
sed "s/quant_en: 1/quant_en: 0/" digits.prototxt >float.prototxt

"$CAFFE_ROOT/build/tools/caffe" train --solver=float_solver.prototxt
finetune train solver.prototxt --weights float_iter_280.caffemodel

echo
accuracy "float" digits.prototxt float_iter_280.caffemodel --float
accuracy "$bits bit, not fine-tuned" digits.prototxt float_iter_280.caffemodel
accuracy "$bits bit, fine-tuned" digits.prototxt quant_iter_140.caffemodel
accuracy "$bits bit, fine-tuned, data only" digits.prototxt quant_iter_140.caffemodel --data-only
echo
finetune compare digits.prototxt quant_iter_140.caffemodel --batches 29
echo
finetune export digits.prototxt quant_iter_140.caffemodel deployed
"$python" -m gfpq param deployed/parameters.json
accuracy "exported, folded: weights in $bits bit" deployed/model.prototxt deployed/model.caffemodel --float
