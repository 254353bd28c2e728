"""Ranges for a Caffe network from pictures, without training and without Caffe: post-training quantization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import files, parameters
from ..arrays import quantize, quantize_
from ..caffe_layers import QUANTIZED, WEIGHTED
from ..comparison import LOW_SIMILARITY, Comparison, Layer
from ..errors import some
from ..param import Mode, Param
from ..parameters import DATA, WEIGHT, Row
from ..similarity import Similarity
from . import mapper, network, pictures, proto
from .check import Findings, check_net
from .configure import config_files_of, name_high_precision
from .folding import fold, remove, set_blobs
from .mapper import Options
from .run import params_of, run

Array = NDArray[Any]


@dataclass
class Calibrated:
    """What a calibration wrote; prints as a table of each layer's similarity to float, and the mapper's rules."""

    comparison: Comparison
    folded: list[str]
    remarks: list[str]
    findings: Findings

    def __str__(self) -> str:
        lines = [self.comparison.table]
        if self.comparison.low:
            name = self.comparison.low[0].name
            lines.append(f"Next, with {name}, the first below {LOW_SIMILARITY} (layers behind it inherit its error): more "
                         f"bits, --layer-bits {name}=16; more pictures of the real scene; or fine-tune it")  # fmt: skip
        lines.append(f"folded: {some(self.folded) or 'nothing'}")
        return "\n".join([*lines, *(f"note: {remark}" for remark in self.remarks), str(self.findings)])


def calibrate(
    model: str | Path, weights: str | Path, folder: str | Path, options: Options, *, bits: int = 8,
    layer_bits: Mapping[str, int] | None = None,
) -> Calibrated:
    """Finds the ranges of a float Caffe network on pictures, and writes what an export writes: model.prototxt and
    model.caffemodel, folded and with quantized weights, parameters.json, nnie.json, mapper.cfg and what goes with it.

    Args:
        model: a deploy file, whose input is one picture. Quant and Dropout layers in it are left out.
        options: `pictures`, in the network's size, are needed; `cut` and `depthwise` do not count.
        layer_bits: other widths of some layers, by name.

    The layers of 16 bit, where there are both widths, get names that end in `_hp`, and no others do. Raises FileError
    for files that can't be read, written or used; NotSupportedError for layers that can't be run here; ValueError for
    options that do not fit, and names that no layer has. Nothing is written then.
    """
    net = proto.read_network(Path(model), Path(weights))
    layers = network.test_layers(net)
    for layer in [layer for layer in layers if layer.type in ("Quant", "Dropout")]:
        remove(layers, layers.index(layer))
    folded = fold(layers)
    net = proto.NetParameter(name=net.name, input=net.input, input_dim=net.input_dim, input_shape=net.input_shape,
                             layer=layers)  # fmt: skip
    wanted = dict(layer_bits or {})
    unknown = sorted(set(wanted) - {layer.name for layer in net.layer})
    if unknown:
        raise ValueError(f"no layer has the name {', '.join(unknown)}")
    inputs = network.inputs_of(net)
    if len(inputs) != 1:
        raise ValueError(f"the network has {len(inputs)} inputs, and pictures are for one")
    ((name, shape),) = inputs.items()
    norm = mapper.normalization_of(options, shape)
    remarks: list[str] = []
    listed = mapper.listed_pictures(options, norm, remarks)
    if not listed:
        raise ValueError("the ranges are found on pictures: give a folder of them")
    samples = [norm.apply(pictures.load(file, shape, norm)) for file in listed]
    rows = _ranges(net, name, samples, bits, wanted)
    comparison = _quantize_and_compare(net, name, samples, rows)
    name_high_precision(net.layer, rows)
    text = config_files_of(net, [row["bits"] for row in rows], options)
    contents = {mapper.MODEL: proto.text_of(net).encode(), mapper.WEIGHTS: proto.bytes_of(net)}
    contents |= parameters.contents_of(rows) | text.contents
    Path(folder).mkdir(parents=True, exist_ok=True)
    files.write({Path(folder) / name: content for name, content in contents.items()})
    return Calibrated(comparison, folded, text.remarks, check_net(net))


def _ranges(net: Any, name: str, samples: Sequence[Array], bits: int, layer_bits: Mapping[str, int]) -> list[Row]:
    """Parameters of the data, one an input, and a group of a convolution, widened by each sample; then of the weights,
    whose blobs are left in float."""
    params: dict[tuple[str, int], list[Param]] = {}
    layers = [layer for layer in network.test_layers(net) if layer.type in QUANTIZED]
    for sample in samples:
        done = run(net, {name: sample})
        for layer in layers:
            for number, x in enumerate(done.given[layer.name]):
                width, groups = layer_bits.get(layer.name, bits), network.groups_of(layer, x.shape)
                own = params.setdefault((layer.name, number), [Param(width) for _ in range(groups)])
                for param, part in zip(own, np.split(x, groups, axis=1)):
                    quantize(part, param=param, mode=Mode.UPDATE if param.initialized else Mode.INIT)
    rows = []
    for layer in layers:
        for number in range(len(layer.bottom)):
            for group, param in enumerate(params[layer.name, number]):
                rows.append(parameters.row_of(layer.name, DATA, group, param, number))
        if layer.type in WEIGHTED:
            groups = network.groups_of(layer, done.given[layer.name][0].shape)
            for group, part in enumerate(np.split(proto.array_of(layer.blobs[0]), groups)):
                param = Param(layer_bits.get(layer.name, bits))
                quantize(part, param=param)
                rows.append(parameters.row_of(layer.name, WEIGHT, group, param))
    return rows


def _quantize_and_compare(net: Any, name: str, samples: Sequence[Array], rows: list[Row]) -> Comparison:
    """Puts the quantized weights into the network, and compares its layers with those of the float one."""
    floating = proto.NetParameter()
    floating.CopyFrom(net)
    weights: dict[str, list[Param]] = {}
    for row in rows:
        if row["tensor"] == WEIGHT:
            weights.setdefault(row["layer"], []).append(parameters.param_of(row))
    for layer in net.layer:
        if layer.name in weights:
            numbers = proto.array_of(layer.blobs[0])
            for part, param in zip(np.split(numbers, len(weights[layer.name])), weights[layer.name]):
                quantize_(part, param=param, mode=Mode.APPLY)
            set_blobs(layer, numbers)
    sums: dict[str, Similarity] = {}
    for sample in samples:
        expected, found = run(floating, {name: sample}), run(net, {name: sample}, params_of(rows))
        for row in rows:
            if row["tensor"] == DATA and not row["group"] and not row["input"]:
                pair = expected.outputs[row["layer"]][0], found.outputs[row["layer"]][0]
                sums.setdefault(row["layer"], Similarity()).add(*pair)
    kinds = {layer.name: layer.type for layer in net.layer}
    return Comparison(Layer(layer, kinds[layer], total.cosine, total.sqnr) for layer, total in sums.items())
