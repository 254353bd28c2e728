"""Exported networks as ONNX files."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..onnx_runtime import DOMAIN, OPERATOR
from ..param import Mode, Param
from .export import Export
from .fake_quantize import FakeQuantize
from .placed import quantize_weights
from .tensors import quantize


def export_onnx(
    exported: Export, file: str | Path, example_inputs: Any, *, quantizers: bool = False, **options: Any
) -> None:
    """Writes an exported network as ONNX: plain float with quantized weights.

    Args:
        example_inputs: what the network is called with, as for torch.onnx.export's `args`.
        quantizers: quantize data too, by the operator that gfpq.onnx_runtime describes and registers.
        options: for torch.onnx.export.

    Takes the exporter by tracing, in PyTorch 2 with the package onnx. Raises TypeError for a model instead of its
    Export, and what torch.onnx.export raises.
    """
    if not isinstance(exported, Export):
        raise TypeError("export_onnx takes what gfpq.torch.export returns, the Export of a prepared model: "
                        f"export_onnx(export(model), ...). This is a {type(exported).__name__}")
    model = with_operators(exported.twin) if quantizers else exported.model
    if quantizers:
        options["custom_opsets"] = {DOMAIN: 1, **options.get("custom_opsets", {})}
    if int(torch.__version__.split(".")[0]) > 1:
        options.setdefault("dynamo", False)
    torch.onnx.export(model, example_inputs, str(file), **options)


def with_operators(twin: nn.Module) -> nn.Module:
    """A copy of a twin with quantized weights, and the operator in place of the quantizers of data."""
    model = copy.deepcopy(twin)
    quantize_weights(model)
    for parent in model.modules():
        for key, child in parent._modules.items():
            if isinstance(child, FakeQuantize):
                parent._modules[key] = Operator(child) if child.initialized else nn.Identity()
    return model


class Operator(nn.Module):
    """A FakeQuantize of evaluation that ONNX has as one operator."""

    def __init__(self, quantizer: FakeQuantize) -> None:
        super().__init__()
        self.bits, self.axis, self.name = quantizer.bits, quantizer.dim, quantizer.name
        self.register_buffer("deltas", torch.tensor([param.delta for param in quantizer.params]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return _Function.apply(x, self.deltas, self.bits, self.axis)  # type: ignore[no-untyped-call]


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, deltas: Tensor, bits: int, axis: int) -> Tensor:
        parts = x.chunk(len(deltas), axis) if len(deltas) > 1 else (x,)
        params = [Param.from_delta(int(delta), bits) for delta in deltas]
        made = [quantize(part, param=param, mode=Mode.APPLY) for part, param in zip(parts, params)]
        return torch.cat(made, axis) if len(made) > 1 else made[0]

    @staticmethod
    def symbolic(g: Any, x: Any, deltas: Any, bits: int, axis: int) -> Any:
        return g.op(f"{DOMAIN}::{OPERATOR}", x, deltas, bits_i=bits, axis_i=axis).setType(x.type())
