"""Whether a model computes the same each time: a network that is exported can't be random, and keeps no state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .recorded import Record
from .running import call, copied, evaluate_in_float, tensors_in, untouched

_LARGEST_DIFFERENCE = 1e-5  # of the largest number: what an accelerator's sums may differ by


def difference(model: nn.Module, example_inputs: Any, recorded: Record) -> str:
    """Runs a model twice, in evaluation, in float. Returns what is to be said where the outputs differ, else "".

    The model is left as it was, and so are the random number generators.
    """
    with untouched(model), torch.no_grad():
        evaluate_in_float(model)
        first, second = (
            [tensor.detach().clone() for _, tensor in tensors_in(call(model, copied(example_inputs)))] for _ in range(2)
        )
    if len(first) == len(second) and all(map(_alike, first, second)):
        return ""
    random = next((operation for operation in recorded.operations if operation.random), None)
    cause = (
        f"{random.name} ({random.site}) takes random numbers: in evaluation it must not (of F.dropout: "
        "training=self.training)" if random is not None else
        "it keeps something from one call to the next (a counter, a buffer), or takes random numbers of Python's or numpy's"
    )  # fmt: skip
    return f"called twice in evaluation with the same inputs, the model returns different outputs: {cause}"


def _alike(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not a.is_floating_point():
        return bool(torch.equal(a, b))
    largest = float(a.abs().nan_to_num(0, 0, 0).amax()) if a.numel() else 0.0
    return bool(torch.allclose(a, b, rtol=0.0, atol=_LARGEST_DIFFERENCE * largest, equal_nan=True))
