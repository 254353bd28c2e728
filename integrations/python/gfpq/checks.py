"""What a call on an array and one on a tensor check before the library sees them."""

from __future__ import annotations

from typing import Any

from . import library
from .param import Mode, Param
from .widths import DEFAULT_BITS


def call_arguments(bits: int | None, param: Param | None, mode: Mode | None) -> tuple[int, Any]:
    """Fills the defaults in. Returns the bit width and the Param's struct, its mode set.

    Raises ValueError where the arguments contradict each other.
    """
    if param is None:
        if mode is not None and mode != Mode.INIT:
            raise ValueError(f"{Mode(mode)!r} needs a Param")
        return DEFAULT_BITS if bits is None else bits, None  # the library refuses a width that it lacks
    if bits is not None and bits != param.bits:
        raise ValueError(f"the Param was made for {param.bits} bit, and {bits} bit are asked for")
    if mode is None:
        mode = Mode.APPLY if param.initialized else Mode.INIT
    param._struct.mode = mode
    return param.bits, param._reference


def check_dense(shape: tuple[int, ...], strides: tuple[int, ...] | None, item_size: int) -> None:
    """Refuses gaps and overlaps. The order of the axes does not matter to a parameter for the whole array.

    Strides are in bytes, None for C order. Raises ValueError.
    """
    if strides is None or 0 in shape:
        return
    expected = item_size
    for stride, length in sorted((stride, length) for stride, length in zip(strides, shape) if length > 1):
        if stride != expected:
            raise ValueError(
                f"the array (shape {shape}, strides {strides} bytes) is not contiguous: use quantize, which copies"
            )
        expected *= length


def check_count(count: int) -> None:
    """Raises ValueError for more numbers than the interface can count."""
    if count > library.MAX_COUNT:
        raise ValueError(f"{count} numbers are more than a call takes ({library.MAX_COUNT}): find the range first, "
                         "then quantize part by part with Mode.APPLY")
