"""How alike a tensor and its quantized counterpart are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Similarity:
    """Sums over pairs of tensors, added part by part, in float64."""

    products: float = 0.0
    reference_squares: float = 0.0
    other_squares: float = 0.0
    error_squares: float = 0.0
    largest_error: float = 0.0
    different: int = 0
    count: int = 0

    def add(self, reference: NDArray[Any], other: NDArray[Any]) -> None:
        """Adds two arrays of one shape. Raises ValueError where the shapes differ."""
        if reference.shape != other.shape:
            raise ValueError(f"tensors of the shapes {reference.shape} and {other.shape} cannot be compared")
        a, b = np.asarray(reference, "f8").ravel(), np.asarray(other, "f8").ravel()
        error = b - a
        self.products += float(a @ b)
        self.reference_squares += float(a @ a)
        self.other_squares += float(b @ b)
        self.error_squares += float(error @ error)
        self.largest_error = max(self.largest_error, float(np.abs(error).max(initial=0.0)))
        self.different += int(np.count_nonzero(reference != other))  # float64 may not tell two integers apart
        self.count += a.size

    @property
    def cosine(self) -> float:
        """Cosine similarity: 1 for tensors that differ by a factor at most; two that are all zero count as alike."""
        norms = math.sqrt(self.reference_squares) * math.sqrt(self.other_squares)
        if norms == 0:
            return 1.0 if self.reference_squares == self.other_squares else 0.0
        return self.products / norms

    @property
    def sqnr(self) -> float:
        """Signal to quantization noise in dB: 10 log10(sum reference^2 / sum error^2); infinite without error."""
        if self.error_squares == 0:
            return math.inf
        if self.reference_squares == 0:
            return -math.inf
        return 10 * math.log10(self.reference_squares / self.error_squares)
