"""Which layers of Caffe compute an operation of PyTorch, kind by kind. What none computes is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from ..torch.recorded import Operation
from .arithmetic import ARITHMETIC, affine, eltwise, negative, power, raised, vector_of
from .facts import UPSAMPLE_SCALE
from .forms import axis_of, part, parts, permute, reshape
from .network import pooled_length, text_of
from .problems import Refusal

if TYPE_CHECKING:
    from .build import Builder

_ReLU = "ReLU, put in its place before training"
_ACTIVATION = "it is an activation that Caffe 1.0 lacks", _ReLU
_ATTENTION = "it multiplies two tensors of data", "convolutions; or cut the network before it, and run it on the CPU"
_NORM = "it computes its mean and variance from each sample", "BatchNorm, which is folded"
# What is no layer, by the function's name or the module's class: why, and what to use instead.
_REFUSED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(["SiLU", "silu", "GELU", "gelu", "Mish", "mish", "Hardswish", "hardswish", "SELU", "selu", "CELU",
                     "celu", "Softplus", "softplus", "LogSigmoid", "Softsign", "softsign"], _ACTIVATION),
    **dict.fromkeys(["Hardsigmoid", "hardsigmoid"], ("it is an activation that Caffe 1.0 lacks", "Sigmoid, put in its "
                                                     "place before training")),
    **dict.fromkeys(["matmul", "bmm", "baddbmm", "einsum", "scaled_dot_product_attention", "MultiheadAttention",
                     "multi_head_attention_forward"], _ATTENTION),
    **dict.fromkeys(["LayerNorm", "layer_norm", "GroupNorm", "group_norm", "InstanceNorm2d", "instance_norm"], _NORM),
    **dict.fromkeys(["pad", "ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d", "ConstantPad2d"],
                    ("Caffe has no layer that pads", "zeros by the padding of the convolution or pooling behind it")),
    **dict.fromkeys(["PixelShuffle", "pixel_shuffle", "PixelUnshuffle", "pixel_unshuffle"],
                    ("it has more than four axes inside", "nn.ConvTranspose2d, or nearest Upsample by 2")),
    **dict.fromkeys(["LSTM", "GRU", "RNN"], ("recurrent networks are exported by nobody here",
                                            "cut the network before it, and run it on the CPU")),
    **dict.fromkeys(["setitem", "copy", "index_put", "scatter"],
                    ("it writes into a part of a tensor", "torch.cat of the parts")),
    **dict.fromkeys(["log_softmax", "LogSoftmax"], ("Caffe has no such layer", "softmax; or cut it off")),
    **dict.fromkeys(["argmax", "topk", "sort", "nms", "index", "gather", "max", "min", "where"],
                    ("it selects by the data", "cut the network before it, and run it on the CPU")),
}  # fmt: skip


def convert(builder: Builder, operation: Operation) -> None:
    """Adds the layers for an operation. Raises Refusal."""
    name = operation.function.rpartition(":")[2]
    if name in (*ARITHMETIC, "maximum") and (foreign := [x for x in operation.inputs if x not in builder.data]):
        builder.blob(foreign[0])  # which says what to do
    constants = {role: value for role, value in operation.parameters.items() if role in ("input", "other")}
    if name in ARITHMETIC and len(operation.inputs) == 1 and (constants or "other" in operation.attributes):
        return affine(builder, operation, name)
    convert_kind = _KINDS.get(operation.kind or "") or _FUNCTIONS.get(name)
    if convert_kind is None:
        raise _refused(operation, name)
    return convert_kind(builder, operation)


def _refused(operation: Operation, name: str) -> Refusal:
    if operation.kind in ("Scale", "Bias"):
        return Refusal(f"it joins data of the shapes {' and '.join(map(text_of, operation.attributes['shapes']))}",
                             "an Eltwise of equal shapes; for squeeze and excitation leave the block out before "
                             "training, or cut the network")  # fmt: skip
    default = "it is no layer of Caffe's that is exported", "other layers; or cut the network before it"
    reason, instead = _REFUSED.get(name, default)
    return Refusal(reason, instead)


def _numbers(operation: Operation, *names: str) -> list[tuple[int, int]]:
    """Attributes that have two numbers each. Raises Refusal for one axis or three."""
    found = []
    for name in names:
        value = operation.attributes.get(name)
        if not isinstance(value, tuple) or len(value) != 2:
            raise Refusal(f"its {name} is {value}: NNIE's maps have rows and columns",
                                "the layer of two axes, with a length of 1 for the other")  # fmt: skip
        found.append((int(value[0]), int(value[1])))
    return found


def _convolution(builder: Builder, operation: Operation) -> None:
    a = operation.attributes
    transposed = "output_padding" in a
    if "weight" in operation.roles:
        raise Refusal("its weight is computed while it runs", "a parameter for the weight")
    if a["padding_mode"] != "zeros":
        raise Refusal(f"padding_mode is {a['padding_mode']!r}", "padding with zeros")
    kernel, stride, dilation = _numbers(operation, "kernel_size", "stride", "dilation")
    if a["padding"] in ("same", "valid"):
        reach = [d * (k - 1) for d, k in zip(dilation, kernel)] if a["padding"] == "same" else [0, 0]
        if any(length % 2 for length in reach):
            raise Refusal("padding='same' with a reach that is even pads one side more", "an odd kernel size")
        pad = reach[0] // 2, reach[1] // 2
    else:
        (pad,) = _numbers(operation, "padding")
    if transposed and any(_numbers(operation, "output_padding")[0]):
        raise Refusal(f"output_padding is {a['output_padding']}: Caffe's Deconvolution has none",
                            "kernel_size=2, stride=2 (or kernel_size=4, padding=1)")  # fmt: skip
    weight = builder.parameter(operation, "weight")
    bias = builder.parameter(operation, "bias")
    assert weight is not None
    depthwise = operation.kind == "DepthwiseConv" and not transposed and builder.depthwise
    kind = "DepthwiseConv" if depthwise else "Deconvolution" if transposed else "Convolution"
    blobs = [weight] if bias is None else [weight, bias]
    layer = builder.add(operation, kind, builder.bottoms(operation)[:1], blobs=blobs)
    p = layer.convolution_param
    p.num_output, p.bias_term = a["out_channels"], bias is not None
    if a["groups"] != 1:
        p.group = a["groups"]
    p.kernel_h, p.kernel_w = kernel
    p.stride_h, p.stride_w = stride
    p.pad_h, p.pad_w = pad
    if dilation != (1, 1):
        p.dilation.extend(dilation)


def _inner_product(builder: Builder, operation: Operation) -> None:
    if "weight" in operation.roles:
        raise Refusal("its weight is computed while it runs", "a parameter for the weight")
    shape = builder.shape(operation.inputs[0])
    if len(shape) != 2:
        raise Refusal(f"it takes {text_of(shape)}, and Caffe's InnerProduct makes one vector of a sample",
                            "a convolution of 1x1")  # fmt: skip
    weight, bias = (builder.parameter(operation, role) for role in ("weight", "bias"))
    assert weight is not None
    blobs = [weight] if bias is None else [weight, bias]
    layer = builder.add(operation, "InnerProduct", builder.bottoms(operation)[:1], blobs=blobs)
    layer.inner_product_param.num_output = operation.attributes["out_features"]
    layer.inner_product_param.bias_term = bias is not None


def _pooling(builder: Builder, operation: Operation) -> None:
    a = operation.attributes
    x, out = builder.shape(operation.inputs[0]), builder.shape(operation.outputs[0])
    if len(x) != 4:
        raise Refusal(f"it takes {text_of(x)}: NNIE's maps have rows and columns", "the layer of two axes")
    kernel, stride, pad = _pooling_sizes(operation, x, out)
    flat = len(out) == 2  # a mean without keepdim
    layer = builder.add(operation, "Pooling", builder.bottoms(operation), [None] if flat else None)
    p = layer.pooling_param
    p.pool = 0 if a["method"] == "max" else 1
    if a["global"]:
        p.global_pooling = True
    else:
        _check_pooled(a, x, out, kernel, stride, pad)
        p.kernel_h, p.kernel_w = kernel
        p.stride_h, p.stride_w = stride
        p.pad_h, p.pad_w = pad
    if flat:
        builder.add(operation, "Flatten", [layer.top[0]], suffix="_flatten")


def _pooling_sizes(operation: Operation, x: Any, out: Any) -> Any:
    a = operation.attributes
    if a["global"]:
        return (1, 1), (1, 1), (0, 0)
    if "output_size" in a:  # adaptive
        rows, columns = out[2:]
        if x[2] % rows or x[3] % columns:
            raise Refusal(f"it makes {rows}x{columns} of {x[2]}x{x[3]} by windows of different sizes",
                                "an input size that these numbers divide, or pooling with a kernel_size")  # fmt: skip
        kernel = x[2] // rows, x[3] // columns
        return kernel, kernel, (0, 0)
    kernel, stride, pad = _numbers(operation, "kernel_size", "stride", "padding")
    if a.get("dilation", (1, 1)) != (1, 1):
        raise Refusal("Caffe's Pooling has no dilation", "dilation=1")
    if a["method"] == "average":
        if any(pad) and not a["count_include_pad"]:
            raise Refusal("Caffe counts the padding in an average (count_include_pad=False)",
                                "count_include_pad=True, or padding=0")  # fmt: skip
        if a["divisor_override"] not in (None, kernel[0] * kernel[1]):
            raise Refusal("Caffe divides by the window's size (divisor_override)", "no divisor_override")
    return kernel, stride, pad


def _check_pooled(a: Any, x: Any, out: Any, kernel: Any, stride: Any, pad: Any) -> None:
    found = tuple(pooled_length(x[2 + i], kernel[i], stride[i], pad[i]) for i in (0, 1))
    if found != tuple(out[2:]):
        fitting = [_fitting(x[2 + i], kernel[i], stride[i], pad[i]) for i in (0, 1)]
        raise Refusal(
            f"Caffe rounds a pooled size up: from {text_of(x[2:])} it makes {text_of(found)}, the model "
            f"{text_of(out[2:])}",
            f"ceil_mode=True before training, or an input size with which {text_of(tuple(fitting))} reaches this layer",
        )


def _fitting(length: int, kernel: int, stride: int, pad: int) -> int:
    """The next larger length for which rounding makes no difference."""
    while (length + 2 * pad - kernel) % stride:
        length += 1
    return length


def _batch_norm(builder: Builder, operation: Operation) -> None:
    if operation.attributes.get("training"):
        raise Refusal("it uses the statistics of the batch", "running statistics: call model.eval()")
    mean, variance = (builder.parameter(operation, role) for role in ("running_mean", "running_var"))
    if mean is None or variance is None:
        raise Refusal("it has no running statistics", "track_running_stats=True")
    (bottom,) = builder.bottoms(operation)
    layer = builder.add(operation, "BatchNorm", [bottom], [None], blobs=[mean, variance, np.ones(1)])
    layer.batch_norm_param.use_global_stats = True
    layer.batch_norm_param.eps = operation.attributes["eps"]
    weight, bias = (builder.parameter(operation, role) for role in ("weight", "bias"))
    ones, zeros = np.ones_like(mean), np.zeros_like(mean)
    scale = builder.add(operation, "Scale", list(layer.top), suffix="_scale",
                        blobs=[ones if weight is None else weight, zeros if bias is None else bias])  # fmt: skip
    scale.scale_param.bias_term = True


def _relu(builder: Builder, operation: Operation) -> None:
    layer = builder.add(operation, "ReLU", builder.bottoms(operation))
    if operation.attributes["negative_slope"]:
        layer.relu_param.negative_slope = operation.attributes["negative_slope"]


def _clip(builder: Builder, operation: Operation) -> None:
    low, high = operation.attributes["min"], operation.attributes["max"]
    if low == 0 and high is None:
        builder.add(operation, "ReLU", builder.bottoms(operation))
        return
    name = "ReLU6" if (low, high) == (0, 6) else f"limits of {low} and {high}"
    raise Refusal(f"{name}: Caffe 1.0 has no layer that clips", _ReLU)


def _prelu(builder: Builder, operation: Operation) -> None:
    weight = builder.parameter(operation, "weight")
    if weight is None:
        raise Refusal("its slopes are computed while it runs", "a parameter for them")
    layer = builder.add(operation, "PReLU", builder.bottoms(operation), blobs=[vector_of(weight)])
    layer.prelu_param.channel_shared = weight.size == 1


def _elu(builder: Builder, operation: Operation) -> None:
    layer = builder.add(operation, "ELU", builder.bottoms(operation))
    layer.elu_param.alpha = operation.attributes["alpha"]


def _same(kind: str) -> Callable[[Builder, Operation], None]:
    def add(builder: Builder, operation: Operation) -> None:
        builder.add(operation, kind, builder.bottoms(operation))

    return add


def _softmax(builder: Builder, operation: Operation) -> None:
    axis = axis_of(operation.attributes["axis"], builder.shape(operation.inputs[0]), "normalizes")
    builder.add(operation, "Softmax", builder.bottoms(operation)).softmax_param.axis = axis


def _concat(builder: Builder, operation: Operation) -> None:
    if operation.parameters:
        raise Refusal("it joins data and a parameter", "data alone")
    axis = axis_of(operation.attributes["axis"], builder.shape(operation.inputs[0]), "joins")
    builder.add(operation, "Concat", builder.bottoms(operation)).concat_param.axis = axis


def _upsample(builder: Builder, operation: Operation) -> None:
    mode = operation.attributes["mode"]
    if mode != "nearest":
        raise Refusal(f"its mode is {mode!r}, and the mapper has the nearest alone",
                            "mode='nearest'; or nn.ConvTranspose2d(c, c, 4, 2, 1, groups=c) with weights that "
                            "interpolate")  # fmt: skip
    x, out = builder.shape(operation.inputs[0]), builder.shape(operation.outputs[0])
    if len(x) != 4 or out[2:] != (UPSAMPLE_SCALE * x[2], UPSAMPLE_SCALE * x[3]):
        raise Refusal(f"it makes {text_of(out)} of {text_of(x)}, and the mapper doubles rows and columns alone",
                            "Upsample by 2, for 4 twice")  # fmt: skip
    builder.add(operation, "Upsample", builder.bottoms(operation)).upsample_param.scale = UPSAMPLE_SCALE


def _passing(builder: Builder, operation: Operation) -> None:
    """What changes nothing in evaluation, or a tensor's place in memory alone."""
    before, after = (builder.record.values[value] for value in (operation.inputs[0], operation.outputs[0]))
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        raise Refusal(f"it makes {after.dtype} of {before.dtype}", "float32 throughout")
    builder.blob(operation.inputs[0])
    builder.alias(operation)


_KINDS: dict[str, Callable[[Any, Operation], None]] = {
    **dict.fromkeys(["Convolution", "DepthwiseConv", "Deconvolution"], _convolution),
    "InnerProduct": _inner_product, "Pooling": _pooling, "BatchNorm": _batch_norm, "ReLU": _relu, "Clip": _clip,
    "PReLU": _prelu, "ELU": _elu, "Sigmoid": _same("Sigmoid"), "TanH": _same("TanH"), "Softmax": _softmax,
    "Concat": _concat, "Eltwise": eltwise, "Power": power, "Flatten": reshape, "Reshape": reshape,
    "Permute": permute, "Upsample": _upsample, "Dropout": _passing, "Identity": _passing,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[Any, Operation], None]] = {
    **dict.fromkeys(["view", "reshape", "flatten", "squeeze", "unsqueeze", "unflatten", "Unflatten", "view_as",
                     "reshape_as"], reshape),
    **dict.fromkeys(["transpose", "swapaxes", "swapdims"], permute), **dict.fromkeys(["chunk", "split"], parts),
    "getitem": part, **dict.fromkeys(["pow", "square", "sqrt", "reciprocal", "rsqrt"], raised),
    **dict.fromkeys(["neg", "negative"], negative),
    **dict.fromkeys(["contiguous", "clone", "detach", "to", "float", "alias", "type"], _passing),
}  # fmt: skip
