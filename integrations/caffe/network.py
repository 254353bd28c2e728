"""A Caffe network as caffe.proto describes it: what of it NNIE quantizes, and how its layers are folded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import caffe
import gfpq
import numpy as np
from caffe.proto import caffe_pb2

from prototxt import CONVOLUTIONS, JOINING, PASSING, QUANTIZED, WEIGHTED


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer whose input comes from a Quant layer. Its weights, if any, are quantized to the same bit width.

    Of Concat and Eltwise each input that does is one.
    """

    name: str
    kind: str
    quant: str  # the Quant layer's name
    bits: int
    groups: int  # of the weights, each with a range of its own
    input: int = 0

    @property
    def has_weights(self) -> bool:
        return self.kind not in ("Pooling", *JOINING)


def layers_of(net: caffe.Net) -> list[Any]:
    """The layers that a net has in its phase, as LayerParameters with blobs; without Caffe's own Split layers."""
    message = caffe_pb2.NetParameter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.caffemodel"
        net.save(str(file))
        message.ParseFromString(file.read_bytes())
    layers = list(message.layer)
    for split in [layer for layer in layers if layer.type == "Split"]:
        remove(layers, layers.index(split))
    return layers


def write(layers: list[Any], name: str, model: Path, weights: Path | None = None) -> None:
    """Writes a network as prototxt, and its blobs as caffemodel."""
    message = caffe_pb2.NetParameter(name=name, layer=layers)
    if weights is not None:
        weights.write_bytes(message.SerializeToString())
    for layer in message.layer:
        del layer.blobs[:]
        layer.ClearField("phase")
    model.write_text(str(message))


def quantized_layers(layers: list[Any]) -> list[QuantizedLayer]:
    """The layers of NNIE's that a Quant layer with quant_en stands before, in their order."""
    sources = _sources(layers)
    found = []
    for index, layer in enumerate(layers):
        if layer.type not in (*QUANTIZED, *JOINING):
            continue
        for number, source in enumerate(sources[index] if layer.type in JOINING else sources[index][:1]):
            while source is not None and layers[source].type in PASSING:
                source = sources[source][0]
            if source is not None and layers[source].type == "Quant" and layers[source].quant_param.quant_en:
                kind, groups = _kind_and_groups(layer)
                quant = layers[source]
                bits = quant.quant_param.quant_bits
                found.append(QuantizedLayer(layer.name, kind, quant.name, bits, groups, number))
    return found


def _kind_and_groups(layer: Any) -> tuple[str, int]:
    """NNIE's name for a layer, and how many ranges its weights have. A depthwise convolution is one layer with one."""
    if layer.type not in CONVOLUTIONS:
        return layer.type, 1
    groups, shape = layer.convolution_param.group, layer.blobs[0].shape.dim
    inputs = shape[0] if layer.type == "Deconvolution" else shape[1] * groups
    if "Depthwise" in layer.type or 1 < groups == inputs:
        return "DepthwiseConv", 1
    return layer.type, groups


def quantize_weights(weights: np.ndarray, layer: QuantizedLayer) -> list[gfpq.Param]:
    """Quantizes a layer's weights in place, each group in its own range. Returns the ranges."""
    params = []
    for part in np.split(weights, layer.groups):
        params.append(gfpq.Param(layer.bits))
        gfpq.quantize_(part, param=params[-1])
    return params


def array_of(blob: Any) -> np.ndarray:
    """A BlobProto's numbers."""
    numbers = np.array(blob.double_data, "f8") if len(blob.double_data) else np.array(blob.data, "f4")
    return numbers.reshape(tuple(blob.shape.dim))


def fold(layers: list[Any]) -> list[str]:
    """Folds each BatchNorm and Scale, in place, into the Convolution or InnerProduct whose output it alone takes.

    In the TEST phase the network computes what it did, up to rounding. Returns the names of those that were folded.
    """
    folded = []
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
    layer, sources = layers[index], _sources(layers)
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


def set_blobs(layer: Any, *arrays: np.ndarray) -> None:
    """Puts arrays in the place of a layer's first blobs."""
    kept = list(layer.blobs)[len(arrays):]
    blobs = [caffe.io.array_to_blobproto(array) for array in arrays]
    del layer.blobs[:]
    layer.blobs.extend(blobs + kept)


def _sources(layers: list[Any]) -> list[list[int | None]]:
    """For each layer, of each of its bottoms the index of the layer that made it."""
    made: dict[str, int] = {}
    sources = []
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
