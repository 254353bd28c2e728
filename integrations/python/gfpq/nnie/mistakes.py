"""The network's input as the mapper makes it where it was told, or took it, in another way than the network wants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryNotFoundError
from ..files import FileError, naming
from . import facts, mapper, pictures
from .mapper import Normalization
from .network import Shape

Array = NDArray[Any]


UNKNOWN = "the picture or its normalization differs in a way that is not known here"


@dataclass(frozen=True)
class Given:
    """The picture that an export's dumps are compared on: its file, the shape that the network takes, and its bytes
    [channels, rows, columns]."""

    deployed: Path
    file: Path
    shape: Shape
    norm: Normalization
    pixels: Array

    @property
    def input(self) -> Array:
        """What the network is to be given."""
        return np.asarray(self.norm.apply(self.pixels))

    def mistaken(self) -> Iterator[tuple[str, Array]]:
        """What may have gone wrong, and the input that it makes."""
        if self.norm.picture:
            yield from self._normalized_otherwise()
        last = self.last_listed()
        if last is not None:
            try:
                pixels = pictures.load(last, self.shape, self.norm)
            except (FileError, LibraryNotFoundError):
                return
            yield f"the picture is another one: {last}, the last of {mapper.IMAGES}", self.norm.apply(pixels)

    def _normalized_otherwise(self) -> Iterator[tuple[str, Array]]:
        norm, mean, x = self.norm, self.norm.means, np.asarray(self.pixels, "f4")
        scale = np.float32(1.0 if norm.scale is None else norm.scale)
        ways = {
            "scale before mean": x * scale - mean, "no mean": x * scale, "no scale": x - mean,
            "no mean and no scale": x, "means in the other order": (x - mean[::-1]) * scale,
            "the scale 1/256, its default": (x - mean) * np.float32(facts.DEFAULT_SCALE),
        }  # fmt: skip
        if norm.mean_picture is not None:
            ways["means of the channels"] = (x - mean.mean((1, 2), keepdims=True)) * scale
        what = "mean" if norm.mean_picture is None else "mean picture"
        for way, y in ways.items():
            yield (f"normalization differs: the mapper has {way}, and the network wants the {what} subtracted first, "
                   "then the scale"), y[None]  # fmt: skip
        if x.shape[0] == 3:
            order = {"RGB": "BGR", "BGR": "RGB"}.get(norm.order, "the other order")
            cause, swapped = f"order of channels: the mapper has {order}", x[::-1]
            yield f"{cause}, and the network wants {norm.order}", ((swapped - mean) * scale)[None]
            yield f"{cause} after the means, and the network wants {norm.order}", ((x - mean) * scale)[::-1][None]
            yield f"{cause}, and normalization differs: scale before mean", (swapped * scale - mean)[None]

    def last_listed(self) -> Path | None:
        """The picture that the mapper dumps, the last of image_list.txt; None where that is this one, or not known."""
        file = self.deployed / mapper.IMAGES
        if not self.norm.picture or not file.is_file():
            return None
        with naming(file):
            names = [line.strip() for line in file.read_text().split("\n") if line.strip()]
        return Path(names[-1]) if names and Path(names[-1]).resolve() != self.file.resolve() else None

    @property
    def unknown(self) -> str:
        """What is said where none of the mistakes explains the mapper's numbers."""
        last = self.last_listed()
        return UNKNOWN + (f": --input is to be the last picture of {mapper.IMAGES}, and that is {last}" if last else "")
