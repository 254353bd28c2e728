"""Training PyTorch networks for NNIE: the guide's chapter 3.

    import gfpq.torch as gq
    gq.prepare(model, bits=8, example_inputs=x)     # quantizers for the data and the weights of each layer
    ...                                             # fine-tune as usual
    gq.export(model, "deployed")                    # folded, quantized weights and the parameters
"""

from __future__ import annotations

from ..comparison import Comparison
from .calibrate import calibrate
from .compare import compare_layers
from .export import Export, evaluate, export
from .fake_quantize import FakeQuantize, Policy
from .fold import fold_batchnorm
from .load import load_exported
from .onnx import export_onnx
from .placed import check, float_state, only, quantizers, remove
from .prepare import Placed, Preparation, prepare
from .record import record
from .sensitivity import Sensitivity, sensitivity
from .tensors import quantize, quantize_

__all__ = [
    "Comparison",
    "Export",
    "FakeQuantize",
    "Placed",
    "Policy",
    "Preparation",
    "Sensitivity",
    "calibrate",
    "check",
    "compare_layers",
    "evaluate",
    "export",
    "export_onnx",
    "float_state",
    "fold_batchnorm",
    "load_exported",
    "only",
    "prepare",
    "quantize",
    "quantize_",
    "quantizers",
    "record",
    "remove",
    "sensitivity",
]
