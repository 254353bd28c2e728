"""What a module or a function is to NNIE: its kind, Caffe's name for the layer, and its attributes as plain data.

Modules and functions that compute the same have the same kind and the same attributes. Axes are as they were given:
a negative one counts from the last. A kind of None: no layer of NNIE's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Union

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.dropout import _DropoutNd

Attributes = dict[str, Any]  # None, bool, int, float, str, or tuples of them
Given = dict[str, Any]  # arguments by name
Described = Union[tuple[str, Attributes], None]

# The kinds whose inputs NNIE quantizes, beside Convolution, DepthwiseConv, Deconvolution and InnerProduct.
# One Pooling of these is global (a mean over the spatial axes); one public account leaves that one out.
WITH_WEIGHTS = ("Convolution", "DepthwiseConv", "Deconvolution", "InnerProduct")
QUANTIZED_FUNCTIONS = ("Concat", "Eltwise", "Pooling", "Upsample")

_POOLS = {
    getattr(nn, f"{adaptive}{method}Pool{n}d"): (n, method, bool(adaptive))
    for n in (1, 2, 3) for method in ("Max", "Avg") for adaptive in ("", "Adaptive")
}  # fmt: skip
_METHODS = {"Max": "max", "Avg": "average"}

# The names of positional arguments. Functions that are not here keep their arguments by number.
_SIGNATURES = {
    **{f"conv{n}d": "input weight bias stride padding dilation groups" for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": "input weight bias stride padding output_padding groups dilation" for n in (1, 2, 3)},
    **{f"max_pool{n}d": "input kernel_size stride padding dilation ceil_mode return_indices" for n in (1, 2, 3)},
    **{f"avg_pool{n}d": "input kernel_size stride padding ceil_mode count_include_pad divisor_override"
       for n in (1, 2, 3)},
    **{f"adaptive_{method}_pool{n}d": "input output_size" for method in ("max", "avg") for n in (1, 2, 3)},
    "linear": "input weight bias",
    "batch_norm": "input running_mean running_var weight bias training momentum eps",
    "interpolate": "input size scale_factor mode align_corners",
    "upsample": "input size scale_factor mode align_corners",
    "relu": "input inplace", "relu6": "input inplace", "leaky_relu": "input negative_slope inplace",
    "hardtanh": "input min_val max_val inplace", "clamp": "input min max", "clip": "input min max",
    "prelu": "input weight", "elu": "input alpha inplace",
    "softmax": "input dim", "log_softmax": "input dim", "sigmoid": "input", "tanh": "input",
    "cat": "tensors dim", "stack": "tensors dim",
    "add": "input other", "sub": "input other", "rsub": "input other", "mul": "input other", "div": "input other",
    "pow": "input exponent",
    "maximum": "input other", "minimum": "input other", "max": "input other", "min": "input other",
    "mean": "input dim keepdim", "amax": "input dim keepdim", "sum": "input dim keepdim",
    "flatten": "input start_dim end_dim", "squeeze": "input dim", "unsqueeze": "input dim",
    "transpose": "input dim0 dim1", "chunk": "input chunks dim", "split": "input split_size_or_sections dim",
    "dropout": "input p training inplace", "dropout2d": "input p training inplace",
    "view": "input", "reshape": "input shape", "permute": "input dims",
    "pad": "input pad mode value", "getitem": "input index", "setitem": "input index value",
}  # fmt: skip
ALIASES = {"concat": "cat", "concatenate": "cat", "multiply": "mul", "subtract": "sub", "divide": "div",
           "true_divide": "div", "truediv": "div"}  # fmt: skip


def layer_kind(module: nn.Module) -> str | None:
    """NNIE's name for a layer with quantized data or weights, by the module's class. None for any other module."""
    if isinstance(module, _ConvNd):
        if module.groups > 1 and module.groups == module.in_channels:
            return "DepthwiseConv"
        return "Deconvolution" if isinstance(module, _ConvTransposeNd) else "Convolution"
    if isinstance(module, nn.Linear):
        return "InnerProduct"
    if isinstance(module, nn.Upsample):
        return "Upsample"
    return "Pooling" if isinstance(module, tuple(_POOLS)) else None


def describe_module(module: nn.Module) -> tuple[str | None, Attributes]:
    """Kind and attributes of a module that computes what its class in torch.nn does."""
    m: Any = module
    kind = layer_kind(module)
    if isinstance(module, _ConvNd):
        layer_names = ["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"]
        if isinstance(module, _ConvTransposeNd):
            layer_names.append("output_padding")
        return kind, {name: plain(getattr(m, name)) for name in layer_names} | {"padding_mode": m.padding_mode}
    if isinstance(module, nn.Linear):
        return kind, {"in_features": m.in_features, "out_features": m.out_features}
    if kind == "Pooling":
        n, method, adaptive = next(_POOLS[cls] for cls in type(module).__mro__ if cls in _POOLS)
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "count_include_pad", "divisor_override")
        given = {name: getattr(m, name) for name in names if hasattr(m, name)}
        return kind, _adaptive(n, method, m.output_size) if adaptive else _pooling(n, method, given)
    if isinstance(module, _BatchNorm):
        of_norm = ("num_features", "eps", "momentum", "affine", "track_running_stats")
        return "BatchNorm", {name: getattr(m, name) for name in of_norm}
    if isinstance(module, nn.Upsample):
        return "Upsample", _upsample(m.size, m.scale_factor, m.mode, m.align_corners)
    if isinstance(module, nn.Flatten):
        return "Flatten", {"axis": m.start_dim, "end_axis": m.end_dim}
    if isinstance(module, (_DropoutNd, nn.AlphaDropout, nn.FeatureAlphaDropout)):
        return "Dropout", {"ratio": m.p}
    if isinstance(module, nn.Sequential):  # an empty one; others are no operation
        return "Identity", {}
    for cls, describe in _MODULES.items():
        if isinstance(module, cls):
            return describe(m)
    return None, {}


_MODULES: dict[type, Callable[[Any], tuple[str, Attributes]]] = {
    nn.Identity: lambda m: ("Identity", {}),
    nn.ReLU: lambda m: ("ReLU", {"negative_slope": 0.0}),
    nn.LeakyReLU: lambda m: ("ReLU", {"negative_slope": m.negative_slope}),
    nn.Hardtanh: lambda m: ("Clip", {"min": m.min_val, "max": m.max_val}),  # ReLU6 too
    nn.PReLU: lambda m: ("PReLU", {"channel_shared": m.num_parameters == 1}),
    nn.ELU: lambda m: ("ELU", {"alpha": m.alpha}),
    nn.Sigmoid: lambda m: ("Sigmoid", {}),
    nn.Tanh: lambda m: ("TanH", {}),
    nn.Softmax: lambda m: ("Softmax", {"axis": m.dim}),
}


def function_name(function: Any) -> str:
    """A function's plain name: `add` for torch.add, Tensor.add_, `+` and `+=`; for a property, the property's.

    With the operands the other way round it begins with r: `rsub` for `1 - x`.
    """
    name = getattr(function, "__name__", str(function)).split(".")[0]
    if name in ("__get__", "__set__"):
        name = getattr(getattr(function, "__self__", None), "__name__", name)
    return plain_name(name)


def plain_name(name: str) -> str:
    """`function_name` of a function whose `__name__` this is."""
    bare = name.strip("_") or name
    return ALIASES.get(bare, bare)


def is_in_place(function: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a call writes to its first argument or to `out`, by the function's name."""
    name = getattr(function, "__name__", "")
    by_name = (name.endswith("_") and not name.endswith("__")) or name in ("__setitem__", "__set__")
    return by_name or kwargs.get("out") is not None or bool(kwargs.get("inplace"))


def arguments(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments by name, or by number where the function's signature is not known here."""
    names = _SIGNATURES.get(name, "").split()
    bound = {names[i] if i < len(names) else str(i): value for i, value in enumerate(args)}
    return bound | {"input" if role == "self" else role: value for role, value in kwargs.items()}


def describe_function(name: str, given: dict[str, Any]) -> tuple[str | None, Attributes]:
    """Kind and attributes of a call of the function `name` with these arguments, by name."""
    tensors = {role for role, value in given.items() if isinstance(value, Tensor)}
    describe = _FUNCTIONS.get(name)
    found = describe(given) if describe is not None and ("input" in tensors or "tensors" in given) else None
    if found is not None:
        return found
    return None, {role: plain(value) for role, value in given.items() if role not in tensors}


def _conv(n: int, transposed: bool) -> Callable[[Given], Described]:
    def describe(given: Given) -> Described:
        weight, groups = given.get("weight"), given.get("groups", 1)
        if not isinstance(weight, Tensor):
            return None
        first, second = weight.shape[0], weight.shape[1] * groups
        inputs, outputs = (first, second) if transposed else (second, first)
        attributes = {
            "in_channels": inputs, "out_channels": outputs, "kernel_size": tuple(weight.shape[2:]),
            "stride": each(given.get("stride", 1), n), "padding": each(given.get("padding", 0), n),
            "dilation": each(given.get("dilation", 1), n), "groups": groups, "padding_mode": "zeros",
        }  # fmt: skip
        if transposed:
            attributes["output_padding"] = each(given.get("output_padding", 0), n)
        if groups > 1 and groups == inputs:
            return "DepthwiseConv", attributes
        return "Deconvolution" if transposed else "Convolution", attributes

    return describe


def _linear(given: Given) -> Described:
    weight = given.get("weight")
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        return None
    return "InnerProduct", {"in_features": weight.shape[1], "out_features": weight.shape[0]}


def _pooling(n: int, method: str, given: Given) -> Attributes:
    kernel = each(given["kernel_size"], n)
    attributes = {
        "method": _METHODS[method], "global": False, "kernel_size": kernel,
        "stride": each(given["stride"], n) if given.get("stride") not in (None, ()) else kernel,
        "padding": each(given.get("padding", 0), n), "ceil_mode": bool(given.get("ceil_mode", False)),
    }  # fmt: skip
    if method == "Max":
        return attributes | {"dilation": each(given.get("dilation", 1), n)}
    divisor = given.get("divisor_override")
    return attributes | {"count_include_pad": bool(given.get("count_include_pad", True)), "divisor_override": divisor}


def _adaptive(n: int, method: str, output_size: Any) -> Attributes:
    size = each(output_size, n)
    return {"method": _METHODS[method], "global": all(length == 1 for length in size), "output_size": size}


def _upsample(size: Any, scale: Any, mode: str, align_corners: Any) -> Attributes:
    return {"scale_factor": plain(scale), "size": plain(size), "mode": mode, "align_corners": align_corners}


def _reduce(method: str) -> Callable[[Given], Described]:
    """A mean or maximum over all spatial axes is a global pooling."""

    def describe(given: Given) -> Described:
        x, dim = given["input"], given.get("dim", given.get("axis"))
        if x.dim() < 3 or dim is None or not isinstance(dim, (int, tuple, list)):
            return None
        axes = {axis % x.dim() for axis in ((dim,) if isinstance(dim, int) else dim)}
        if axes != set(range(2, x.dim())):
            return None
        keep = bool(given.get("keepdim", given.get("keepdims", False)))
        return "Pooling", _adaptive(x.dim() - 2, method, 1) | {"keepdim": keep}

    return describe


def _eltwise(operation: str, coefficients: tuple[float, float] = (1.0, 1.0)) -> Callable[[Given], Described]:
    """Of two tensors of one shape. With a number it is a Power, with a tensor of another shape a Scale or a Bias.

    The coefficients are those of a sum. `alpha` goes with what is added or subtracted: the input where that is first.
    """

    def describe(given: Given) -> Described:
        x, other = given["input"], given.get("other")
        alpha = given.get("alpha", 1)
        a, b = (coefficients[0] * alpha, coefficients[1]) if coefficients[0] < 0 else (1.0, coefficients[1] * alpha)
        if isinstance(other, (bool, int, float)) and operation in ("sum", "product"):
            scale, shift = (a, b * other) if operation == "sum" else (float(other), 0.0)
            return "Power", {"power": 1.0, "scale": scale, "shift": shift}
        if not isinstance(other, Tensor) or not (x.dim() and other.dim()):
            return None
        of_sum = {"coefficients": (a, b)} if operation == "sum" else {}
        if x.shape == other.shape:
            return "Eltwise", {"operation": operation} | of_sum
        kind = {"sum": "Bias", "product": "Scale"}.get(operation)
        return None if kind is None else (kind, {"shapes": (tuple(x.shape), tuple(other.shape))} | of_sum)

    return describe


def _concat(given: Given) -> tuple[str, Attributes]:
    return "Concat", {"axis": given.get("dim", given.get("axis", 0))}


def _pool_function(n: int, method: str, adaptive: bool) -> Callable[[Given], Described]:
    if adaptive:
        return lambda given: ("Pooling", _adaptive(n, method, given.get("output_size", 1)))
    return lambda given: ("Pooling", _pooling(n, method, given))


def _interpolate(given: Given) -> tuple[str, Attributes]:
    return "Upsample", _upsample(given.get("size"), given.get("scale_factor"), given.get("mode", "nearest"),
                                 given.get("align_corners"))  # fmt: skip


def _clip(given: Given) -> Described:
    limits = {"min": given.get("min"), "max": given.get("max")}
    return None if any(isinstance(limit, Tensor) for limit in limits.values()) else ("Clip", limits)


def _reshape(given: Given) -> Described:
    shape = _numbered(given)
    return ("Reshape", {"shape": shape}) if all(isinstance(length, int) for length in shape) else None


def _dropout(given: Given) -> Described:
    """None where it works in evaluation too."""
    return None if given.get("training", True) else ("Dropout", {"ratio": given.get("p", 0.5)})


def _numbered(given: Given) -> tuple[Any, ...]:
    """The numbers behind the input: `view(2, -1)` and `view((2, -1))` alike."""
    values = [value for role, value in given.items() if role != "input" and not isinstance(value, Tensor)]
    return tuple(plain(value) for value in (values[0] if values and isinstance(values[0], (tuple, list)) else values))


_FUNCTIONS: dict[str, Callable[[Given], Described]] = {
    **{f"conv{n}d": _conv(n, False) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _conv(n, True) for n in (1, 2, 3)},
    **{f"{'adaptive_' if adaptive else ''}{method.lower()}_pool{n}d": _pool_function(n, method, adaptive)
       for n, method, adaptive in _POOLS.values()},
    "linear": _linear,
    "batch_norm": lambda given: ("BatchNorm", {"eps": given.get("eps", 1e-5), "training": given.get("training")}),
    "interpolate": _interpolate, "upsample": _interpolate,
    "cat": _concat,
    "add": _eltwise("sum"), "sub": _eltwise("sum", (1.0, -1.0)),
    "rsub": _eltwise("sum", (-1.0, 1.0)), "mul": _eltwise("product"), "maximum": _eltwise("maximum"),
    "max": _eltwise("maximum"),
    "mean": _reduce("Avg"), "amax": _reduce("Max"),
    "relu": lambda given: ("ReLU", {"negative_slope": 0.0}),
    "leaky_relu": lambda given: ("ReLU", {"negative_slope": given.get("negative_slope", 0.01)}),
    "relu6": lambda given: ("Clip", {"min": 0.0, "max": 6.0}),
    "hardtanh": lambda given: ("Clip", {"min": given.get("min_val", -1.0), "max": given.get("max_val", 1.0)}),
    "clamp": _clip,
    "prelu": lambda given: ("PReLU", {"channel_shared": given["weight"].numel() == 1}),
    "elu": lambda given: ("ELU", {"alpha": given.get("alpha", 1.0)}),
    "sigmoid": lambda given: ("Sigmoid", {}),
    "tanh": lambda given: ("TanH", {}),
    "softmax": lambda given: ("Softmax", {"axis": given.get("dim")}),
    "flatten": lambda given: ("Flatten", {"axis": given.get("start_dim", 0), "end_axis": given.get("end_dim", -1)}),
    **dict.fromkeys(("view", "reshape"), _reshape),
    "permute": lambda given: ("Permute", {"order": _numbered(given)}),
    **dict.fromkeys(("dropout", "dropout2d"), _dropout),
}  # fmt: skip


def each(value: Any, n: int) -> Any:
    """One number an axis; a word, such as the padding 'same', stays."""
    if isinstance(value, str):
        return value
    values = tuple(plain(v) for v in value) if isinstance(value, (tuple, list, torch.Size)) else (plain(value),)
    return values * n if len(values) == 1 else values


def plain(value: Any) -> Any:
    """A value as data: numbers, words, tuples of them; ("slice", start, stop, step); others by their text."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(plain(item) for item in value)
    if isinstance(value, slice):
        return ("slice", plain(value.start), plain(value.stop), plain(value.step))
    if isinstance(value, Tensor):
        return "tensor"
    return "..." if value is Ellipsis else str(value)


