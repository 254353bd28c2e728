"""Quantizing what a function is called with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from ..errors import NotSupportedError
from .context import compiling, is_jit_tracing
from .operations import is_in_place
from .running import tensors_in

if TYPE_CHECKING:
    from .functional import CallQuantizers


class Use(NamedTuple):
    """What quantizing a call's inputs takes. In a program it is a constant."""

    name: str  # of the call, for messages
    tensors: int  # how many it has
    inputs: tuple[tuple[int, str], ...]  # of those that get a quantizer: which tensor, and the quantizer's name


def on_quantized(func: Any, args: Any, kwargs: dict[str, Any], use: Use, quantizers: CallQuantizers) -> Any:
    """Calls a function with the inputs quantized that a site has quantizers for."""
    tensors = [tensor for _, tensor in tensors_in((args, kwargs))]
    counted = list(range(len(tensors)))
    if len(tensors) != use.tensors and not compiling() and is_jit_tracing():  # makes tensors of sizes: x.shape[2]
        counted = [i for i, tensor in enumerate(tensors) if tensor.dim() or tensor.is_floating_point()]
    if len(counted) != use.tensors:
        raise NotSupportedError(
            f"{use.name} is called with {len(tensors)} tensors, and was with {use.tensors} in the recorded pass: "
            "prepare the model with example_inputs like these"
        )
    made = list(tensors)
    for position, key in use.inputs:
        if key in quantizers:
            made[counted[position]] = quantizers[key](tensors[counted[position]])
    if is_in_place(func, kwargs) and made[0] is not tensors[0]:  # the function is to write to the very tensor
        made[0] = tensors[0].copy_(made[0])
    args, kwargs = _with_tensors((args, kwargs), iter(made))
    return func(*args, **kwargs)


def _with_tensors(item: Any, tensors: Iterator[Tensor]) -> Any:
    """The same lists, tuples and dicts with other tensors, in the order of `tensors_in`."""
    if isinstance(item, Tensor):
        return next(tensors)
    if isinstance(item, dict):
        return {key: _with_tensors(part, tensors) for key, part in item.items()}
    if isinstance(item, (list, tuple)):
        parts = [_with_tensors(part, tensors) for part in item]
        return parts if isinstance(item, list) else tuple(parts)
    return item
