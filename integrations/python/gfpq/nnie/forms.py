"""Layers of Caffe that give data another form, and cut them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..torch.recorded import Operation
from .network import text_of
from .problems import Refusal

if TYPE_CHECKING:
    from .build import Builder


def axis_of(axis: Any, shape: Any, what: str) -> int:
    """An axis as Caffe counts it. Raises Refusal for that of the batch."""
    if axis is None:
        axis = 0 if len(shape) in (0, 1, 3) else 1  # as torch.nn.functional.softmax chooses
    axis = int(int(axis) % len(shape))
    if axis == 0:
        raise Refusal(f"it {what} along the axis of the batch", "another axis; or cut the network before it")
    return axis


def reshape(builder: Builder, operation: Operation) -> None:
    """Whatever gives the same numbers in the same order another shape."""
    x, out = builder.shape(operation.inputs[0]), builder.shape(operation.outputs[0])
    if x == out:
        builder.alias(operation)
    elif not out or x[0] != out[0]:
        raise Refusal(f"it makes {text_of(out) or 'a number'} of {text_of(x)}: that touches the axis of the batch",
                            "a shape that begins with the batch's length; or cut the network before it")  # fmt: skip
    elif len(out) == 2:
        builder.add(operation, "Flatten", builder.bottoms(operation))
    else:
        layer = builder.add(operation, "Reshape", builder.bottoms(operation))
        layer.reshape_param.shape.dim.extend([0, *out[1:]])


def permute(builder: Builder, operation: Operation) -> None:
    a, dims = operation.attributes, len(builder.shape(operation.inputs[0]))
    if operation.kind == "Permute":
        order = [axis % dims for axis in a["order"]]
    else:  # transpose, swapaxes
        order = list(range(dims))
        first, second = (int(a.get(f"dim{i}", a.get(str(i), 0))) % dims for i in (0, 1))
        order[first], order[second] = order[second], order[first]
    if order[0] != 0:
        raise Refusal(f"the order {order} moves the axis of the batch", "an order that begins with 0")
    builder.add(operation, "Permute", builder.bottoms(operation)).permute_param.order.extend(order)


def parts(builder: Builder, operation: Operation) -> None:
    """chunk and split."""
    shape = builder.shape(operation.inputs[0])
    axis = axis_of(operation.attributes.get("dim", 0), shape, "cuts")
    lengths = [builder.shape(value)[axis] for value in operation.outputs]
    layer = builder.add(operation, "Slice", builder.bottoms(operation), operation.outputs)
    layer.slice_param.axis = axis
    layer.slice_param.slice_point.extend(int(point) for point in np.cumsum(lengths)[:-1])


def part(builder: Builder, operation: Operation) -> None:
    """One range of one axis."""
    shape, index = builder.shape(operation.inputs[0]), operation.attributes.get("index")
    items = index if isinstance(index, tuple) and index[:1] != ("slice",) else (index,)
    if "..." in items:
        place = items.index("...")
        missing = len(shape) - len(items) + 1
        items = (*items[:place], *[("slice", None, None, None)] * missing, *items[place + 1 :])
    cuts = []
    for axis, item in enumerate(items):
        if not isinstance(item, tuple) or item[:1] != ("slice",) or item[3] not in (None, 1):
            raise Refusal(f"the index {item} is no range without steps", "slices of one axis, such as x[:, 8:16]; "
                                "for every other pixel a convolution with stride 2")  # fmt: skip
        start, stop, _ = slice(*item[1:]).indices(shape[axis])
        if (start, stop) != (0, shape[axis]):
            cuts.append((axis, start, stop))
    if not cuts:
        return builder.alias(operation)
    if len(cuts) > 1:
        raise Refusal("it cuts several axes at once", "one axis after the other")
    axis, start, stop = cuts[0]
    axis_of(axis, shape, "cuts")
    points = [point for point in (start, stop) if 0 < point < shape[axis]]
    outputs: list[int | None] = [None] * (len(points) + 1)
    outputs[1 if start else 0] = operation.outputs[0]
    layer = builder.add(operation, "Slice", builder.bottoms(operation), outputs)
    layer.slice_param.axis = axis
    layer.slice_param.slice_point.extend(points)
    return None
