"""What of a tensor decides on its range: the largest number, and the range that INIT finds for it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..param import Mode, Param
from .rows import exponent_of
from .tensors import quantize_


def _has_halves() -> bool:
    try:
        torch.aminmax(torch.zeros(1, dtype=torch.float16))
    except RuntimeError:  # before PyTorch 2
        return False
    return True


_HAS_HALVES = _has_halves()


def extremes(parts: list[Tensor]) -> list[tuple[float, float]]:
    """The smallest and the largest number of each tensor: NaN for both where it holds one, 0 where it is empty.

    The tensors are of one type, on one device, without gradient; one that is a GPU's is waited for once.
    """
    if len(parts) == 1 and parts[0].is_cpu and parts[0].numel():  # sooner than the general way
        low, high = _aminmax(parts[0])
        return [(low.item(), high.item())]
    found = [_aminmax(part) if part.numel() else (part.new_zeros(()),) * 2 for part in parts]
    return [(low, high) for low, high in torch.stack([torch.stack(pair) for pair in found]).tolist()]


def _aminmax(numbers: Tensor) -> tuple[Tensor, Tensor]:
    if not _HAS_HALVES and numbers.dtype is torch.float16 and numbers.is_cpu:
        numbers = numbers.float()
    low, high = torch.aminmax(numbers)
    return low, high


class Known(NamedTuple):
    """Magnitudes whose range is known. INIT never gives a larger number a narrower range, so all between two numbers
    with the same range have it too; but for 0, which has one of its own."""

    is_double: bool
    lowest: float
    highest: float
    exponent: float


def known_for(largest: float, dtype: torch.dtype, bits: int, before: Known | None) -> Known:
    """Finds the range that INIT gives numbers of a type whose largest |x| this is, and adds it to what is known."""
    is_double = dtype is torch.float64
    param = Param(bits)
    quantize_(torch.tensor([largest], dtype=dtype if is_double else torch.float32), param=param, mode=Mode.INIT)
    exponent = exponent_of(param)
    if before is None or (before.is_double, before.exponent) != (is_double, exponent) or not largest * before.lowest:
        return Known(is_double, largest, largest, exponent)
    return Known(is_double, min(before.lowest, largest), max(before.highest, largest), exponent)
