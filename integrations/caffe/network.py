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
from gfpq.caffe_layers import CONVOLUTIONS, DEPTHWISE, JOINING, WEIGHTED
from gfpq.nnie.folding import remove, sources_of

from prototxt import PASSING


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


def contents_of(layers: list[Any], name: str) -> tuple[str, bytes]:
    """A network as prototxt, and with its blobs as caffemodel."""
    message = caffe_pb2.NetParameter(name=name, layer=layers)
    weights = message.SerializeToString()
    for layer in message.layer:
        del layer.blobs[:]
        layer.ClearField("phase")
    return str(message), weights


def write(layers: list[Any], name: str, model: Path, weights: Path | None = None) -> None:
    """Writes a network as prototxt, and its blobs as caffemodel."""
    text, blobs = contents_of(layers, name)
    model.write_text(text)
    if weights is not None:
        weights.write_bytes(blobs)


def without_numbers(net: caffe.Net, weights: Path) -> list[str]:
    """The layers of a net, but Quant layers, whose blobs a caffemodel lacks: Caffe says nothing of them. Of HDF5 files
    none is found.
    """
    if weights.suffix == ".h5":
        return []
    message = caffe_pb2.NetParameter()
    message.ParseFromString(weights.read_bytes())
    stored = {layer.name for layer in (*message.layer, *message.layers) if layer.blobs}
    types = dict(zip(net._layer_names, (layer.type for layer in net.layers)))
    return [name for name in net.params if name not in stored and types[name] != "Quant"]


def without_range(net: caffe.Net) -> list[str]:
    """The Quant layers of a net that have no range yet."""
    layers = zip(net._layer_names, net.layers)
    return [name for name, layer in layers if layer.type == "Quant" and not layer.blobs[0].data[:16].any()]


def quantized_layers(layers: list[Any]) -> list[QuantizedLayer]:
    """The layers of NNIE's that a Quant layer with quant_en stands before, in their order."""
    sources = sources_of(layers)
    found = []
    for index, layer in enumerate(layers):
        if layer.type not in (*WEIGHTED, "Pooling", *JOINING):
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
    if layer.type in DEPTHWISE or 1 < groups == inputs:
        return DEPTHWISE[0], 1
    return layer.type, groups


def quantize_weights(weights: np.ndarray, layer: QuantizedLayer) -> list[gfpq.Param]:
    """Quantizes a layer's weights in place, each group in its own range. Returns the ranges."""
    params = []
    for part in np.split(weights, layer.groups):
        params.append(gfpq.Param(layer.bits))
        gfpq.quantize_(part, param=params[-1])
    return params
