"""What the mapper is given as a network's input, held against the network: its size, and the ranges of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryNotFoundError
from ..parameters import DATA, Row
from . import mapper, network, pictures
from .mapper import Normalization, Options
from .network import Shape, text_of

Array = NDArray[Any]
_MOST_TIMES_CLIP, _LEAST_TIMES_CLIP = 1.5, 0.5  # between them a calibration's pictures may lie


def check(options: Options, norm: Normalization, shape: Shape) -> list[str]:
    """Holds the pictures or tensors of an export against the input's shape, and returns what is to be said of them.

    Raises ValueError for tensors, FileError for pictures that do not fit.
    """
    if options.tensors is not None:
        tensors = _array_of(options.tensors)
        if tensors.shape[1:] != tuple(shape[1:]) or not len(tensors):
            raise ValueError(f"tensors= are {text_of(tensors.shape)}, and the network takes samples of "
                             f"{text_of(shape[1:])}: give [n, {', '.join(map(str, shape[1:]))}]")  # fmt: skip
        if not np.isfinite(tensors).all():
            raise ValueError("tensors= hold NaN or infinite numbers: leave those samples out")
    try:
        for file in mapper.listed_pictures(options, norm, []):
            pictures.load(file, shape, norm)
    except LibraryNotFoundError as error:
        return [f"the pictures' sizes are not checked: {error}"]
    return []


def against_ranges(options: Options, norm: Normalization, net: Any, rows: Sequence[Row]) -> list[str]:
    """Says where the numbers that the mapper makes of a picture, or is given, are none that the first layers' ranges
    were found on. `rows`: those of parameters.json, by the names of the network's layers.
    """
    inputs = set(network.inputs_of(net))
    firsts = {(layer.name, number) for layer in net.layer for number, bottom in enumerate(layer.bottom)
              if bottom in inputs}  # fmt: skip
    clips: dict[str, float] = {}
    for row in rows:
        if row["tensor"] == DATA and (row["layer"], row.get("input", 0)) in firsts:
            clips[row["layer"]] = max(clips.get(row["layer"], 0.0), row["clip"])
    if options.tensors is not None:
        given, low, high = "tensors=", *_ends(_array_of(options.tensors))
        instead = "give tensors as the model takes them, and calibrate on such"
    elif norm.picture:
        given, instead = "a picture's bytes 0 to 255, after mean and scale,", (
            "state mean and scale of the pictures that the model was calibrated on, in bytes: for torchvision's "
            "Normalize mean = 255 * its mean and scale = 1 / (255 * its std)")  # fmt: skip
        low, high = _ends(np.stack([norm.apply(np.full((max(len(norm.mean), 1), 1, 1), x)) for x in (0, 255)]))
    else:
        return []
    return [
        f"{given} are {low:.4g} to {high:.4g}, and the range of {layer}'s data, its clip value, is {clip:.4g}: "
        f"{'larger numbers are clipped' if max(-low, high) > clip else 'the model was calibrated on larger numbers'}. "
        f"{instead[0].upper()}{instead[1:]}; where the model normalizes by itself, give none"
        for layer, clip in clips.items()
        if not _LEAST_TIMES_CLIP * clip <= max(-low, high) <= _MOST_TIMES_CLIP * clip
    ]


def _array_of(tensors: Any) -> Array:
    detached = tensors.detach().cpu() if hasattr(tensors, "detach") else tensors
    return np.asarray(detached, "f4")


def _ends(numbers: Array) -> tuple[float, float]:
    return float(numbers.min()), float(numbers.max())
