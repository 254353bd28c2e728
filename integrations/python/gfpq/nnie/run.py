"""Runs a Caffe network with PyTorch's functions, its data quantized as NNIE does or in float.

What the layers compute is Caffe's, not PyTorch's: pooled sizes are rounded up, averages count the padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..arrays import quantize
from ..caffe_layers import CONVOLUTIONS, DEPTHWISE, WEIGHTED
from ..errors import NotSupportedError
from ..param import Mode, Param
from ..parameters import DATA, Row, param_of
from . import proto
from .network import concat_axis, geometry, pooled_length, shapes_after, slice_bounds, test_layers

Array = NDArray[Any]
Params = dict[tuple[str, int], list[Param]]  # of a layer's input: one a group


@dataclass
class Pass:
    """What each layer of a network read and made in a pass: the inputs that it was given, the same quantized where it
    has a range, and its outputs.
    """

    given: dict[str, list[Array]] = field(default_factory=dict)
    inputs: dict[str, list[Array]] = field(default_factory=dict)
    outputs: dict[str, list[Array]] = field(default_factory=dict)
    blobs: dict[str, Array] = field(default_factory=dict)


def params_of(rows: list[Row]) -> Params:
    """The ranges of data in the rows of parameters.json."""
    params: Params = {}
    for row in rows:
        if row["tensor"] == DATA:
            params.setdefault((row["layer"], row.get("input", 0)), []).append(param_of(row))
    return params


def run(
    net: Any, inputs: Mapping[str, Array], params: Params | None = None,
    instead: Callable[[Any, list[Array], list[Array]], list[Array]] | None = None,
) -> Pass:  # fmt: skip
    """Runs a network with blobs, in the TEST phase.

    Args:
        inputs: by the names of the network's inputs, in their shapes.
        params: the ranges of layers' inputs; data without one stay in float.
        instead: is called with a layer and its inputs, as given and quantized, and returns what the layer reads in
            their stead. The Pass holds what it was called with.

    Raises NotSupportedError for a layer that is not known, or has no weights.
    """
    done, params = Pass(), params or {}
    blobs: dict[str, Tensor] = {name: torch.from_numpy(np.array(value, "f4")) for name, value in inputs.items()}
    with torch.no_grad():
        for layer in test_layers(net):
            if layer.type == "Input":
                continue
            function = _FUNCTIONS.get(layer.type)
            if function is None:
                raise NotSupportedError(f"{layer.name}: a layer of the type {layer.type} can't be run here")
            raw = [blobs[bottom] for bottom in layer.bottom]
            given = [_quantized(x, params.get((layer.name, number))) for number, x in enumerate(raw)]
            weights = [torch.from_numpy(proto.array_of(blob)) for blob in layer.blobs]
            if layer.type in _WITH_BLOBS and not weights:
                raise NotSupportedError(f"{layer.name}: the caffemodel has no weights for it")
            done.given[layer.name] = [x.numpy() for x in raw]
            done.inputs[layer.name] = [x.numpy() for x in given]
            if instead is not None:
                read = instead(layer, done.given[layer.name], done.inputs[layer.name])
                given = [torch.from_numpy(np.asarray(x, "f4")) for x in read]
            made = function(layer, given, weights)
            outputs = made if isinstance(made, list) else [made]
            blobs.update(zip(layer.top, outputs))
            done.outputs[layer.name] = [x.numpy() for x in outputs]
    done.blobs = {name: tensor.numpy() for name, tensor in blobs.items()}
    return done


def _quantized(x: Tensor, params: list[Param] | None) -> Tensor:
    if not params:
        return x
    parts = np.split(x.numpy(), len(params), axis=min(1, x.dim() - 1))
    parts = [quantize(part, param=param, mode=Mode.APPLY) for part, param in zip(parts, params)]
    return torch.from_numpy(np.concatenate(parts, axis=min(1, x.dim() - 1)))


def _convolution(layer: Any, inputs: list[Tensor], blobs: list[Tensor]) -> Tensor:
    g, groups = geometry(layer), int(layer.convolution_param.group)
    bias = blobs[1].reshape(-1) if layer.convolution_param.bias_term and len(blobs) > 1 else None
    function = F.conv_transpose2d if layer.type == "Deconvolution" else F.conv2d
    if layer.type in DEPTHWISE:
        groups = inputs[0].shape[1]
    return function(inputs[0], blobs[0], bias, stride=g["stride"], padding=g["pad"], dilation=g["dilation"],
                    groups=groups)  # fmt: skip


def _inner_product(layer: Any, inputs: list[Tensor], blobs: list[Tensor]) -> Tensor:
    p = layer.inner_product_param
    weight = blobs[0].reshape(-1, int(p.num_output)).T if p.transpose else blobs[0].reshape(int(p.num_output), -1)
    return F.linear(inputs[0].flatten(p.axis), weight, blobs[1].reshape(-1) if p.bias_term else None)


def _pooling(layer: Any, inputs: list[Tensor], _blobs: list[Tensor]) -> Tensor:
    x, p, g = inputs[0], layer.pooling_param, geometry(layer)
    if p.pool not in (0, 1):
        raise NotSupportedError(f"{layer.name}: stochastic pooling can't be run here")
    if p.global_pooling:
        return x.amax((2, 3), keepdim=True) if p.pool == 0 else x.mean((2, 3), keepdim=True)
    pads: list[int] = []
    counts: list[Tensor] = []
    for axis in (1, 0):
        length, kernel, stride, pad = x.shape[2 + axis], g["kernel"][axis], g["stride"][axis], g["pad"][axis]
        out = pooled_length(length, kernel, stride, pad, p.round_mode == 1)
        pads += [pad, max(0, (out - 1) * stride + kernel - length - pad)]
        starts: Any = torch.arange(out) * stride - pad
        counts.insert(0, (starts + kernel).clamp(max=length + pad) - starts)
    if p.pool == 0:
        return F.max_pool2d(F.pad(x, pads, value=-torch.inf), g["kernel"], g["stride"])
    sums = F.avg_pool2d(F.pad(x, pads), g["kernel"], g["stride"], divisor_override=1)
    return sums / (counts[0][:, None] * counts[1])


def _batch_norm(layer: Any, inputs: list[Tensor], blobs: list[Tensor]) -> Tensor:
    factor = 1 / float(blobs[2].reshape(-1)[0]) if float(blobs[2].reshape(-1)[0]) else 0.0
    mean, variance = (blob.reshape(-1) * factor for blob in blobs[:2])
    return F.batch_norm(inputs[0], mean, variance, eps=layer.batch_norm_param.eps)


def _scale(layer: Any, inputs: list[Tensor], blobs: list[Tensor]) -> Tensor:
    x, p = inputs[0], layer.scale_param
    scale = inputs[1] if len(inputs) > 1 else blobs[0]
    shape = [1] * (p.axis % x.dim()) + list(scale.shape)
    shape += [1] * (x.dim() - len(shape))
    y = x * scale.reshape(shape)
    return y + blobs[-1].reshape(shape) if p.bias_term else y


def _power(layer: Any, inputs: list[Tensor], _blobs: list[Tensor]) -> Tensor:
    p = layer.power_param
    y = inputs[0] * p.scale + p.shift
    return y if p.power == 1 else y**p.power


def _eltwise(layer: Any, inputs: list[Tensor], _blobs: list[Tensor]) -> Tensor:
    p, y = layer.eltwise_param, inputs[0]
    if p.operation == 1:
        coefficients = list(p.coeff) or [1.0] * len(inputs)
        y = y if coefficients[0] == 1 else y * coefficients[0]
        for x, coefficient in zip(inputs[1:], coefficients[1:]):
            y = y + (x if coefficient == 1 else x * coefficient)
        return y
    for x in inputs[1:]:
        y = y * x if p.operation == 0 else torch.maximum(y, x)
    return y


def _reshape(layer: Any, inputs: list[Tensor], _blobs: list[Tensor]) -> Tensor:
    return inputs[0].reshape(shapes_after(layer, [tuple(inputs[0].shape)])[0])


def _slice(layer: Any, inputs: list[Tensor], _blobs: list[Tensor]) -> list[Tensor]:
    axis = concat_axis(layer)
    return [inputs[0].narrow(axis, a, b - a) for a, b in slice_bounds(layer, tuple(inputs[0].shape))]


def _upsample(layer: Any, inputs: list[Tensor], _blobs: list[Tensor]) -> Tensor:
    return F.interpolate(inputs[0], shapes_after(layer, [tuple(inputs[0].shape)])[0][2:], mode="nearest")


def _crop(layer: Any, inputs: list[Tensor], _blobs: list[Tensor]) -> Tensor:
    axis, offsets = layer.crop_param.axis % inputs[0].dim(), list(layer.crop_param.offset) or [0]
    y = inputs[0]
    for number, place in enumerate(range(axis, y.dim())):
        y = y.narrow(place, offsets[min(number, len(offsets) - 1)], inputs[1].shape[place])
    return y


_WITH_BLOBS = (*WEIGHTED, "PReLU", "BatchNorm")
_FUNCTIONS: dict[str, Callable[[Any, list[Tensor], list[Tensor]], Any]] = {
    **dict.fromkeys(CONVOLUTIONS, _convolution),
    "InnerProduct": _inner_product, "Pooling": _pooling, "BatchNorm": _batch_norm, "Scale": _scale, "Power": _power,
    "Eltwise": _eltwise, "Reshape": _reshape, "Flatten": _reshape, "Slice": _slice, "Upsample": _upsample,
    "Crop": _crop,
    "ReLU": lambda layer, inputs, _: F.leaky_relu(inputs[0], layer.relu_param.negative_slope),
    "PReLU": lambda layer, inputs, blobs: F.prelu(inputs[0], blobs[0].reshape(-1)),
    "ELU": lambda layer, inputs, _: F.elu(inputs[0], layer.elu_param.alpha),
    "Sigmoid": lambda layer, inputs, _: inputs[0].sigmoid(),
    "TanH": lambda layer, inputs, _: inputs[0].tanh(),
    "AbsVal": lambda layer, inputs, _: inputs[0].abs(),
    "Softmax": lambda layer, inputs, _: inputs[0].softmax(layer.softmax_param.axis),
    "Concat": lambda layer, inputs, _: torch.cat(inputs, concat_axis(layer)),
    "Permute": lambda layer, inputs, _: inputs[0].permute(list(layer.permute_param.order)).contiguous(),
    "Split": lambda layer, inputs, _: inputs * len(layer.top),
    **dict.fromkeys(["Dropout", "Quant"], lambda layer, inputs, _: inputs[0]),
}  # fmt: skip
