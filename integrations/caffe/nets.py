"""Nets as finetune.py runs them: read, filled with data, and their data and weights quantized or not."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import caffe
import numpy as np
from gfpq.errors import some
from gfpq.nnie import mapper, pictures
from gfpq.nnie_commands import options_of

import network
from network import QuantizedLayer


def quantized_layers_of(net: caffe.Net) -> list[QuantizedLayer]:
    layers = network.quantized_layers(network.layers_of(net))
    if not layers:
        raise ValueError("no layer of the network takes its input from a Quant layer with quant_en: 1")
    return layers


def read(model: Path, weights: Path) -> caffe.Net:
    net = caffe.Net(str(model), caffe.TEST, weights=str(weights))
    missing = network.without_numbers(net, weights)
    if missing:
        raise ValueError(f"{weights} holds no numbers for {some(missing)}: is it another network's?")
    return net


def check_filled(net: caffe.Net) -> None:
    """Raises ValueError for a deploy file, whose input would stay zero."""
    if net.inputs:
        raise ValueError(f"nothing fills the network's input {', '.join(net.inputs)}: take a file with data layers; "
                         "or, of calibrate and compare, --images FOLDER with --mean, --scale, --order as in training")


def load(model: Path, weights: Path, *, quantize_data: bool, quantize_weights: bool) -> caffe.Net:
    """A net in the TEST phase, its data and weights quantized or not."""
    net = read(model, weights)
    quantized = quantized_layers_of(net) if quantize_weights else []
    if quantize_data:
        missing = network.without_range(net)
        if missing:
            print(f"note: no range yet in {some(missing)}: each batch's own is used there", file=sys.stderr)
    else:
        layers = network.layers_of(net)
        for layer in layers:
            if layer.type == "Quant":
                layer.quant_param.quant_en = False
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / "float.prototxt"
            network.write(layers, "float", changed)
            net = caffe.Net(str(changed), caffe.TEST, weights=str(weights))
    QuantizedWeights(net, quantized).quantize()
    return net


class QuantizedWeights:
    """The weights of a net: quantized for its passes, while a full floating-point copy waits to be updated.

    An update may be smaller than a quantization step, so that quantized weights would mark time.
    """

    def __init__(self, net: caffe.Net, layers: list[QuantizedLayer]) -> None:
        found = {}  # layers may share a blob
        for layer in layers:
            if layer.has_weights:
                blob = net.params[layer.name][0]
                found[blob.data.ctypes.data] = (blob, layer)
        self._weights = list(found.values())
        self._copies: list[np.ndarray] = []

    def quantize(self) -> None:
        """Sets the float weights aside and quantizes those in the net."""
        self.restore()
        self._copies = [blob.data.copy() for blob, _ in self._weights]
        for blob, layer in self._weights:
            network.quantize_weights(blob.data, layer)

    def restore(self) -> None:
        """Puts the float weights back."""
        for (blob, _), copy in zip(self._weights, self._copies):
            blob.data[...] = copy
        self._copies = []

    def follow(self, solver: Any) -> None:
        """From now on quantizes for every forward and backward pass of training, and every forward pass of a test."""

        def at(index: int, action: Any) -> Any:
            return lambda layer: action() if layer == index else None

        solver.net.before_forward(at(0, self.quantize))
        solver.net.after_backward(at(0, self.restore))  # the solver updates, and saves, the float weights
        for net in solver.test_nets:  # they share the weights
            net.before_forward(at(0, self.quantize))
            net.after_forward(at(len(net.layers) - 1, self.restore))


def batches(net: caffe.Net, options: argparse.Namespace) -> Iterator[None]:
    """Steps through the batches of a network's own data; or of a deploy file through pictures, each put into its input,
    as often as that has samples.
    """
    given = options_of(options)
    if given.pictures is None:
        check_filled(net)
        if given != mapper.Options():
            raise ValueError("--mean, --scale and --order are for --images")
        yield from [None] * (options.batches or 1)
        return
    if options.batches is not None:
        raise ValueError("--batches is for a network with data layers, and with --images each picture is a batch")
    if len(net.inputs) != 1:
        raise ValueError(f"--images is for a deploy file with one input, and this network has {len(net.inputs)}")
    name = net.inputs[0]
    shape = tuple(net.blobs[name].shape)
    norm = mapper.normalization_of(given, shape)
    listed = mapper.listed_pictures(given, norm, [])
    print(f"on {len(listed)} pictures of {given.pictures}")
    for file in listed:
        net.blobs[name].data[...] = norm.apply(pictures.load(file, shape, norm))
        yield
