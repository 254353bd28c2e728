"""A Caffe network's layers and the shapes of its blobs, by Caffe's rules. Takes no weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ..caffe_layers import CONVOLUTIONS, DEPTHWISE

Shape = tuple[int, ...]
SAME_SHAPE = ("ReLU", "PReLU", "ELU", "Sigmoid", "TanH", "AbsVal", "BNLL", "Power", "Exp", "Log", "Scale", "Bias",
              "BatchNorm", "Softmax", "LRN", "MVN", "Dropout", "Quant", "Normalize", "RReLU", "Threshold")  # fmt: skip


class ShapeError(ValueError):
    """A layer whose output's shape can't be found: an unknown type, or inputs that do not fit."""


def test_layers(net: Any) -> list[Any]:
    """The layers that Caffe runs in the TEST phase."""
    train, test = 0, 1
    kept = []
    for layer in net.layer:
        included = [rule.phase for rule in layer.include if rule.HasField("phase")]
        excluded = [rule.phase for rule in layer.exclude if rule.HasField("phase")]
        if (not included or included != [train]) and test not in excluded:
            kept.append(layer)
    return kept


def inputs_of(net: Any) -> dict[str, Shape]:
    """The network's inputs and their shapes, from Input layers or the fields before the layers."""
    shapes = {}
    for number, name in enumerate(net.input):
        if number < len(net.input_shape):
            shapes[name] = tuple(net.input_shape[number].dim)
        else:
            shapes[name] = tuple(net.input_dim[4 * number : 4 * number + 4])
    for layer in test_layers(net):
        if layer.type == "Input":
            given = [tuple(shape.dim) for shape in layer.input_param.shape]
            for number, top in enumerate(layer.top):
                shapes[top] = given[min(number, len(given) - 1)] if given else ()
    return {name: tuple(map(int, shape)) for name, shape in shapes.items()}


def outputs_of(net: Any) -> list[str]:
    """The blobs that no other layer takes, in their order."""
    outputs: dict[str, None] = {}
    for layer in test_layers(net):
        if layer.type != "Input":
            for bottom in layer.bottom:
                outputs.pop(bottom, None)
            outputs.update(dict.fromkeys(layer.top))
    return list(outputs)


def pair(repeated: Sequence[int], height: Any, width: Any, default: int) -> tuple[int, int]:
    """Rows and columns of a size that is given once, for each axis, or as _h and _w."""
    if height or width:
        return int(height), int(width)
    values = list(repeated) or [default]
    return int(values[0]), int(values[-1])


def geometry(layer: Any) -> dict[str, tuple[int, int]]:
    """Kernel, stride, pad and dilation of a convolution or pooling, each for rows and columns."""
    if layer.type == "Pooling":
        p = layer.pooling_param
        one = {name: [getattr(p, name)] for name in ("kernel_size", "stride", "pad") if p.HasField(name)}
    else:
        p = layer.convolution_param
        one = {name: list(getattr(p, name)) for name in ("kernel_size", "stride", "pad")}
    dilation = pair(p.dilation, 0, 0, 1) if layer.type != "Pooling" else (1, 1)
    return {
        "kernel": pair(one.get("kernel_size", ()), p.kernel_h, p.kernel_w, 1),
        "stride": pair(one.get("stride", ()), p.stride_h, p.stride_w, 1),
        "pad": pair(one.get("pad", ()), p.pad_h, p.pad_w, 0),
        "dilation": dilation,
    }


def groups_of(layer: Any, x: Shape) -> int:
    """How many ranges a layer's data and weights have each: a depthwise convolution is one layer with one."""
    if layer.type not in CONVOLUTIONS or layer.type in DEPTHWISE:
        return 1
    group = int(layer.convolution_param.group)
    return 1 if group == x[1] else group


def pooled_length(length: int, kernel: int, stride: int, pad: int, floor: bool = False) -> int:
    """Caffe's length of a pooled axis: rounded up, unless the last window would begin in the padding."""
    out = (math.floor if floor else math.ceil)((length + 2 * pad - kernel) / stride) + 1
    if pad and (out - 1) * stride >= length + pad:
        out -= 1
    return out


def shapes_of(
    net: Any, unknown: Callable[[Any, ShapeError], None] | None = None, known: Mapping[str, Shape] | None = None
) -> dict[str, Shape]:
    """The shape of each blob; where layers share one, of the last.

    `unknown` is told of layers whose output's shape can't be found; it is taken from `known`, or else what needs it has
    none either. Without `unknown` such layers raise ShapeError.
    """
    shapes = inputs_of(net)
    made = set(shapes)
    for layer in test_layers(net):
        if layer.type == "Input" or not layer.bottom:
            continue
        given = [shapes.get(bottom) for bottom in layer.bottom]
        found = [shape for shape in given if shape is not None]
        nowhere = [bottom for bottom in layer.bottom if bottom not in made]
        made.update(layer.top)
        try:
            if nowhere:
                raise ShapeError(f"{layer.name}: no layer before it makes its bottom {', '.join(nowhere)}")
            if len(found) < len(given):
                raise ShapeError(f"{layer.name}: the shape of a bottom is not known")
            shapes.update(zip(layer.top, shapes_after(layer, found)))
        except ShapeError as error:
            if unknown is None:
                raise
            for top in layer.top:
                shapes.pop(top, None)
            shapes.update({top: shape for top, shape in (known or {}).items() if top in layer.top})
            if nowhere or len(found) == len(given):
                unknown(layer, error)
    return shapes


def shapes_after(layer: Any, inputs: list[Shape]) -> list[Shape]:
    """The shapes of a layer's tops. Raises ShapeError."""
    x = inputs[0]
    if layer.type in SAME_SHAPE:
        return [x] * len(layer.top)
    function = _FUNCTIONS.get(layer.type)
    if function is None:
        raise ShapeError(f"{layer.name}: the output's shape of a {layer.type} is not known")
    try:
        found: list[Shape] = function(layer, inputs)
    except (IndexError, ZeroDivisionError) as error:
        raise ShapeError(f"{layer.name}: a {layer.type} can't take {' and '.join(map(text_of, inputs))}") from error
    if any(length < 1 for shape in found for length in shape):
        raise ShapeError(f"{layer.name}: from {' and '.join(map(text_of, inputs))} the {layer.type} makes "
                         f"{' and '.join(map(text_of, found))}")  # fmt: skip
    return found


def text_of(shape: Shape) -> str:
    """A shape as it is printed."""
    return "x".join(map(str, shape))


def _convolution(layer: Any, inputs: list[Shape]) -> list[Shape]:
    x, g = inputs[0], geometry(layer)
    if len(x) != 4:
        raise IndexError
    lengths = []
    for axis in (0, 1):
        k, s, p, d = (g[name][axis] for name in ("kernel", "stride", "pad", "dilation"))
        reach = d * (k - 1) + 1
        transposed = layer.type == "Deconvolution"
        lengths.append((x[2 + axis] - 1) * s + reach - 2 * p if transposed else (x[2 + axis] + 2 * p - reach) // s + 1)
    return [(x[0], int(layer.convolution_param.num_output) or x[1], *lengths)]


def _pooling(layer: Any, inputs: list[Shape]) -> list[Shape]:
    x, g = inputs[0], geometry(layer)
    if len(x) != 4:
        raise IndexError
    if layer.pooling_param.global_pooling:
        return [(*x[:2], 1, 1)]
    floor = layer.pooling_param.round_mode == 1
    return [(*x[:2], *(pooled_length(x[2 + i], g["kernel"][i], g["stride"][i], g["pad"][i], floor) for i in (0, 1)))]


def _inner_product(layer: Any, inputs: list[Shape]) -> list[Shape]:
    p = layer.inner_product_param
    return [(*inputs[0][: p.axis % (len(inputs[0]) + (p.axis >= 0))], int(p.num_output))]


def _concat(layer: Any, inputs: list[Shape]) -> list[Shape]:
    axis = concat_axis(layer) % len(inputs[0])
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in inputs}
    if len(rest) > 1:
        raise IndexError
    return [(*inputs[0][:axis], sum(shape[axis] for shape in inputs), *inputs[0][axis + 1 :])]


def concat_axis(layer: Any) -> int:
    """The axis that a Concat or a Slice works along; `concat_dim` and `slice_dim` are older names."""
    p, old = (layer.concat_param, "concat_dim") if layer.type == "Concat" else (layer.slice_param, "slice_dim")
    return int(getattr(p, old) if p.HasField(old) else p.axis)


def slice_bounds(layer: Any, x: Shape) -> list[tuple[int, int]]:
    """Where each top of a Slice begins and ends."""
    length = x[concat_axis(layer)]
    points = list(layer.slice_param.slice_point)
    if not points:
        points = [length * i // len(layer.top) for i in range(1, len(layer.top))]
    return list(zip([0, *points], [*points, length]))


def _slice(layer: Any, inputs: list[Shape]) -> list[Shape]:
    axis = concat_axis(layer) % len(inputs[0])
    return [(*inputs[0][:axis], b - a, *inputs[0][axis + 1 :]) for a, b in slice_bounds(layer, inputs[0])]


def _eltwise(layer: Any, inputs: list[Shape]) -> list[Shape]:
    if len(set(inputs)) > 1:
        raise IndexError
    return [inputs[0]]


def _reshape(layer: Any, inputs: list[Shape]) -> list[Shape]:
    p, x = layer.reshape_param, inputs[0]
    first = p.axis if p.axis >= 0 else len(x) + 1 + p.axis
    last = len(x) if p.num_axes == -1 else first + p.num_axes
    new = [x[first + i] if length == 0 else int(length) for i, length in enumerate(p.shape.dim)]
    if -1 in new:
        new[new.index(-1)] = math.prod(x[first:last]) // -math.prod(new)
    if math.prod(new) != math.prod(x[first:last]):
        raise IndexError
    return [(*x[:first], *new, *x[last:])]


def _flatten(layer: Any, inputs: list[Shape]) -> list[Shape]:
    x, p = inputs[0], layer.flatten_param
    first, last = p.axis % len(x), p.end_axis % len(x)
    return [(*x[:first], math.prod(x[first : last + 1]), *x[last + 1 :])]


def _upsample(layer: Any, inputs: list[Shape]) -> list[Shape]:
    p, x = layer.upsample_param, inputs[0]
    rows, columns = (p.scale_h, p.scale_w) if p.scale_h else (p.scale, p.scale)
    if p.upsample_h:
        return [(*x[:2], p.upsample_h, p.upsample_w)]
    return [(*x[:2], x[2] * rows, x[3] * columns)]


def _crop(layer: Any, inputs: list[Shape]) -> list[Shape]:
    axis = layer.crop_param.axis % len(inputs[0])
    return [(*inputs[0][:axis], *inputs[1][axis:])]


_FUNCTIONS: dict[str, Callable[[Any, list[Shape]], list[Shape]]] = {
    **dict.fromkeys(CONVOLUTIONS, _convolution), "Pooling": _pooling, "InnerProduct": _inner_product,
    "Concat": _concat, "Slice": _slice, "Eltwise": _eltwise, "Reshape": _reshape, "Flatten": _flatten,
    "Upsample": _upsample, "Crop": _crop, "Split": lambda layer, inputs: inputs * len(layer.top),
    "Permute": lambda layer, inputs: [tuple(inputs[0][axis] for axis in layer.permute_param.order)],
    "CReLU": lambda layer, inputs: [(inputs[0][0], 2 * inputs[0][1], *inputs[0][2:])],
}  # fmt: skip
