"""Folding BatchNorm and Scale in a Caffe network, and taking layers out of it.

Layers are LayerParameters with blobs, of this package's caffe.proto or of Caffe's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..caffe_layers import WEIGHTED
from .proto import add_blob, array_of

Array = NDArray[Any]


def fold(layers: list[Any]) -> list[str]:
    """Folds each BatchNorm and Scale, in place, into the Convolution or InnerProduct whose output it alone takes.

    In the TEST phase the network computes what it did, up to rounding. Returns the names of those that were folded.
    """
    folded: list[str] = []
    while True:
        for index, layer in enumerate(layers):
            target = _fold_target(layers, index)
            if target is not None:
                _fold(layers[target], layer)
                remove(layers, index)
                folded.append(layer.name)
                break
        else:
            return folded


def _fold_target(layers: list[Any], index: int) -> int | None:
    """Which layer a BatchNorm or Scale can be folded into."""
    layer, sources = layers[index], sources_of(layers)
    if layer.type not in ("BatchNorm", "Scale") or len(layer.bottom) != 1:
        return None
    if layer.type == "Scale" and (layer.scale_param.axis, layer.scale_param.num_axes) != (1, 1):
        return None
    target = sources[index][0]
    if target is None or layers[target].type not in WEIGHTED or sum(of.count(target) for of in sources) != 1:
        return None
    if layers[target].type == "InnerProduct" and layers[target].inner_product_param.axis != 1:
        return None  # its outputs are not on axis 1
    return target


def _fold(layer: Any, norm: Any) -> None:
    blobs = [array_of(blob).astype("f8") for blob in norm.blobs]
    if norm.type == "BatchNorm":
        count = 1 / blobs[2][0] if blobs[2][0] else 0.0
        factor = 1 / np.sqrt(blobs[1] * count + norm.batch_norm_param.eps)
        shift = -blobs[0] * count * factor
    else:
        factor = blobs[0]
        shift = blobs[1] if norm.scale_param.bias_term else np.zeros_like(factor)

    weights = array_of(layer.blobs[0])
    if layer.type == "Deconvolution":  # [in, out / group, ...]: the rows of a group lead to that group's outputs
        group = layer.convolution_param.group
        rows = factor.reshape(group, -1).repeat(weights.shape[0] // group, axis=0)
        by_output = rows.reshape(*rows.shape, *[1] * (weights.ndim - 2))
    elif layer.type == "InnerProduct" and layer.inner_product_param.transpose:  # [in, out]
        by_output = factor
    else:
        by_output = factor.reshape(-1, *[1] * (weights.ndim - 1))
    bias = array_of(layer.blobs[1]).astype("f8") if len(layer.blobs) > 1 else np.zeros_like(factor)

    own = layer.inner_product_param if layer.type == "InnerProduct" else layer.convolution_param
    own.bias_term = True
    set_blobs(layer, (weights * by_output).astype(weights.dtype), (bias * factor + shift).astype(weights.dtype))


def set_blobs(layer: Any, *arrays: Array) -> None:
    """Puts arrays in the place of a layer's first blobs."""
    kept = list(layer.blobs)[len(arrays) :]
    del layer.blobs[:]
    for array in arrays:
        add_blob(layer, array)
    layer.blobs.extend(kept)


def sources_of(layers: list[Any]) -> list[list[int | None]]:
    """For each layer, of each of its bottoms the index of the layer that made it."""
    made: dict[str, int] = {}
    sources: list[list[int | None]] = []
    for index, layer in enumerate(layers):
        sources.append([made.get(bottom) for bottom in layer.bottom])
        made.update((top, index) for top in layer.top)
    return sources


def remove(layers: list[Any], index: int) -> None:
    """Takes a layer out; those that took its tops take its bottom. One that worked in place on a top no longer does."""
    gone = layers.pop(index)
    (source,) = gone.bottom
    tops = set(gone.top) - {source}
    for layer in layers[index:]:
        for place, bottom in enumerate(layer.bottom):
            if bottom in tops:
                layer.bottom[place] = source
        tops -= set(layer.top)
