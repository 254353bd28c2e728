"""The mapper's tensors and ours: sizes, groups, ranges, and how many codes are equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import quantize
from ..files import FileError
from ..param import Mode, Param
from ..similarity import Similarity
from ..widths import WIDTHS
from .dumps import Codes, Dump, delta_of, exponents_of

Array = NDArray[Any]


def check_size(dump: Dump, count: int, ours: Array) -> None:
    if count != ours.size or (dump.shape and int(np.prod(dump.shape)) != ours.size):
        raise FileError(dump.file, f"holds {count} numbers, and the layer has {'x'.join(map(str, ours.shape))}")


def mapped(
    codes: Codes | None, floats: Array | None, params: list[Param], bits: int, shape: tuple[int, ...], groups: int,
    axis: int,
) -> tuple[Array, list[int | None]]:  # fmt: skip
    """The mapper's numbers in our shape, and the delta of each group, None where it can't be found."""
    deltas: list[int | None] = [None] * groups
    if codes is not None and floats is not None:
        parts = zip(*(split(x, shape, groups, axis) for x in (codes.signs, codes.codes, codes.zeros, floats)))
        deltas = [delta_of(Codes(s, c, z, bits), f) for s, c, z, f in parts]
    if floats is not None:
        return floats.reshape(shape), deltas
    assert codes is not None
    known = [p.delta for p in params]
    parts = zip(*(split(x, shape, groups, axis) for x in (codes.signs, codes.codes, codes.zeros)), known)
    made = [np.where(z, 0.0, s * np.exp2((delta + c) / WIDTHS[bits].steps)) for s, c, z, delta in parts]
    return np.concatenate(made, axis=axis if len(shape) > axis else 0), deltas


def split(x: Array, shape: tuple[int, ...], groups: int, axis: int) -> list[Array]:
    return np.split(x.reshape(shape), groups, axis=axis if len(shape) > axis else 0)


def with_deltas(raw: Array, deltas: list[int], bits: int, axis: int) -> Array:
    """Our numbers, fake-quantized with the mapper's ranges."""
    parts = split(np.asarray(raw, "f4"), raw.shape, len(deltas), axis) if deltas else [raw]
    made = [quantize(part, param=Param.from_delta(d, bits), mode=Mode.APPLY) for part, d in zip(parts, deltas)]
    return np.concatenate(made, axis=axis) if made else raw


def share_of_equal(ours: Array, theirs: Array, bits: int) -> float:
    """How many of two tensors' numbers have the same sign and exponent."""
    equal = exponents_of(ours, bits) == exponents_of(theirs, bits)
    return float((equal & (np.sign(ours) == np.sign(theirs))).mean()) if ours.size else 1.0


def share_within(
    raw: Array, theirs: Array, deltas: list[int], bits: int, axis: int, tolerance: float, steps: int = 0
) -> float:  # fmt: skip
    """How many of their numbers are what quantizing makes of ours, each off by up to a tolerance before, and by steps
    of the code behind."""
    low, high = (with_deltas(raw + off, deltas, bits, axis) for off in (-tolerance, tolerance))
    room = np.abs(theirs) * (2 ** ((steps + 0.25) / WIDTHS[bits].steps) - 1)  # dumps are rounded decimals
    within = (low - room <= theirs) & (theirs <= high + room)
    return float(within.mean()) if within.size else 1.0


def cosine_of(ours: Array, theirs: Array) -> float:
    similarity = Similarity()
    similarity.add(ours, theirs)
    return similarity.cosine
