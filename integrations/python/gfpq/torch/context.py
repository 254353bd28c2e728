"""What is going on around a call of a quantizer."""

from __future__ import annotations

import sys
from typing import Any, cast

import torch
from torch import Tensor
from torch.fx.proxy import Proxy

# Since PyTorch 2.1: of torch.compile and torch.export.
# Since PyTorch 2.7. What torch.compile makes of `is_exporting()` in a program is True, before PyTorch 2.15 or so.
COMPILES = hasattr(torch, "compiler") and hasattr(torch.compiler, "_is_exporting_flag")
_is_tracing = cast(Any, torch)._C._is_tracing
_graph_task = getattr(cast(Any, torch)._C, "_current_graph_task_id", None)  # since PyTorch 2.0
_is_compiling = torch.compiler.is_compiling if hasattr(torch, "compiler") else _is_tracing


def is_jit_tracing() -> bool:
    """Whether torch.jit.trace, or the export to ONNX, is at work."""
    return bool(_is_tracing())


def tracing(x: Any) -> bool:
    """Whether a program is made of what runs, which would not have the quantizers in it."""
    return isinstance(x, Proxy) or is_jit_tracing() or bool(_is_compiling())


def compiling() -> bool:
    """Whether torch.compile makes a program, in which the quantizers are an operator; not torch.export."""
    return COMPILES and bool(_is_compiling()) and not cast(Any, torch).compiler._is_exporting_flag


def capturing(x: Tensor) -> bool:
    """Whether work on this tensor goes into a CUDA graph."""
    return x.is_cuda and torch.cuda.is_current_stream_capturing()


def recomputing() -> bool:
    """Whether a checkpoint runs the forward pass again, in backward."""
    if _graph_task is not None:
        return bool(_graph_task() != -1)
    frame = sys._getframe(1)
    while frame is not None:
        name, function = frame.f_globals.get("__name__"), frame.f_code.co_name
        if name == "torch.utils.checkpoint" and function in ("backward", "unpack"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
