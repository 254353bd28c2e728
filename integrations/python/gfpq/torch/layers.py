"""The classes of quantized layers, and how a layer becomes one and a plain one again.

A layer stays the object that it is, with the parameters and names that it has, and only its class changes, so that
optimizers, hooks, tied weights, copies and checkpoints go on as before. Its weight is the float one that the optimizer
updates; `forward` quantizes it, and the layer's input.
"""

from __future__ import annotations

import copyreg
from typing import Any, Callable, Union, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import NotSupportedError
from .context import compiling
from .fake_quantize import FakeQuantize
from .operations import layer_kind
from .origins import layer_begins
from .running import assigned_forward

Quantizer = Union[FakeQuantize, None]
WEIGHT_NOT_PASSED = ("has a `forward` of its own that does not pass its weight, unchanged and once, to a convolution "
                     "or linear function of torch.nn.functional")  # fmt: skip
WEIGHT_IN_HOOK = ("computes its weight in a hook: where it is pruned, call torch.nn.utils.prune.remove(layer, 'weight')"
                  ", which keeps the zeros; in place of torch.nn.utils.weight_norm and spectral_norm use those of "
                  "torch.nn.utils.parametrizations")  # fmt: skip
OWN = ("input_quantizer", "weight_quantizer")  # the submodules that a quantized layer has more


class Swapped(nn.Module):
    """A class that a module was given in place of its own, which comes right behind it in the order of bases."""

    @classmethod
    def content_for(cls, _original: type) -> dict[str, Any]:
        """What a class has more that is made of this one and another."""
        return {}

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Classes that were made on the fly are found again by what they were made of."""
        constructor, *rest = cast("tuple[Any, ...]", super().__reduce_ex__(protocol))
        if "_made_of" in vars(type(self)) and constructor is copyreg.__newobj__:  # type: ignore[attr-defined]
            return (_new, made_of(type(self)), *rest[1:])
        return (constructor, *rest)


class QuantizedLayer(Swapped):
    """A layer that quantizes its input and its weight. Either quantizer may be None: that tensor stays float."""

    input_quantizer: Quantizer
    weight_quantizer: Quantizer
    weight: Tensor

    def quantized_input(self, x: Tensor) -> Tensor:
        if self.input_quantizer is None:
            return x
        quantized: Tensor = self.input_quantizer(x)
        if compiling():  # without the functions that this is for
            return quantized
        name = getattr(self.input_quantizer, "name", "")  # others may have been put there
        layer_begins(name.rpartition(" ")[0], x, quantized)
        return quantized

    def quantized_weight(self) -> Tensor:
        """The weight as `forward` uses it."""
        return self.weight if self.weight_quantizer is None else self.weight_quantizer(self.weight)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Takes checkpoints of version 1.2 too, in which the weight was parametrized."""
        old = prefix + "parametrizations.weight."
        for key in [key for key in state_dict if key.startswith(old)]:
            new = "weight" if key == old + "original" else "weight_quantizer." + key[len(old) :].partition(".")[2]
            state_dict[prefix + new] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *arguments)  # type: ignore[no-untyped-call]


class _QuantizedConv(QuantizedLayer):
    def forward(self: Any, input: Tensor) -> Tensor:
        return self._conv_forward(self.quantized_input(input), self.quantized_weight(), self.bias)


class QuantizedConv1d(_QuantizedConv, nn.Conv1d):
    """torch.nn.Conv1d on quantized input and weight."""


class QuantizedConv2d(_QuantizedConv, nn.Conv2d):
    """torch.nn.Conv2d on quantized input and weight."""


class QuantizedConv3d(_QuantizedConv, nn.Conv3d):
    """torch.nn.Conv3d on quantized input and weight."""


class _QuantizedConvTranspose(QuantizedLayer):
    _function: Callable[..., Tensor]

    def forward(self: Any, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        padding = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size, len(self.kernel_size), self.dilation
        )
        return type(self)._function(
            self.quantized_input(input), self.quantized_weight(), self.bias, self.stride, self.padding, padding,
            self.groups, self.dilation,
        )


class QuantizedConvTranspose1d(_QuantizedConvTranspose, nn.ConvTranspose1d):
    """torch.nn.ConvTranspose1d on quantized input and weight."""

    _function = staticmethod(F.conv_transpose1d)


class QuantizedConvTranspose2d(_QuantizedConvTranspose, nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d on quantized input and weight."""

    _function = staticmethod(F.conv_transpose2d)


class QuantizedConvTranspose3d(_QuantizedConvTranspose, nn.ConvTranspose3d):
    """torch.nn.ConvTranspose3d on quantized input and weight."""

    _function = staticmethod(F.conv_transpose3d)


class QuantizedLinear(QuantizedLayer, nn.Linear):
    """torch.nn.Linear on quantized input and weight."""

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(self.quantized_input(input), self.quantized_weight(), self.bias)


class QuantizedInput(QuantizedLayer):
    """A layer without weight, of any class, on quantized input: pooling, upsampling."""

    def forward(self, input: Tensor, *arguments: Any, **keywords: Any) -> Any:
        return super().forward(self.quantized_input(input), *arguments, **keywords)


class QuantizedByCall(QuantizedLayer):
    """A convolution or linear layer whose class has a `forward` of its own, as timm's Conv2dSame.

    The input and the weight are quantized where it calls the function. Raises NotSupportedError where it does not pass
    its weight itself, and once: then what is quantized would not be what is deployed.
    """

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        call = _QuantizeCall(self)
        with call:
            result = super().forward(*arguments, **keywords)
        call.check()
        return result


_FUNCTIONS = {torch.conv1d, torch.conv2d, torch.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d,
              F.linear}  # fmt: skip


class _QuantizeCall(TorchFunctionMode):
    def __init__(self, layer: QuantizedByCall) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layer, self.weight = layer, layer.weight
        self.weights_passed: list[bool] = []

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _FUNCTIONS:
            named = dict(zip(("input", "weight"), args), **kwargs)
            x, weight, rest = named.pop("input"), named.pop("weight"), args[2:]
            self.weights_passed.append(weight is self.weight)
            if weight is self.weight and self.layer.weight_quantizer is not None:
                weight = self.layer.weight_quantizer(weight)
            return func(self.layer.quantized_input(x), weight, *rest, **named)
        return func(*args, **kwargs)

    def check(self) -> None:
        if self.weights_passed != [True]:
            name = next((q.name.rpartition(" ")[0] for q in self.layer.children() if isinstance(q, FakeQuantize)), "")
            raise not_supported(name, self.layer, WEIGHT_NOT_PASSED)


def not_supported(name: str, layer: nn.Module, reason: str) -> NotSupportedError:
    """The error for a layer that can't be quantized."""
    return NotSupportedError(f"the layer {name or '(model)'} ({original_class(layer).__name__}) {reason}. Or leave it "
                             f"in float: gfpq.torch.prepare(..., skip=[{name!r}])")


_STATIC: dict[type, type] = {
    nn.Conv1d: QuantizedConv1d, nn.Conv2d: QuantizedConv2d, nn.Conv3d: QuantizedConv3d,
    nn.ConvTranspose1d: QuantizedConvTranspose1d, nn.ConvTranspose2d: QuantizedConvTranspose2d,
    nn.ConvTranspose3d: QuantizedConvTranspose3d, nn.Linear: QuantizedLinear,
}  # fmt: skip
_made: dict[tuple[type, type], type] = {}


def class_for(layer: nn.Module, name: str) -> type:
    """The quantized class for a layer of NNIE's.

    Raises NotSupportedError for a layer that had a `forward` assigned to it.
    """
    original = type(layer)
    if assigned_forward(layer):
        raise not_supported(name, layer, "has a `forward` that was assigned to it: prepare the model before that")
    if original in _STATIC:
        return _STATIC[original]
    if layer_kind(layer) in ("Pooling", "Upsample"):
        return made_class(QuantizedInput, original)
    for plain, quantized in _STATIC.items():
        computing = ("forward", "_conv_forward", "_output_padding")
        if isinstance(layer, plain) and all(_same(original, plain, name) for name in computing):
            return made_class(quantized, original)
    return made_class(QuantizedByCall, original)


def _same(a: type, b: type, name: str) -> bool:
    return getattr(a, name, None) is getattr(b, name, None)


def made_class(swapped: type, original: type) -> type:
    """A class that is both, made once; its objects pickle and copy."""
    key = swapped, original
    if key not in _made:
        content = {"__module__": swapped.__module__, "__doc__": swapped.__doc__, "_made_of": key}
        content |= swapped.content_for(original) if issubclass(swapped, Swapped) else {}
        _made[key] = type("Quantized" + original.__name__, key, content)
    return _made[key]


def made_of(cls: type) -> tuple[type, ...]:
    """The classes that a class was made of, from the outermost to the one that is not made."""
    swapped, *original = vars(cls).get("_made_of", (cls,))
    return (swapped, *made_of(*original)) if original else (cls,)


def without(module: nn.Module, swapped: type) -> type:
    """A module's class without one of the classes that it was made of."""
    *outer, cls = made_of(type(module))
    for part in reversed(outer):
        if part is not swapped:
            cls = made_class(part, cls)
    return cls


def _new(*classes: type) -> Any:
    *outer, last = classes
    made: Any = last
    for swapped in reversed(outer):
        made = made_class(swapped, made)
    return made.__new__(made)


def original_class(module: nn.Module) -> type:
    """A module's class before it was swapped."""
    return original_of(type(module))


def original_of(cls: type) -> type:
    """The class that a swapped one was made for; any other class itself."""
    made_of = vars(cls).get("_made_of")
    if made_of is not None:
        return cast(type, made_of[1])
    return next((plain for plain, quantized in _STATIC.items() if cls is quantized), cls)
