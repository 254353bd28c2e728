"""How a data quantizer's range follows the batches that it sees.

Each choice gets a batch's largest |x| as an exponent e, 2^e, and merges it into the pair that FakeQuantize keeps:
(weighted sum of exponents, sum of weights), (0, 0) where no batch was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Union

import torch
from torch import Tensor

Sums = tuple[float, float]


@dataclass(frozen=True)
class Widest:
    """The widest range of all batches, which never becomes narrower: the vendor's UPDATE."""

    learns = True  # in training; calibration always does

    def reach(self, _numbers: Tensor, largest: float) -> float:
        """What of a batch the range is to reach to: its largest |x|. `numbers`: the finite ones, in any shape."""
        return largest

    def merge(self, sums: Sums, exponent: float) -> Sums:
        """The sums after a batch."""
        total, weight = sums
        return (max(total / weight, exponent) if weight else exponent), 1.0


@dataclass(frozen=True)
class MovingMaximum(Widest):
    """The moving average, over the batches, of the exponent of the largest |x|.

    It forgets: a batch that is 2^10 times too large widens the range by 10 * (1 - momentum) octaves, for a while.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise ValueError(f"a momentum lies between 0 and 1, and {self.momentum} does not")

    def merge(self, sums: Sums, exponent: float) -> Sums:
        total, weight = sums
        share = 1 - self.momentum
        return total * self.momentum + exponent * share, weight * self.momentum + share


@dataclass(frozen=True)
class Percentile(MovingMaximum):
    """As MovingMaximum, of the value that `percent` % of a batch's |x| don't exceed: the numbers beyond are clipped."""

    percent: float = 99.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.percent <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, and {self.percent} does not")

    def reach(self, numbers: Tensor, largest: float) -> float:
        beyond = math.floor(numbers.numel() * (100 - self.percent) / 100 + 1e-6)  # 100 - 99.9 is rounded down
        if beyond == 0:
            return largest
        return torch.topk(numbers.detach().abs().flatten(), beyond + 1, sorted=False).values.amin().item()


@dataclass(frozen=True)
class Fixed(Widest):
    """Training changes nothing: `calibrate` finds the range (the widest of its batches), or set_params gives it."""

    learns = False


def keeps_widest(choice: Widest) -> bool:
    """Whether a choice merges as the vendor's UPDATE does, whoever does it."""
    return type(choice).reach is Widest.reach and type(choice).merge is Widest.merge


Range = Union[Widest, MovingMaximum, Percentile, Fixed]
CHOICES = {"widest": Widest(), "moving maximum": MovingMaximum(), "percentile": Percentile(), "fixed": Fixed()}


def range_of(choice: str | Range) -> Range:
    """The choice of this name, or the choice itself. Raises ValueError for any other."""
    if isinstance(choice, Widest):
        return choice
    if choice not in CHOICES:
        raise ValueError(f"there is no range {choice!r}: use {', '.join(map(repr, CHOICES))}, or a class of "
                         "gfpq.torch.ranges")
    return CHOICES[choice]
