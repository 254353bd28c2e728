"""What `prepare` makes of the model itself: it knows its quantized layers, and refuses to run without them."""

from __future__ import annotations

import inspect
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from ..errors import NotSupportedError, some
from .context import compiling
from .fake_quantize import FakeQuantize
from .functional import watched
from .layers import WEIGHT_IN_HOOK, QuantizedLayer, Swapped, made_class, not_supported, without
from .operations import layer_kind
from .passes import join, one_pass
from .recorded import Record
from .running import assigned_forward

Call = tuple[tuple[Any, ...], dict[str, Any]]  # arguments and keyword arguments


@dataclass(frozen=True)
class TensorSpec:
    """A tensor without its numbers."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def make(self, generator: torch.Generator, device: torch.device) -> Tensor:
        """A tensor of this kind: normal numbers, or zeros of integers."""
        if self.dtype.is_floating_point:
            return torch.randn(self.shape, generator=generator).to(device, self.dtype)
        return torch.zeros(self.shape, dtype=self.dtype, device=device)


@dataclass
class State:
    """What a prepared model knows of itself; without tensors."""

    quantized: list[str]  # names of layers
    unquantized: list[str]  # the other layers of NNIE's
    skipped: list[str] = field(default_factory=list)  # names of layers and calls that the user left out
    record: Record | None = None  # of the pass in prepare
    functions: bool = True  # whether prepare could see them, or had no data to quantize
    calls: bool = False  # the inputs of functions are quantized, and calls that the record lacks are warned of
    inputs: Call | None = None  # of the first pass, with TensorSpecs for tensors
    folded: list[tuple[str, str]] = field(default_factory=list)  # by prepare: (layer, BatchNorm)
    frozen: list[str] = field(default_factory=list)  # parameters that prepare took the gradient from
    compared: bool = False  # an export folded as this record says, and compared the outputs

    def __deepcopy__(self, _memo: Any) -> State:
        return replace(self, folded=list(self.folded))  # a record never changes


class QuantizedModel(Swapped):
    """A prepared model. It raises NotSupportedError where its quantized layers were replaced by float ones."""

    _gfpq: State
    _compiled_call_impl: Any = None  # of nn.Module.compile, since PyTorch 2.2

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        check(self, self._gfpq)
        if compiling():
            result = super().__call__(*arguments, **keywords)
            join(self)
            return result
        if self._gfpq.calls and self._compiled_call_impl is not None:
            raise NotSupportedError(
                "model.compile() leaves this call out of the program, and with it what quantizes the inputs of "
                "functions: use torch.compile(model, fullgraph=True)"
            )
        if self._gfpq.inputs is None:
            with suppress(TypeError):
                self._gfpq.inputs = spec_of(arguments, keywords)
        with one_pass(self), watched() if self._gfpq.calls else nullcontext():
            return super().__call__(*arguments, **keywords)


_LEFT_OUT = "_ddp_params_and_buffers_to_ignore"  # of DistributedDataParallel's broadcast before each pass


def enter(model: nn.Module, state: State) -> None:
    """Makes a model a QuantizedModel. DistributedDataParallel does not broadcast ranges that one reduction a pass keeps
    the same on all ranks."""
    model.__class__ = made_class(QuantizedModel, type(model))
    model._gfpq = state  # type: ignore[assignment]
    setattr(model, _LEFT_OUT, [*getattr(model, _LEFT_OUT, ()), *_ranges(model)])


def _ranges(model: nn.Module) -> list[str]:
    """The names of the buffers with ranges that `join` keeps the same, also as torch.compile's wrapper has them."""
    quantizers = [(name, module) for name, module in model.named_modules() if isinstance(module, FakeQuantize)]
    names = [f"{name}.range" if name else "range" for name, module in quantizers if module.may_join]
    return [*names, *(f"_orig_mod.{name}" for name in names)]


def freeze_batchnorm(model: nn.Module) -> list[str]:
    """Takes the gradient from the parameters of BatchNorm. Returns the names of those that had one."""
    norms = [(name, module) for name, module in model.named_modules() if isinstance(module, _BatchNorm)]
    frozen = []
    for name, norm in norms:
        for key, parameter in norm.named_parameters(name, recurse=False):
            if parameter.requires_grad:
                frozen.append(key)
                parameter.requires_grad_(False)
            parameter.grad = None  # momentum and weight decay move a parameter that has one, be it zero
    return frozen


def leave(model: nn.Module) -> None:
    """Undoes `enter` and `freeze_batchnorm`, for the model and any prepared part of it."""
    for module in model.modules():
        if isinstance(module, QuantizedModel):
            parameters = dict(module.named_parameters())
            for name in module._gfpq.frozen:
                if name in parameters:
                    parameters[name].requires_grad_(True)
            module.__class__ = without(module, QuantizedModel)
            del module._gfpq
            own = set(_ranges(module))
            others = [name for name in getattr(module, _LEFT_OUT, ()) if name not in own]
            if others:
                setattr(module, _LEFT_OUT, others)
            elif hasattr(module, _LEFT_OUT):
                delattr(module, _LEFT_OUT)


def check_all(model: nn.Module) -> None:
    """`check` for a model and its prepared parts, and that all weights are there to be copied."""
    for name, layer in model.named_modules():
        computed = isinstance(layer, QuantizedLayer) and hasattr(layer, "weight") and "weight" not in layer._parameters
        if computed and not parametrize.is_parametrized(layer, "weight"):
            raise not_supported(name, layer, WEIGHT_IN_HOOK)
    for module in model.modules():
        if isinstance(module, QuantizedModel):
            check(module, module._gfpq)


def prepared_parts(model: nn.Module) -> dict[str, QuantizedModel]:
    """The prepared model, or parts of one, by path."""
    return {name: module for name, module in model.named_modules() if isinstance(module, QuantizedModel)}


def unprepared_layers(model: nn.Module) -> dict[str, str]:
    """NNIE's layers that no `prepare` has seen, and their kinds."""
    known = {
        f"{name}.{layer}" if name else layer
        for name, part in prepared_parts(model).items()
        for layer in part._gfpq.unquantized
    }
    return {
        name: kind
        for name, layer in model.named_modules()
        if (kind := layer_kind(layer)) and not isinstance(layer, QuantizedLayer) and name not in known
    }


def may_call_functions(model: nn.Module) -> bool:
    """Whether code that is not PyTorch's runs outside the prepared parts of a model."""
    parts = prepared_parts(model)
    inside = {id(module) for part in parts.values() for module in part.modules()}
    own = [type(module).__module__ for module in model.modules() if id(module) not in inside]
    return bool(parts) and any(not name.startswith(("torch.", __name__.partition(".")[0] + ".")) for name in own)


def check(model: nn.Module, state: State) -> None:
    """Raises NotSupportedError where a quantized layer gave way to one in float."""
    found = [_find(model, name) for name in state.quantized]
    if all(isinstance(layer, QuantizedLayer) and not assigned_forward(layer) for layer in found):
        return
    floating = {name: layer for name, layer in model.named_modules() if layer_kind(layer)}
    replaced = [
        name
        for name, layer in floating.items()
        if name not in state.unquantized and (not isinstance(layer, QuantizedLayer) or assigned_forward(layer))
    ]
    if replaced:
        raise NotSupportedError(
            f"layers were replaced after gfpq.torch.prepare and would run in float: {some(replaced)}. If a fuse() "
            "of the model did that: leave it out, gfpq.torch.export folds BatchNorm, and prepare(..., fold=True) does "
            "before training. If the layers are to be new: gfpq.torch.remove(model), then prepare it again."
        )


def _find(model: nn.Module, name: str) -> nn.Module | None:
    module: Any = model
    for key in name.split(".") if name else ():
        module = module._modules.get(key)
        if module is None:
            return None
    return module


def example_of(model: nn.Module) -> Any:
    """Random inputs like those of a prepared model's first pass, as `record` takes them; None where there was none."""
    if not isinstance(model, QuantizedModel) or model._gfpq.inputs is None:
        return None
    arguments, keywords = model._gfpq.inputs
    if arguments and keywords:
        arguments, keywords = (), inspect.signature(model.forward).bind(*arguments, **keywords).arguments
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)  # its own: nothing but training draws from PyTorch's
    return mapped(
        lambda item: item.make(generator, device) if isinstance(item, TensorSpec) else item, keywords or arguments
    )


def mapped(function: Any, value: Any) -> Any:
    """Applies a function to what a structure of tuples, lists and dicts holds."""
    if isinstance(value, dict):
        return {key: mapped(function, item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(function, item) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(mapped(function, item) for item in value)
    return function(value)


def spec_of(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
    """What a model was called with, without numbers. Raises TypeError for inputs that can't be made again."""
    return cast(Call, mapped(_spec_of, (arguments, keywords)))


def _spec_of(value: Any) -> Any:
    if isinstance(value, Tensor):
        return TensorSpec(tuple(value.shape), value.dtype)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a {type(value).__name__} can't be made again")
