"""The bit widths that GFPQ has, and their constants: the one place in the package that names them."""

from __future__ import annotations

from typing import NamedTuple

from .errors import BadFormatError


class Width(NamedTuple):
    """A bit width's constants: S steps an octave, K the largest code, delta within [-R, R]."""

    steps: int
    largest_code: int
    delta_limit: int


WIDTHS = {8: Width(16, 127, 511), 16: Width(128, 1407, 4095)}
DEFAULT_BITS = 8


def width_names() -> str:
    """The widths as a message lists them."""
    *others, last = map(str, WIDTHS)
    return f"{', '.join(others)} or {last}"


def width_of(bits: int) -> Width:
    """The constants of a bit width. Raises BadFormatError for one that WIDTHS lacks."""
    if bits not in WIDTHS:
        raise BadFormatError(f"Invalid bit width[{bits}]: use {width_names()}")
    return WIDTHS[bits]
