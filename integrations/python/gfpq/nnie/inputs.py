"""What the mapper is given as a network's input, held against the network: its size, and the ranges of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..caffe_layers import WEIGHTED
from ..errors import LibraryNotFoundError, NotSupportedError
from ..parameters import DATA, Row
from . import mapper, network, pictures, proto
from .mapper import Normalization, Options
from .network import Shape, text_of
from .run import run

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
    were found on. `net` has blobs; `rows`: those of parameters.json, by the names of its layers.

    The first ranges are those behind layers without any, such as a normalization that is part of the network.
    """
    clips: dict[tuple[str, int], float] = {}
    for row in rows:
        if row["tensor"] == DATA:
            key = row["layer"], row.get("input", 0)
            clips[key] = max(clips.get(key, 0.0), row["clip"])
    ((name, shape),) = list(network.inputs_of(net).items())[:1]
    if options.tensors is not None:
        given, samples = "tensors=", list(_array_of(options.tensors)[:, None])
        instead = "Give tensors as the model takes them, and calibrate on such"
    elif norm.picture:
        given, samples = "a picture's bytes 0 to 255", [norm.apply(np.full(shape[1:], x)) for x in (0, 255)]
        instead = ("State mean and scale of the pictures that the model was calibrated on, in bytes: for torchvision's "
                   "Normalize mean = 255 * its mean and scale = 1 / (255 * its std); none where the model normalizes by "
                   "itself")  # fmt: skip
    else:
        return []
    found = []
    for (layer, number), (low, high) in _first_ends(net, name, samples, set(clips)).items():
        clip, largest = clips[layer, number], max(-low, high)
        filled = largest if options.tensors is not None else min(largest, high - low)
        if not (_LEAST_TIMES_CLIP * clip <= filled and largest <= _MOST_TIMES_CLIP * clip):
            what = "larger numbers are clipped" if largest > clip else "they fill little of it"
            found.append(f"{given} become {low:.4g} to {high:.4g} before {layer}, and the range of its data, the clip "
                         f"value, is {clip:.4g}: {what}. {instead}")  # fmt: skip
    return found


def _first_ends(
    net: Any, name: str, samples: Sequence[Array], ranged: set[tuple[str, int]]
) -> dict[tuple[str, int], tuple[float, float]]:
    """The least and largest number before each of the first layers that have ranges."""
    before, firsts = {name}, {}
    start = proto.NetParameter(input=[name])
    for layer in network.test_layers(net):
        has_range = any((layer.name, number) in ranged for number in range(len(layer.bottom)))
        if has_range or layer.type in WEIGHTED:
            firsts.update({(layer.name, number): bottom for number, bottom in enumerate(layer.bottom)
                           if bottom in before and (layer.name, number) in ranged})  # fmt: skip
            before -= set(layer.top)
        elif layer.bottom and before.issuperset(layer.bottom):
            start.layer.add().CopyFrom(layer)
            before.update(layer.top)
    try:
        passes = [run(start, {name: sample}).blobs for sample in samples]
    except NotSupportedError:  # a layer of a network that was not made here
        return {}
    return {key: (float(min(blobs[blob].min() for blobs in passes)), float(max(blobs[blob].max() for blobs in passes)))
            for key, blob in firsts.items()}  # fmt: skip


def _array_of(tensors: Any) -> Array:
    detached = tensors.detach().cpu() if hasattr(tensors, "detach") else tensors
    return np.asarray(detached, "f4")

