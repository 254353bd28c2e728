"""The rows of FakeQuantize's buffer: w * (e, bits, 1) for a range whose largest value is 2^e, zeros for none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

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


def params_of(rows: Tensor, bits: int) -> Tensor:
    """The parameters of jobs, int32 [groups, 16], of rows, float64 [groups, 3], on their device, without waiting for it.

    As `param_of`, but what that refuses gives a parameter that a job refuses.
    """
    word = 0xFFFFFFFF
    x = ~_deltas_of(rows, bits) & word
    check = (x << 3 | x << 11 | x << 21 | x << 27) & word
    words = torch.stack([check, ~x & word, check ^ 0xA5A5A5A5, check ^ 0x5A5A5A5A], 1)
    words = words.masked_fill(~_are_valid(rows, bits).unsqueeze(1), 1)  # no block has four words of 1
    words = words.masked_fill(rows.eq(0).all(1, keepdim=True), 0)
    return torch.nn.functional.pad(torch.where(words > word // 2, words - word - 1, words).int(), (0, 12))


def rows_of(params: Tensor, before: Tensor, bits: int, *, leaves_out_infinite: bool) -> Tensor:
    """The rows after a job in mode AUTO that changed the parameters of the rows `before`, on their device.

    A row is NaN where the job found its parameter to be damaged. With `leaves_out_infinite` one stays as it was where
    the batch asked for the widest range that there is, as infinite numbers do.
    """
    width = width_of(bits)
    deltas = params[:, 1].long()
    known = before[:, 2] > 0
    grown = ~known | (deltas > _deltas_of(before, bits))
    if leaves_out_infinite:
        grown = grown & (deltas < width.delta_limit)
    exponents = torch.where(grown, (deltas.double() + width.largest_code) / width.steps, before[:, 0] / before[:, 2])
    rows = known_rows(exponents, bits)
    never_set = params[:, :4].eq(0).all(1) | ~(known | grown)
    return rows.masked_fill(never_set.unsqueeze(1), 0).masked_fill(params[:, 4:5].ne(0), float("nan"))


def left_out(params: Tensor, rows: Tensor, bits: int) -> Tensor:
    """Which groups' batches `rows_of` left out of these rows, as they asked for the widest range."""
    limit = width_of(bits).delta_limit
    return params[:, 1].ge(limit) & _deltas_of(rows, bits).lt(limit)


def known_rows(exponents: Tensor, bits: int) -> Tensor:
    """The rows of ranges whose largest values are 2^exponent."""
    return torch.stack([exponents, torch.full_like(exponents, bits), torch.ones_like(exponents)], 1)


def _are_valid(rows: Tensor, bits: int) -> Tensor:
    total, weighted_bits, weight = rows.unbind(1)
    return (weight > 0) & weight.isfinite() & ((weighted_bits / weight - bits).abs() < 0.5) & total.isfinite()


def _deltas_of(rows: Tensor, bits: int) -> Tensor:
    """int64; of rows that are not valid any number."""
    width = width_of(bits)
    position = rows[:, 0] / rows[:, 2] * width.steps - width.largest_code
    position = position.masked_fill(~_are_valid(rows, bits), 0)  # torch.where would wait for a GPU to have the 0
    nearest = position.round()
    deltas = torch.where(position - nearest > _NEARLY, nearest + 1, nearest)
    return deltas.clamp(-width.delta_limit, width.delta_limit).long()
