"""The operator for fake-quantized data in ONNX networks, for ONNX Runtime: onnxruntime and onnxruntime-extensions.

    session = onnxruntime.InferenceSession("network.onnx", gfpq.onnx_runtime.session_options())

The operator is `GfpqFakeQuantize` of the domain `ai.onnx.contrib`, version 1:

| | |
|---|---|
| input 0 | float32, of any shape |
| input 1 | int64 [groups]: the delta of each group |
| attribute `bits` | the bit width |
| attribute `axis` | the axis that is cut into as many equal parts as there are groups; negative counts from the last |
| output 0 | what `gfpq.quantize` makes of each part with its delta; as input 0 |
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import quantize
from .param import Param

DOMAIN, OPERATOR = "ai.onnx.contrib", "GfpqFakeQuantize"
_declared: list[Any] = []


def fake_quantize(x: NDArray[Any], deltas: NDArray[Any], *, bits: int, axis: int) -> NDArray[Any]:
    """What the operator computes."""
    parts = np.split(x, len(deltas), axis=axis) if len(deltas) > 1 else [x]
    made = [quantize(part, param=Param.from_delta(int(delta), bits)) for part, delta in zip(parts, deltas)]
    return np.concatenate(made, axis=axis) if len(made) > 1 else made[0]


def session_options() -> Any:
    """onnxruntime.SessionOptions with the operator. Raises ImportError where one of the packages is missing."""
    runtime, extensions = import_module("onnxruntime"), import_module("onnxruntime_extensions")
    if not _declared:
        types = extensions.PyCustomOpDef
        declare = extensions.onnx_op(
            op_type=OPERATOR, inputs=[types.dt_float, types.dt_int64], outputs=[types.dt_float],
            attrs={"bits": types.dt_int64, "axis": types.dt_int64},
        )  # fmt: skip
        _declared.append(declare(fake_quantize))
    options = runtime.SessionOptions()
    options.register_custom_ops_library(extensions.get_library_path())
    return options
