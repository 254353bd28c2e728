"""The rows of FakeQuantize's buffer: w * (e, bits, 1) for a range whose largest value is 2^e, zeros for none."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import BadParametersError
from ..param import Param
from ..widths import WIDTHS, width_of

Row = list[float]
UNKNOWN: Row = [0.0, 0.0, 0.0]
_NEARLY = 0.01  # of a step: what rounding may do to an average of equal ranges


def row_of(param: Param) -> Row:
    """A Param's row, exact in float64."""
    return [exponent_of(param), float(param.bits), 1.0] if param.initialized else UNKNOWN


def param_of(row: Row, bits: int) -> Param:
    """The Param that a row stands for: of several the narrowest that reaches as far.

    Raises BadParametersError for a row that is no average of ranges, or one of another width.
    """
    total, weighted_bits, weight = row
    if row == UNKNOWN:
        return Param(bits)
    if not (0 < weight < float("inf") and abs(weighted_bits / weight - bits) < 0.5 and abs(total) < float("inf")):
        raise BadParametersError(f"the buffer `range` is damaged or for another bit width: {row}")
    width = width_of(bits)
    position = total / weight * width.steps - width.largest_code
    delta = round(position)
    if position - delta > _NEARLY:
        delta += 1
    return Param.from_delta(max(-width.delta_limit, min(width.delta_limit, delta)), bits)


def exponent_of(param: Param) -> float:
    """log2 of the largest value."""
    width = WIDTHS[param.bits]
    return (param.delta + width.largest_code) / width.steps


def convert_blocks(state_dict: dict[str, Any], prefix: str) -> None:
    """Turns a FakeQuantize's entries of version 1.2, blocks of 16 bytes, into its `range`."""
    blocks, bits = state_dict.pop(prefix + "blocks", None), state_dict.pop(prefix + "bit_width", None)
    if blocks is not None and bits is not None:
        rows = [row_of(Param.from_bytes(bytes(block), int(bits))) for block in blocks.tolist()]
        state_dict[prefix + "range"] = torch.tensor(rows, dtype=torch.float64)
