"""What a comparison with the mapper's dumps found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..torch.recorded import aligned

Array = NDArray[Any]


@dataclass
class Compared:
    """A tensor of a layer, the mapper's against ours."""

    layer: str
    tensor: str  # "weight", "input 0", "output 0"
    cosine: float
    sqnr: float
    largest: float
    equal: float | None  # share of equal codes; None for outputs and for tensors without codes
    cause: str = ""  # why it departs; empty: it does not
    ours: Array = field(repr=False, default_factory=lambda: np.zeros(0))
    theirs: Array = field(repr=False, default_factory=lambda: np.zeros(0))


@dataclass
class DumpComparison:
    """All tensors for which there is a file, in the network's order; prints as the first departure, and a table."""

    tensors: list[Compared]
    remarks: list[str]

    @property
    def departures(self) -> list[Compared]:
        """The tensors that depart. What comes after the first may only inherit it."""
        return [compared for compared in self.tensors if compared.cause]

    @property
    def first_line(self) -> str:
        """What departs first, and why it may."""
        if not self.departures:
            return f"no departure in {len(self.tensors)} tensors"
        first = self.departures[0]
        return f"first departure: {first.layer} {first.tensor}: {first.cause}"

    def table(self) -> list[tuple[str, ...]]:
        """One row a tensor. The first row is the heading."""
        rows: list[tuple[str, ...]] = [
            ("layer", "tensor", "cosine", "SQNR dB", "largest difference", "equal codes", "departs")
        ]
        for c in self.tensors:
            share = "" if c.equal is None else f"{c.equal:.2%}"
            numbers = f"{c.cosine:.6f}", f"{c.sqnr:.2f}", f"{c.largest:.6g}"
            rows.append((c.layer, c.tensor, *numbers, share, c.cause.partition(":")[0]))
        return rows

    def __str__(self) -> str:
        return "\n".join([self.first_line, aligned(self.table()), *(f"note: {remark}" for remark in self.remarks)])

    def html(self) -> str:
        """A page with the table and pictures of the tensors."""
        from .page import page_of

        return page_of(self)
